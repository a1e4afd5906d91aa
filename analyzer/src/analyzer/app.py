"""The analyzer put together: engines, scheduler, service, server. What runs it is `__main__`."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from types import TracebackType
from typing import Self

import structlog

from analyzer.engine.discovery import find_stockfish, unusable
from analyzer.engine.errors import EngineError
from analyzer.engine.lane import EngineConfig, EngineLane
from analyzer.metrics import AnalyzerMetrics
from analyzer.scheduler import Scheduler
from analyzer.search.cache import PositionCache
from analyzer.service import SERVICE_NAME, AnalysisServicer
from analyzer.settings import Settings
from rookify.analysis.v1.analysis_pb2_grpc import add_AnalysisServiceServicer_to_server
from servicekit import metrics
from servicekit.interceptors import ErrorInterceptor
from servicekit.server import GrpcServer

log = structlog.get_logger()


class Analyzer:
    """`async with Analyzer(settings) as analyzer`: SERVING inside, drained and gone behind.

    Raises ConfigurationError on entry where it cannot run as it is set up.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        config = EngineConfig(
            path=find_stockfish(settings.stockfish),
            hash_mb=settings.engine_hash_mb,
            niceness=settings.engine_nice,
        )
        self._config = config
        self.lanes = [EngineLane(config, number) for number in range(settings.workers)]
        self._scheduler: Scheduler[EngineLane] = Scheduler()
        cache = PositionCache(settings.position_cache_mb)
        self._servicer = AnalysisServicer(self._scheduler, self.lanes, cache)
        self._server = GrpcServer(
            settings.analyzer_listen, interceptors=[ErrorInterceptor()], security=settings.security()
        )
        self._server.add(add_AnalysisServiceServicer_to_server, self._servicer, SERVICE_NAME)
        self._serving: list[asyncio.Task[None]] = []
        self._metrics = AnalyzerMetrics(self.lanes, cache, self._servicer)
        self._exits = ExitStack()
        self.address = ""

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        await self._server.set_not_serving()
        await self._servicer.drain(self._settings.analyzer_grace)
        await self._close()

    async def broken(self) -> None:
        """Returns when a worker has ended, which none does but by a defect; raises its error."""
        done, _ = await asyncio.wait(self._serving, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def _start(self) -> None:
        self._exits.enter_context(metrics.serving(self._settings.analyzer_metrics_listen))
        self._metrics.register()
        self._exits.callback(self._metrics.unregister)
        # The port first: where it is taken, nothing is started in vain.
        port = await self._server.start()
        # All of them come to their end, so that none is left half started.
        starts = await asyncio.gather(*(lane.start() for lane in self.lanes), return_exceptions=True)
        for failure in starts:
            if isinstance(failure, EngineError):
                raise unusable(self._config.path, failure) from failure
            if failure is not None:
                raise failure
        self._serving = [asyncio.create_task(self._scheduler.serve(lane)) for lane in self.lanes]
        await self._server.set_serving()
        self.address = f"{self._settings.analyzer_listen.rpartition(':')[0]}:{port}"
        log.info("ready", address=self.address, engine=self.lanes[0].name, workers=len(self.lanes))

    async def _close(self) -> None:
        self._exits.close()
        await self._server.stop(1.0)
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await asyncio.gather(*(lane.close() for lane in self.lanes))
