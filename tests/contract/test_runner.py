"""What becomes of a job in its worker's hands when something beside the games goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import structlog

from orchestrator.analyzers.base import AnalyzedGame, GameOutcome, GameToAnalyze
from orchestrator.domain import Platform, SyncStatus
from orchestrator.platforms.base import FetchPage, FetchRequest
from orchestrator.platforms.errors import UnknownPlayer
from orchestrator.platforms.usernames import validate_username
from orchestrator.store.postgres import PostgresTransport
from orchestrator.store.rows import Claim, KnownPosition, SyncJob
from orchestrator.store.store import Store
from orchestrator.store.transport import TooManyRows
from orchestrator.sync.analyzing import analyze_games
from orchestrator.sync.manager import SyncJobManager
from orchestrator.sync.runner import Runner
from orchestrator.token_cipher import TokenCipher
from tests.support import samples
from tests.support.hand_worker import hand_worker
from tests.support.postgres import Database


class Instant:
    """Analyzers that have analyzed a game as soon as it is handed in."""

    async def submit(self, game: GameToAnalyze) -> asyncio.Future[GameOutcome]:
        outcome: asyncio.Future[GameOutcome] = asyncio.get_running_loop().create_future()
        columns = samples.analysis(game.game_id)
        del columns["game_id"]
        outcome.set_result(AnalyzedGame(game.game_id, columns))
        return outcome

    def cancel(self, job_id: UUID) -> None:
        pass


class Forgetful(Store):
    """Its known positions cannot be had."""

    async def known_positions(self, openings: Sequence[str], preset: str) -> list[KnownPosition]:
        raise TooManyRows("1000 of 1566 rows")


Fetch = Callable[[FetchRequest], AsyncIterator[FetchPage]]


class Scripted:
    """A platform whose fetch the test writes."""

    platform = Platform.CHESS_COM

    def __init__(self, fetch: Fetch) -> None:
        self.fetch = fetch

    async def aclose(self) -> None:
        pass


@pytest.fixture
async def transport(database: Database) -> AsyncIterator[PostgresTransport]:
    async with PostgresTransport(database.app_conninfo) as opened:
        yield opened


async def started(store: Store) -> UUID:
    return (await store.start_sync_job(samples.new_sync(await samples.new_user(store)), samples.LIMITS)).id


async def state(store: Store, job_id: UUID) -> SyncJob:
    return (await store.get_sync_jobs([job_id]))[0]


async def ended(store: Store, job_id: UUID) -> SyncJob:
    async with asyncio.timeout(20), aclosing(store.changes()) as changes:
        async for _ in changes:
            if (job := await state(store, job_id)).status.terminal:
                return job
    raise AssertionError("unreachable")


def manager(store: Store) -> SyncJobManager:
    return SyncJobManager(
        store, samples.LIMITS, lease=timedelta(hours=1), max_months=12, max_games=samples.PER_DAY
    )


def runner(store: Store, fetch: Fetch) -> Runner:
    return Runner(
        manager(store),
        store,
        {Platform.CHESS_COM: Scripted(fetch)},
        Instant(),
        TokenCipher(None),
        None,
        stuck_after=timedelta(hours=2),
        capacity=4,
        write_interval=0.01,
    )


@asynccontextmanager
async def running(runner: Runner) -> AsyncIterator[asyncio.Task[None]]:
    """Stopped at the end, where it is not already."""
    async with asyncio.timeout(20):
        working = asyncio.create_task(runner.run())
        try:
            yield working
        finally:
            runner.stop()
            await working


async def test_a_name_that_cannot_be_fails_its_job_and_says_so(transport: PostgresTransport) -> None:
    """The profile's name is the user's own; it is looked at when the job is worked."""

    async def fetch(request: FetchRequest) -> AsyncIterator[FetchPage]:
        validate_username(Platform.CHESS_COM, "hi/../karu")
        yield FetchPage((), {}, {})

    store = Store(transport)
    job_id = await started(store)
    with structlog.testing.capture_logs() as logs:
        async with running(runner(store, fetch)):
            job = await ended(store, job_id)
    assert job.status is SyncStatus.FAILED
    assert job.error is not None
    assert "'hi/../karu' cannot be a name on chess.com" in job.error
    assert not [line for line in logs if "exc_info" in line or line["log_level"] == "error"]


async def waits(_: FetchRequest) -> AsyncIterator[FetchPage]:
    await asyncio.Event().wait()
    yield FetchPage((), {}, {})


class Watched(Store):
    """Says when a claim is made and when a job is to fail, and then goes on when it may; hears notices."""

    def __init__(self, transport: PostgresTransport) -> None:
        super().__init__(transport)
        self.claimed, self.failing, self.may_go_on = (asyncio.Event() for _ in range(3))
        self.noted = asyncio.Event()

    async def claim_sync_job(self, *arguments: Any) -> Claim | None:
        claim = await super().claim_sync_job(*arguments)
        if claim:
            self.claimed.set()
            await self.may_go_on.wait()
        return claim

    async def advance_sync_job(self, claim: Claim, status: SyncStatus, error: str | None = None) -> SyncJob:
        if status is SyncStatus.FAILED:
            self.failing.set()
            await asyncio.Event().wait()
        return await super().advance_sync_job(claim, status, error)

    async def note_sync_job(self, claim: Claim, notice: str) -> SyncJob:
        job = await super().note_sync_job(claim, notice)
        self.noted.set()
        return job


async def taken_over_at_once(store: Store) -> int:
    """Claims the job that was given back, long before its lease would end; how often its worker was lost."""
    async with asyncio.timeout(10):
        # Not at once where Postgres is still at a statement that was cancelled: claims skip rows in use.
        another = Store(store._transport)
        while not (claim := await another.claim_sync_job("another", timedelta(hours=1), 5)):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return claim.takeovers


async def test_a_stop_while_a_job_is_claimed_gives_it_back(transport: PostgresTransport) -> None:
    store = Watched(transport)
    await started(store)
    worker = runner(store, waits)
    async with running(worker) as working:
        await store.claimed.wait()
        worker.stop()
        store.may_go_on.set()
        await working
    assert await taken_over_at_once(store) == 0


async def test_a_stop_before_a_claimed_job_is_begun_gives_it_back(transport: PostgresTransport) -> None:
    class Stopping(Store):
        async def claim_sync_job(self, *arguments: Any) -> Claim | None:
            claim = await super().claim_sync_job(*arguments)
            asyncio.get_running_loop().call_soon(worker.stop)  # before whatever is made of the claim
            return claim

    store = Stopping(transport)
    await started(store)
    worker = runner(store, waits)
    async with running(worker) as working:
        await working
    assert await taken_over_at_once(store) == 0


async def test_a_stop_while_a_job_is_failed_gives_it_back(transport: PostgresTransport) -> None:
    async def fetch(request: FetchRequest) -> AsyncIterator[FetchPage]:
        if request.username:
            raise UnknownPlayer("chess.com knows no such player")
        yield FetchPage((), {}, {})

    store = Watched(transport)
    store.may_go_on.set()
    await started(store)
    worker = runner(store, fetch)
    async with running(worker) as working:
        await store.failing.wait()
        worker.stop()
        await working
    assert await taken_over_at_once(store) == 0


async def test_a_notice_does_not_outlive_its_worker(transport: PostgresTransport) -> None:
    store = Watched(transport)
    job_id = await started(store)
    lost = await Store(transport).claim_sync_job("lost", timedelta(seconds=-1), 5)
    assert lost is not None
    await store.advance_sync_job(lost, SyncStatus.FETCHING)
    notice = "chess.com does not answer (it cannot be reached); trying again at 01:02 UTC"
    await Store(transport).note_sync_job(lost, notice)
    assert (await state(store, job_id)).error == notice
    store.may_go_on.set()
    async with running(runner(store, waits)):
        await store.noted.wait()
        job = await state(store, job_id)
    assert (job.status, job.error) == (SyncStatus.FETCHING, None)


async def test_known_positions_that_cannot_be_had_only_cost_time(database: Database) -> None:
    async with hand_worker(database, games=3) as worker:
        store = Forgetful(worker.store._transport)
        await analyze_games(store, Instant(), worker.claim, write_interval=0.01)
        (job,) = await store.get_sync_jobs([worker.job_id])
        assert job.games_analyzed == 3
