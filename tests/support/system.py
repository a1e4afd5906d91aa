"""The whole system as users run it: `rookify up` on a data folder, and the platforms on a local server.

For the demo, the e2e and fault tests and the benches: every part is a process of its own.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import grpc.aio

from tests.support.orchestrator import Client
from tests.support.rookify_cli import environment

READY_SECONDS = 60  # initdb, migrations, two services and their engines on two busy cores
STOP_SECONDS = 20  # `rookify up` promises 10, on a machine that is not all too busy
_CLI = (sys.executable, "-m", "orchestrator.cli.app")


@dataclass
class Platforms:
    """Both platforms' local server, as its own process."""

    chesscom_url: str
    lichess_url: str

    @property
    def settings(self) -> dict[str, str]:
        return {
            "ROOKIFY_CHESSCOM_URL": self.chesscom_url,
            "ROOKIFY_LICHESS_URL": self.lichess_url,
            "ROOKIFY_CONTACT": "tests@example.org",
        }


@asynccontextmanager
async def platforms(*arguments: str) -> AsyncIterator[Platforms]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.platforms",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READY_SECONDS):
            line = (await process.stdout.readline()).decode()
        match = re.fullmatch(r"platforms ready chesscom=(\S+) lichess=(\S+)\n", line)
        assert match, f"the platforms said {line!r}"
        yield Platforms(*match.groups())
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


@dataclass
class System:
    """A running `rookify up`. `settings` are what it and every command get by their environment."""

    data: Path
    settings: dict[str, str]
    process: asyncio.subprocess.Process
    address: str
    said: list[str] = field(default_factory=list)

    async def rookify(self, *arguments: str, token: str = "", show: bool = False) -> str:
        """Runs a command; what it printed. `show` lets it have the terminal instead."""
        settings = self.settings | {
            "ROOKIFY_DATA": str(self.data),
            "ROOKIFY_ORCHESTRATOR": self.address,
            "ROOKIFY_TOKEN": token,
        }
        pipe = None if show else asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *_CLI,
            *arguments,
            env=environment(settings) | {k: os.environ[k] for k in ("TERM", "COLUMNS") if k in os.environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
        )
        out, err = await process.communicate()
        assert process.returncode == 0, (
            f"rookify {arguments[0]}: {process.returncode}: {(err or b'').decode()}"
        )
        return (out or b"").decode()

    async def token(self, user_id: str, role: str = "authenticated") -> str:
        data = ("--data", str(self.data)) if "DATABASE_URL" not in self.settings else ()
        return (await self.rookify("token", "--user", user_id, "--role", role, *data)).strip()

    @asynccontextmanager
    async def client(self, role: str = "authenticated") -> AsyncIterator[Client]:
        """A new user's calls, or the service's."""
        user_id = uuid4()
        token = await self.token(str(user_id), role)
        async with grpc.aio.insecure_channel(self.address) as channel:
            yield Client(channel, user_id, token)

    async def stop(self, number: int = signal.SIGTERM) -> float:
        """Sends the signal; seconds until the process was gone."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        if self.process.returncode is None:
            self.process.send_signal(number)
        await self.process.wait()
        return loop.time() - began


@asynccontextmanager
async def rookify_up(
    data: Path, settings: Mapping[str, str], *arguments: str, quiet: bool = True
) -> AsyncIterator[System]:
    """Until the block is left. Raises AssertionError with what it said where it does not come up."""
    given = {"ROOKIFY_SHUTDOWN_GRACE": "6", **settings}
    process = await asyncio.create_subprocess_exec(
        *_CLI,
        "up",
        "--data",
        str(data),
        "--port",
        "0",
        *arguments,
        env=environment(given),
        cwd=data.parent,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE if quiet else None,
    )
    assert process.stdout is not None
    system = System(data, given, process, address="")
    listening = asyncio.create_task(_listen(process.stderr, system.said)) if process.stderr else None
    try:
        async with asyncio.timeout(READY_SECONDS):
            line = (await process.stdout.readline()).decode()
        match = re.fullmatch(r"rookify is up at (\S+)\n", line)
        if not match:
            if listening:
                await listening
            raise AssertionError(f"rookify up said {line!r} and {''.join(system.said)}")
        system.address = match.group(1)
        yield system
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        if listening:
            await listening


async def _listen(stream: asyncio.StreamReader, said: list[str]) -> None:
    while line := await stream.readline():
        said.append(line.decode())
