"""Orchestrators and analyzers as processes of their own, in any number, over one real Postgres."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio
import psutil

from servicekit.server import CHANNEL_OPTIONS
from tests.support.faults import Site, settings
from tests.support.postgres import Database
from tests.support.rookify_cli import environment

_READY_SECONDS = 30


@dataclass
class Service:
    """A running process; `events` are its log lines so far."""

    address: str
    process: asyncio.subprocess.Process
    log: Path
    events: list[dict[str, Any]] = field(default_factory=list)
    silent: bool = False  # it has closed its stderr: it has ended, or is about to
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def victim(self) -> psutil.Process:
        return psutil.Process(self.process.pid)

    def said(self, event: str, **fields: object) -> list[dict[str, Any]]:
        """The log lines of that event with those fields."""
        return [line for line in self.events if line.items() >= {"event": event, **fields}.items()]

    async def says(self, event: str, times: int = 1, seconds: float = 30, **fields: object) -> None:
        """Waits until it has said so, so many times in all."""
        await self._until(lambda: len(self.said(event, **fields)) >= times, event, seconds)

    async def _until(self, reached: Callable[[], bool], what: str, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(lambda: reached() or self.silent)
        if not reached():
            said = "\n".join(str(line) for line in self.events if line["level"] != "debug")
            raise AssertionError(f"{self.log.stem} did not say {what!r} in {seconds} s, but:\n{said}")

    async def listen(self) -> None:
        """To the end of its stderr."""
        assert self.process.stderr is not None
        with self.log.open("ab") as file:
            async for line in self.process.stderr:
                file.write(line)
                file.flush()
                try:
                    said = json.loads(line)
                except ValueError:
                    said = {"event": line.decode(errors="replace"), "level": "raw"}
                self.events.append(said)
                await self._tell()
        self.silent = True
        await self._tell()

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()


@asynccontextmanager
async def service(module: str, log: Path, address: str, **given: str) -> AsyncIterator[Service]:
    """`python -m MODULE` that serves at `address`, from "ready" on; stopped at the end by SIGTERM."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", module),
        env=environment(settings(**given)),
        cwd=log.parent,
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        limit=2**22,
    )
    made = Service(address, process, log)
    listening = asyncio.create_task(made.listen())
    try:
        await made.says("ready", seconds=_READY_SECONDS)
        yield made
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
        await listening


@dataclass
class Cluster:
    """What runs over one database. Everything that was started is stopped at the end of the block."""

    database: Database
    folder: Path
    chesscom: str
    analyzers: list[str]  # the static list that every orchestrator gets
    stack: AsyncExitStack
    logs: list[Path] = field(default_factory=list)

    async def analyzer(self, number: int, **given: str) -> Service:
        """The one of that place in the list."""
        address = self.analyzers[number]
        log = self.folder / f"analyzer-{number}.log"
        if log not in self.logs:
            self.logs.append(log)
        options = {"ROOKIFY_ANALYZER_LISTEN": address, "ROOKIFY_ENGINE_WORKERS": "1", **given}
        return await self.stack.enter_async_context(service("analyzer", log, address, **options))

    async def orchestrator(self, **given: str) -> Service:
        address = free_address()
        options = {
            "DATABASE_URL": self.database.app_conninfo,
            "ROOKIFY_LISTEN": address,
            "ROOKIFY_CHESSCOM_URL": self.chesscom,
            "ROOKIFY_ANALYZERS": ",".join(self.analyzers),
            "ROOKIFY_SHUTDOWN_GRACE": "2",
            **given,
        }
        log = self.folder / f"orchestrator-{address.rpartition(':')[2]}.log"
        return await self.stack.enter_async_context(service("orchestrator", log, address, **options))

    async def site(self, orchestrator: Service) -> Site:
        """As reached through that orchestrator."""
        channel = grpc.aio.insecure_channel(orchestrator.address, options=CHANNEL_OPTIONS)
        await self.stack.enter_async_context(channel)
        return Site(orchestrator.address, self.database.app_conninfo, channel, self.logs)


@asynccontextmanager
async def cluster(
    database: Database, folder: Path, chesscom: str, *, analyzers: int
) -> AsyncIterator[Cluster]:
    """With so many addresses for analyzers, none started yet."""
    addresses = [free_address() for _ in range(analyzers)]
    async with AsyncExitStack() as stack:
        yield Cluster(database, folder, chesscom, addresses, stack)


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return f"127.0.0.1:{probe.getsockname()[1]}"
