"""The analyzer's Prometheus metrics, read from its parts whenever they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import REGISTRY, Collector

from analyzer.engine.lane import EngineLane
from analyzer.search.cache import PositionCache
from analyzer.service import AnalysisServicer


class AnalyzerMetrics(Collector):
    """Figures count from the start of the process; rates are Prometheus's to make."""

    def __init__(self, lanes: Sequence[EngineLane], cache: PositionCache, servicer: AnalysisServicer) -> None:
        self._lanes = lanes
        self._cache = cache
        self._servicer = servicer

    def register(self) -> None:
        REGISTRY.register(self)

    def unregister(self) -> None:
        REGISTRY.unregister(self)

    def collect(self) -> Iterable[Metric]:
        lanes = self._lanes
        yield _gauge("rookify_engines", "Engines, one thread each.", len(lanes))
        yield _counter("rookify_engine_nodes", "Nodes searched.", sum(lane.total_nodes for lane in lanes))
        yield _counter("rookify_engine_positions", "Searches made.", sum(lane.searches for lane in lanes))
        yield _counter(
            "rookify_engine_busy_seconds",
            "Time that engines searched.",
            sum(lane.busy_seconds for lane in lanes),
        )
        yield _counter(
            "rookify_engine_restarts",
            "Engines replaced after a failure.",
            sum(lane.restarts for lane in lanes),
        )
        yield _counter("rookify_cache_hits", "Positions served from the cache.", self._cache.hits)
        yield _counter("rookify_cache_misses", "Positions not found there.", self._cache.misses)
        yield _counter("rookify_analyzed_games", "Games analyzed.", self._servicer.analyzed)
        yield _gauge("rookify_analyzer_streams", "Orchestrators connected.", self._servicer.streams)
        yield _gauge("rookify_analyzer_games", "Games held, searched or waiting.", self._servicer.games)


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=value)


def _counter(name: str, documentation: str, value: float) -> Metric:
    return CounterMetricFamily(name, documentation, value=value)
