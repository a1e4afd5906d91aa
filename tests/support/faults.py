"""For the fault tests: the system with short leases, its processes as victims, and what must hold after.

    async with running(chesscom.url) as site:
        user = await site.user()
        job = await user.start(preset=FAST)
        async with following(user, job.id) as seen:
            await seen.until(lambda job: job.games_analyzed >= 2)
            at = await kill(site.orchestrator())
            job = await seen.end()
        seen.pause(at)                                  seconds without progress from the fault on
        await site.whole(user, job, games=9)            exact counters, nothing twice, an empty audit

Every process is real. Victims are found in the process tree, never by name over the whole machine.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc.aio
import psutil
import psycopg
from aiohttp import web

from analyzer.pgn import UnplayableGame, parse
from orchestrator.local.postgres import running_conninfo
from orchestrator.local.processes import alive, until_gone
from orchestrator.tokens import mint_token
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2 as pb
from servicekit.server import CHANNEL_OPTIONS
from tests.support.orchestrator import SECRET, Client
from tests.support.platforms.__main__ import SHIPPED
from tests.support.platforms.chesscom_server import read_months
from tests.support.platforms.faults import Answer, Fault
from tests.support.postgres import reachable_folder
from tests.support.system import System, rookify_up

FAST = analysis_pb2.SearchBudget.PRESET_FAST
LEASE_SECONDS = 2.0
_GONE_SECONDS = 30.0
LOOK_AGAIN = 0.05  # seconds between looks at other processes, which give no event of ours


def settings(**more: str) -> dict[str, str]:
    """Short leases, a known secret, and logs that tell every search that came to its end."""
    return {
        "ROOKIFY_JWT_SECRET": SECRET,
        "ROOKIFY_CONTACT": "tests@example.org",
        "ROOKIFY_LEASE_SECONDS": str(LEASE_SECONDS),
        "ROOKIFY_MAX_STARTS_PER_WINDOW": "100000",
        "ROOKIFY_LOG_LEVEL": "debug",
        # What one test had searched must not shorten the next one's job.
        "ROOKIFY_POSITION_CACHE_MB": "0",
        **more,
    }


def some_games(*per_month: int) -> list[dict[str, Any]]:
    """So many shipped games of January, February, March 2024: the shortest that are fit for analysis."""
    shipped = read_months(SHIPPED / "chesscom")
    chosen: list[dict[str, Any]] = []
    for month, count in enumerate(per_month, 1):
        fit = [g for g in shipped if datetime.fromtimestamp(g["end_time"], UTC).month == month and plies(g)]
        assert len(fit) >= count, f"only {len(fit)} games in 2024-{month:02}"
        chosen += sorted(fit, key=plies)[:count]
    return chosen


def plies(game: Mapping[str, Any]) -> int:
    """0 for what no engine can be asked about: no moves, an illegal one, another variant."""
    try:
        return parse(game["pgn"]).plies if game["rules"] == "chess" and "pgn" in game else 0
    except UnplayableGame:
        return 0


now = time.monotonic


# What happens to processes


async def kill(*victims: psutil.Process) -> float:
    """kill -9. Returns the time of the fault once every one of them is gone."""
    at = time.monotonic()
    for victim in victims:
        victim.kill()
    await gone(victims)
    return at


async def gone(victims: Iterable[psutil.Process]) -> None:
    """Raises AssertionError where one of them still runs after a while."""
    for victim in victims:
        assert await until_gone(victim.pid, _GONE_SECONDS), f"still running: {victim}"


@asynccontextmanager
async def frozen(*victims: psutil.Process) -> AsyncIterator[float]:
    """SIGSTOP, and SIGCONT at the end for those that still live. Gives the time of the fault.

    A process that ends before the signal reaches it, as a database's helpers may, counts as stopped.
    """
    at = time.monotonic()
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.suspend()
    try:
        await appears(lambda: all(map(_stands_still, victims)), "the stop")
        yield at
    finally:
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.resume()


def _stands_still(victim: psutil.Process) -> bool:
    return not alive(victim.pid) or victim.status() == psutil.STATUS_STOPPED


async def appears(look: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Waits until `look` finds something (a process, a file): for what gives no event to wait for."""
    try:
        async with asyncio.timeout(seconds):
            while not look():  # noqa: ASYNC110  other processes
                await asyncio.sleep(LOOK_AGAIN)
    except TimeoutError:
        raise AssertionError(f"{what} did not come within {seconds} s") from None


def below(pid: int, *marks: str) -> list[psutil.Process]:
    """Descendants whose command line has one of the marks, zombies left out."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            line = " ".join(process.cmdline())
        except psutil.NoSuchProcess:  # it ended meanwhile, or is a zombie
            continue
        if any(mark in line for mark in marks):
            found.append(process)
    return found


def held(release: asyncio.Event) -> Fault:
    """A platform's right answer, once the test lets it go."""

    async def play(request: web.Request, right: Answer) -> web.StreamResponse:
        await release.wait()
        return await right.send(request)

    return play


# A job, watched through whatever happens


class Follower:
    """Made by `following`. Goes on with its resume token whenever the stream breaks, elsewhere if it can."""

    def __init__(self, clients: Sequence[Client], job_id: str) -> None:
        self.job = pb.SyncJob()
        self.games: list[pb.GameFinished] = []
        self.breaks = 0  # of the stream
        self.began = time.monotonic()
        self._clients = clients
        self._job_id = job_id
        self._moved: list[float] = []  # when there was progress
        self._analyzing: list[float] = []  # of it, while analyzing
        self._news = asyncio.Condition()
        self._ended = asyncio.Event()

    async def follow(self) -> None:
        """To the job's end."""
        token = ""
        while True:
            try:
                client = self._clients[self.breaks % len(self._clients)]
                async for message in client.watch(self._job_id, include_games=True, resume_token=token):
                    token = message.resume_token
                    await self._take(message)
            except grpc.aio.AioRpcError as error:
                # The only thing that a client may be told while parts of the system are away.
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                self.breaks += 1
                await asyncio.sleep(LOOK_AGAIN)
            else:
                assert over(self.job), f"the watch ended before its job:\n{self.job}"
                self._ended.set()
                return

    async def _take(self, message: pb.WatchSyncResponse) -> None:
        job = message.sync_job
        assert job.revision >= self.job.revision, "an old state after a newer one"
        if _progress(job) != _progress(self.job):
            self._moved.append(time.monotonic())
            if pb.SYNC_STATUS_ANALYZING in (job.status, self.job.status):
                self._analyzing.append(self._moved[-1])
        self.job = job
        if message.HasField("game"):
            self.games.append(message.game)
        async with self._news:
            self._news.notify_all()

    async def until(self, reached: Callable[[pb.SyncJob], bool]) -> pb.SyncJob:
        """The first state seen that is so. The job must not end before."""
        async with self._news:
            await self._news.wait_for(lambda: reached(self.job) or over(self.job))
        assert reached(self.job), f"the job was over before:\n{self.job}"
        return self.job

    async def end(self, seconds: float = 60) -> pb.SyncJob:
        """The last state, when the stream has ended: all games have been told by then."""
        async with asyncio.timeout(seconds):
            await self._ended.wait()
        return self.job

    def pause(self, since: float, until: float | None = None) -> float:
        """The longest time without progress, in seconds, from the fault (`since`) on."""
        times = [since, *(at for at in self._moved if since < at <= (until or at))]
        return max((b - a for a, b in pairwise(times)), default=0.0)

    def analyzing_pause(self) -> float:
        """The longest time without progress from the first sign of the analysis on."""
        return max((b - a for a, b in pairwise(self._analyzing)), default=0.0)


def over(job: pb.SyncJob) -> bool:
    return job.status in (pb.SYNC_STATUS_COMPLETED, pb.SYNC_STATUS_FAILED, pb.SYNC_STATUS_CANCELLED)


def _progress(job: pb.SyncJob) -> tuple[int, ...]:
    return job.status, job.games_found, job.games_analyzed, job.games_skipped, job.games_failed


@asynccontextmanager
async def following(client: Client, job_id: str, *others: Client) -> AsyncIterator[Follower]:
    """`others` are the same user's, of other replicas."""
    follower = Follower([client, *others], job_id)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(follower.follow())
        yield follower
        task.cancel()


# The system, and what must hold whatever happened to it


@dataclass
class Site:
    """Where the system is reached. `logs` are the analyzers' log files."""

    address: str
    conninfo: str
    channel: grpc.aio.Channel
    logs: list[Path] = field(default_factory=list)

    async def user(self) -> Client:
        """A new user."""
        user_id = uuid4()
        async with await psycopg.AsyncConnection.connect(self.conninfo) as connection:
            await connection.execute("set role service_role")
            await connection.execute("select public.ensure_user(%s)", (user_id,))
        return Client(self.channel, user_id, mint_token(SECRET, str(user_id)))

    def service(self) -> Client:
        user_id = uuid4()
        return Client(self.channel, user_id, mint_token(SECRET, str(user_id), "service_role"))

    async def rows(self, query: str, *parameters: object) -> list[tuple[object, ...]]:
        """Read as the service may."""
        async with await psycopg.AsyncConnection.connect(self.conninfo) as connection:
            await connection.execute("set role service_role")
            return await (await connection.execute(query, parameters)).fetchall()

    async def audit(self) -> list[pb.ComplianceFinding]:
        return list((await self.service().call("AuditSyncJobs", pb.AuditSyncJobsRequest())).findings)

    async def whole(
        self,
        user: Client,
        job: pb.SyncJob,
        *,
        games: int,
        failed: int = 0,
        seen: Follower | None = None,
        logged: bool = True,
    ) -> int:
        """The job completed with each of its games ended once, as rows, counters, lists and watchers say.

        Returns how many searches were done again: engine time that the fault cost, not a second analysis.
        `logged=False` where the logs that tell of searches were lost.
        """
        assert job.status == pb.SYNC_STATUS_COMPLETED, job.error
        assert (job.games_found, job.games_analyzed, job.games_skipped, job.games_failed) == (
            games,
            games - failed,
            0,
            failed,
        )
        ((rows, distinct),) = await self.rows(
            "select count(*), count(distinct g.platform_game_id) from game_analyses a"
            " join games g on g.id = a.game_id where a.sync_job_id = %s",
            job.id,
        )
        assert rows == distinct == games - failed
        listed = await user.call(
            "ListGameAnalyses",
            pb.ListGameAnalysesRequest(user_id=str(user.user_id), sync_job_id=job.id, page_size=100),
        )
        assert len({game.game_url for game in listed.games}) == len(listed.games) == rows
        if seen is not None:
            told = [game.game_url for game in seen.games]
            assert len(told) == len(set(told)) == games
            assert sum(bool(game.error) for game in seen.games) == failed
        assert await self.audit() == []
        searched = searches(self.logs, job.id)
        assert len(set(searched)) >= rows or not logged
        return len(searched) - len(set(searched))


def searches(logs: Iterable[Path], job_id: str) -> list[str]:
    """The game of every search of the job that an analyzer brought to its end, as often as it did."""
    lines = (line for log in logs for line in log.read_text(errors="replace").splitlines())
    told = (
        re.search(r'"game_id": "([0-9a-f-]+)', line)
        for line in lines
        if '"game analyzed"' in line and job_id in line
    )
    return [found[1] for found in told if found]


@dataclass
class UpSite(Site):
    """`rookify up`."""

    system: System = field(kw_only=True)

    def orchestrator(self) -> psutil.Process:
        (found,) = below(self.system.process.pid, "-m orchestrator")
        return found

    def analyzer(self) -> psutil.Process:
        (found,) = below(self.system.process.pid, "-m analyzer")
        return found

    def engines(self) -> list[psutil.Process]:
        """Each Stockfish, or what stands in for it: the analyzer's children."""
        return self.analyzer().children()

    def engine(self) -> psutil.Process:
        return self.engines()[0]

    def postgres(self) -> psutil.Process:
        """The postmaster."""
        (found,) = below(self.system.process.pid, f"-D {self.system.data}/postgres ")
        return found

    def log_events(self, service: str, event: str) -> list[dict[str, Any]]:
        """The service's log lines of that event."""
        text = (self.system.data / "logs" / f"{service}.log").read_text()
        lines = (json.loads(line) for line in text.splitlines() if f'"{event}"' in line)
        return [line for line in lines if line["event"] == event]

    def last_words(self) -> str:
        """What the services said of late, for whoever reads a failure."""
        return last_words(self.system.data / "logs")

    def victim(self, name: str) -> psutil.Process:
        found: psutil.Process = getattr(self, name)()
        return found

    def running(self, name: str) -> bool:
        try:
            return self.victim(name).is_running()
        except (ValueError, IndexError, psutil.NoSuchProcess):
            return False


@asynccontextmanager
async def running(
    chesscom: str = "",
    lichess: str = "",
    *,
    arguments: Sequence[str] = ("--engine-workers", "2"),
    folder: Path | None = None,
    **more: str,
) -> AsyncIterator[UpSite]:
    """`rookify up` over local platforms. What it said is raised with whatever fails inside."""
    made = folder or reachable_folder("rookify-fault-")
    given = settings(ROOKIFY_CHESSCOM_URL=chesscom, ROOKIFY_LICHESS_URL=lichess, **more)
    try:
        async with rookify_up(made / "data", {k: v for k, v in given.items() if v}, *arguments) as system:
            conninfo = running_conninfo(system.data)
            assert conninfo is not None
            async with grpc.aio.insecure_channel(system.address, options=CHANNEL_OPTIONS) as channel:
                yield UpSite(
                    system.address, conninfo, channel, [system.data / "logs" / "analyzer.log"], system=system
                )
            assert system.process.returncode is None, f"rookify up ended: {''.join(system.said)}"
    except BaseException as error:
        error.add_note(last_words(made / "data" / "logs"))
        raise
    finally:
        if folder is None:
            shutil.rmtree(made, ignore_errors=True)


def last_words(logs: Path) -> str:
    lines = []
    for log in sorted(logs.glob("*.log")):
        told = [
            line for line in log.read_text(errors="replace").splitlines() if '"level": "debug"' not in line
        ]
        lines += [f"--- {log.name}", *told[-25:]]
    return "\n".join(lines)
