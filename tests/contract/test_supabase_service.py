"""Orchestrators whose database is a Supabase project: the same work, the same watching, over its API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from orchestrator.settings import Settings
from orchestrator.store.store import Store
from orchestrator.store.supabase import _WATCHED_SECONDS, SupabaseTransport
from orchestrator.sync_jobs import open_sync_job_manager
from orchestrator.tokens import mint_token
from rookify.sync.v1 import sync_pb2 as pb
from tests.contract.test_replicas import held, whole
from tests.support.orchestrator import SECRET, Client
from tests.support.postgres import Database
from tests.support.postgrest import SECRET_KEY, Fault, PostgrestStandIn
from tests.support.replicas import at, replicas
from tests.support.samples import LIMITS, new_sync, new_user

WATCHERS = 8


@pytest.fixture
async def project(database: Database) -> AsyncIterator[PostgrestStandIn]:
    async with PostgrestStandIn(database.app_conninfo) as running:
        yield running


async def watched(client: Client, job_id: str) -> list[pb.WatchSyncResponse]:
    async with asyncio.timeout(30):
        return [message async for message in client.watch(job_id, include_games=True)]


async def test_watchers_of_any_replica_see_it_all_by_one_poll_each(
    database: Database, project: PostgrestStandIn
) -> None:
    loop = asyncio.get_running_loop()
    async with replicas(database) as fleet:
        working = await fleet.add(await fleet.analyzer(), **project.settings)
        other = await fleet.add(await fleet.analyzer(), jobs_per_replica=1, **project.settings)
        user, began = await working.user(), loop.time()
        job = await user.start(max_games=12)
        views = await asyncio.gather(
            *(watched(at(replica, user), job.id) for replica in (working, other) for _ in range(WATCHERS))
        )
        seconds = loop.time() - began
        ended = views[0][-1].sync_job
        await whole(database, working, [ended])
    for messages in views:
        games = [message.game.game_url for message in messages if message.HasField("game")]
        assert len(games) == len(set(games)) == ended.games_analyzed + ended.games_failed
        assert messages[-1].sync_job == ended
    # One poll a replica and pause, and one for each time that somebody began to watch, started or ended.
    assert project.calls["poll_sync_jobs"] <= 2 * (seconds / _WATCHED_SECONDS + 4)


async def test_a_cancel_at_one_replica_stops_the_analyzers_of_the_other(
    database: Database, project: PostgrestStandIn
) -> None:
    async with replicas(database) as fleet:
        first = await fleet.analyzer(lambda _: "hold")
        working = await fleet.add(first, **project.settings)
        user = await working.user()
        job = await user.start(max_games=8)
        await held(first, 4)
        other = await fleet.add(await fleet.analyzer(), **project.settings)
        answer = await at(other, user).call("CancelSync", pb.CancelSyncRequest(sync_job_id=job.id))
        assert answer.sync_job.status == pb.SYNC_STATUS_CANCELLED
        await first.until(lambda: not first.held)
        assert first.cancelled == [job.id]


async def test_a_lost_workers_job_is_told_of_by_the_poll(
    database: Database, project: PostgrestStandIn
) -> None:
    """Long before the replica would look for it by itself, which is every half a minute here."""
    async with SupabaseTransport(project.url, SECRET_KEY) as transport, replicas(database) as fleet:
        store = Store(transport)
        user_id = await new_user(store)
        job = await store.start_sync_job(new_sync(user_id, max_games=2), LIMITS)
        assert await store.claim_sync_job("lost at once", timedelta(seconds=1), 5)
        replica = await fleet.add(await fleet.analyzer(), lease_seconds=3600, **project.settings)
        async with asyncio.timeout(15):
            ended = await Client(replica.channel, user_id, mint_token(SECRET, str(user_id))).ended(
                str(job.id)
            )
        assert ended.status == pb.SYNC_STATUS_COMPLETED


async def test_nothing_is_lost_or_done_twice_on_a_bad_line(
    database: Database, project: PostgrestStandIn
) -> None:
    async with replicas(database) as fleet:
        replica = await fleet.add(await fleet.analyzer(), **project.settings)
        user = await replica.user()
        faults = [Fault(carry_out=True), Fault(), Fault(carry_out=True), Fault(503)]
        for fault in faults * 4:
            project.faults += [None, None, None, fault]
        job = await user.start(max_games=12)
        async with asyncio.timeout(60):
            messages = await watched(user, job.id)
        project.faults.clear()
        await whole(database, replica, [messages[-1].sync_job])
        games = [message.game.game_url for message in messages if message.HasField("game")]
        assert len(games) == len(set(games)) == messages[-1].sync_job.games_analyzed


async def test_code_beside_the_orchestrator_works_jobs_over_the_api(
    database: Database, project: PostgrestStandIn
) -> None:
    async with SupabaseTransport(project.url, SECRET_KEY) as transport:
        user_id = await new_user(Store(transport))
    settings = Settings(_env_file=None, **project.settings)  # type: ignore[call-arg]
    async with open_sync_job_manager(settings) as manager:
        job = await manager.create_sync_job(str(user_id), "lichess", "PaulMorphy")
        await manager.update_sync_job_status(job["id"], "fetching")
        (active,) = await manager.get_active_sync_jobs()
        assert (active["id"], active["status"]) == (job["id"], "fetching")
