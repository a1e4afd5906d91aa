"""Who writes a job and who claims it never wait for each other in a circle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import psycopg
import pytest

from orchestrator.domain import SyncStatus
from orchestrator.store.rows import Claim
from orchestrator.store.store import Store
from servicekit.errors import StaleLease
from tests.contract.test_store import claim, start
from tests.support.postgres import Database
from tests.support.stores import store

__all__ = ["store"]  # a fixture: over each transport

_PATIENCE = 10.0  # seconds; a wait that nobody ends is told from a slow machine by it


async def waits(connection: psycopg.AsyncConnection) -> None:
    """Returns when some session of the database waits for a lock."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            cursor = await connection.execute(
                "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
            )
            if cursor.rowcount:
                return
            await asyncio.sleep(0.01)


async def test_a_write_and_a_claim_that_takes_its_job_over_do_not_deadlock(
    store: Store, database: Database
) -> None:
    await start(store)
    taken = await claim(store)
    await store.advance_sync_job(taken, SyncStatus.FETCHING)
    connecting = psycopg.AsyncConnection.connect
    async with (
        await connecting(database.owner_conninfo) as claiming,
        await connecting(database.superuser_conninfo, autocommit=True) as looking,
    ):
        # Below deadlock_timeout, at which Postgres would pick one of the two and let the other go on.
        await claiming.execute("set lock_timeout = '500ms'")
        # The claim's first half: its lock of the queue's row.
        await claiming.execute("select from sync_queue for update")
        writing = asyncio.create_task(store.note_sync_job(taken, "waiting"))
        await waits(looking)
        # Its second: the new lease, which is kept in the history.
        await claiming.execute(
            "update sync_queue set lease_token = gen_random_uuid(), lease_owner = 'another'"
        )
        await claiming.commit()
        with pytest.raises(StaleLease):
            await writing
    assert (await store.list_sync_job_events(taken.job.id))[-1].cause == "claimed by another"


Write = Callable[[Store, Claim], Awaitable[object]]


@pytest.mark.parametrize(
    "write",
    [
        lambda store, taken: store.note_sync_job(taken, "waiting"),
        lambda store, taken: store.cancel_sync_job(taken.job.id, taken.job.user_id),
        lambda store, taken: store.fail_sync_job(taken.job.id, "by hand"),
        lambda store, _: store.cleanup_stuck_sync_jobs(timedelta(seconds=-1), dry_run=False),
    ],
    ids=["worker", "cancel", "fail", "cleanup"],
)
async def test_what_the_history_locks_of_a_job_holds_up_no_write(
    store: Store, database: Database, write: Write
) -> None:
    await start(store)
    taken = await claim(store)
    async with await psycopg.AsyncConnection.connect(database.owner_conninfo) as claiming:
        await claiming.execute("select from sync_jobs for key share")  # as the foreign key of its events does
        async with asyncio.timeout(_PATIENCE):
            assert await write(store, taken)
