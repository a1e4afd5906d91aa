"""A database that hangs, and one that refuses connections for longer than any lease."""

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

from rookify.sync.v1 import sync_pb2 as pb
from tests.support import faults
from tests.support.faults_table import Table
from tests.support.platforms.chesscom_server import ChessComServer

pytestmark = pytest.mark.timeout(150)

GAMES = faults.some_games(3, 3, 2)
REFUSES_SECONDS = 20.0
HANGS_SECONDS = 1.5 * faults.LEASE_SECONDS
TIMES = 2


async def test_the_database_hangs_for_longer_than_a_lease(table: Table) -> None:
    """The only orchestrator's own lease runs out while it waits; its work is still its own."""
    async with ChessComServer(GAMES) as chesscom, faults.running(chesscom.url) as site:
        user = await site.user()
        job = await user.start(preset=faults.FAST)
        pauses = []
        async with faults.following(user, job.id) as seen:
            for time in range(1, TIMES + 1):
                await seen.until(lambda job, time=time: job.games_analyzed >= 2 * time)  # type: ignore[misc]
                server = site.postgres()
                async with faults.frozen(server, *server.children()) as at:
                    await asyncio.sleep(HANGS_SECONDS)  # the fault's length
                before = seen.job.games_analyzed
                if time < TIMES:
                    await seen.until(lambda job, before=before: job.games_analyzed > before)  # type: ignore[misc]
                    pauses.append(seen.pause(at))
            job = await seen.end()
        repeated = await site.whole(user, job, games=len(GAMES), seen=seen)
        what = f"hung for {HANGS_SECONDS:g} s each time; went on when it went on"
        table.add(f"SIGSTOP of Postgres, {TIMES} times", "analyzing", what, max(pauses), repeated)


async def test_the_database_refuses_connections(table: Table) -> None:
    async with ChessComServer(GAMES) as chesscom, faults.running(chesscom.url) as site:
        fetched, analyzed = await site.user(), await site.user()
        second = await analyzed.start(preset=faults.FAST)
        async with faults.following(analyzed, second.id) as seen_analyzing:
            await seen_analyzing.until(lambda job: job.games_analyzed >= 1)
            release = asyncio.Event()
            chesscom.faults.add(faults.held(release), on="/2024/02")
            first = await fetched.start(preset=faults.FAST)
            async with faults.following(fetched, first.id) as seen_fetching:
                await seen_fetching.until(lambda job: job.games_found == 2)
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
        again = await site.whole(fetched, first, games=len(GAMES), seen=seen_fetching)
        repeated = await site.whole(analyzed, second, games=len(GAMES), seen=seen_analyzing)
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
