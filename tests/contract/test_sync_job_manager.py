"""The compliance guide's SyncJobManager over a real Postgres: its words work, its rules hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest

from orchestrator.domain import SyncStatus
from orchestrator.settings import Settings
from orchestrator.store.postgres import PostgresTransport
from orchestrator.store.rows import Claim, SyncJob
from orchestrator.store.store import Store
from orchestrator.sync.manager import ProgressNotRecorded
from orchestrator.sync_jobs import SyncJobManager, open_sync_job_manager
from servicekit.errors import (
    AlreadyExists,
    ConfigurationError,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    QuotaExceeded,
    StaleLease,
)
from tests.contract.test_store import LEASE, NO_LEASE, fetch
from tests.support.postgres import Database
from tests.support.postgrest import SECRET_KEY, PostgrestStandIn
from tests.support.samples import LIMITS, analysis, failure, games, new_user


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    """What another worker uses."""
    async with PostgresTransport(database.app_conninfo) as transport:
        yield Store(transport)


@pytest.fixture
def settings(database: Database) -> Settings:
    return named(database.app_conninfo)


def named(conninfo: str | None, **others: Any) -> Settings:
    """With the shortest lease: a heartbeat every third of a second."""
    fields: dict[str, Any] = {"DATABASE_URL": conninfo, "lease_seconds": 1, "_env_file": None}
    return Settings(**fields, **others)


@pytest.fixture
async def sync_job_manager(settings: Settings) -> AsyncIterator[SyncJobManager]:
    async with open_sync_job_manager(settings) as manager:
        yield manager


@pytest.fixture
async def user_id(store: Store) -> UUID:
    return await new_user(store)


async def take_away(store: Store, job: SyncJob, manager: SyncJobManager) -> Claim:
    """The job as another worker has it, after its lease ran out."""
    await store.renew_leases([manager.leases.of(job.id)], NO_LEASE)
    claim = await store.claim_sync_job("another", LEASE, 5)
    assert claim is not None
    assert claim.job.id == job.id
    return claim


async def test_the_guides_example_works_with_await(
    sync_job_manager: SyncJobManager, store: Store, user_id: UUID
) -> None:
    await the_guides_example(sync_job_manager, store, user_id)


async def test_it_does_over_a_supabase_projects_api_too(
    database: Database, store: Store, user_id: UUID
) -> None:
    async with PostgrestStandIn(database.app_conninfo) as project:
        settings = named(None, SUPABASE_URL=project.url, SUPABASE_SERVICE_ROLE_KEY=SECRET_KEY)
        async with open_sync_job_manager(settings) as sync_job_manager:
            await the_guides_example(sync_job_manager, store, user_id)


async def the_guides_example(sync_job_manager: SyncJobManager, store: Store, user_id: UUID) -> None:
    """Call by call as in the guide; the games, which it does not show, are recorded in between."""
    # Create sync job
    sync_job = await sync_job_manager.create_sync_job(
        user_id=str(user_id), platform="chess.com", username="player123", months_requested=1
    )
    sync_job_id = str(sync_job["id"])
    assert sync_job["status"] == "pending"

    # Update status
    await sync_job_manager.update_sync_job_status(sync_job_id, "fetching")
    await sync_job_manager.record_games(sync_job_id, games(50))
    await sync_job_manager.update_sync_job_status(sync_job_id, "analyzing")

    # Update progress
    half = await sync_job_manager.take_games(sync_job_id, limit=25)
    await sync_job_manager.record_analyses(sync_job_id, [analysis(game.game_id) for game in half])
    sync_job = await sync_job_manager.update_sync_job_progress(sync_job_id, games_found=50, games_analyzed=25)
    assert (sync_job["games_found"], sync_job["games_analyzed"]) == (50, 25)

    rest = await sync_job_manager.take_games(sync_job_id, half[-1].ordinal)
    await sync_job_manager.record_analyses(sync_job_id, [analysis(game.game_id) for game in rest])
    await sync_job_manager.update_sync_job_status(sync_job_id, "completed")

    # Handle errors
    other = await sync_job_manager.create_sync_job(user_id, "lichess", "player123")
    await sync_job_manager.update_sync_job_status(other["id"], "failed", error="API rate limit exceeded")

    # Check active sync jobs
    sync_jobs = await sync_job_manager.get_user_sync_jobs(user_id)
    assert [(job["status"], job["error"]) for job in sync_jobs] == [
        ("failed", "API rate limit exceeded"),
        ("completed", None),
    ]
    assert await sync_job_manager.get_active_sync_jobs() == []
    assert dict(await sync_job_manager.get_sync_job(sync_job_id))["games_analyzed"] == 50
    assert await store.audit_sync_jobs(LIMITS) == []


class TestCreating:
    async def test_no_other_worker_can_claim_it(
        self, sync_job_manager: SyncJobManager, store: Store, user_id: UUID
    ) -> None:
        creating = asyncio.create_task(sync_job_manager.create_sync_job(user_id, "chess.com", "player123"))
        while not creating.done():
            assert await store.claim_sync_job("another", LEASE, 5) is None
        assert await store.claim_sync_job("another", LEASE, 5) is None
        assert [job.id for job in await sync_job_manager.get_active_sync_jobs()] == [(await creating).id]

    async def test_the_quotas_and_rules_of_a_start_hold(
        self, sync_job_manager: SyncJobManager, user_id: UUID
    ) -> None:
        job = await sync_job_manager.create_sync_job(user_id, "chess.com", "player123")
        with pytest.raises(AlreadyExists) as refused:
            await sync_job_manager.create_sync_job(user_id, "chess.com", "player123")
        assert refused.value.metadata == {"sync_job_id": str(job.id)}
        for _ in range(4):
            await sync_job_manager.update_sync_job_status(job.id, "cancelled")
            job = await sync_job_manager.create_sync_job(user_id, "chess.com", "player123")
        await sync_job_manager.update_sync_job_status(job.id, "cancelled")
        with pytest.raises(QuotaExceeded):
            await sync_job_manager.create_sync_job(user_id, "chess.com", "player123")
        with pytest.raises(NotFound):
            await sync_job_manager.create_sync_job(uuid4(), "chess.com", "player123")

    @pytest.mark.parametrize(
        ("field", "changed"),
        [
            ("user_id", {"user_id": "alice"}),
            ("platform", {"platform": "fics"}),
            ("username", {"username": "no such name"}),
            ("username", {"username": ""}),  # and none in the profile
            ("months_requested", {"months_requested": 0}),
            ("months_requested", {"months_requested": 13}),
        ],
    )
    async def test_bad_input_is_named(
        self, sync_job_manager: SyncJobManager, user_id: UUID, field: str, changed: dict[str, object]
    ) -> None:
        asked: dict[str, Any] = {"user_id": user_id, "platform": "chess.com", "username": "player123"}
        with pytest.raises(InvalidInput) as refused:
            await sync_job_manager.create_sync_job(**(asked | changed))
        assert [violation.field for violation in refused.value.violations] == [field]
        assert await sync_job_manager.get_user_sync_jobs(user_id) == []

    async def test_a_repeated_start_is_the_same_until_another_has_it(
        self, sync_job_manager: SyncJobManager, store: Store, user_id: UUID
    ) -> None:
        """An answer that was lost is asked for again by the store."""
        new, token = sync_job_manager._new_sync(user_id, "lichess", "player123", 1), uuid4()
        first = await store.start_held_sync_job(new, LIMITS, "w", LEASE, token)
        assert await store.start_held_sync_job(new, LIMITS, "w", LEASE, token) == first
        await store.renew_leases([first], NO_LEASE)
        await store.claim_sync_job("another", LEASE, 5)
        with pytest.raises(StaleLease, match="was started before"):
            await store.start_held_sync_job(new, LIMITS, "w", LEASE, token)


class TestStatus:
    @pytest.mark.parametrize("step", ["analyzing", "completed"])
    async def test_no_phase_is_skipped(
        self, sync_job_manager: SyncJobManager, user_id: UUID, step: str
    ) -> None:
        job = await sync_job_manager.create_sync_job(user_id, "chess.com", "player123")
        with pytest.raises(FailedPrecondition):
            await sync_job_manager.update_sync_job_status(job.id, step)

    async def test_completed_is_refused_while_a_game_is_open(
        self, sync_job_manager: SyncJobManager, user_id: UUID
    ) -> None:
        job = await sync_job_manager.create_sync_job(user_id, "chess.com", "player123")
        await sync_job_manager.update_sync_job_status(job.id, "fetching")
        await sync_job_manager.record_games(job.id, games(2))
        await sync_job_manager.update_sync_job_status(job.id, "analyzing")
        with pytest.raises(FailedPrecondition):
            await sync_job_manager.update_sync_job_status(job.id, "completed")
        first, second = await sync_job_manager.take_games(job.id)
        await sync_job_manager.record_analyses(job.id, [analysis(first.game_id), failure(second.game_id)])
        job = await sync_job_manager.update_sync_job_status(job.id, "completed", error="1 game failed")
        assert (job.status, job.games_analyzed, job.games_failed) == (SyncStatus.COMPLETED, 1, 1)

    async def test_what_is_over_stays_over(self, sync_job_manager: SyncJobManager, user_id: UUID) -> None:
        job = await sync_job_manager.create_sync_job(user_id, "chess.com", "player123")
        await sync_job_manager.update_sync_job_status(job.id, "failed", error="no such player")
        for step in ("fetching", "completed", "failed"):
            with pytest.raises(StaleLease):
                await sync_job_manager.update_sync_job_status(job.id, step, error="again")
        with pytest.raises(FailedPrecondition):
            await sync_job_manager.update_sync_job_status(job.id, "cancelled")

    async def test_an_end_whose_answer_was_lost_is_no_trouble(
        self, sync_job_manager: SyncJobManager, store: Store, user_id: UUID
    ) -> None:
        job = await sync_job_manager.create_sync_job(user_id, "chess.com", "player123")
        claim = sync_job_manager.leases.of(job.id)
        failed = await store.advance_sync_job(claim, SyncStatus.FAILED, "no such player")
        with pytest.raises(StaleLease):
            await sync_job_manager.update_sync_job_status(claim, "failed", error="another reason")
        again = await sync_job_manager.update_sync_job_status(claim, "failed", error="no such player")
        assert again == failed

    async def test_a_status_is_a_known_word_and_a_failure_says_why(
        self, sync_job_manager: SyncJobManager, user_id: UUID
    ) -> None:
        job = await sync_job_manager.create_sync_job(user_id, "chess.com", "player123")
        for step, field in (("done", "status"), ("failed", "error")):
            with pytest.raises(InvalidInput) as refused:
                await sync_job_manager.update_sync_job_status(job.id, step)
            assert [violation.field for violation in refused.value.violations] == [field]


class TestProgress:
    @pytest.mark.parametrize("told", [{"games_found": 4}, {"games_found": 3, "games_analyzed": 2}])
    async def test_more_than_is_recorded_is_refused_and_changes_nothing(
        self, sync_job_manager: SyncJobManager, user_id: UUID, told: dict[str, int]
    ) -> None:
        job = await sync_job_manager.create_sync_job(user_id, "chess.com", "player123")
        await sync_job_manager.update_sync_job_status(job.id, "fetching")
        await sync_job_manager.record_games(job.id, games(3))
        await sync_job_manager.update_sync_job_status(job.id, "analyzing")
        (first,) = await sync_job_manager.take_games(job.id, limit=1)
        before = await sync_job_manager.record_analyses(job.id, [analysis(first.game_id)])
        with pytest.raises(ProgressNotRecorded, match="record_games and record_analyses"):
            await sync_job_manager.update_sync_job_progress(job.id, **told)
        assert await sync_job_manager.get_sync_job(job.id) == before
        assert await sync_job_manager.update_sync_job_progress(job.id, games_found=2) == before
        with pytest.raises(InvalidInput):
            await sync_job_manager.update_sync_job_progress(job.id, games_analyzed=-1)

    async def test_games_recorded_twice_count_once(
        self, sync_job_manager: SyncJobManager, user_id: UUID
    ) -> None:
        job = await sync_job_manager.create_sync_job(user_id, "chess.com", "player123")
        await sync_job_manager.update_sync_job_status(job.id, "fetching")
        await sync_job_manager.record_games(job.id, games(2))
        await sync_job_manager.record_games(job.id, games(2))
        job = await sync_job_manager.record_games(job.id, games(2, first=2))
        assert job.games_found == 3


class TestLeases:
    async def test_who_lost_a_job_changes_nothing_of_it(
        self, sync_job_manager: SyncJobManager, store: Store, user_id: UUID
    ) -> None:
        job = await sync_job_manager.create_sync_job(user_id, "chess.com", "player123")
        claim = sync_job_manager.leases.of(job.id)
        await take_away(store, job, sync_job_manager)
        for write in (
            sync_job_manager.update_sync_job_status(claim, "fetching"),
            sync_job_manager.update_sync_job_status(claim, "failed", "API rate limit exceeded"),
            sync_job_manager.update_sync_job_progress(claim, games_found=0),
            sync_job_manager.update_sync_job_status(job.id, "failed", "API rate limit exceeded"),
            sync_job_manager.record_games(job.id, games(1)),
            sync_job_manager.record_analyses(job.id, []),
            sync_job_manager.release_sync_job(job.id),
        ):
            with pytest.raises(StaleLease):
                await write
        assert (await sync_job_manager.get_sync_job(job.id)).status == SyncStatus.PENDING

    async def test_who_never_held_a_job_does_not_move_it(
        self, sync_job_manager: SyncJobManager, settings: Settings, user_id: UUID
    ) -> None:
        job = await sync_job_manager.create_sync_job(user_id, "chess.com", "player123")
        async with open_sync_job_manager(settings) as another:
            with pytest.raises(StaleLease, match="not held here"):
                await another.update_sync_job_status(job.id, "failed", error="mine!")
            cancelled = await another.update_sync_job_status(job.id, "cancelled")
        assert cancelled.status == SyncStatus.CANCELLED

    async def test_a_lease_is_kept_by_heartbeats_and_a_lost_one_let_go(
        self, sync_job_manager: SyncJobManager, store: Store, database: Database, user_id: UUID
    ) -> None:
        job = await sync_job_manager.create_sync_job(user_id, "chess.com", "player123")
        another = await take_away(store, job, sync_job_manager)
        async with asyncio.timeout(10):
            while sync_job_manager.leases.claims:  # until the next heartbeat
                await store.renew_leases([another], LEASE)
        await store.release_sync_job(another)
        claim = await sync_job_manager.claim_sync_job()
        assert claim is not None
        await store.renew_leases([claim], NO_LEASE)
        query = "select lease_expires_at > now() from sync_queue"
        async with asyncio.timeout(10):
            while await fetch(database, query) != [(True,)]:  # until the next heartbeat
                pass

    async def test_a_job_that_was_not_ended_is_given_back(
        self, settings: Settings, store: Store, user_id: UUID
    ) -> None:
        async with open_sync_job_manager(settings) as manager:
            job = await manager.create_sync_job(user_id, "chess.com", "player123")
            await manager.update_sync_job_status(job.id, "fetching")
            await manager.record_games(job.id, games(3))
        claim = await store.claim_sync_job("the orchestrator's", LEASE, 5)
        assert claim is not None
        assert (claim.job.id, claim.job.games_found, claim.takeovers) == (job.id, 3, 0)
        assert claim.fetch_cursor is None  # its platform's client begins anew, and finds these games stored


async def test_active_jobs_are_read_to_the_last(
    sync_job_manager: SyncJobManager, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.sync.manager._PAGE", 2)
    started = [
        (await sync_job_manager.create_sync_job(await new_user(store), "lichess", "player123")).id
        for _ in range(5)
    ]
    assert [job.id for job in await sync_job_manager.get_active_sync_jobs()] == started[::-1]


async def test_without_a_database_it_says_what_to_set() -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        async with open_sync_job_manager(named(None)):
            pass


async def test_unknown_jobs_and_columns(sync_job_manager: SyncJobManager, user_id: UUID) -> None:
    with pytest.raises(NotFound):
        await sync_job_manager.get_sync_job(uuid4())
    with pytest.raises(InvalidInput):
        await sync_job_manager.get_sync_job("1")
    job = await sync_job_manager.create_sync_job(user_id, "chess.com", "player123")
    with pytest.raises(KeyError):
        job["games_done"]
