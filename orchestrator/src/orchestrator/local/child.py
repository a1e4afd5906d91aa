"""One child process of the local mode: started, watched by its health service, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import grpc.aio
import structlog

from orchestrator.local import logfiles
from orchestrator.local.processes import ProcessFailed, describe_exit, die_with_owner
from orchestrator.local.security import OpenChannel
from servicekit import health
from servicekit.errors import ConfigurationError
from servicekit.tasks import alongside
from servicekit.tls import handshake_trouble

log = structlog.get_logger()

CONFIGURATION_EXIT = 2  # how a process says that starting it again will not help
_START_SECONDS = 60.0  # importing and binding take one second; a busy machine gets its time
_START_POLL = 0.1
_HEALTH_INTERVAL = 5.0
_HEALTH_TIMEOUT = 10.0
_HEALTH_MISSES = 3  # so hung for a quarter of a minute to three quarters: no load of two cores does that
# The server comes up while it is asked for: connect again at once. A proxy cannot reach loopback.
_CHANNEL_OPTIONS = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 200),
    ("grpc.enable_http_proxy", 0),
)


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """`env` is the child's whole environment; secrets go there, never into `argv`.

    `health` is the host:port of its grpc.health.v1 service; without one it is ready once it runs.
    `open_health` opens a channel to it where that takes TLS.
    """

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    health: str | None = None
    open_health: OpenChannel | None = None


class Child:
    """A service for the supervisor: `start` until SERVING, `wait` for its end, `stop`."""

    def __init__(self, spec: ChildSpec, log_file: Path) -> None:
        self.name = spec.name
        self.log_file = log_file
        self._spec = spec
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """While it runs."""
        if self._process is None or self._process.returncode is not None:
            return None
        return self._process.pid

    async def start(self) -> None:
        """Returns when it is SERVING. Raises ConfigurationError for exit code 2, else ProcessFailed."""
        with logfiles.append(self.log_file) as output:
            begin = output.tell()
            self._process = await asyncio.create_subprocess_exec(
                *self._spec.argv,
                env=dict(self._spec.env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is the owner's to handle, and its children end with it
                preexec_fn=die_with_owner(signal.SIGTERM),
            )
        serving = asyncio.create_task(self._until_serving())
        ended = asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait({serving, ended}, timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                self._end_group()
                raise self._failure(ended.result(), logfiles.read_from(self.log_file, begin))
            if not serving.done():
                await self.stop(grace=0)
                raise ProcessFailed(f"{self.name} was not ready after {_START_SECONDS:.0f} s")
            serving.result()
        finally:
            for task in (serving, ended):
                task.cancel()
            await asyncio.gather(serving, ended, return_exceptions=True)

    async def wait(self) -> int:
        """Its exit code, when it has ended; one that no longer answers is ended here."""
        if self._process is None:
            raise ProcessFailed(f"{self.name} has not been started")
        try:
            return await alongside(self._process.wait(), self._end_when_hung())
        finally:
            if self._process.returncode is not None:
                self._end_group()

    async def stop(self, grace: float) -> None:
        """SIGTERM, and past `grace` seconds SIGKILL, to it and what is left of its session."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(grace):
                await process.wait()
        except TimeoutError:
            log.warning("killed at the end of the grace time", process=self.name, grace=grace)
        self._end_group()
        await process.wait()

    def _end_group(self) -> None:
        """Kill what is left of its session. Engines have one of their own, and end with their analyzer."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _failure(self, code: int, said: str) -> ProcessFailed | ConfigurationError:
        last = logfiles.last_message(said).removeprefix(f"rookify-{self.name}: ")
        if code == CONFIGURATION_EXIT:
            return ConfigurationError(
                f"{self.name}: {last}"
                if last
                else f"{self.name} cannot start as it is set up: {self.log_file}"
            )
        reason = f": {last}" if last else ""
        return ProcessFailed(f"{self.name} ended at its start, {describe_exit(code)}{reason}")

    async def _until_serving(self) -> None:
        if self._spec.health is None:
            return
        while True:
            if await self._check(self._spec.health, _START_SECONDS):
                return
            await asyncio.sleep(_START_POLL)

    async def _end_when_hung(self) -> None:
        """NOT_SERVING is an answer: it knows what it lacks. No answer at all, again and again, is none."""
        if self._spec.health is None or self._process is None:
            return
        misses = 0
        while misses < _HEALTH_MISSES:
            await asyncio.sleep(_HEALTH_INTERVAL)
            misses = misses + 1 if await self._check(self._spec.health, _HEALTH_TIMEOUT) is None else 0
        log.error("no answer to health checks, killing", process=self.name, checks=_HEALTH_MISSES)
        self._process.kill()

    async def _check(self, address: str, timeout: float) -> bool | None:
        """True when SERVING, False when it says otherwise or cannot be asked, None without an answer."""
        try:
            opened = await self._channel(address)
        except ConfigurationError as error:  # its certificate is being exchanged, or gone
            log.warning("health cannot be asked for", process=self.name, error=error.message)
            return False
        async with opened as channel:
            try:
                return await health.serving(channel, timeout)
            except grpc.aio.AioRpcError as error:
                # To refuse a certificate is an answer: killing it would not make the certificate better.
                return False if handshake_trouble(error.details() or "", tls=True) else None

    async def _channel(self, address: str) -> grpc.aio.Channel:
        """A new one for each check, so that it knows the certificate of now."""
        if self._spec.open_health:
            return await self._spec.open_health(address, _CHANNEL_OPTIONS)
        return grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
