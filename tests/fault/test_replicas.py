"""Several orchestrators on one database, several analyzers on one list: they come, go, hang and die."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from tests.support import faults
from tests.support.faults_services import cluster
from tests.support.faults_table import Table
from tests.support.orchestrator import Client
from tests.support.platforms.chesscom_server import ChessComServer
from tests.support.postgres import Database

pytestmark = pytest.mark.timeout(120)

GAMES = faults.some_games(10, 10, 0)
SILENCE_SECONDS = 3
BUSY_SECONDS = 4  # what a busy machine may add to what is promised


async def test_analyzers_come_and_go(table: Table, database: Database, tmp_path: Path) -> None:
    """One works, another appears, the first drains; a third appears, the second goes silent."""
    async with (
        ChessComServer(GAMES) as chesscom,
        cluster(database, tmp_path, chesscom.url, analyzers=3) as made,
    ):
        first = await made.analyzer(0)
        orchestrator = await made.orchestrator(ROOKIFY_ANALYZER_SILENCE=str(SILENCE_SECONDS))
        site = await made.site(orchestrator)
        user = await site.user()
        job = await user.start(preset=faults.FAST)
        async with faults.following(user, job.id) as seen:
            await seen.until(lambda job: job.games_analyzed >= 1)

            second = await made.analyzer(1)
            appeared = faults.now()
            await second.says("game analyzed")
            table.add("an analyzer appears", "analyzing", "given games", faults.now() - appeared)

            third = await made.analyzer(2)
            at = faults.now()
            first.process.send_signal(signal.SIGTERM)
            await orchestrator.says("analyzer is draining", analyzer=first.address)
            assert await first.process.wait() == 0
            drained = seen.pause(at)
            await third.says("stream opened")
            async with faults.frozen(second.victim, *second.victim.children()) as at:
                await orchestrator.says("analyzer went silent", analyzer=second.address)
                await orchestrator.says("analyzer lost its games", analyzer=second.address)
                job = await seen.end()
            silent = seen.pause(at)
        repeated = await site.whole(user, job, games=len(GAMES), seen=seen)
        assert third.said("game analyzed")
        table.add("an analyzer drains (SIGTERM)", "analyzing", "finished or gave back its games", drained)
        table.add(
            "an analyzer is stopped (SIGSTOP)", "analyzing", "its games went to another", silent, repeated
        )


async def test_orchestrators_take_over_from_each_other(
    table: Table, database: Database, tmp_path: Path
) -> None:
    """The one at work is stopped beyond its lease and wakes up fenced off; then the other one is killed."""
    async with (
        ChessComServer(GAMES) as chesscom,
        cluster(database, tmp_path, chesscom.url, analyzers=1) as made,
    ):
        await made.analyzer(0, ROOKIFY_ENGINE_WORKERS="2")
        silence = str(faults.LEASE_SECONDS)
        replicas = [await made.orchestrator(ROOKIFY_ANALYZER_SILENCE=silence) for _ in range(2)]
        sites = [await made.site(replica) for replica in replicas]
        user = await sites[0].user()
        job = await user.start(preset=faults.FAST)

        async def at_work() -> int:
            """The place of the replica that holds the job, once one does."""
            pids = [str(replica.process.pid) for replica in replicas]
            while True:
                rows = await sites[0].rows(
                    "select lease_owner from sync_queue where sync_job_id = %s and lease_owner is not null",
                    job.id,
                )
                if rows:
                    return pids.index(str(rows[0][0]).rpartition("/")[2])
                await asyncio.sleep(faults.LOOK_AGAIN)

        first = await at_work()
        second = 1 - first
        clients = [Client(site.channel, user.user_id, user.token) for site in sites]
        async with faults.following(clients[second], job.id, clients[first]) as seen:
            await seen.until(lambda job: job.games_analyzed >= 1)
            async with faults.frozen(replicas[first].victim) as at:
                silences = len(replicas[first].said("analyzer went silent"))
                await replicas[second].says("job claimed", takeovers=1)
                taken_over_after = faults.now() - at
                before = seen.job.games_analyzed
                await seen.until(lambda job: job.games_analyzed > before)
                stopped = seen.pause(at)
            # Awake again, with results and a lease that are worth nothing any more.
            await replicas[first].says("job given back")
            assert await at_work() == second
            silences -= len(replicas[first].said("analyzer went silent"))
            assert silences == 0, "its own silence, taken for another's"
            assert seen.breaks == 0

            at = await faults.kill(replicas[second].victim)
            await replicas[first].says("job claimed", takeovers=2)
            killed_after = faults.now() - at
            job = await seen.end()
            killed = seen.pause(at)
        assert seen.breaks >= 1
        repeated = await sites[first].whole(clients[first], job, games=len(GAMES), seen=seen)
        assert max(taken_over_after, killed_after) < 2 * faults.LEASE_SECONDS + BUSY_SECONDS
        what = "the other one took over; fenced off when awake"
        table.add("SIGSTOP of an orchestrator, one of two", "analyzing", what, stopped, repeated)
        what = "the other one took over, and its watchers"
        table.add("kill -9 of an orchestrator, one of two", "analyzing", what, killed, repeated)
