"""`make chaos`: users start, watch and cancel syncs while all is killed, stopped, cut off and started again.

    python -m tests.fault.chaos --minutes 5 --seed 1

The seed makes the plan: who starts what, which fault comes when. What that meets is the machine's own. At the
end all is whole again, the jobs end, and every promise is checked: see `verdict`. Exit code 1 where one is
broken; the logs are kept then.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import grpc.aio
import psutil
import psycopg

from rookify.sync.v1 import sync_pb2 as pb
from servicekit import logs
from tests.support import faults
from tests.support.faults_world import CHESSCOM_GAMES, LICHESS_GAMES, World, world
from tests.support.orchestrator import Client
from tests.support.postgres import reachable_folder

USERS = 6
PLATFORMS = {
    pb.PLATFORM_CHESS_COM: len(CHESSCOM_GAMES),
    pb.PLATFORM_LICHESS: len(LICHESS_GAMES),
}
OFTEN = (4, 1)  # a 429 of lichess, where two replicas ask at once, costs a minute
END_SECONDS = 120.0  # for the jobs that are left when the faults stop: leases, backoffs, a minute of patience
CALM = grpc.StatusCode.UNAVAILABLE  # what a call may be answered with while parts are away
# Why a job may fail where its workers are killed all the time.
TRUE_REASONS = ("The sync was interrupted", "chess.com ", "lichess ")
# What no row may say at the end.
NEVER = {
    "jobs are left in the queue": "select count(*) from sync_queue",
    "jobs are not over": (
        "select count(*) from sync_jobs where status not in ('completed', 'failed', 'cancelled')"
    ),
    "games were analyzed twice": (
        "select count(*) from"
        " (select from game_analyses group by user_id, game_id having count(*) > 1) as twice"
    ),
}


@dataclass
class Sync:
    """One job as its user saw it."""

    user: Client
    job: pb.SyncJob
    games: int  # that the platform has for it
    cancelled: bool = False
    seen: faults.Follower | None = None


@dataclass
class Run:
    world: World
    syncs: list[Sync] = field(default_factory=list)

    async def user(self, number: int, seed: int, until: float) -> None:
        """Syncs, one after the other; a new user now and then, as nothing is analyzed twice."""
        chance = random.Random(f"user {number} {seed}")
        clients: list[Client] = []
        while time.monotonic() < until:
            if not clients or chance.random() < 0.5:
                clients = await self._new_user()
            await self._sync(clients, chance)

    async def _new_user(self) -> list[Client]:
        """One for each orchestrator."""
        while True:
            try:
                first = await self.world.sites[0].user()
            except psycopg.Error:
                await asyncio.sleep(0.5)
                continue
            return [Client(site.channel, first.user_id, first.token) for site in self.world.sites]

    async def _sync(self, clients: list[Client], chance: random.Random) -> None:
        ((platform, there),) = chance.choices(list(PLATFORMS.items()), OFTEN)
        max_games = chance.randint(3, 9)
        fields = {
            "platform": platform,
            "max_games": max_games,
            "preset": faults.FAST,
            "request_id": str(uuid4()),
        }
        patience = chance.uniform(0.2, 8) if chance.random() < 0.3 else None
        # The same request again and again until it is answered: it starts one job.
        started = await self._call(clients, "StartSync", clients[0].request(**fields), chance)
        sync = Sync(clients[0], started.sync_job, min(max_games, there))
        self.syncs.append(sync)
        order = chance.sample(clients, len(clients))
        async with faults.following(order[0], sync.job.id, *order[1:]) as sync.seen:
            if patience is not None:
                await asyncio.sleep(patience)
                await self._cancel(clients, sync, chance)
            sync.job = await sync.seen.end(END_SECONDS * 5)

    async def _cancel(self, clients: list[Client], sync: Sync, chance: random.Random) -> None:
        try:
            request = pb.CancelSyncRequest(sync_job_id=sync.job.id)
            answer = await self._call(clients, "CancelSync", request, chance)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise
        else:
            sync.cancelled = answer.sync_job.status == pb.SYNC_STATUS_CANCELLED

    async def _call(self, clients: list[Client], method: str, request: object, chance: random.Random) -> Any:
        """Of any replica, until one answers."""
        while True:
            try:
                return await chance.choice(clients).call(method, request)
            except grpc.aio.AioRpcError as error:
                # A frozen replica says nothing at all.
                if error.code() not in (CALM, grpc.StatusCode.DEADLINE_EXCEEDED):
                    raise
                await asyncio.sleep(0.3)

    # What must hold at the end

    async def verdict(self) -> list[str]:
        """Every broken promise, one line each."""
        site = self.world.sites[0]
        broken = [f"{sync.job.id}: {line}" for sync in self.syncs for line in await self._of(sync)]
        for what, query in NEVER.items():
            ((count,),) = await site.rows(query)
            if count:
                broken.append(f"{count} {what}")
        ((jobs,),) = await site.rows("select count(*) from sync_jobs")
        if jobs != len(self.syncs):
            broken.append(f"{jobs} jobs were made, {len(self.syncs)} were asked for")
        return broken + [f"audit: {finding.rule} {finding.detail}" for finding in await site.audit()]

    async def _of(self, sync: Sync) -> list[str]:
        job, seen = sync.job, sync.seen
        assert seen is not None
        wrong: list[str] = []
        ended = job.games_analyzed + job.games_failed
        if sync.cancelled and job.status != pb.SYNC_STATUS_CANCELLED:
            wrong.append(f"was cancelled, and is {job.status}")
        if job.status == pb.SYNC_STATUS_CANCELLED and not sync.cancelled:
            # Its answer may have been lost: then the second call found it cancelled, which is an answer too.
            wrong.append("is cancelled, and nobody asked for it")
        if job.status == pb.SYNC_STATUS_FAILED and not job.error.startswith(TRUE_REASONS):
            wrong.append(f"failed: {job.error}")
        if job.status == pb.SYNC_STATUS_COMPLETED:
            if job.games_found != sync.games:
                wrong.append(f"found {job.games_found} of {sync.games} games")
            if ended + job.games_skipped != job.games_found:
                wrong.append(f"completed with open games:\n{job}")
        if job.status == pb.SYNC_STATUS_COMPLETED and bool(job.error) != bool(job.games_failed):
            wrong.append(f"completed with {job.games_failed} failed games, and says: {job.error!r}")
        if job.status == pb.SYNC_STATUS_CANCELLED and job.error:
            wrong.append(f"cancelled, and says: {job.error!r}")
        told = [game.game_url for game in seen.games]
        if len(told) != len(set(told)) or len(told) != ended:
            wrong.append(f"{len(told)} games were told, {len(set(told))} different ones, {ended} have ended")
        ((rows,),) = await self.world.sites[0].rows(
            "select count(*) from game_analyses where sync_job_id = %s", job.id
        )
        if rows != job.games_analyzed:
            wrong.append(f"{rows} analyses, games_analyzed {job.games_analyzed}")
        return wrong

    def report(self) -> str:
        jobs = [sync.job for sync in self.syncs]
        ends = Counter(map(_word, jobs))
        searched = [game for job in jobs for game in faults.searches(self.world.sites[0].logs, job.id)]
        analyzed = sum(job.games_analyzed for job in jobs)
        failed, skipped = sum(job.games_failed for job in jobs), sum(job.games_skipped for job in jobs)
        watched = [sync.seen for sync in self.syncs if sync.seen]
        stall, job_id = max(((seen.pause(seen.began), seen.job.id) for seen in watched), default=(0.0, ""))
        idle, idle_id = max(((seen.analyzing_pause(), seen.job.id) for seen in watched), default=(0.0, ""))
        reasons = Counter(f"{_word(job)}: {job.error}" for job in jobs if job.error)
        lines = [
            f"{len(jobs)} syncs: {', '.join(f'{n} {end}' for end, n in sorted(ends.items()))}",
            f"{analyzed} games analyzed, {failed} failed, {skipped} skipped",
            f"{len(searched) - analyzed} searches were for nothing",
            f"watchers' streams broke {sum(seen.breaks for seen in watched)} times",
            f"longest time without progress of a job: {stall:.1f} s ({job_id})",
            f"the same while analyzing: {idle:.1f} s ({idle_id})",
            *(f"{count} x {reason}" for reason, count in reasons.most_common()),
            "faults:",
            *(f"{count:6} {name}" for name, count in self.world.done.most_common()),
        ]
        return "\n".join(lines)


def _word(job: pb.SyncJob) -> str:
    return pb.SyncStatus.Name(job.status).removeprefix("SYNC_STATUS_").lower()


async def chaos(folder: Path, minutes: float, seed: int) -> list[str]:
    async with world(folder, seed) as made:
        run = Run(made)
        until = time.monotonic() + minutes * 60
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(made.tear(until))
            for number in range(USERS):
                tasks.create_task(run.user(number, seed, until))
        broken = await run.verdict()
        sys.stdout.write(run.report() + "\n")
    left = [process for process in psutil.process_iter(["cmdline"]) if _of_folder(process, folder)]
    left += [psutil.Process(pid) for pid in made.engine.left()]
    return broken + [f"still running: {process}" for process in left]


def _of_folder(process: psutil.Process, folder: Path) -> bool:
    return any(str(folder) in word for word in process.info["cmdline"] or ())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fault.chaos", description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--keep", action="store_true", help="keep the logs in any case")
    options = parser.parse_args()
    logs.configure("chaos", "error", "text")
    folder = reachable_folder("rookify-chaos-")
    sys.stdout.write(f"chaos for {options.minutes:g} minutes, seed {options.seed}\n")
    sys.stdout.flush()
    try:
        broken = asyncio.run(chaos(folder, options.minutes, options.seed))
    except BaseException:
        sys.stdout.write(f"logs are in {folder}\n")
        raise
    for line in broken:
        sys.stdout.write(f"BROKEN {line}\n")
    if broken or options.keep:
        sys.stdout.write(f"logs are in {folder}\n")
    else:
        shutil.rmtree(folder)
    sys.stdout.write("" if broken else "every promise was kept\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
