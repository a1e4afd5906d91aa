"""How soon do watchers hear of a change? From its commit to the message, for watchers of a replica apart.

An orchestrator process watches, and the bench is the job's worker, so that it knows when each change was
committed. All watchers watch one job: each change goes to all of them. With --supabase the orchestrator has
its database by a stand-in for Supabase's API, in this process, and so asks instead of being told.

    make bench-watch [ARGS="--watchers 200 --changes 100 --limit 250 --supabase"]

Exit status 1 where the 99th percentile is above the limit (milliseconds).
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import grpc.aio

from orchestrator.tokens import mint_token
from tests.bench.parts import percentile, postgres
from tests.bench.results import report
from tests.support.hand_worker import HandWorker, hand_worker
from tests.support.orchestrator import SECRET, Client
from tests.support.postgrest import PostgrestStandIn
from tests.support.replicas import Process

CHANNELS = 8  # watchers come over several connections, as from several gateways
PAUSE = 0.1  # seconds between changes: each is a message of its own to every watcher


class Watchers:
    """`heard[n]` is when each of them first knew of n finished games."""

    def __init__(self, count: int, changes: int) -> None:
        self.count = count
        self.heard: list[list[float]] = [[] for _ in range(changes + 1)]
        self.begun = asyncio.Event()
        self._began = 0

    async def watch(self, user: Client, job_id: str, *, include_games: bool) -> None:
        loop = asyncio.get_running_loop()
        known = -1
        async for message in user.watch(job_id, include_games=include_games):
            now, job = loop.time(), message.sync_job
            if known < 0:
                self._began += 1
                if self._began == self.count:
                    self.begun.set()
            done = job.games_analyzed + job.games_failed
            for number in range(known + 1, done + 1):
                self.heard[number].append(now)
            known = max(known, done)


async def measure(
    worker: HandWorker,
    channels: Sequence[grpc.aio.Channel],
    watchers: int,
    changes: int,
    *,
    include_games: bool,
) -> list[float]:
    """Milliseconds from each commit to each watcher's message."""
    loop = asyncio.get_running_loop()
    token = mint_token(SECRET, str(worker.user_id))
    all_of_them = Watchers(watchers, changes)
    committed = [0.0]
    async with asyncio.TaskGroup() as tasks:
        for number in range(watchers):
            user = Client(channels[number % len(channels)], worker.user_id, token)
            tasks.create_task(all_of_them.watch(user, str(worker.job_id), include_games=include_games))
        await all_of_them.begun.wait()
        for _ in range(changes):
            await worker.finish(1)
            committed.append(loop.time())
            await asyncio.sleep(PAUSE)
        await worker.end()
    assert all(len(heard) == watchers for heard in all_of_them.heard), "a watcher missed a change"
    return [
        (at - commit) * 1000
        for commit, heard in zip(committed[1:], all_of_them.heard[1:], strict=True)
        for at in heard
    ]


async def run(watchers: int, changes: int, *, supabase: bool) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(postgres())
        workers = [await stack.enter_async_context(hand_worker(database, games=changes)) for _ in range(2)]
        process = Process()
        stack.push_async_callback(process.stop)
        settings: dict[str, Any] = {"log_level": "info", "max_watches_per_user": watchers}
        settings["max_watches"] = 2 * watchers  # those of the first measure may still be leaving
        if supabase:
            project = await stack.enter_async_context(PostgrestStandIn(database.app_conninfo))
            settings |= project.settings
        await process.start(database, settings)
        channels = [
            await stack.enter_async_context(
                grpc.aio.insecure_channel(
                    f"127.0.0.1:{process.port}", options=[("grpc.use_local_subchannel_pool", 1)]
                )
            )
            for _ in range(CHANNELS)
        ]
        for worker, include_games in zip(workers, (False, True), strict=True):
            took = await measure(worker, channels, watchers, changes, include_games=include_games)
            rows.append(
                {
                    "watching": "the job and its games" if include_games else "the job",
                    "watchers": watchers,
                    "changes": changes,
                    "p50 ms": percentile(took, 0.5),
                    "p99 ms": percentile(took, 0.99),
                    "max ms": max(took),
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--limit", type=float, default=250, help="milliseconds, of the 99th percentile")
    parser.add_argument("--supabase", action="store_true", help="the database over Supabase's API")
    options = parser.parse_args()
    rows = asyncio.run(run(options.watchers, options.changes, supabase=options.supabase))
    name = "watch-supabase" if options.supabase else "watch"
    report(name, rows, note="from the commit of a change to a watcher's message", limit_ms=options.limit)
    sys.exit(0 if all(row["p99 ms"] <= options.limit for row in rows) else 1)


if __name__ == "__main__":
    main()
