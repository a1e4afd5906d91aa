"""An orchestrator's side of AnalyzeGames, for tests and benches: it remembers all it heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from rookify.analysis.v1 import analysis_pb2 as pb
from rookify.analysis.v1 import analysis_pb2_grpc
from servicekit.server import CHANNEL_OPTIONS


class AnalysisStream:
    """One stream. `ended` maps game ids to their analysis or failure; `code` is the stream's end."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.heard: list[pb.AnalyzeGamesResponse] = []
        self.credit = 0
        self.ended: dict[str, pb.GameAnalysis | pb.GameFailure] = {}
        self.progress: dict[str, list[tuple[int, int]]] = {}
        self.draining: pb.Draining | None = None
        self.code: grpc.StatusCode | None = None
        self.error: grpc.aio.AioRpcError | None = None
        self._changed = asyncio.Condition()
        self._reader = asyncio.create_task(self._read())

    async def send(
        self, games: Iterable[pb.Game], budget: pb.SearchBudget | None = None, *, spend: bool = True
    ) -> None:
        """One batch at once, whether there is credit or not."""
        batch = pb.GameBatch(games=games, budget=budget)
        if spend:
            self.credit -= len(batch.games)
        await self.call.write(pb.AnalyzeGamesRequest(batch=batch))

    async def feed(self, games: Iterable[pb.Game], budget: pb.SearchBudget | None = None) -> None:
        """The games one by one, each as soon as there is credit; returns when all have ended."""
        sent = []
        for game in games:
            await self.until(lambda: self.credit > 0)
            await self.send([game], budget)
            sent.append(game.game_id)
        await self.until(lambda: all(game_id in self.ended for game_id in sent))

    async def cancel(self, job_id: str, *game_ids: str) -> None:
        cancel = pb.CancelGames(job_id=job_id, game_ids=game_ids)
        await self.call.write(pb.AnalyzeGamesRequest(cancel=cancel))

    async def until(self, happened: Callable[[], object]) -> None:
        """Waits for a message that makes it true; fails where the stream ends first."""
        async with self._changed:
            await self._changed.wait_for(lambda: happened() or self.code is not None)
        assert happened(), f"the stream ended with {self.code}: {self.error}"

    async def until_end(self) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.code is not None)

    def analysis(self, game_id: str) -> pb.GameAnalysis:
        end = self.ended[game_id]
        assert isinstance(end, pb.GameAnalysis), end
        return end

    def failure(self, game_id: str) -> pb.GameFailure:
        end = self.ended[game_id]
        assert isinstance(end, pb.GameFailure), end.game_id
        return end

    async def close(self) -> None:
        self.call.cancel()
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    async def _read(self) -> None:
        code = grpc.StatusCode.OK
        try:
            async for response in self.call:
                async with self._changed:
                    self._note(response)
                    self._changed.notify_all()
        except grpc.aio.AioRpcError as error:
            self.error = error
            code = error.code()
        async with self._changed:
            self.code = code
            self._changed.notify_all()

    def _note(self, response: pb.AnalyzeGamesResponse) -> None:
        self.heard.append(response)
        match response.WhichOneof("message"):
            case "credit":
                self.credit += response.credit.games
            case "progress":
                told = response.progress
                assert told.game_id not in self.ended
                self.progress.setdefault(told.game_id, []).append((told.positions_done, told.positions_total))
            case "analysis":
                self._end(response.analysis)
            case "failure":
                self._end(response.failure)
            case "draining":
                self.draining = response.draining

    def _end(self, end: pb.GameAnalysis | pb.GameFailure) -> None:
        assert end.game_id not in self.ended, f"{end.game_id} ended twice"
        self.ended[end.game_id] = end


@asynccontextmanager
async def analyzer_channel(address: str) -> AsyncIterator[Any]:
    """The service's stub. (Its types know only the synchronous channel.)"""
    async with grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) as channel:
        make: Any = analysis_pb2_grpc.AnalysisServiceStub
        yield make(channel)


@asynccontextmanager
async def analysis_stream(address: str) -> AsyncIterator[AnalysisStream]:
    async with analyzer_channel(address) as stub:
        stream = AnalysisStream(stub.AnalyzeGames())
        try:
            yield stream
        finally:
            await stream.close()
