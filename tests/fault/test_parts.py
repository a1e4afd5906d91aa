"""The parts of one `rookify up` are killed, while games are fetched and again while they are analyzed; then
its database hangs, and refuses connections for longer than any lease.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import psutil
import pytest
import pytest_asyncio

from rookify.sync.v1 import sync_pb2 as pb
from tests.support import faults
from tests.support.faults_table import Table
from tests.support.platforms.chesscom_server import ChessComServer

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]

GAMES = faults.some_games(3, 4, 3)
MARCH, FEBRUARY = "/2024/03", "/2024/02"
NAMES = {
    "orchestrator": "the orchestrator",
    "analyzer": "the analyzer",
    "engine": "one Stockfish",
    "postgres": "Postgres",
}
WHAT_FOLLOWED = {
    "orchestrator": "started again; took the job over when its lease had run out",
    "analyzer": "started again; its games went out again",
    "engine": "the position again on a fresh engine",
    "postgres": "started again and recovered; workers and watchers waited",
}
REFUSES_SECONDS = 20.0
HANGS_SECONDS = 1.5 * faults.LEASE_SECONDS


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chesscom() -> AsyncIterator[ChessComServer]:
    async with ChessComServer(GAMES) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(chesscom: ChessComServer) -> AsyncIterator[faults.UpSite]:
    async with faults.running(chesscom.url) as made:
        yield made


@pytest.mark.parametrize("victim", NAMES)
async def test_kill_9(site: faults.UpSite, chesscom: ChessComServer, victim: str, table: Table) -> None:
    """Twice in one job."""
    user = await site.user()
    release = asyncio.Event()
    chesscom.faults.add(faults.held(release), on=FEBRUARY)
    asked_before = len(chesscom.requests)
    job = await user.start(preset=faults.FAST)
    async with faults.following(user, job.id) as seen:
        await seen.until(lambda job: job.games_found == 3)
        assert seen.job.status == pb.SYNC_STATUS_FETCHING
        at = await faults.kill(site.victim(victim))
        release.set()
        await seen.until(lambda job: job.games_found == len(GAMES))
        pauses = {"fetching": seen.pause(at)}
        asked = [request.path for request in chesscom.requests[asked_before:]]
        assert sum(path.endswith(MARCH) for path in asked) == 1, "fetched again"

        await seen.until(lambda job: job.games_analyzed >= 2)
        await faults.appears(lambda: site.running(victim), f"a new {victim}")
        at = await faults.kill(site.victim(victim))
        assert seen.job.games_analyzed < len(GAMES)
        job = await seen.end()
        pauses["analyzing"] = seen.pause(at)
    repeated = await site.whole(user, job, games=len(GAMES), seen=seen)
    for phase, pause in pauses.items():
        table.add(f"kill -9 of {NAMES[victim]}", phase, WHAT_FOLLOWED[victim], pause, repeated)


async def test_the_database_hangs_for_longer_than_a_lease(site: faults.UpSite, table: Table) -> None:
    """The only orchestrator's own lease runs out while it waits; its work is still its own."""
    user = await site.user()
    job = await user.start(preset=faults.FAST, max_games=7)
    async with faults.following(user, job.id) as seen:
        await seen.until(lambda job: job.games_analyzed >= 2)
        server = site.postgres()
        async with faults.frozen(server, *server.children()) as at:
            await asyncio.sleep(HANGS_SECONDS)  # the fault's length
        back = faults.now()
        job = await seen.end()
        assert seen.pause(at) > faults.LEASE_SECONDS
    repeated = await site.whole(user, job, games=7, seen=seen)
    fault = f"SIGSTOP of Postgres for {HANGS_SECONDS:g} s, a lease and a half"
    table.add(fault, "analyzing", "went on; the seconds are from its return on", seen.pause(back), repeated)


async def test_the_database_refuses_connections(
    site: faults.UpSite, chesscom: ChessComServer, table: Table
) -> None:
    """One job is fetching, another one analyzing."""
    fetched, analyzed = await site.user(), await site.user()
    second = await analyzed.start(preset=faults.FAST, max_games=5)
    async with faults.following(analyzed, second.id) as seen_analyzing:
        await seen_analyzing.until(lambda job: job.games_analyzed >= 1)
        release = asyncio.Event()
        chesscom.faults.add(faults.held(release), on=FEBRUARY)
        first = await fetched.start(preset=faults.FAST, max_games=5)
        async with faults.following(fetched, first.id) as seen_fetching:
            await seen_fetching.until(lambda job: job.games_found == 3)
            async with refusing(site.postgres(), site.system.data / "run" / ".s.PGSQL.5432"):
                away = asyncio.get_running_loop().time() + REFUSES_SECONDS
                release.set()
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await fetched.call("GetSyncJob", pb.GetSyncJobRequest(sync_job_id=first.id))
                assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
                await asyncio.sleep(away - asyncio.get_running_loop().time())  # the fault's length
            back = faults.now()
            first = await seen_fetching.end()
            second = await seen_analyzing.end()
    again = await site.whole(fetched, first, games=5, seen=seen_fetching)
    repeated = await site.whole(analyzed, second, games=5, seen=seen_analyzing)
    fault = f"Postgres refuses connections for {REFUSES_SECONDS:.0f} s"
    what = "workers waited; the seconds are from its return on"
    table.add(fault, "fetching", what, seen_fetching.pause(back), again)
    table.add(fault, "analyzing", what, seen_analyzing.pause(back), repeated)


@asynccontextmanager
async def refusing(server: psutil.Process, socket: Path) -> AsyncIterator[None]:
    """No way in, and those that are in are thrown out; the server itself lives on."""
    hidden = socket.with_name("hidden")
    os.rename(socket, hidden)  # noqa: PTH104  async, and as quick as that
    try:
        sessions = [child for child in server.children() if "authenticator" in " ".join(child.cmdline())]
        assert sessions
        for session in sessions:
            session.terminate()
        await faults.gone(sessions)
        yield
    finally:
        os.rename(hidden, socket)  # noqa: PTH104  likewise
