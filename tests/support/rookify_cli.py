"""`rookify` as users run it: in this process for its answers, as a process on pipes, or on a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import io
import os
import pty
import struct
import sys
import termios
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from orchestrator.cli import _errors
from orchestrator.cli.app import app

_PASSED_ON = ("PATH", "HOME", "LANG", "VIRTUAL_ENV", "COVERAGE_PROCESS_START")
_COMMAND = (sys.executable, "-m", "orchestrator.cli.app")


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Only what a process needs and what is given: no ROOKIFY_ variable of the developer's own."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {"TZ": "UTC", "PYTHONUTF8": "1", **kept, **settings}


@dataclass(frozen=True, slots=True)
class Finished:
    code: int
    out: str
    err: str


@asynccontextmanager
async def started(
    *arguments: str, settings: Mapping[str, str], folder: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running `rookify` with its output on pipes; killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *_COMMAND,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(settings),
        cwd=folder,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def finished(*arguments: str, settings: Mapping[str, str], folder: Path) -> Finished:
    """Run it to its end."""
    async with started(*arguments, settings=settings, folder=folder) as process:
        out, err = await process.communicate()
    assert process.returncode is not None
    return Finished(process.returncode, out.decode(), err.decode())


async def answered(*arguments: str, settings: Mapping[str, str], folder: Path) -> Finished:
    """The same without the half second that a new interpreter takes: in a thread, with a loop of its own.

    Everything but the interpreter's start is the command's own way, `main` to exit code.
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["rookify", *arguments]),
        patch.dict(os.environ, environment(settings), clear=True),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = await asyncio.to_thread(_errors.run, app)
    return Finished(code, out.getvalue(), err.getvalue())


class Terminal:
    """A `rookify` that believes a person looks on. `screen` is every byte it has written so far, decoded."""

    def __init__(self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader) -> None:
        self.process = process
        self.screen = ""
        self._reader = reader

    async def see(self, text: str) -> None:
        """Return once `text` has been written; fails when the process ends without it."""
        while text not in self.screen:
            if not await self._more():
                raise AssertionError(f"{text!r} is not on the screen:\n{self.screen}")

    async def end(self) -> int:
        """Read to the end; the exit code."""
        while await self._more():
            pass
        return await self.process.wait()

    async def _more(self) -> bool:
        try:
            data = await self._reader.read(4096)
        except OSError:  # EIO: how Linux says that the other side of a terminal is closed
            return False
        self.screen += data.decode(errors="replace")
        return bool(data)


@asynccontextmanager
async def on_terminal(
    *arguments: str, settings: Mapping[str, str], folder: Path, columns: int = 80
) -> AsyncIterator[Terminal]:
    """Run it on a pseudo-terminal, stdout and stderr together as a person sees them."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *_COMMAND,
        *arguments,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment({"TERM": "xterm-256color", **settings}),
        cwd=folder,
    )
    os.close(theirs)
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", buffering=0)
    )
    try:
        yield Terminal(process, reader)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        transport.close()
