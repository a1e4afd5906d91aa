"""The analyzer put together: engines, scheduler, service, server. What runs it is `__main__`."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import structlog

from analyzer import machine
from analyzer.engine.choice import fastest
from analyzer.engine.discovery import find_all, unusable
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
        self._open = AsyncExitStack()  # what is to be closed, in the reverse order of opening
        self._serving: list[asyncio.Task[None]] = []
        self.lanes: list[EngineLane] = []
        self.address = ""

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        await self._server.set_not_serving()
        await self._servicer.drain(self._settings.analyzer_grace)
        await self._open.aclose()

    async def broken(self) -> None:
        """Returns when a worker has ended, which none does but by a defect; raises its error."""
        done, _ = await asyncio.wait(self._serving, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def _start(self) -> None:
        settings = self._settings
        path = await fastest(find_all(settings.stockfish))
        config = EngineConfig(path, hash_mb=settings.hash_mb, niceness=settings.engine_nice)
        if settings.memory_mb > (there := machine.usable_memory() // 2**20):
            log.warning("memory may not do", megabytes=there, needed=settings.memory_mb, hint="fewer workers")
        self.lanes += (EngineLane(config, number) for number in range(settings.workers))
        scheduler: Scheduler[EngineLane] = Scheduler()
        cache = PositionCache(settings.position_cache_mb)
        self._servicer = AnalysisServicer(scheduler, self.lanes, cache)
        self._server = GrpcServer(
            settings.analyzer_listen, interceptors=[ErrorInterceptor()], security=settings.security()
        )
        self._server.add(add_AnalysisServiceServicer_to_server, self._servicer, SERVICE_NAME)
        self._open.push_async_callback(self._stop_engines)
        # The port first: where it is taken, no engine is started in vain.
        port = await self._server.start()
        self._open.push_async_callback(self._server.stop, 1.0)
        self._open.enter_context(metrics.serving(settings.analyzer_metrics_listen))
        figures = AnalyzerMetrics(self.lanes, cache, self._servicer)
        figures.register()
        self._open.callback(figures.unregister)
        # All of them come to their end, so that none is left half started.
        starts = await asyncio.gather(*(lane.start() for lane in self.lanes), return_exceptions=True)
        for failure in starts:
            if isinstance(failure, EngineError):
                raise unusable(path, failure) from failure
            if failure is not None:
                raise failure
        self._serving += (asyncio.create_task(scheduler.serve(lane)) for lane in self.lanes)
        await self._server.set_serving()
        self.address = f"{settings.analyzer_listen.rpartition(':')[0]}:{port}"
        log.info("ready", address=self.address, engine=self.lanes[0].name, workers=len(self.lanes))

    async def _stop_engines(self) -> None:
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await asyncio.gather(*(lane.close() for lane in self.lanes))
