"""What does one orchestrator bear? Watchers of many jobs, starts in a row, large jobs; through Envoy too.

An orchestrator process and a Postgres of its own. Clients, the workers of watched jobs, and for the large
jobs the platform and an analyzer that answers at once are in the bench's process: it shares the cores with
what it measures.

    make bench-load [ARGS="--jobs 100 --watchers 1000 --starts 2000 --rate 200 --large 10 --games 1000"]

Exit status 1 where an event comes later than 250 ms (99th percentile, straight to the orchestrator), a
watcher takes more than 50 KB, a start fails, or a game is lost.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc.aio
import psutil
import psycopg

from orchestrator.domain import SyncStatus
from orchestrator.store.postgres import PostgresTransport
from orchestrator.store.store import Store
from orchestrator.tokens import mint_token
from rookify.sync.v1 import sync_pb2 as pb
from tests.bench.bench_memory import BIG, LazyPlatform, scripted, window
from tests.bench.parts import percentile, postgres
from tests.bench.results import report
from tests.support import samples
from tests.support.gateway import running_gateway
from tests.support.hand_worker import HandWorker
from tests.support.orchestrator import SECRET, Client
from tests.support.postgres import Database
from tests.support.replicas import Process
from tests.support.scripted_analyzer import ScriptedAnalyzer

EVENT_LIMIT_MS = 250
WATCHER_LIMIT_KB = 50
CHANNELS = 16  # connections that calls come over, as from several gateways
CHANGES = 20  # of each watched job
PAUSE = 1.0  # seconds between two changes of a job: the pace at which a worker writes
_LEASE = timedelta(minutes=30)
_UNLIMITED = {
    "max_queued_jobs": 10**6,
    "max_games_per_day": 10**6,
    "max_watches_per_user": 10**6,
    "max_watches": 10**6,
    "log_level": "info",
}


@asynccontextmanager
async def channels(address: str) -> AsyncIterator[Sequence[grpc.aio.Channel]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
            )
            for _ in range(CHANNELS)
        ]


@asynccontextmanager
async def orchestrator(database: Database, **settings: Any) -> AsyncIterator[Process]:
    process = Process()
    try:
        await process.start(database, _UNLIMITED | settings)
        yield process
    finally:
        await process.stop()


def resident_kb(process: Process) -> float:
    resident: int = psutil.Process(process.process.pid).memory_info().rss
    return resident / 1024


class Job:
    """A watched job and the hand that works it: when each change was committed, how late it was heard of."""

    def __init__(self, worker: HandWorker) -> None:
        self.worker = worker
        self.committed = [0.0] * (CHANGES + 1)
        self.took: list[float] = []  # milliseconds, of every watcher and change
        self.begun = 0

    async def watch(self, channel: grpc.aio.Channel, begun: asyncio.Event, watchers: int) -> None:
        loop = asyncio.get_running_loop()
        user = Client(channel, self.worker.user_id, mint_token(SECRET, str(self.worker.user_id)))
        known = -1
        async for message in user.watch(str(self.worker.job_id)):
            now, job = loop.time(), message.sync_job
            if known < 0:
                self.begun += 1
                if self.begun == watchers:
                    begun.set()
            done = job.games_analyzed + job.games_failed
            # A watcher may hear of a change before the hand that made it has its answer: that took no time.
            self.took += [
                (now - (self.committed[number] or now)) * 1000
                for number in range(max(known, 0) + 1, done + 1)
            ]
            known = max(known, done)

    async def change(self, delay: float) -> None:
        """One game a second, beginning after a part of one, so that the jobs' changes are spread."""
        await asyncio.sleep(delay)
        loop = asyncio.get_running_loop()
        for number in range(1, CHANGES + 1):
            due = loop.time() + PAUSE
            await self.worker.finish(1)
            self.committed[number] = loop.time()
            await asyncio.sleep(max(0.0, due - loop.time()))
        await self.worker.end()


async def watched(database: Database, jobs: int, watchers: int, *, gateway: bool) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        transport = await stack.enter_async_context(PostgresTransport(database.app_conninfo))
        store = Store(transport)
        made = []
        for _ in range(jobs):
            user_id = await samples.new_user(store)
            await store.start_sync_job(samples.new_sync(user_id), samples.LIMITS)
            claim = await store.claim_sync_job("the bench", _LEASE, 5)
            assert claim is not None
            await store.advance_sync_job(claim, SyncStatus.FETCHING)
            worker = HandWorker(store, claim, user_id)
            await worker.fetch(CHANGES)
            await worker.analyzing()
            made.append(Job(worker))
        process = await stack.enter_async_context(orchestrator(database))
        address = f"127.0.0.1:{process.port}"
        if gateway:
            address = await stack.enter_async_context(running_gateway(address))
        links = await stack.enter_async_context(channels(address))
        # What a connection and a first call take is not a watcher's.
        for job, link in zip(made, links, strict=False):
            user = Client(link, job.worker.user_id, mint_token(SECRET, str(job.worker.user_id)))
            await user.call("GetSyncJob", pb.GetSyncJobRequest(sync_job_id=str(job.worker.job_id)))
        before = resident_kb(process)
        each = watchers // jobs
        async with asyncio.TaskGroup() as tasks:
            begun = [asyncio.Event() for _ in made]
            for number, job in enumerate(made):
                for watcher in range(each):
                    link = links[(number + watcher) % len(links)]
                    tasks.create_task(job.watch(link, begun[number], each))
            for event in begun:
                await event.wait()
            per_watcher = (resident_kb(process) - before) / (each * jobs)
            for number, job in enumerate(made):
                tasks.create_task(job.change(number / jobs * PAUSE))
        took = [value for job in made for value in job.took]
        assert len(took) == each * jobs * CHANGES, "a watcher missed a change"
    return {
        "what": f"{each * jobs:,} watchers of {jobs} jobs{', through Envoy' if gateway else ''}",
        "events": len(took),
        "p50 ms": percentile(took, 0.5),
        "p99 ms": percentile(took, 0.99),
        "max ms": max(took),
        "KB a watcher": per_watcher,
        "failed": 0,
    }


async def started(database: Database, starts: int, rate: int, *, gateway: bool) -> dict[str, Any]:
    """Each by a user of its own, so many a second whether or not the ones before are answered."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        # Nobody works them: what is measured is the start.
        process = await stack.enter_async_context(
            orchestrator(database, jobs_per_replica=1, chesscom_url="http://127.0.0.1:1")
        )
        address = f"127.0.0.1:{process.port}"
        if gateway:
            address = await stack.enter_async_context(running_gateway(address))
        links = await stack.enter_async_context(channels(address))
        connection = await stack.enter_async_context(
            await psycopg.AsyncConnection.connect(database.owner_conninfo)
        )
        rows = await connection.execute(
            "insert into users (username) select gen_random_uuid()::text from generate_series(1, %s)"
            " returning id",
            (starts,),
        )
        users = [row[0] for row in await rows.fetchall()]
        await connection.commit()
        clients = [
            Client(links[number % len(links)], user, mint_token(SECRET, str(user)))
            for number, user in enumerate(users)
        ]
        took: list[float] = []
        failed = 0

        async def start(client: Client) -> None:
            nonlocal failed
            began = loop.time()
            try:
                await client.start()
            except grpc.aio.AioRpcError as error:
                failed += 1
                print("a start failed:", error.code(), error.details())
            took.append((loop.time() - began) * 1000)

        began = loop.time()
        async with asyncio.TaskGroup() as tasks:
            for number, client in enumerate(clients):
                await asyncio.sleep(max(0.0, began + number / rate - loop.time()))
                tasks.create_task(start(client))
        seconds = loop.time() - began
    return {
        "what": f"{starts:,} starts, {starts / seconds:,.0f} a second{', through Envoy' if gateway else ''}",
        "events": starts,
        "p50 ms": percentile(took, 0.5),
        "p99 ms": percentile(took, 0.99),
        "max ms": max(took),
        "KB a watcher": "",
        "failed": failed,
    }


async def side_by_side(database: Database, jobs: int, games: int) -> dict[str, Any]:
    """Large jobs at once, each watched: games a second of all, and how far apart they end."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        platform = await stack.enter_async_context(LazyPlatform(games, 12))
        analyzer = await stack.enter_async_context(ScriptedAnalyzer(script=scripted(60), credits=8))
        process = await stack.enter_async_context(
            orchestrator(
                database,
                chesscom_url=platform.url,
                analyzers=analyzer.address,
                max_games_per_sync=10**6,
                write_interval=0.2,
            )
        )
        users = [await process.replica.user() for _ in range(jobs)]
        began = loop.time()
        started_jobs = [await user.start(**window(BIG)) for user in users]
        ends: list[float] = []

        async def follow(user: Client, job_id: str) -> int:
            analyzed = 0
            async for message in user.watch(job_id):
                analyzed = message.sync_job.games_analyzed
            ends.append(loop.time() - began)
            return analyzed

        analyzed = await asyncio.gather(*(follow(u, j.id) for u, j in zip(users, started_jobs, strict=True)))
        peak = resident_kb(process) / 1024
    seconds = max(ends)
    print(f"{jobs} jobs of {games:,} games: {sum(analyzed) / seconds:,.0f} games/s, resident {peak:,.0f} MB")
    return {
        "what": f"{jobs} jobs of {games:,} games, {sum(analyzed) / seconds:,.0f} games/s, {peak:,.0f} MB",
        "events": sum(analyzed),
        "p50 ms": percentile(ends, 0.5) * 1000,
        "p99 ms": min(ends) * 1000,
        "max ms": seconds * 1000,
        "KB a watcher": "",
        "failed": jobs * games - sum(analyzed),
    }


async def run(options: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    for gateway in (False, True):
        async with postgres() as database:
            rows.append(await watched(database, options.jobs, options.watchers, gateway=gateway))
        async with postgres() as database:
            rows.append(await started(database, options.starts, options.rate, gateway=gateway))
    async with postgres() as database:
        rows.append(await side_by_side(database, options.large, options.games))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--watchers", type=int, default=1000)
    parser.add_argument("--starts", type=int, default=2000)
    parser.add_argument("--rate", type=int, default=200, help="starts a second")
    parser.add_argument("--large", type=int, default=10, help="large jobs side by side")
    parser.add_argument("--games", type=int, default=1000, help="games of each")
    rows = asyncio.run(run(parser.parse_args()))
    note = "the last row: until half, the first and the last of the jobs had ended"
    report("load", rows, note=note, event_limit_ms=EVENT_LIMIT_MS, watcher_limit_kb=WATCHER_LIMIT_KB)
    good = (
        rows[0]["p99 ms"] <= EVENT_LIMIT_MS
        and rows[0]["KB a watcher"] <= WATCHER_LIMIT_KB
        and not any(row["failed"] for row in rows)
    )
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
