"""Keeps services running: starts them, starts one that ends again with backoff, stops all in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import structlog

from orchestrator.local import logfiles
from orchestrator.local.processes import ProcessFailed, describe_exit
from servicekit.backoff import Backoff
from servicekit.errors import ConfigurationError, RookifyError

log = structlog.get_logger()

# For all. Postgres, the last, may need twice its FORCE_SECONDS more, and what comes before and after half a
# second: so the whole of `rookify up` ends within 10.
STOP_SECONDS = 8.5
_STOP_RESERVE = 1.5  # of it kept for each service that is still to stop: Postgres writes a checkpoint in less
_FIRST_STARTS = 3  # a service that never came up is not going to: tell whoever started it
_RESTART = Backoff(0.25, 30.0)  # before a service is started again, by its ends in a row
_HEALTHY_SECONDS = 60.0  # having run this long, the next end is the first again
_ROTATE_INTERVAL = 10.0


class Service(Protocol):
    """What can be supervised: a Child, or the embedded Postgres."""

    name: str
    log_file: Path

    async def start(self) -> None:
        """Returns when it is ready. ConfigurationError: as set up it cannot start; else RookifyError."""

    async def wait(self) -> int:
        """Its exit code, when it has ended."""

    async def stop(self, grace: float) -> None:
        """Ends it, also one that is being started or has not been; by force past `grace` seconds."""


class Supervisor:
    """Made by `supervising`."""

    def __init__(self, tasks: asyncio.TaskGroup, notify: Callable[[str], None], backoff: Backoff) -> None:
        self._tasks = tasks
        self._notify = notify
        self._backoff = backoff
        self._services: list[Service] = []
        self._watches: list[asyncio.Task[None]] = []

    async def start(self, service: Service) -> None:
        """Returns when it is ready for the first time; from then on it is kept running."""
        ready = asyncio.Event()
        self._services.append(service)
        self._watches.append(self._tasks.create_task(self._keep(service, ready), name=service.name))
        await ready.wait()

    async def _keep(self, service: Service, ready: asyncio.Event) -> None:
        ends = 0
        while True:
            began = time.monotonic()
            try:
                await service.start()
                ready.set()
                how = describe_exit(await service.wait())
            except ConfigurationError as error:
                # What was good enough once is away for a while: a full disk, a database that restarts.
                if not ready.is_set():
                    raise
                how = error.message
            except RookifyError as error:
                how = error.message
            ends = 1 if time.monotonic() - began >= _HEALTHY_SECONDS else ends + 1
            if not ready.is_set() and ends >= _FIRST_STARTS:
                raise ProcessFailed(f"{service.name} does not start: {how} (see {service.log_file})")
            delay = self._backoff.delay(ends)
            self._notify(
                f"{service.name} ended: {how}; starting it again in {delay:.1f} s ({service.log_file})"
            )
            await asyncio.sleep(delay)

    async def rotate_logs(self) -> None:
        """Runs until cancelled."""
        while True:
            await asyncio.sleep(_ROTATE_INTERVAL)
            for service in self._services:
                await asyncio.to_thread(logfiles.rotate, service.log_file)

    def unwatch(self) -> None:
        """Nothing is started any more."""
        for watch in self._watches:
            if not watch.cancelling():  # a second cancel would cut off what cleans up after the first
                watch.cancel()

    async def stop(self) -> None:
        """The last started first; their graces end within STOP_SECONDS."""
        deadline = time.monotonic() + STOP_SECONDS
        while self._services:
            service = self._services.pop()
            left = deadline - time.monotonic() - _STOP_RESERVE * len(self._services)
            try:
                await service.stop(max(0.5, left))
            except OSError as error:  # the others are to be stopped all the same
                log.error("could not stop", service=service.name, error=str(error))  # noqa: TRY400  no defect


@asynccontextmanager
async def supervising(
    notify: Callable[[str], None], backoff: Backoff | None = None
) -> AsyncIterator[Supervisor]:
    """A Supervisor for the block; all that it started is stopped at the end, however that comes.

    A service that cannot be started at all ends the block: it is cancelled, and the error is raised from
    here inside an ExceptionGroup. `notify` takes a line for people whenever a service is started again.
    """
    supervisor: Supervisor | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            supervisor = Supervisor(tasks, notify, backoff or _RESTART)
            rotation = tasks.create_task(supervisor.rotate_logs(), name="rotate-logs")
            try:
                yield supervisor
            finally:
                rotation.cancel()
                supervisor.unwatch()
    finally:
        if supervisor is not None:
            await supervisor.stop()
