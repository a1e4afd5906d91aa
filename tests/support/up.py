"""`rookify up` as a user runs it: a process of its own, real services, a data folder under /tmp."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.local.processes import alive, until_gone

ROOKIFY = [sys.executable, "-P", "-m", "orchestrator.cli.app"]
READY = "rookify is up at "
_START_SECONDS = 90  # a second or three on an idle machine


@dataclass(frozen=True, slots=True)
class Finished:
    code: int
    out: str
    err: str


def clean_env(**more: str) -> dict[str, str]:
    """This process's environment without any setting of the project."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ROOKIFY_", "SUPABASE_", "OPENAI_")) and name != "DATABASE_URL"
    }
    return {**kept, **more}


async def rookify(
    *arguments: str, cwd: Path, seconds: float = 60, env: Mapping[str, str] | None = None, **more: str
) -> Finished:
    """Run one command to its end. `cwd` holds no .env."""
    child = await asyncio.create_subprocess_exec(
        *ROOKIFY, *arguments, cwd=cwd, env=clean_env(**(env or {}), **more),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(seconds):
            out, err = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.communicate()
    assert child.returncode is not None
    return Finished(child.returncode, out.decode(), err.decode())


class Up:
    """`await Up.start(folder)`; then `address`, `kill`, `stop`. Always `stop` it."""

    def __init__(self, process: asyncio.subprocess.Process, data: Path, address: str) -> None:
        self.process = process
        self.data = data
        self.address = address

    @classmethod
    async def start(
        cls, data: Path, *options: str, port: int = 0, env: Mapping[str, str] | None = None
    ) -> Up:
        """Returns when it says that it is up."""
        data.parent.mkdir(exist_ok=True)
        stderr = (data.parent / "up.stderr").open("ab")
        process = await asyncio.create_subprocess_exec(
            *ROOKIFY, "up", "--data", str(data), "--port", str(port), *options,
            cwd=data.parent, env=clean_env(**(env or {})), stdout=asyncio.subprocess.PIPE, stderr=stderr,
            start_new_session=True,  # a Ctrl-C of its own
        )  # fmt: skip
        stderr.close()
        assert process.stdout is not None
        async with asyncio.timeout(_START_SECONDS):
            line = (await process.stdout.readline()).decode()
        if not line.startswith(READY):
            await process.wait()
            raise AssertionError(f"not up: {line!r}\n{(data.parent / 'up.stderr').read_text()}")
        return cls(process, data, line.removeprefix(READY).rstrip("\n"))

    @property
    def said(self) -> str:
        """What it told people so far."""
        return (self.data.parent / "up.stderr").read_text()

    def descendants(self) -> dict[int, str]:
        """Command lines of all processes below it, by process id."""
        return descendants(self.process.pid)

    def child(self, mark: str) -> int:
        """The process id of the one direct child whose command line has `mark`."""
        (pid,) = self._children(mark)
        return pid

    def has_child(self, mark: str) -> bool:
        return bool(self._children(mark))

    def _children(self, mark: str) -> list[int]:
        return [
            pid for pid, (parent, line) in _processes().items() if parent == self.process.pid and mark in line
        ]

    async def rest_of_stdout(self) -> str:
        """After its end."""
        assert self.process.stdout is not None
        return (await self.process.stdout.read()).decode()

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Seconds that it took. Nothing of it runs any more, or AssertionError."""
        below = self.descendants()
        began = time.monotonic()
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(30):
            await self.process.wait()
        took = time.monotonic() - began
        left = {pid: line for pid, line in below.items() if alive(pid)}
        assert not left, f"still running: {left}"
        return took

    async def kill(self) -> None:
        """kill -9, and wait until what it had started is gone."""
        below = self.descendants()
        self.process.kill()
        await self.process.wait()
        for pid, line in below.items():
            assert await until_gone(pid, 15), f"still running: {pid} {line}"


def descendants(pid: int) -> dict[int, str]:
    """Command lines of all processes below `pid`, by process id. Linux only."""
    processes = _processes()
    found: dict[int, str] = {}
    level = {pid}
    while level:
        level = {child for child, (parent, _line) in processes.items() if parent in level}
        found.update({child: processes[child][1] for child in level})
    return found


def _processes() -> dict[int, tuple[int, str]]:
    """Parent and command line of every process, by process id."""
    found: dict[int, tuple[int, str]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                status = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:  # it has just ended
                continue
            found[int(folder.name)] = (int(status[1]), line)
    return found
