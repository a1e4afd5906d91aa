"""One engine process, spoken to in UCI over its pipes.

Thin on purpose: output is gathered as bytes in whole chunks, nothing is looked at line by line, and only the
end of an answer wakes anybody (python-chess's driver was measured at a tenth of a core per engine).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import cast

from analyzer.engine.errors import EngineDied, EngineError, EngineHung, EngineNonsense

_LAUNCHER = str(Path(__file__).with_name("launch.py"))
_HANDSHAKE = 20.0  # seconds for start-up: loading a network of 60 MB from a cold disk on a busy machine
_READY = 10.0  # seconds to forget a game: clearing a hash of 16 GB takes 4
_SETTLE = 2.0  # seconds for an engine to obey `stop`; it looks at its input every few milliseconds
_GOODBYE = 1.0  # seconds for an engine to obey `quit`
_SEARCHED = b"bestmove"  # how the last line of a search begins
_CHUNK = 65536  # bytes; a pipe holds no more
_MAX_OUTPUT = 8 * 1024 * 1024  # bytes of one answer; ten minutes of Stockfish stay below 1 MB


class EngineProcess(asyncio.SubprocessProtocol):
    """Use `start`, then one call at a time. Any EngineError means: `kill` it and start another."""

    def __init__(self) -> None:
        self.name = ""  # "Stockfish 15.1"
        self._options: set[str] = set()
        self._chess960 = False
        self._searching = False  # a `go` has no `bestmove` yet
        self._buffer = bytearray()
        self._scanned = 0
        self._needle = b""
        self._waiter: asyncio.Future[bytes] | None = None
        self._gone = asyncio.get_running_loop().create_future()
        self._transport: asyncio.SubprocessTransport | None = None
        self._output = -1  # the reading end of its output

    @classmethod
    async def start(cls, path: str, *, hash_mb: int, niceness: int = 0) -> EngineProcess:
        """Started, spoken to, ready. In a session of its own, so that Ctrl-C in a terminal passes it by."""
        loop = asyncio.get_running_loop()
        # A pipe of our own: asyncio's goes twice through the loop for every chunk.
        reading, writing = os.pipe()
        try:
            _, engine = await loop.subprocess_exec(
                cls,
                *(sys.executable, "-I", "-S", _LAUNCHER, str(os.getpid()), str(niceness), path),
                stdin=asyncio.subprocess.PIPE,
                stdout=writing,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException as error:
            os.close(reading)
            if isinstance(error, OSError):
                raise EngineDied(f"{path} cannot be started: {error}") from error
            raise
        finally:
            os.close(writing)
        engine._listen(reading)  # noqa: SLF001  its own
        try:
            await engine._greet(hash_mb)  # noqa: SLF001  its own
        except BaseException:
            await engine.kill()
            raise
        return engine

    @property
    def pid(self) -> int:
        return self._transport.get_pid() if self._transport else 0

    async def new_game(self, *, chess960: bool) -> None:
        """Forget what was searched before (hash and history)."""
        await self._settle()
        if chess960 != self._chess960:
            if "UCI_Chess960" not in self._options:
                raise EngineNonsense("the engine does not play chess960")
            self._send(f"setoption name UCI_Chess960 value {str(chess960).lower()}")
            self._chess960 = chess960
        self._send("ucinewgame\nisready")
        await self._expect(b"readyok", _READY)

    async def search(self, position: str, go: str, *, deadline: float) -> bytes:
        """`position` and `go` are whole UCI commands; the output up to `bestmove`.

        Raises EngineHung after `deadline` seconds. When cancelled the search is told to stop, and the engine
        can be used again.
        """
        await self._settle()
        self._searching = True
        try:
            self._send(f"{position}\n{go}")
            return await self._expect(_SEARCHED, deadline)
        except asyncio.CancelledError:
            # The answer may have come in the same turn of the loop: then there is nothing to stop.
            if self._searching:
                with contextlib.suppress(EngineDied):
                    self._send("stop")
            raise

    async def close(self) -> None:
        """Ask it to leave, then make it."""
        with contextlib.suppress(EngineError, TimeoutError):
            self._send("quit")
            async with asyncio.timeout(_GOODBYE):
                await asyncio.shield(self._gone)
        await self.kill()

    async def kill(self) -> None:
        """End it now. Returns when the process is gone and its pipes are closed."""
        if self._transport is None:
            return
        if not self._gone.done():
            # The launcher may still be starting it; the session is the engine's own either way.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._transport.get_pid(), signal.SIGKILL)
        await asyncio.shield(self._gone)
        self._transport.close()
        self._stop_listening()

    async def _greet(self, hash_mb: int) -> None:
        self._send("uci")
        greeting = await self._expect(b"uciok", _HANDSHAKE)
        for line in greeting.decode("utf-8", "replace").splitlines():
            if line.startswith("id name "):
                self.name = line.removeprefix("id name ").strip()
            elif line.startswith("option name "):
                self._options.add(line.removeprefix("option name ").partition(" type ")[0])
        if not self.name:
            raise EngineNonsense("the engine does not say its name")
        if "Hash" in self._options:
            self._send(f"setoption name Hash value {hash_mb}")
        if "Threads" in self._options:
            self._send("setoption name Threads value 1")
        self._send("isready")
        await self._expect(b"readyok", _HANDSHAKE)

    async def _settle(self) -> None:
        """See a search that was stopped to its end."""
        if self._searching:
            await self._expect(_SEARCHED, _SETTLE)

    def _send(self, command: str) -> None:
        if self._transport is None or self._gone.done():
            raise EngineDied(self._obituary())
        pipe = cast("asyncio.WriteTransport", self._transport.get_pipe_transport(0))
        pipe.write(f"{command}\n".encode())

    async def _expect(self, needle: bytes, seconds: float) -> bytes:
        """Everything up to and with the line that begins with `needle`."""
        self._needle = needle
        self._scanned = 0
        self._waiter = asyncio.get_running_loop().create_future()
        self._scan()
        try:
            if (self._gone.done() or self._output < 0) and not self._waiter.done():
                raise EngineDied(self._obituary())
            async with asyncio.timeout(seconds):
                return await self._waiter
        except TimeoutError:
            raise EngineHung(f"no {needle.decode()} within {seconds:.1f} s") from None
        finally:
            self._waiter = None

    def _scan(self) -> None:
        """Resolve the waiter where the buffer holds the whole answer."""
        if self._waiter is None or self._waiter.done():
            return
        while (at := self._buffer.find(self._needle, self._scanned)) >= 0:
            end = self._buffer.find(b"\n", at)
            if end < 0:
                self._scanned = at
                return
            if at == 0 or self._buffer[at - 1] == ord("\n"):
                answer = bytes(self._buffer[: end + 1])
                del self._buffer[: end + 1]
                if self._needle == _SEARCHED:
                    self._searching = False
                self._waiter.set_result(answer)
                return
            self._scanned = end
        self._scanned = max(0, len(self._buffer) - len(self._needle))
        if len(self._buffer) > _MAX_OUTPUT:
            self._fail(EngineNonsense(f"more than {_MAX_OUTPUT:,} bytes without an answer"))

    def _obituary(self) -> str:
        code = self._transport.get_returncode() if self._transport else None
        if code is None:
            return "the engine has closed its output"
        if code < 0:
            return f"the engine was killed by {signal.Signals(-code).name}"
        return f"the engine has exited with code {code}"

    # What the loop calls

    def _listen(self, output: int) -> None:
        os.set_blocking(output, False)
        self._output = output
        asyncio.get_running_loop().add_reader(output, self._readable)

    def _stop_listening(self) -> None:
        if self._output >= 0:
            asyncio.get_running_loop().remove_reader(self._output)
            os.close(self._output)
            self._output = -1

    def _readable(self) -> None:
        try:
            data = os.read(self._output, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._buffer += data
            self._scan()
            return
        # An engine that closes its output will never answer, dead or not.
        self._stop_listening()
        self._fail(EngineDied(self._obituary()))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def process_exited(self) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
        self._fail(EngineDied(self._obituary()))

    def _fail(self, error: EngineError) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
