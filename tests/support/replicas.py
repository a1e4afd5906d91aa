"""Several orchestrators on one database: in the test's process, or as processes that can be killed."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import grpc.aio

from orchestrator.settings import Settings
from tests.support.orchestrator import SECRET, Client, Orchestrator, running_orchestrator
from tests.support.platforms.__main__ import SHIPPED
from tests.support.platforms.chesscom_server import ChessComServer, read_months
from tests.support.postgres import Database
from tests.support.rookify_cli import environment
from tests.support.scripted_analyzer import Script, ScriptedAnalyzer, analyzed

READY_SECONDS = 30


class Replicas:
    """Each with an analyzer of its own, so that a test sees which of them works what.

    `add` starts one more in this process; `spawn` one of its own.
    """

    def __init__(self, database: Database, chesscom_url: str, stack: AsyncExitStack) -> None:
        self.database = database
        self._chesscom_url = chesscom_url
        self._stack = stack

    async def analyzer(self, script: Script = analyzed, slots: int = 4) -> ScriptedAnalyzer:
        return await self._stack.enter_async_context(ScriptedAnalyzer(script=script, credits=slots))

    async def add(self, analyzer: ScriptedAnalyzer, **settings: Any) -> Orchestrator:
        fields = {"chesscom_url": self._chesscom_url, "analyzers": analyzer.address} | settings
        return await self._stack.enter_async_context(running_orchestrator(self.database, **fields))

    async def spawn(self, analyzer: ScriptedAnalyzer, **settings: Any) -> Process:
        """`settings` by their variables' names, those behind ROOKIFY_ in lower case; None: unset."""
        fields = {"chesscom_url": self._chesscom_url, "analyzers": analyzer.address} | settings
        process = Process()
        await process.start(self.database, fields)
        self._stack.push_async_callback(process.stop)
        return process


class Process:
    """`python -m orchestrator`, for SIGKILL, SIGSTOP and the like. `replica` is for calls to it."""

    async def start(self, database: Database, settings: dict[str, Any]) -> None:
        """Returns when it serves."""
        given = {
            "DATABASE_URL": database.app_conninfo,
            "jwt_secret": SECRET,
            "listen": "127.0.0.1:0",
            "log_format": "json",
            "max_starts_per_window": 1000,
            "max_watches_per_user": 1000,
            "write_interval": 0.01,
            "shutdown_grace": 2,
        } | settings
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "orchestrator"),
            env=environment(
                {
                    name if name.isupper() else f"ROOKIFY_{name.upper()}": str(value)
                    for name, value in given.items()
                    if value is not None
                }
            ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        self.said: list[str] = []
        self._spoke = asyncio.Condition()
        port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read(port))
        try:
            async with asyncio.timeout(READY_SECONDS):
                self.port = await port
        except BaseException:
            await self.stop()
            raise
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.port}")
        self.replica = Orchestrator(self.port, self.channel, database, Settings(_env_file=None))  # type: ignore[call-arg]

    async def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            await self.process.wait()

    async def says(self, *texts: str) -> None:
        """Waits until one of these stands in its log."""
        async with asyncio.timeout(READY_SECONDS), self._spoke:
            await self._spoke.wait_for(lambda: any(text in line for line in self.said for text in texts))

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        await self.process.wait()
        await self._reading
        if hasattr(self, "channel"):
            await self.channel.close()

    async def _read(self, port: asyncio.Future[int]) -> None:
        assert self.process.stderr is not None
        while line := (await self.process.stderr.readline()).decode():
            self.said.append(line)
            async with self._spoke:
                self._spoke.notify_all()
            if not port.done() and '"ready"' in line:
                port.set_result(json.loads(line)["port"])
        if not port.done():
            port.set_exception(AssertionError(f"the orchestrator did not come up: {''.join(self.said)}"))


@asynccontextmanager
async def replicas(
    database: Database, games: Sequence[dict[str, Any]] | None = None
) -> AsyncIterator[Replicas]:
    """Over chess.com's shipped games, or those given. All that was started is stopped at the end."""
    async with AsyncExitStack() as stack:
        server = ChessComServer(read_months(SHIPPED / "chesscom") if games is None else games)
        platform = await stack.enter_async_context(server)
        yield Replicas(database, platform.url, stack)


def at(replica: Orchestrator, user: Client) -> Client:
    """The same user's calls, to another replica."""
    return Client(replica.channel, user.user_id, user.token)
