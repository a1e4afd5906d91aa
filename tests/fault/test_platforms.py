"""Platforms that answer with errors, halves, garbage or nothing: lichess is silent while chess.com fails."""

from __future__ import annotations

import asyncio

import pytest

from rookify.sync.v1 import sync_pb2 as pb
from tests.support import faults
from tests.support.faults_table import Table
from tests.support.orchestrator import Client
from tests.support.platforms import faults as scripted
from tests.support.platforms.__main__ import SHIPPED
from tests.support.platforms.chesscom_server import ChessComServer
from tests.support.platforms.lichess_server import LichessServer, read_export

pytestmark = pytest.mark.timeout(180)

GAMES = faults.some_games(1, 1, 0)
LICHESS_GAMES = [
    game
    for game in read_export(SHIPPED / "lichess" / "games.ndjson")
    if game["variant"] == "standard" and 10 < len(game["moves"].split()) < 41
][:4]
MONTH = "/2024/01"  # the older one: the other is stored by then
ONE_BY_ONE = {
    "500": scripted.status(500),
    "429 and Retry-After: 2": scripted.status(429, headers={"Retry-After": "2"}),
    "half an answer": scripted.half_body(),
    "garbage": scripted.garbage(),
}
DOWN_SECONDS = 12.0
SILENT_SECONDS = 60.0  # two requests, each given up after 30 s without a byte


async def test_platforms_in_trouble(table: Table) -> None:
    async with (
        ChessComServer(GAMES) as chesscom,
        LichessServer(LICHESS_GAMES) as lichess,
        faults.running(chesscom.url, lichess.url) as site,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(lichess_falls_silent(site, lichess, table))
        for name, fault in ONE_BY_ONE.items():
            chesscom.faults.add(fault, on=MONTH)
            began = faults.now()
            user, job, seen = await synced(site)
            repeated = await site.whole(user, job, games=len(GAMES), seen=seen)
            assert chesscom.faults.left == 0
            table.add(f"chess.com answers {name}", "fetching", "asked again", seen.pause(began), repeated)
        await chesscom_goes_down(site, chesscom, table)


async def synced(site: faults.Site) -> tuple[Client, pb.SyncJob, faults.Follower]:
    """A new user's sync of chess.com, at its end."""
    user = await site.user()
    job = await user.start(preset=faults.FAST)
    async with faults.following(user, job.id) as seen:
        return user, await seen.end(), seen


async def chesscom_goes_down(site: faults.Site, chesscom: ChessComServer, table: Table) -> None:
    """Every connection is closed without a word: the jobs wait, say so, and leave it alone meanwhile."""
    user = await site.user()
    plenty = 1000
    chesscom.faults.add(scripted.drop(), times=plenty, on=MONTH)
    job = await user.start(preset=faults.FAST)
    async with faults.following(user, job.id) as seen:
        await seen.until(lambda job: job.games_found == 1)
        await asyncio.sleep(DOWN_SECONDS)  # the fault's length
        asked = plenty - chesscom.faults.left
        chesscom.faults.clear()
        back = faults.now()
        assert seen.job.status == pb.SYNC_STATUS_FETCHING
        assert "chess.com does not answer" in seen.job.error
        job = await seen.end()
    repeated = await site.whole(user, job, games=len(GAMES), seen=seen)
    assert 3 <= asked <= 8
    fault = f"chess.com drops every connection for {DOWN_SECONDS:.0f} s"
    what = f"left alone after 3 tries; {asked} in all; the seconds are from its return on"
    table.add(fault, "fetching", what, seen.pause(back), repeated)


async def lichess_falls_silent(site: faults.Site, lichess: LichessServer, table: Table) -> None:
    """In the middle of its answer, and again when it is asked again."""
    lichess.faults.add(scripted.silence_after(2))
    lichess.faults.add(scripted.silence())
    user = await site.user()
    job = await user.start(platform=pb.PLATFORM_LICHESS, preset=faults.FAST)
    async with faults.following(user, job.id) as seen:
        await lichess.seen(1)
        at = faults.now()
        await seen.until(lambda job: job.games_found == len(LICHESS_GAMES))
        took = faults.now() - at
        job = await seen.end()
    repeated = await site.whole(user, job, games=len(LICHESS_GAMES), seen=seen)
    assert lichess.faults.left == 0
    assert lichess.limited == 0
    assert took > SILENT_SECONDS
    fault = f"lichess says nothing for {SILENT_SECONDS:.0f} s"
    what = "given up twice after 30 s, asked again; the seconds are those beyond its silence"
    table.add(fault, "fetching", what, took - SILENT_SECONDS, repeated)
