"""One stream to one analyzer: spends its credits, hands back what comes, notices when it goes silent."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import grpc.aio
import structlog

from orchestrator.analyzers.convert import PRESETS, game_message
from orchestrator.analyzers.queue import Ticket
from rookify.analysis.v1 import analysis_pb2 as pb
from rookify.analysis.v1 import analysis_pb2_grpc
from servicekit.tasks import alongside

log = structlog.get_logger()

if TYPE_CHECKING:  # generic for the type checker only
    Call = grpc.aio.StreamStreamCall[pb.AnalyzeGamesRequest, pb.AnalyzeGamesResponse]
Answer = pb.GameAnalysis | pb.GameFailure
_INFO_SECONDS = 5.0  # for an analyzer to say which engine it has; it answers from memory


class AnalyzerStream:
    """Open while `run` runs. The pool asks for `free` slots and sends; answers come by the callbacks.

    `on_answer(stream, ticket, answer)` is called once for each game that ends, `on_credit()` on new room.
    When `run` returns, `outstanding` holds the games that the stream took with it.
    """

    def __init__(
        self,
        address: str,
        *,
        open_channel: Callable[[], Awaitable[grpc.aio.Channel]],
        silence: timedelta,
        on_answer: Callable[[AnalyzerStream, Ticket, Answer], None],
        on_credit: Callable[[], None],
    ) -> None:
        self.address = address
        self._open_channel = open_channel
        self.free = 0  # granted and not spent
        self.draining = False
        self.engine = ""  # its name and version; empty: not known yet
        self.outstanding: dict[str, Ticket] = {}
        self._silence = silence.total_seconds()
        self._heard = time.monotonic()
        self._greeted = False
        self._hung = False
        self._on_answer = on_answer
        self._on_credit = on_credit
        self._serial = itertools.count(1)
        self._requests: asyncio.Queue[pb.AnalyzeGamesRequest] = asyncio.Queue()

    @property
    def ready(self) -> bool:
        """Has said hello, by its first credit, and is not going away."""
        return self._greeted and not self.draining

    @property
    def open_for_games(self) -> bool:
        return self.free > 0 and not self.draining

    def send(self, ticket: Ticket) -> None:
        """Spends one credit. The game ends by `on_answer`, or is left in `outstanding` by a broken stream.

        Where it raises, nothing is spent or sent.
        """
        assert self.open_for_games, "a game without a credit"  # noqa: S101  the contract's promise
        # The same game may come again while its cancelled self is still being dropped.
        wire_id = f"{ticket.game.game_id}/{next(self._serial)}"
        budget = pb.SearchBudget(preset=PRESETS[ticket.game.preset])
        batch = pb.GameBatch(games=[game_message(ticket.game, wire_id, self.engine)], budget=budget)
        if not self.outstanding:
            self._heard = time.monotonic()  # silence before there was work means nothing
        self.free -= 1
        self.outstanding[wire_id] = ticket
        self._requests.put_nowait(pb.AnalyzeGamesRequest(batch=batch))

    def cancel(self, job_id: UUID) -> None:
        """The analyzer drops the job's games and answers CANCELLED for each, which gives the credits back."""
        if any(ticket.game.job_id == job_id for ticket in self.outstanding.values()):
            cancel = pb.CancelGames(job_id=str(job_id))
            self._requests.put_nowait(pb.AnalyzeGamesRequest(cancel=cancel))

    async def run(self) -> None:
        """Until the stream ends, whoever ends it.

        Raises `grpc.aio.AioRpcError` where it broke, and what `open_channel` raises.
        """
        async with await self._open_channel() as channel:
            stub = analysis_pb2_grpc.AnalysisServiceStub(channel)
            # Without an answer games go out as well, only without what is known.
            with suppress(grpc.aio.AioRpcError):
                info = await stub.GetAnalyzerInfo(pb.GetAnalyzerInfoRequest(), timeout=_INFO_SECONDS)
                self.engine = info.engine
            call = stub.AnalyzeGames()
            try:
                await alongside(self._read(call), self._write(call), self._watch_silence(call))
            finally:
                self.free = 0
                call.cancel()

    async def _read(self, call: Call) -> None:
        try:
            async for message in call:
                self._heard = time.monotonic()
                self._receive(message)
        except asyncio.CancelledError:
            # grpc.aio: whoever reads a call that this side cancels is cancelled too.
            if not self._hung:
                raise

    def _receive(self, message: pb.AnalyzeGamesResponse) -> None:
        kind = message.WhichOneof("message")
        if kind == "credit":
            self._greeted = True
            self.free += message.credit.games
            self._on_credit()
        elif kind == "draining":
            log.info("analyzer is draining", analyzer=self.address)
            self.draining = True
        elif kind in ("analysis", "failure"):
            answer = message.analysis if kind == "analysis" else message.failure
            ticket = self.outstanding.pop(answer.game_id, None)
            if ticket is not None:
                self._on_answer(self, ticket, answer)

    async def _write(self, call: Call) -> None:
        # A write to a broken call raises; the reader sees the same break and says why.
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
            while True:
                await call.write(await self._requests.get())

    async def _watch_silence(self, call: Call) -> None:
        """An analyzer at work reports progress every few seconds; one with games and silent has hung.

        Time in which this process itself was held up is not the analyzer's: its messages wait to be read.
        """
        while True:
            quiet = time.monotonic() - self._heard if self.outstanding else 0.0
            if quiet >= self._silence:
                log.warning("analyzer went silent", analyzer=self.address, seconds=round(quiet))
                self._hung = True
                call.cancel()
                return
            pause = min(self._silence - quiet, self._silence / 4)
            began = time.monotonic()
            await asyncio.sleep(pause)
            self._heard += max(0.0, time.monotonic() - began - pause)
