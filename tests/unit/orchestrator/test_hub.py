"""What the hub keeps of a watched job's finished games, and that it reads every watched job now and then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain import Platform, SyncStatus
from orchestrator.hub import _TAIL, Hub, _Watched
from orchestrator.store.rows import FinishedGame, SyncJob
from orchestrator.store.transport import Change
from servicekit.errors import NotFound
from servicekit.tasks import alongside


def games(first: int, last: int) -> list[FinishedGame]:
    return [
        FinishedGame(number, f"https://chess.example/{number}", "White", "Black", "1-0")
        for number in range(first, last + 1)
    ]


def ordinals(some: list[FinishedGame]) -> list[int]:
    return [game.finished_ordinal for game in some]


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 100)), max_size=12),
    st.integers(0, 500),
)
def test_the_tail_is_short_and_whole_and_gives_what_follows_an_ordinal(
    reads: list[tuple[int, int]], after: int
) -> None:
    """Reads come from watchers that are anywhere."""
    watched = _Watched()
    newest = 0
    for behind, count in reads:
        watched.extend(games(behind + 1, behind + count))
        newest = max(newest, behind + count if count else 0)
        tail = ordinals(watched.tail)
        assert len(tail) <= _TAIL
        assert tail == list(range(newest - len(tail) + 1, newest + 1)), "a gap"
    following = ordinals(watched.finished_after(after))
    assert following == [] or following == list(range(after + 1, newest + 1))
    if watched.tail and watched.tail[0].finished_ordinal <= after + 1 <= newest:
        assert following


def test_nothing_is_known_before_the_first_read() -> None:
    assert _Watched().finished_after(0) == []


def test_what_lies_before_the_tail_is_read_again() -> None:
    watched = _Watched()
    watched.extend(games(1, 100))
    assert watched.finished_after(0) == []
    assert ordinals(watched.finished_after(100 - _TAIL))[0] == 100 - _TAIL + 1


class Changing:
    """Two jobs as a store has them: of one every change is told, of the other none."""

    def __init__(self) -> None:
        at = datetime(2024, 3, 1, tzinfo=UTC)
        loud, silent = (
            SyncJob(
                id=uuid4(), user_id=uuid4(), platform=Platform.LICHESS, username="Ada", created_at=at,
                status=SyncStatus.ANALYZING, games_found=9, games_analyzed=0, games_skipped=0, games_failed=0,
                updated_at=at, revision=1,
            )
            for _ in range(2)
        )  # fmt: skip
        self.loud, self.silent = loud.id, silent.id
        self._jobs = {job.id: job for job in (loud, silent)}

    def delete(self, job_id: UUID) -> None:
        del self._jobs[job_id]

    def change(self, job_id: UUID) -> None:
        job = self._jobs[job_id]
        self._jobs[job_id] = replace(job, revision=job.revision + 1)

    async def changes(self) -> AsyncIterator[Change]:
        while True:
            self.change(self.loud)
            yield Change(self.loud)
            await asyncio.sleep(0)

    def set_watched(self, jobs: Collection[UUID]) -> None:
        pass

    def job_of(self, change: Change) -> None:
        return None

    async def get_sync_jobs(self, ids: list[UUID]) -> list[SyncJob]:
        return [self._jobs[job_id] for job_id in ids if job_id in self._jobs]


async def test_lost_news_is_found_however_much_else_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.hub._RECHECK_SECONDS", 0.1)
    monkeypatch.setattr("orchestrator.hub._GATHER_SECONDS", 0.005)
    store: Any = Changing()
    hub = Hub(store)

    async def watching() -> int:
        async with aclosing(hub.watch(store.loud)) as loud, aclosing(hub.watch(store.silent)) as silent:
            assert (await anext(silent)).revision == 1
            await anext(loud)
            store.change(store.silent)
            return (await anext(silent)).revision

    async with asyncio.timeout(30):
        assert await alongside(watching(), hub.run()) == 2


async def test_who_watches_a_job_that_is_deleted_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its user's row is gone, and nothing notifies of that."""
    monkeypatch.setattr("orchestrator.hub._RECHECK_SECONDS", 0.1)
    monkeypatch.setattr("orchestrator.hub._GATHER_SECONDS", 0.005)
    store: Any = Changing()
    hub = Hub(store)

    async def watching() -> None:
        async with (
            aclosing(hub.watch(store.loud)) as loud,
            aclosing(hub.watch(store.silent)) as first,
            aclosing(hub.watch(store.silent)) as second,
        ):
            for watcher in (loud, first, second):
                await anext(watcher)
            store.delete(store.silent)
            for watcher in (first, second):
                with pytest.raises(NotFound, match="deleted"):
                    await anext(watcher)
            await anext(loud)  # the others go on
            assert hub.watchers == 1

    async with asyncio.timeout(30):
        await alongside(watching(), hub.run())
