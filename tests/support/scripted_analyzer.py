"""An AnalysisService on a real socket whose games end as the test's script says, without an engine.

For what no real analyzer does on demand: breaking at a given game, going silent, failing transiently.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Self

from rookify.analysis.v1 import analysis_pb2 as pb
from rookify.analysis.v1 import analysis_pb2_grpc
from servicekit.server import PLAINTEXT_ON_LOOPBACK, GrpcServer
from servicekit.tls import ServerSecurity

# What becomes of a game: a message to send, "hold" (until `release`), or "break" (the stream).
Script = Callable[[pb.Game], pb.AnalyzeGamesResponse | str]


def analyzed(game: pb.Game) -> pb.AnalyzeGamesResponse:
    move = pb.MoveAnalysis(ply=1, san="e4", uci="e2e4")
    return pb.AnalyzeGamesResponse(analysis=pb.GameAnalysis(game_id=game.game_id, moves=[move]))


def failed(
    game: pb.Game, reason: pb.GameFailure.Reason.ValueType, *, retryable: bool
) -> pb.AnalyzeGamesResponse:
    failure = pb.GameFailure(game_id=game.game_id, reason=reason, message="as scripted", retryable=retryable)
    return pb.AnalyzeGamesResponse(failure=failure)


@dataclass
class ScriptedAnalyzer(analysis_pb2_grpc.AnalysisServiceServicer):
    """`async with` it; `address` is where it listens. `games` are those it was sent, in order."""

    script: Script = analyzed
    credits: int = 2
    listen: str = "127.0.0.1:0"
    security: ServerSecurity = PLAINTEXT_ON_LOOPBACK
    games: list[pb.Game] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    held: list[pb.Game] = field(default_factory=list)
    most_outstanding: int = 0
    streams: int = 0

    def __post_init__(self) -> None:
        self.changed = asyncio.Condition()
        self._outstanding = 0
        self.up = False
        self._answers: asyncio.Queue[pb.AnalyzeGamesResponse | str] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        self._server = GrpcServer(self.listen, security=self.security)
        self._server.add(
            analysis_pb2_grpc.add_AnalysisServiceServicer_to_server,
            self,
            "rookify.analysis.v1.AnalysisService",
        )
        self.address = f"127.0.0.1:{await self._server.start()}"
        self.up = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.up = False
        await self._server.stop(0)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10), self.changed:
            await self.changed.wait_for(condition)

    def release(self) -> None:
        """Every held game is analyzed now."""
        for game in self.held:
            self._answers.put_nowait(analyzed(game))
        self.held.clear()

    def drain(self) -> None:
        self._answers.put_nowait(pb.AnalyzeGamesResponse(draining=pb.Draining()))

    async def AnalyzeGames(  # noqa: N802  gRPC's
        self, request_iterator: AsyncIterator[pb.AnalyzeGamesRequest], context: Any
    ) -> AsyncIterator[pb.AnalyzeGamesResponse]:
        self.streams += 1
        async with self.changed:
            self.changed.notify_all()
        self._outstanding = 0
        self.held.clear()
        self._answers = asyncio.Queue()
        reader = asyncio.create_task(self._read(request_iterator))
        try:
            yield pb.AnalyzeGamesResponse(credit=pb.Credit(games=self.credits))
            while (answer := await self._answers.get()) != "break":
                assert isinstance(answer, pb.AnalyzeGamesResponse)
                yield answer
                if answer.WhichOneof("message") in ("analysis", "failure"):
                    self._outstanding -= 1
                    yield pb.AnalyzeGamesResponse(credit=pb.Credit(games=1))
        finally:
            reader.cancel()

    async def GetAnalyzerInfo(  # noqa: N802
        self, request: pb.GetAnalyzerInfoRequest, context: Any
    ) -> pb.GetAnalyzerInfoResponse:
        return pb.GetAnalyzerInfoResponse(engine="script", workers=self.credits)

    async def _read(self, requests: AsyncIterator[pb.AnalyzeGamesRequest]) -> None:
        async for request in requests:
            if request.HasField("cancel"):
                self._cancel(request.cancel.job_id)
            for game in request.batch.games:
                self.games.append(game)
                self._outstanding += 1
                self.most_outstanding = max(self.most_outstanding, self._outstanding)
                answer = self.script(game)
                if answer == "hold":
                    self.held.append(game)
                else:
                    self._answers.put_nowait(answer)
            async with self.changed:
                self.changed.notify_all()

    def _cancel(self, job_id: str) -> None:
        self.cancelled.append(job_id)
        for game in [game for game in self.held if game.job_id == job_id]:
            self.held.remove(game)
            self._answers.put_nowait(failed(game, pb.GameFailure.REASON_CANCELLED, retryable=False))
