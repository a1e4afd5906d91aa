"""Several orchestrators on one database: they share the work, and one goes on where another was lost."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import psycopg

from rookify.sync.v1 import sync_pb2 as pb
from tests.support.orchestrator import Orchestrator
from tests.support.postgres import Database
from tests.support.replicas import at, replicas
from tests.support.scripted_analyzer import ScriptedAnalyzer, analyzed

LEASE = 3.0  # seconds; a replica looks for lost jobs about every one and a half
BUSY_SECONDS = 5  # what a busy machine may add to what is promised


def game_id(wire_id: str) -> str:
    """Without the serial number that each dispatch adds."""
    return wire_id.split("/", maxsplit=1)[0]


def sent(*analyzers: ScriptedAnalyzer) -> Counter[tuple[str, str]]:
    """How often each job's game was sent to any of them."""
    return Counter((game.job_id, game_id(game.game_id)) for one in analyzers for game in one.games)


async def held(analyzer: ScriptedAnalyzer, games: int) -> None:
    await analyzer.until(lambda: len(analyzer.held) >= games)


async def whole(database: Database, replica: Orchestrator, jobs: Sequence[pb.SyncJob]) -> None:
    """Each is completed, its counters are exact, and the audit finds nothing."""
    for job in jobs:
        assert job.status == pb.SYNC_STATUS_COMPLETED, job.error
        assert job.games_found == job.games_analyzed + job.games_skipped + job.games_failed > 0
    async with await psycopg.AsyncConnection.connect(database.superuser_conninfo) as connection:
        rows = await connection.execute(
            "select sync_job_id, count(*), count(distinct game_id) from game_analyses group by 1"
        )
        analyses = {job_id: counts async for job_id, *counts in rows}
    for job in jobs:
        assert analyses[UUID(job.id)] == [job.games_analyzed] * 2
    answer = await replica.service().call("AuditSyncJobs", pb.AuditSyncJobsRequest())
    assert list(answer.findings) == []


async def test_replicas_share_the_jobs(database: Database) -> None:
    async with replicas(database) as fleet:
        first, second = [await fleet.analyzer(lambda _: "hold") for _ in range(2)]
        one, two = [await fleet.add(analyzer, jobs_per_replica=3) for analyzer in (first, second)]
        users = [await one.user() for _ in range(10)]
        # More jobs than both take at once, started at either.
        started = [await at((one, two)[n % 2], user).start(max_games=5) for n, user in enumerate(users)]
        await asyncio.gather(held(first, 4), held(second, 4))
        assert not {game.job_id for game in first.games} & {game.job_id for game in second.games}
        for analyzer in (first, second):
            analyzer.script = analyzed
            analyzer.release()
        # Whoever watches sees it at the replica that does not work the job, as well as at the one that does.
        ended = await asyncio.gather(
            *(at((two, one)[n % 2], users[n]).ended(job.id) for n, job in enumerate(started))
        )
        await whole(database, one, ended)
        assert set(sent(first, second).values()) == {1}, "a game was analyzed twice"
        assert len(sent(first, second)) == sum(job.games_analyzed for job in ended) == 50
        assert all({game.job_id for game in analyzer.games} for analyzer in (first, second))


async def test_a_replica_that_dies_is_replaced_within_two_leases(database: Database) -> None:
    """kill -9 in the middle of a job; a watcher of the other replica sees nothing of it but a pause."""
    loop = asyncio.get_running_loop()
    async with replicas(database) as fleet:
        first, second = [await fleet.analyzer(lambda _: "hold") for _ in range(2)]
        dying = await fleet.spawn(first, lease_seconds=LEASE)
        user = await dying.replica.user()
        job = await user.start(max_games=12)
        await held(first, 4)
        survivor = await fleet.add(second, lease_seconds=LEASE)
        watching = at(survivor, user).watch(job.id, include_games=True)
        seen = [await anext(watching)]
        first.release()
        while seen[-1].sync_job.games_analyzed < 4 or seen[-1].HasField("game"):
            seen.append(await anext(watching))
        await held(first, 4)  # four more are out at its analyzer when it dies

        await dying.signal(signal.SIGKILL)
        began = loop.time()
        await held(second, 4)
        assert loop.time() - began < 2 * LEASE + BUSY_SECONDS
        second.script = analyzed
        second.release()
        async with asyncio.timeout(20):
            seen += [message async for message in watching]
        ended = seen[-1].sync_job
        await whole(database, survivor, [ended])
        games = [message.game.game_url for message in seen if message.HasField("game")]
        assert len(games) == len(set(games)) == ended.games_analyzed == 12
        again = sent(second)
        assert len(again) == 8, "a game with an analysis was sent again"


async def test_a_worker_that_was_asleep_writes_nothing_into_a_job_taken_over(database: Database) -> None:
    """SIGSTOP outlives the lease: another replica ends the job; woken up, the first is fenced off."""
    async with replicas(database) as fleet:
        first, second = await fleet.analyzer(lambda _: "hold"), await fleet.analyzer()
        sleeping = await fleet.spawn(first, lease_seconds=1)
        user = await sleeping.replica.user()
        job = await user.start(max_games=6)
        await held(first, 4)
        await sleeping.signal(signal.SIGSTOP)
        first.release()  # what it will find when it wakes
        survivor = await fleet.add(second, lease_seconds=1)
        ended = await at(survivor, user).ended(job.id)
        await sleeping.signal(signal.SIGCONT)
        await sleeping.says("job is not this worker's any more", "job given back")
        await whole(database, survivor, [ended])
        after = await at(survivor, user).call("GetSyncJob", pb.GetSyncJobRequest(sync_job_id=job.id))
        assert after.sync_job == ended
        assert not [line for line in sleeping.said if "defect" in line]


async def test_a_stopping_replica_hands_its_jobs_over_at_once(database: Database) -> None:
    async with replicas(database) as fleet:
        first, second = await fleet.analyzer(lambda _: "hold"), await fleet.analyzer()
        stopping = await fleet.spawn(first, lease_seconds=3600)
        user = await stopping.replica.user()
        job = await user.start(max_games=8)
        await held(first, 4)
        survivor = await fleet.add(second, lease_seconds=3600)
        await stopping.signal(signal.SIGTERM)
        ended = await at(survivor, user).ended(job.id)  # long before the lease would have run out
        await whole(database, survivor, [ended])


async def test_a_cancel_at_one_replica_stops_the_analyzers_of_the_other(database: Database) -> None:
    async with replicas(database) as fleet:
        first, second = [await fleet.analyzer(lambda _: "hold") for _ in range(2)]
        working = await fleet.add(first)
        user = await working.user()
        job = await user.start(max_games=8)
        await held(first, 4)
        other = await fleet.add(second)
        answer = await at(other, user).call("CancelSync", pb.CancelSyncRequest(sync_job_id=job.id))
        assert answer.sync_job.status == pb.SYNC_STATUS_CANCELLED
        await first.until(lambda: not first.held)
        assert first.cancelled == [job.id]
        assert not second.games
