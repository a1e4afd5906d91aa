"""Drives every WatchSync of a replica: one listener and one batched read, however many watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from uuid import UUID

import structlog

from orchestrator.store.rows import SyncJob
from orchestrator.store.store import Store
from orchestrator.store.transport import Change
from servicekit.errors import NotFound, Unavailable

log = structlog.get_logger()

# Changes of this long are read together: far below the quarter of a second that watchers may wait.
_GATHER_SECONDS = 0.03
# Watched jobs are read this often whatever happens, in case a notification was lost.
_RECHECK_SECONDS = 5.0


class _Watched:
    """The latest state of one job, and an event for each new one. Readers skip what they are too slow for."""

    def __init__(self) -> None:
        self.job: SyncJob | None = None
        self.changed = asyncio.Event()
        self.watchers = 0

    def set(self, job: SyncJob) -> None:
        if self.job is None or job.revision > self.job.revision:
            self.job = job
            self.changed.set()
            self.changed = asyncio.Event()


class Hub:
    """Run `run` for as long as there are watchers. `listeners` hear of every change, the runner for one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._watched: dict[UUID, _Watched] = {}
        self._dirty: set[UUID] = set()
        self._woken = asyncio.Event()
        self._closing = False
        self.listeners: list[Callable[[Change], None]] = []

    @property
    def watchers(self) -> int:
        return sum(watched.watchers for watched in self._watched.values())

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._read())

    async def watch(self, sync_job_id: UUID) -> AsyncIterator[SyncJob]:
        """The current state at once, then each newer one there is time for, last the terminal one.

        Raises NotFound, and Unavailable from the moment the process stops.
        """
        watched = self._watched.setdefault(sync_job_id, _Watched())
        watched.watchers += 1
        try:
            # Read after registering: a change in between is heard of.
            jobs = await self._store.get_sync_jobs([sync_job_id])
            if not jobs:
                raise NotFound(f"there is no sync job {sync_job_id}")
            watched.set(jobs[0])
            seen = 0
            while True:
                changed, job = watched.changed, watched.job
                assert job is not None  # noqa: S101  set above, never unset
                if job.revision > seen:
                    seen = job.revision
                    yield job
                    if job.status.terminal:
                        return
                elif self._closing:
                    raise Unavailable(
                        "this server is stopping; watch again, with the resume_token", reason="STOPPING"
                    )
                else:
                    await changed.wait()
        finally:
            watched.watchers -= 1
            if watched.watchers == 0:
                self._watched.pop(sync_job_id, None)

    def close(self) -> None:
        """Sends every watcher to another replica, so that a stop need not wait for jobs to end."""
        self._closing = True
        for watched in self._watched.values():
            watched.changed.set()

    async def _listen(self) -> None:
        async for change in self._store.changes():
            for listener in self.listeners:
                listener(change)
            if change.sync_job_id is None:
                self._dirty.update(self._watched)
            elif change.sync_job_id in self._watched:
                self._dirty.add(change.sync_job_id)
            if self._dirty:
                self._woken.set()

    async def _read(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_RECHECK_SECONDS):
                    await self._woken.wait()
            if not self._woken.is_set():
                self._dirty.update(self._watched)
            await asyncio.sleep(_GATHER_SECONDS)
            self._woken.clear()
            ids, self._dirty = self._dirty & self._watched.keys(), set()
            if not ids:
                continue
            try:
                jobs = await self._store.get_sync_jobs(list(ids))
            except Unavailable as error:
                log.warning("watched jobs could not be read", error=error.message)
                self._dirty |= ids
                self._woken.set()
                continue
            for job in jobs:
                if watched := self._watched.get(job.id):
                    watched.set(job)
