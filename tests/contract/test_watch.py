"""WatchSync when the job is worked by another replica: at once, in order, once, and always to the end.

The watchers' orchestrators are real; the worker is the test itself, through the real store, so that it says
when each change is committed.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import UUID

import grpc.aio
import psycopg
import pytest

from orchestrator.domain import SyncStatus
from orchestrator.store.postgres import PostgresTransport
from orchestrator.store.rows import FinishedGame
from orchestrator.store.store import Store
from orchestrator.tokens import mint_token
from rookify.sync.v1 import sync_pb2 as pb
from tests.support.hand_worker import HandWorker, hand_worker
from tests.support.orchestrator import SECRET, Client, Orchestrator, running_orchestrator
from tests.support.postgres import Database

PROMPT = 4.0  # seconds, less than a recheck; by `make bench-watch` it takes a hundredth of that
# A reader with the smallest window: what is not read stays at the server. Its own connection, too.
SLOW_READER = (
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 1),
    ("grpc.use_local_subchannel_pool", 1),
)


@asynccontextmanager
async def watched(
    database: Database, *, games: int, replicas: int = 1
) -> AsyncIterator[tuple[HandWorker, list[Orchestrator]]]:
    """A job worked by hand, and orchestrators to watch it at."""
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(hand_worker(database, games=games))
        yield (
            worker,
            [await stack.enter_async_context(running_orchestrator(database)) for _ in range(replicas)],
        )


def client(worker: HandWorker, channel: grpc.aio.Channel) -> Client:
    return Client(channel, worker.user_id, mint_token(SECRET, str(worker.user_id)))


def watch(worker: HandWorker, at: Orchestrator, **options: Any) -> AsyncGenerator[pb.WatchSyncResponse, None]:
    return client(worker, at.channel).watch(str(worker.job_id), **options)


def urls(messages: list[pb.WatchSyncResponse]) -> list[str]:
    return [message.game.game_url for message in messages if message.HasField("game")]


def is_the_end(message: pb.WatchSyncResponse) -> bool:
    """The games of the last write come with the job's last state, and before the message about it alone."""
    return message.sync_job.HasField("complete_time") and not message.HasField("game")


async def until_done(
    watching: AsyncIterator[pb.WatchSyncResponse], games: int, seconds: float = 20
) -> list[pb.WatchSyncResponse]:
    """The messages up to the first about the job alone that tells of so many analyzed or failed games."""
    seen = []
    async with asyncio.timeout(seconds):
        async for message in watching:
            seen.append(message)
            job = message.sync_job
            if not message.HasField("game") and job.games_analyzed + job.games_failed >= games:
                return seen
    raise AssertionError("the watch ended")


async def test_each_change_is_heard_of_at_once(database: Database) -> None:
    async with watched(database, games=10) as (worker, (replica,)):
        watching = watch(worker, replica)
        await anext(watching)
        for done in range(1, 11):
            await worker.finish(1)
            await until_done(watching, done, PROMPT)
        await worker.end()
        async with asyncio.timeout(PROMPT):
            assert (await anext(watching)).sync_job.status == pb.SYNC_STATUS_COMPLETED
            assert await anext(watching, None) is None


@pytest.mark.parametrize("seed", range(3))
async def test_games_come_once_and_in_order_over_broken_streams_of_both_replicas(
    database: Database, seed: int
) -> None:
    random_ = random.Random(seed)
    games = 40
    async with watched(database, games=games, replicas=2) as (worker, both):

        async def work() -> None:
            left = games
            while left:
                batch = min(left, random_.randint(1, 6))
                left -= batch
                await worker.finish(batch)
                await asyncio.sleep(random_.uniform(0, 0.02))  # so that streams break in between, too
            await worker.end()

        seen: list[pb.WatchSyncResponse] = []
        streams = 0
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            tasks.create_task(work())
            while not (seen and is_the_end(seen[-1])):
                token = seen[-1].resume_token if seen else ""
                replica = both[streams % 2]
                watching = watch(worker, replica, include_games=True, resume_token=token)
                streams += 1
                left = random_.randint(1, 8)
                async for message in watching:
                    seen.append(message)
                    left -= 1
                    if not left:
                        break
                await watching.aclose()
        assert streams > 5
        assert urls(seen) == worker.urls
        revisions = [message.sync_job.revision for message in seen]
        assert revisions == sorted(revisions)
        assert seen[-1].sync_job.games_analyzed == games * 4 // 5


async def test_counters_never_tell_of_games_that_have_not_come(database: Database) -> None:
    async with watched(database, games=30) as (worker, (replica,)):
        watching = watch(worker, replica, include_games=True)
        await anext(watching)

        async def work() -> None:
            for _ in range(30):
                await worker.finish(1)
            await worker.end()

        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            tasks.create_task(work())
            came = 0
            async for message in watching:
                came += message.HasField("game")
                job = message.sync_job
                if not message.HasField("game"):
                    assert came >= job.games_analyzed + job.games_failed
        assert came == 30


async def test_a_reader_that_does_not_read_costs_nothing_and_misses_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler is suspended at its stream: what is not read is not even read from the database."""
    reads: Counter[int] = Counter()
    read = Store.list_finished_games

    async def counted(store: Store, job_id: UUID, after: int, limit: int) -> list[FinishedGame]:
        reads[after] += 1
        return await read(store, job_id, after, limit)

    monkeypatch.setattr(Store, "list_finished_games", counted)
    games = 1600
    async with watched(database, games=games) as (worker, (replica,)):
        for _ in range(games // 100):
            await worker.finish(100)
        address = f"127.0.0.1:{replica.port}"
        async with grpc.aio.insecure_channel(address, options=SLOW_READER) as channel:
            slow = client(worker, channel).watch(str(worker.job_id), include_games=True)
            seen = [await anext(slow)]
            # Meanwhile another one reads all there is: time enough to send the first one's as well.
            await until_done(watch(worker, replica, include_games=True), games)
            assert reads[0] == 2, "both have begun"
            assert reads[games // 2] == 1, "the slow reader's games were read far ahead of it"
            await worker.end()
            async with asyncio.timeout(20):
                seen += [message async for message in slow]
        assert urls(seen) == worker.urls
        assert seen[-1].sync_job.status == pb.SYNC_STATUS_COMPLETED


async def test_watchers_share_what_is_read_for_them(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: Counter[str] = Counter()
    call = PostgresTransport.call

    async def counted(transport: PostgresTransport, function: str, parameters: Any) -> list[Any]:
        reads[function] += 1
        return await call(transport, function, parameters)

    monkeypatch.setattr(PostgresTransport, "call", counted)
    watchers, changes = 40, 10
    async with watched(database, games=changes) as (worker, (replica,)):
        all_of_them = [watch(worker, replica, include_games=True) for _ in range(watchers)]
        seen = [[await anext(watching)] for watching in all_of_them]
        reads.clear()
        for done in range(1, changes + 1):
            await worker.finish(1)
            for watching, messages in zip(all_of_them, seen, strict=True):
                messages += await until_done(watching, done)
        await worker.end()
        for watching, messages in zip(all_of_them, seen, strict=True):
            messages += [message async for message in watching]
            assert urls(messages) == worker.urls
            assert is_the_end(messages[-1])
    # One for each change at best; twice as many where a change was noticed in two steps.
    assert reads["list_finished_games"] <= 2 * changes
    assert reads["get_sync_jobs"] <= 2 * (changes + 1)


async def test_a_slow_reader_skips_states_and_gets_the_end(database: Database) -> None:
    changes = 60
    async with watched(database, games=changes) as (worker, (replica,)):
        address = f"127.0.0.1:{replica.port}"
        async with grpc.aio.insecure_channel(address, options=SLOW_READER) as channel:
            slow = client(worker, channel).watch(str(worker.job_id))
            seen = [await anext(slow)]
            prompt = watch(worker, replica)
            for done in range(1, changes + 1):
                await worker.finish(1)
                await until_done(prompt, done)
            await worker.end()
            async with asyncio.timeout(10):
                seen += [message async for message in slow]
        assert len(seen) < changes / 2
        assert seen[-1].sync_job.status == pb.SYNC_STATUS_COMPLETED
        revisions = [message.sync_job.revision for message in seen]
        assert all(earlier < later for earlier, later in itertools.pairwise(revisions))


@pytest.mark.parametrize("status", [SyncStatus.COMPLETED, SyncStatus.FAILED, SyncStatus.CANCELLED])
async def test_a_job_that_is_over_gives_its_last_state_and_ok(database: Database, status: SyncStatus) -> None:
    games = 0 if status is SyncStatus.COMPLETED else 250  # more than is read at a time
    async with watched(database, games=games) as (worker, (replica,)):
        if games:
            await worker.finish(220)
        else:
            await worker.analyzing()
        job = await worker.end(status)
        async with asyncio.timeout(10):
            (only,) = [message async for message in watch(worker, replica)]
            every = [message async for message in watch(worker, replica, include_games=True)]
            (rest,) = [
                message
                async for message in watch(
                    worker, replica, include_games=True, resume_token=every[-1].resume_token
                )
            ]
        assert only.sync_job.revision == job.revision
        assert only.sync_job.status == getattr(pb, f"SYNC_STATUS_{status.upper()}")
        assert urls(every) == worker.urls
        assert not every[-1].HasField("game")
        assert rest.sync_job == every[-1].sync_job == only.sync_job


async def cut_off_listeners(connection: psycopg.AsyncConnection) -> int:
    lost = await connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and query = 'listen sync_jobs'"
    )
    return lost.rowcount


async def test_a_lost_listener_loses_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.hub._RECHECK_SECONDS", 3600)  # only the listener can bring the news
    async with watched(database, games=20) as (worker, (replica,)):
        watching = watch(worker, replica, include_games=True)
        seen = [await anext(watching)]
        await worker.finish(5)  # once this is heard of, it listens
        seen += await until_done(watching, 5)
        async with await psycopg.AsyncConnection.connect(
            database.superuser_conninfo, autocommit=True
        ) as connection:
            for done in (10, 15, 20):
                async with asyncio.timeout(30):
                    while not await cut_off_listeners(connection):  # noqa: ASYNC110  Postgres cannot ring
                        await asyncio.sleep(0.01)  # the one before may still be on its way
                # Committed while nobody listens: it tries again in 50 ms at the earliest.
                await worker.finish(5)
                seen += await until_done(watching, done)
        await worker.end()
        async with asyncio.timeout(10):
            seen += [message async for message in watching]
        assert urls(seen) == worker.urls
        assert seen[-1].sync_job.status == pb.SYNC_STATUS_COMPLETED


async def test_a_watcher_that_leaves_is_forgotten_while_others_go_on(database: Database) -> None:
    async with watched(database, games=3) as (worker, (replica,)):
        leaving, staying = watch(worker, replica), watch(worker, replica)
        for watching in (leaving, staying):
            await anext(watching)
        await leaving.aclose()
        await worker.finish(3)
        await worker.end()
        async with asyncio.timeout(PROMPT):
            *_, last = [message async for message in staying]
        assert last.sync_job.status == pb.SYNC_STATUS_COMPLETED
