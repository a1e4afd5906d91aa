"""For the chaos run: a Postgres, two orchestrators, two analyzers, both platforms; and what tears at them."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio
import psutil

from orchestrator.local import database as local_database
from orchestrator.local.postgres import EmbeddedPostgres
from orchestrator.local.processes import ProcessFailed
from servicekit.errors import ConfigurationError
from servicekit.server import CHANNEL_OPTIONS
from tests.support import faults
from tests.support.faults_engine import Trouble, TroubledEngine
from tests.support.faults_services import Service, free_address, service
from tests.support.platforms import faults as scripted
from tests.support.platforms.__main__ import SHIPPED
from tests.support.platforms.chesscom_server import ChessComServer
from tests.support.platforms.lichess_server import LichessServer, read_export
from tests.support.platforms.server import LocalPlatform

CHESSCOM_GAMES = faults.some_games(9, 9, 3)
LICHESS_GAMES = [
    game
    for game in read_export(SHIPPED / "lichess" / "games.ndjson")
    if game["variant"] == "standard" and len(game["moves"].split()) > 10
]
_BACK_SECONDS = (0.1, 2.0)  # before what has ended is started again


@dataclass
class Kept:
    """A service that is started again whenever it ends. `now` is None in between."""

    module: str
    log: Path
    address: str
    given: dict[str, str]
    now: Service | None = None
    starts: int = 0

    async def keep(self, chance: random.Random) -> None:
        while True:
            with suppress(AssertionError):  # it was ended before it was ready
                async with service(self.module, self.log, self.address, **self.given) as self.now:
                    self.starts += 1
                    await self.now.process.wait()
            self.now = None
            await asyncio.sleep(chance.uniform(*_BACK_SECONDS))


@dataclass
class World:
    folder: Path
    postgres: EmbeddedPostgres
    chesscom: ChessComServer
    lichess: LichessServer
    engine: TroubledEngine
    orchestrators: list[Kept]
    analyzers: list[Kept]
    sites: list[faults.Site] = field(default_factory=list)
    chance: random.Random = field(default_factory=random.Random)
    done: Counter[str] = field(default_factory=Counter)

    async def keep_postgres(self) -> None:
        while True:
            with suppress(ProcessFailed, ConfigurationError):
                if self.postgres.pid is None:
                    await self.postgres.start()
                await self.postgres.wait()
            await asyncio.sleep(self.chance.uniform(*_BACK_SECONDS))

    # What tears at it. Each returns when its fault is over; what it ended comes back by itself.

    async def kill_an_orchestrator(self) -> None:
        await self._kill(self.orchestrators)

    async def kill_an_analyzer(self) -> None:
        await self._kill(self.analyzers)

    async def stop_an_orchestrator(self) -> None:
        self._terminate(self.orchestrators)

    async def drain_an_analyzer(self) -> None:
        self._terminate(self.analyzers)

    async def freeze_an_orchestrator(self) -> None:
        await self._freeze(self._processes(self.orchestrators))

    async def freeze_an_analyzer(self) -> None:
        await self._freeze(self._processes(self.analyzers))

    async def kill_an_engine(self) -> None:
        for process in self._processes(self.analyzers):
            for engine in process.children():
                engine.kill()
                return

    async def trouble_an_engine(self) -> None:
        kinds: list[Trouble] = ["garbage", "close", "no_score", "stop", "die"]
        if not self.engine.armed:
            self.engine.arm(self.chance.choice(kinds))

    async def kill_postgres(self) -> None:
        if self.postgres.pid is not None:
            os.kill(self.postgres.pid, signal.SIGKILL)

    async def freeze_postgres(self) -> None:
        if self.postgres.pid is not None:
            server = psutil.Process(self.postgres.pid)
            await self._freeze([server, *server.children()])

    async def cut_the_database_off(self) -> None:
        """No new connections, and the old ones ended."""
        socket = Path(self.postgres.data_dir / "run" / ".s.PGSQL.5432")
        if self.postgres.pid is None or not await asyncio.to_thread(socket.exists):
            return
        hidden = socket.with_name("hidden")
        await asyncio.to_thread(socket.rename, hidden)
        for child in psutil.Process(self.postgres.pid).children():
            if "authenticator" in " ".join(child.cmdline()):
                child.terminate()
        await asyncio.sleep(self.chance.uniform(1, 6))
        if self.postgres.pid is not None and not await asyncio.to_thread(socket.exists):
            await asyncio.to_thread(hidden.rename, socket)

    async def trouble_chesscom(self) -> None:
        self._trouble(self.chesscom)

    async def trouble_lichess(self) -> None:
        self._trouble(self.lichess)

    @property
    def ways(self) -> dict[str, tuple[int, Callable[[], Awaitable[None]]]]:
        """Each with how often it comes, compared with the others."""
        return {
            "kill -9 of an orchestrator": (3, self.kill_an_orchestrator),
            "kill -9 of an analyzer": (3, self.kill_an_analyzer),
            "kill -9 of an engine": (3, self.kill_an_engine),
            "kill -9 of Postgres": (2, self.kill_postgres),
            "SIGTERM of an orchestrator": (2, self.stop_an_orchestrator),
            "SIGTERM of an analyzer": (2, self.drain_an_analyzer),
            "SIGSTOP of an orchestrator": (2, self.freeze_an_orchestrator),
            "SIGSTOP of an analyzer": (2, self.freeze_an_analyzer),
            "SIGSTOP of Postgres": (1, self.freeze_postgres),
            "Postgres cut off": (1, self.cut_the_database_off),
            "an engine misbehaves": (3, self.trouble_an_engine),
            "chess.com in trouble": (3, self.trouble_chesscom),
            "lichess in trouble": (2, self.trouble_lichess),
        }

    async def tear(self, until: float) -> None:
        """One fault after the other, some of them at once, until `until`; then nothing is left in the way."""
        ways = self.ways
        async with asyncio.TaskGroup() as tasks:
            while time.monotonic() < until:
                (name,) = self.chance.choices(list(ways), [weight for weight, _ in ways.values()])
                self.done[name] += 1
                tasks.create_task(self._survive(ways[name][1]))
                await asyncio.sleep(self.chance.expovariate(1 / 2.5))
        self.chesscom.faults.clear()
        self.lichess.faults.clear()

    async def _survive(self, fault: Callable[[], Awaitable[None]]) -> None:
        with suppress(psutil.NoSuchProcess):  # another fault was quicker
            await fault()

    def _processes(self, kept: list[Kept]) -> list[psutil.Process]:
        """One of those that run, at random; none where none does."""
        running = [one.now.process.pid for one in kept if one.now and one.now.process.returncode is None]
        return [psutil.Process(self.chance.choice(running))] if running else []

    async def _kill(self, kept: list[Kept]) -> None:
        for process in self._processes(kept):
            process.kill()

    def _terminate(self, kept: list[Kept]) -> None:
        for process in self._processes(kept):
            process.terminate()

    async def _freeze(self, processes: list[psutil.Process]) -> None:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        try:
            await asyncio.sleep(self.chance.uniform(0.5, 3 * faults.LEASE_SECONDS))
        finally:
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    def _trouble(self, platform: LocalPlatform) -> None:
        kinds = [
            scripted.status(500),
            scripted.status(503),
            scripted.status(429, headers={"Retry-After": "1"}),
            scripted.half_body(),
            scripted.garbage(),
            scripted.drop(),
            scripted.slowly(0.3),
            scripted.break_after(2),
        ]
        platform.faults.add(self.chance.choice(kinds), times=self.chance.randint(1, 3))


@asynccontextmanager
async def world(folder: Path, seed: int) -> AsyncIterator[World]:
    """Everything runs, and is kept running until the block is left."""
    postgres = EmbeddedPostgres(folder / "data")
    engine = TroubledEngine.make(folder / "engine")
    chance = random.Random(f"faults {seed}")
    async with AsyncExitStack() as stack:
        chesscom = await stack.enter_async_context(ChessComServer(CHESSCOM_GAMES))
        # A minute of 429 after each 429 is true to lichess; a chaos run has not the time.
        lichess = await stack.enter_async_context(LichessServer(LICHESS_GAMES, minute=3, speed_up=5))
        stack.push_async_callback(postgres.stop)
        await postgres.start()
        await local_database.prepare(postgres)
        places = [free_address() for _ in range(4)]
        common = {
            "DATABASE_URL": postgres.conninfo(),
            "ROOKIFY_ANALYZERS": ",".join(places[2:]),
            "ROOKIFY_ANALYZER_SILENCE": "6",
            "ROOKIFY_CHESSCOM_URL": chesscom.url,
            "ROOKIFY_LICHESS_URL": lichess.url,
            "ROOKIFY_MAX_GAMES_PER_DAY": "1000000",
            "ROOKIFY_SHUTDOWN_GRACE": "2",
        }
        own = {
            "ROOKIFY_ENGINE_WORKERS": "1",
            "ROOKIFY_STOCKFISH": str(engine.path),
            "ROOKIFY_ANALYZER_GRACE": "2",
        }
        orchestrators = [
            Kept("orchestrator", folder / f"orchestrator-{n}.log", place, {**common, "ROOKIFY_LISTEN": place})
            for n, place in enumerate(places[:2])
        ]
        analyzers = [
            Kept("analyzer", folder / f"analyzer-{n}.log", place, {**own, "ROOKIFY_ANALYZER_LISTEN": place})
            for n, place in enumerate(places[2:])
        ]
        made = World(folder, postgres, chesscom, lichess, engine, orchestrators, analyzers, chance=chance)
        logs = [kept.log for kept in analyzers]
        for place in places[:2]:
            channel = await stack.enter_async_context(
                grpc.aio.insecure_channel(place, options=CHANNEL_OPTIONS)
            )
            made.sites.append(faults.Site(place, postgres.conninfo(), channel, logs))
        keeping = [asyncio.create_task(made.keep_postgres())]
        keeping += [asyncio.create_task(kept.keep(chance)) for kept in (*orchestrators, *analyzers)]
        try:
            yield made
        finally:
            for task in keeping:
                task.cancel()
            ended = await asyncio.gather(*keeping, return_exceptions=True)
            failures = [error for error in ended if not isinstance(error, asyncio.CancelledError)]
            assert not failures, f"something could not be kept running: {failures}"
