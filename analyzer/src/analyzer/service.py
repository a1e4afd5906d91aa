"""rookify.analysis.v1.AnalysisService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import version
from typing import Any

import structlog

from analyzer.credits import Account, Ledger
from analyzer.engine.lane import EngineLane
from analyzer.scheduler import Scheduler
from analyzer.search.cache import PositionCache
from analyzer.session import SIGN_OF_LIFE, Session
from rookify.analysis.v1 import analysis_pb2 as pb
from rookify.analysis.v1 import analysis_pb2_grpc
from servicekit.errors import RookifyError, Unavailable

log = structlog.get_logger()

SERVICE_NAME = "rookify.analysis.v1.AnalysisService"
# One game is searched while the next waits, already read: the worker never waits for the network.
SLOTS_PER_WORKER = 2


class AnalysisServicer(analysis_pb2_grpc.AnalysisServiceServicer):
    """Games of many streams onto the lanes that `scheduler` serves."""

    def __init__(
        self, scheduler: Scheduler[EngineLane], lanes: Sequence[EngineLane], cache: PositionCache
    ) -> None:
        self._scheduler = scheduler
        self._lanes = lanes
        self._cache = cache
        self._ledger = Ledger(SLOTS_PER_WORKER * len(lanes))
        self._sessions: dict[Account, Session] = {}
        self._analyzed = 0
        self._draining = False
        self._none_left = asyncio.Event()
        self._none_left.set()

    # The stubs know only generators; a coroutine that writes sees its own cancellation at once.
    async def AnalyzeGames(  # type: ignore[override]  # noqa: N802  gRPC's name
        self, request_iterator: AsyncIterator[pb.AnalyzeGamesRequest], context: Any
    ) -> None:
        if self._draining:
            raise Unavailable("the analyzer is stopping", reason="STOPPING")
        account = self._ledger.open()
        session = Session(self._scheduler, self._cache, account, spend=self._ledger.spend, on_end=self._ended)
        self._sessions[account] = session
        self._none_left.clear()
        log.info("stream opened", streams=len(self._sessions))
        self._grant()
        tasks = [
            asyncio.create_task(session.read(request_iterator)),
            asyncio.create_task(_show_life(session)),
        ]
        try:
            while (response := await session.responses.get()) is not None:
                if isinstance(response, RookifyError):
                    raise response
                await context.write(response)
        finally:
            # Nothing is awaited here: grpc.aio may cancel a call twice, and the second would cut this short.
            for task in tasks:
                task.cancel()
            unfinished = session.holds
            session.close()
            del self._sessions[account]
            self._ledger.close(account)
            self._grant()
            if not self._sessions:
                self._none_left.set()
            log.info("stream closed", streams=len(self._sessions), unfinished=unfinished)

    async def GetAnalyzerInfo(  # noqa: N802  gRPC's name
        self, request: pb.GetAnalyzerInfoRequest, context: Any
    ) -> pb.GetAnalyzerInfoResponse:
        return pb.GetAnalyzerInfoResponse(
            engine=next((lane.name for lane in self._lanes if lane.name), ""),
            workers=len(self._lanes),
            nodes_per_second=round(sum(lane.nodes_per_second for lane in self._lanes)),
            games_analyzed=self._analyzed,
            cache_hits=self._cache.hits,
            cache_misses=self._cache.misses,
            version=version("rookify-analyzer"),
        )

    @property
    def analyzed(self) -> int:
        return self._analyzed

    @property
    def streams(self) -> int:
        return len(self._sessions)

    @property
    def games(self) -> int:
        """Held, on all streams."""
        return sum(session.holds for session in self._sessions.values())

    async def drain(self, grace: float) -> None:
        """Take no more games, let those held end within `grace` seconds, then break the streams off."""
        self._draining = True
        self._ledger.stop()
        for session in self._sessions.values():
            session.drain(grace)
        try:
            async with asyncio.timeout(grace):
                await self._none_left.wait()
        except TimeoutError:
            for session in self._sessions.values():
                session.break_off()

    def _ended(self, account: Account, analyzed: bool) -> None:
        self._analyzed += analyzed
        self._ledger.finish(account)
        self._grant()

    def _grant(self) -> None:
        for account, games in self._ledger.due():
            self._sessions[account].grant(games)


async def _show_life(session: Session) -> None:
    while True:
        await asyncio.sleep(SIGN_OF_LIFE / 5)
        session.show_life()
