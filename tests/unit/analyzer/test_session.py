"""What one stream is told about its games, without engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from analyzer import session as session_module
from analyzer.credits import Account
from analyzer.scheduler import Scheduler
from analyzer.search.cache import PositionCache
from analyzer.session import Session
from rookify.analysis.v1 import analysis_pb2 as pb


class Search:
    """Keeps what tells of its progress."""

    def __init__(self, *_: object, on_progress: Any, **__: object) -> None:
        self.on_progress = on_progress


class Searching:
    """A scheduler whose searches do not end."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[Search] = asyncio.Queue()

    async def submit(self, search: Search) -> None:
        self.begun.put_nowait(search)
        await asyncio.Event().wait()


@pytest.fixture(autouse=True)
def _tell_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "PROGRESS_INTERVAL", 0.0)
    monkeypatch.setattr(session_module, "GameSearch", Search)


async def test_nothing_is_told_of_a_game_after_its_end() -> None:
    scheduler = Searching()
    session = Session(
        cast("Scheduler[Any]", scheduler),
        PositionCache(0),
        Account(),
        spend=lambda _account, _games: None,
        on_end=lambda _account, _analyzed: None,
    )
    requests: asyncio.Queue[pb.AnalyzeGamesRequest] = asyncio.Queue()

    async def stream() -> AsyncIterator[pb.AnalyzeGamesRequest]:
        while True:
            yield await requests.get()

    reading = asyncio.create_task(session.read(stream()))
    game = pb.Game(game_id="g", job_id="j", pgn="1. e4 e5")
    requests.put_nowait(pb.AnalyzeGamesRequest(batch=pb.GameBatch(games=[game])))
    search = await scheduler.begun.get()
    search.on_progress(1, 3)
    told = await session.responses.get()
    assert isinstance(told, pb.AnalyzeGamesResponse)
    assert told.progress.positions_done == 1
    requests.put_nowait(pb.AnalyzeGamesRequest(cancel=pb.CancelGames(job_id="j")))
    told = await session.responses.get()
    assert isinstance(told, pb.AnalyzeGamesResponse)
    assert told.failure.reason == pb.GameFailure.REASON_CANCELLED
    search.on_progress(2, 3)  # a helper that has not heard of it yet
    assert session.responses.empty()
    reading.cancel()
