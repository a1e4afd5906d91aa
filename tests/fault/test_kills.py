"""kill -9 of each part, while games are fetched and again while they are analyzed."""

from __future__ import annotations

import asyncio

import pytest

from rookify.sync.v1 import sync_pb2 as pb
from tests.support import faults
from tests.support.faults_table import Table
from tests.support.platforms.chesscom_server import ChessComServer

pytestmark = pytest.mark.timeout(120)

GAMES = faults.some_games(3, 4, 3)
MARCH, FEBRUARY = "/2024/03", "/2024/02"


NAMES = {
    "orchestrator": "the orchestrator",
    "analyzer": "the analyzer",
    "engine": "one Stockfish",
    "postgres": "Postgres",
}
WHAT_FOLLOWED = {
    "orchestrator": "started again, took the job over when its lease had run out",
    "analyzer": "started again, its games went out again",
    "engine": "the position again on a fresh engine",
    "postgres": "started again, recovered; workers and watchers waited",
}


def months_asked(chesscom: ChessComServer) -> list[str]:
    return [seen.path[-len(MARCH) :] for seen in chesscom.requests]


@pytest.mark.parametrize("victim", NAMES)
async def test_kill_9(victim: str, table: Table) -> None:
    async with ChessComServer(GAMES) as chesscom, faults.running(chesscom.url) as site:
        user = await site.user()
        release = asyncio.Event()
        chesscom.faults.add(faults.held(release), on=FEBRUARY)
        job = await user.start(preset=faults.FAST)
        async with faults.following(user, job.id) as seen:
            await seen.until(lambda job: job.games_found == 3)
            assert seen.job.status == pb.SYNC_STATUS_FETCHING
            at = await faults.kill(site.victim(victim))
            release.set()
            await seen.until(lambda job: job.games_found == len(GAMES))
            pauses = {"fetching": seen.pause(at)}
            assert months_asked(chesscom).count(MARCH) == 1, "fetched again"

            await seen.until(lambda job: job.games_analyzed >= 2)
            await faults.appears(lambda: site.running(victim), f"a new {victim}")
            at = await faults.kill(site.victim(victim))
            assert seen.job.games_analyzed < len(GAMES)
            job = await seen.end()
            pauses["analyzing"] = seen.pause(at)
        repeated = await site.whole(user, job, games=len(GAMES), seen=seen)
        for phase, pause in pauses.items():
            table.add(f"kill -9 of {NAMES[victim]}", phase, WHAT_FOLLOWED[victim], pause, repeated)
