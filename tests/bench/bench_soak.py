"""Does an orchestrator grow? Syncs start, are watched and end, for twenty minutes; what it holds is sampled.

An orchestrator process and Postgres of its own; the platform and an analyzer that answers at once are in the
bench's process. Each of the users starts a sync of a few games, watches it to its end, breaks off a second
watch, and starts again.

    make bench-soak [ARGS="--minutes 20 --users 8"]

Exit status 1 where memory, file handles or tasks of the last quarter are above those of the second by more
than what a sample varies (10 %, at least 10 MB, 5 handles, 5 tasks), or a sync did not complete.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack, suppress
from itertools import count
from statistics import mean
from typing import Any

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.local.stack import claimable
from rookify.sync.v1 import sync_pb2 as pb
from tests.bench.bench_load import orchestrator
from tests.bench.bench_memory import SMALL, LazyPlatform, scripted, window
from tests.bench.parts import postgres
from tests.bench.results import report
from tests.support.orchestrator import Client, Orchestrator
from tests.support.scripted_analyzer import ScriptedAnalyzer

SAMPLES = 80  # over the whole run
WHAT = ("resident MB", "file handles", "tasks")
LEAST = (10.0, 5.0, 5.0)  # of each, below which a difference is noise
PAUSE = 0.2  # seconds between two syncs of a user: what is wanted is many ends, not a full machine


async def sync_again_and_again(replica: Orchestrator, done: list[pb.SyncStatus.ValueType]) -> None:
    for _ in count():
        user = await replica.user()
        job = await user.start(**window(SMALL))
        given_up = asyncio.create_task(_look_and_leave(user, job.id))
        done.append((await user.ended(job.id)).status)
        await given_up
        await asyncio.sleep(PAUSE)


async def _look_and_leave(user: Client, job_id: str) -> None:
    """A browser tab that is closed: one message, then the stream breaks."""
    watching = user.watch(job_id)
    await anext(watching)
    await watching.aclose()


async def sample(pid: int, metrics: str) -> tuple[float, ...]:
    async with httpx.AsyncClient() as http:
        text = (await http.get(f"http://{metrics}/metrics")).text
    found = {s.name: s.value for family in text_string_to_metric_families(text) for s in family.samples}
    process = psutil.Process(pid)
    return process.memory_info().rss / 2**20, process.num_fds(), found["rookify_tasks"]


async def run(minutes: float, users: int) -> tuple[list[dict[str, Any]], bool, int]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(postgres())
        platform = await stack.enter_async_context(LazyPlatform(20, 1))
        analyzer = await stack.enter_async_context(ScriptedAnalyzer(script=scripted(60), credits=8))
        metrics = claimable("127.0.0.1:0")
        process = await stack.enter_async_context(
            orchestrator(
                database, chesscom_url=platform.url, analyzers=analyzer.address, metrics_listen=metrics
            )
        )
        done: list[pb.SyncStatus.ValueType] = []
        working = [asyncio.create_task(sync_again_and_again(process.replica, done)) for _ in range(users)]
        samples: list[tuple[float, ...]] = []
        for _ in range(SAMPLES):
            await asyncio.sleep(minutes * 60 / SAMPLES)
            samples.append(await sample(process.process.pid, metrics))
            for worker in working:
                if worker.done():
                    worker.result()  # says what went wrong
        for worker in working:
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker
    quarters = [samples[n * SAMPLES // 4 : (n + 1) * SAMPLES // 4] for n in range(4)]
    rows = [
        {"quarter": str(number), **dict(zip(WHAT, map(mean, zip(*quarter, strict=True)), strict=True))}
        for number, quarter in enumerate(quarters, 1)
    ]
    grown = [
        rows[3][what] - rows[1][what] > max(least, 0.1 * rows[1][what])
        for what, least in zip(WHAT, LEAST, strict=True)
    ]
    whole = all(status == pb.SYNC_STATUS_COMPLETED for status in done)
    return rows, whole and not any(grown), len(done)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--users", type=int, default=8)
    options = parser.parse_args()
    rows, good, syncs = asyncio.run(run(options.minutes, options.users))
    report("soak", rows, note=f"{options.minutes:g} minutes, {options.users} users at a time", syncs=syncs)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
