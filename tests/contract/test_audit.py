"""The audit finds every breach that its rules name. The database refuses them all, so its triggers and
constraints are switched off first, as only its superuser can."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import LiteralString

import psycopg
import pytest

from orchestrator.domain import SyncStatus
from orchestrator.store.postgres import PostgresTransport
from orchestrator.store.rows import Limits
from orchestrator.store.store import Store
from tests.contract.test_store import analyzing, start
from tests.support.postgres import Database
from tests.support.samples import LIMITS, analysis, failure, new_user


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    """With one job completed (an analysis and a failure), one analyzing, one pending."""
    async with PostgresTransport(database.app_conninfo) as transport:
        store = Store(transport)
        taken, ids = await analyzing(store, 2)
        await store.record_analyses(taken, [analysis(ids[0]), failure(ids[1])])
        await store.advance_sync_job(taken, SyncStatus.COMPLETED)
        taken, ids = await analyzing(store, 2)
        await store.record_analyses(taken, [analysis(ids[0])])
        await start(store)
        yield store


async def broken(database: Database, statement: LiteralString) -> None:
    async with await psycopg.AsyncConnection.connect(
        database.superuser_conninfo, autocommit=True
    ) as connection:
        await connection.execute("set session_replication_role = replica")  # no triggers, no foreign keys
        cursor = await connection.execute(
            "select conrelid::regclass::text, conname from pg_constraint "
            "where contype = 'c' and connamespace = 'public'::regnamespace and conname like 'sync_job%'"
        )
        for table, name in await cursor.fetchall():
            await connection.execute(f'alter table {table} drop constraint "{name}"')
        await connection.execute("drop index public.sync_jobs_one_active")
        await connection.execute("alter table public.sync_jobs alter column status drop not null")
        cursor = await connection.execute(statement)
        assert cursor.rowcount > 0, "nothing was broken"


async def test_a_healthy_database_has_no_findings(store: Store) -> None:
    assert await store.audit_sync_jobs(LIMITS) == []


@pytest.mark.parametrize("within", [None, timedelta(hours=1)])
@pytest.mark.parametrize(
    ("rule", "statement"),
    [
        ("analysis_without_job", "update game_analyses set sync_job_id = gen_random_uuid()"),
        ("analysis_of_another_user", "update game_analyses set user_id = gen_random_uuid()"),
        ("counters_differ", "update sync_jobs set games_found = games_found + 1 where status = 'completed'"),
        ("counters_differ", "update sync_jobs set games_analyzed = 0 where status = 'analyzing'"),
        ("counters_differ", "update sync_jobs set games_failed = 5 where status = 'completed'"),
        (
            "completed_with_open_games",
            "update sync_job_games set outcome = 'queued' where outcome = 'failed'",
        ),
        ("unknown_status", "update sync_jobs set status = 'done' where status = 'completed'"),
        ("unknown_status", "update sync_jobs set status = null where status = 'completed'"),
        ("completed_at", "update sync_jobs set completed_at = null where status = 'completed'"),
        ("completed_at", "update sync_jobs set completed_at = now() where status = 'analyzing'"),
        (
            "failed_without_reason",
            "update sync_jobs set status = 'failed', error = '' where status = 'completed'",
        ),
        (
            "no_progress",
            "update sync_jobs set updated_at = now() - interval '3 hours' where status = 'pending'",
        ),
        ("active_job_not_queued", "delete from sync_queue"),
        ("lease_long_past", "update sync_queue set lease_expires_at = now() - interval '1 hour'"),
        (
            "several_active_jobs",
            (
                "insert into sync_jobs (user_id, platform, username) "
                "select user_id, platform, username from sync_jobs where status = 'pending'"
            ),
        ),
        (
            "status_out_of_order",
            "update sync_job_events set to_status = 'completed' where to_status = 'fetching'",
        ),
        ("status_out_of_order", "delete from sync_job_events where to_status = 'fetching'"),
        ("status_without_history", "update sync_jobs set status = 'fetching' where status = 'pending'"),
    ],
)
async def test_each_breach_is_found(
    store: Store, database: Database, rule: str, statement: LiteralString, within: timedelta | None
) -> None:
    await broken(database, statement)
    findings = await store.audit_sync_jobs(LIMITS, within)
    assert rule in {found.rule for found in findings}
    assert all(found.detail for found in findings)


async def test_jobs_above_the_quota_are_found(store: Store) -> None:
    user_id = await new_user(store)
    for _ in range(3):
        await store.cancel_sync_job((await start(store, user_id)).id, None)
    limits = Limits(starts=2, window_seconds=600, games_per_day=100, queued_jobs=100)
    (found,) = await store.audit_sync_jobs(limits)
    assert found.rule == "starts_above_quota"
    limits = Limits(starts=5, window_seconds=600, games_per_day=0, queued_jobs=100)
    assert {found.rule for found in await store.audit_sync_jobs(limits)} == {"games_above_quota"}


async def test_what_ended_long_ago_is_read_by_the_whole_audit_alone(store: Store, database: Database) -> None:
    await broken(
        database,
        "update sync_jobs set games_found = 7, created_at = created_at - interval '3 hours', "
        "completed_at = completed_at - interval '2 hours' where status = 'completed'",
    )
    assert await store.audit_sync_jobs(LIMITS, timedelta(hours=1)) == []
    assert {found.rule for found in await store.audit_sync_jobs(LIMITS, timedelta(hours=2.5))} == {
        "counters_differ"
    }
    assert {found.rule for found in await store.audit_sync_jobs(LIMITS)} == {"counters_differ"}


async def test_active_jobs_are_looked_at_however_old_they_are(store: Store, database: Database) -> None:
    await broken(
        database,
        "update sync_jobs set games_found = 7, created_at = created_at - interval '1 year' "
        "where status = 'analyzing'",
    )
    (found,) = await store.audit_sync_jobs(LIMITS, timedelta(hours=1))
    assert found.rule == "counters_differ"


async def test_how_long_a_job_may_be_without_progress_is_a_setting(store: Store, database: Database) -> None:
    await broken(
        database,
        "update sync_jobs set updated_at = now() - interval '3 hours' where status = 'pending'",
    )
    assert [found.rule for found in await store.audit_sync_jobs(LIMITS)] == ["no_progress"]
    patient = replace(LIMITS, stuck_after_seconds=4 * 3600)
    assert await store.audit_sync_jobs(patient) == []
    hasty = replace(LIMITS, stuck_after_seconds=0)
    assert len(await store.audit_sync_jobs(hasty)) == 2


async def test_replicas_that_name_no_such_bounds_have_the_guides(store: Store, database: Database) -> None:
    """Those of the release before, which run beside new ones for a while."""
    await broken(
        database,
        "update sync_jobs set updated_at = now() - interval '121 minutes' where status = 'pending'",
    )
    async with await psycopg.AsyncConnection.connect(database.owner_conninfo) as connection:
        cursor = await connection.execute(
            "select audit_sync_jobs(%s::jsonb) ->> 'rule'",
            ('{"starts": 1000, "window_seconds": 600, "games_per_day": 1000, "queued_jobs": 1000}',),
        )
        assert await cursor.fetchall() == [("no_progress",)]
