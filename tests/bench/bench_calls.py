"""What a job costs over Supabase's API: calls for each analyzed game, and milliseconds for each call.

An orchestrator process, its database a stand-in for PostgREST over a real Postgres; an analyzer that
answers at once, or at a pace. Three kinds of calls are told apart: those of the jobs themselves (phases,
games, heartbeats, looks for work), those for a watcher who sees every game, and the polls, which are one for
all jobs and watchers of a replica. Times are the stand-in's, from request to answer, without network and
queue; beside them what a small call takes the orchestrator's client, one after the other.

    make bench-calls [ARGS="--games 100 --jobs 1 --limit 0.25"]

Exit status 1 where the jobs' own calls for each game are more than the limit.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import defaultdict
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

from orchestrator.store.store import Store
from orchestrator.store.supabase import SupabaseTransport
from rookify.sync.v1 import sync_pb2 as pb
from servicekit import logs
from tests.bench.bench_memory import BIG, LazyPlatform, scripted, window
from tests.bench.parts import percentile, postgres
from tests.bench.results import report
from tests.support.orchestrator import Client
from tests.support.postgrest import SECRET_KEY, PostgrestStandIn
from tests.support.replicas import Process
from tests.support.scripted_analyzer import ScriptedAnalyzer

SLOTS = 8
MOVES = 60  # half-moves of each analysis: 25 KB of JSON
POLLS = {"poll_sync_jobs"}
WATCHING = {"get_sync_jobs", "list_finished_games"}


async def pace(analyzer: ScriptedAnalyzer, games_per_second: float) -> None:
    while True:
        await asyncio.sleep(SLOTS / games_per_second)
        analyzer.release()


async def watch(user: Client, job_id: str) -> int:
    """To the end of the job; how many of its games were seen."""
    games = 0
    async for message in user.watch(job_id, include_games=True):
        games += message.HasField("game")
    assert message.sync_job.status == pb.SYNC_STATUS_COMPLETED, message.sync_job.error
    return games


async def run(games: int, jobs: int, games_per_second: float) -> tuple[dict[str, Any], PostgrestStandIn]:
    """0 games a second: as fast as it goes."""
    answer = scripted(MOVES)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(postgres())
        project = await stack.enter_async_context(PostgrestStandIn(database.app_conninfo))
        platform = await stack.enter_async_context(LazyPlatform(games, 1))
        script = (lambda _: "hold") if games_per_second else answer
        analyzer = await stack.enter_async_context(ScriptedAnalyzer(script=script, credits=SLOTS))
        process = Process()
        stack.push_async_callback(process.stop)
        settings = {"chesscom_url": platform.url, "analyzers": analyzer.address, "write_interval": None}
        await process.start(database, settings | project.settings)
        users = [await process.replica.user() for _ in range(jobs)]
        # Once a minute, whatever is worked.
        while not project.calls["cleanup_stuck_sync_jobs"]:  # noqa: ASYNC110  another process
            await asyncio.sleep(0.1)
        pacing = asyncio.create_task(pace(analyzer, games_per_second)) if games_per_second else None
        project.calls.clear()
        project.seconds.clear()
        began = time.monotonic()
        started = [await user.start(**window(BIG)) for user in users]
        seen = await asyncio.gather(*(watch(user, job.id) for user, job in zip(users, started, strict=True)))
        seconds = time.monotonic() - began
        assert seen == [games] * jobs
        if pacing:
            pacing.cancel()
        calls = project.calls
        total = games * jobs
        watching = sum(calls[name] for name in WATCHING)
        polls = sum(calls[name] for name in POLLS)
        row = {
            "analyzers": f"{games_per_second:g} games/s" if games_per_second else "at once",
            "jobs": jobs,
            "games": total,
            "seconds": seconds,
            "calls/game": (sum(calls.values()) - watching - polls) / total,
            "for its watcher": watching / total,
            "polls/s": polls / seconds,
        }
        return row, project


async def one_after_the_other(calls: int) -> list[float]:
    """Milliseconds of small calls as the orchestrator makes them."""
    took = []
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(postgres())
        project = await stack.enter_async_context(PostgrestStandIn(database.app_conninfo))
        store = Store(await stack.enter_async_context(SupabaseTransport(project.url, SECRET_KEY)))
        for _ in range(calls):
            began = time.perf_counter()
            await store.get_user(uuid4())
            took.append((time.perf_counter() - began) * 1000)
    return took[calls // 10 :]


def by_function(title: str, project: PostgrestStandIn) -> None:
    """Prints how often each was called, and what it took."""
    took: dict[str, list[float]] = defaultdict(list)
    for name, seconds in project.seconds:
        took[name].append(seconds * 1000)
    print(title)
    for name in sorted(took, key=lambda name: -len(took[name])):
        p50, most = percentile(took[name], 0.5), max(took[name])
        print(f"  {name:26} {len(took[name]):5} calls, p50 {p50:.1f} ms, max {most:.1f} ms")


async def measure(games: int, jobs: int) -> tuple[list[dict[str, Any]], list[float]]:
    rows = []
    for number, games_per_second in ((1, 0.0), (1, 20.0), (jobs, 20.0 * jobs)):
        row, project = await run(games, number, games_per_second)
        by_function(f"{number} jobs, {row['analyzers']}", project)
        rows.append(row)
    return rows, await one_after_the_other(500)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=8)
    parser.add_argument("--limit", type=float, default=0.25, help="of the jobs' own calls for each game")
    options = parser.parse_args()
    logs.configure("bench", "warning")
    rows, took = asyncio.run(measure(options.games, options.jobs))
    report(
        "calls",
        rows,
        note="one watcher a job",
        limit=options.limit,
        call_p50_ms=percentile(took, 0.5),
        call_p99_ms=percentile(took, 0.99),
    )
    sys.exit(0 if all(row["calls/game"] <= options.limit for row in rows) else 1)


if __name__ == "__main__":
    main()
