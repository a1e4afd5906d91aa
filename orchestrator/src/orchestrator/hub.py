"""Drives every WatchSync of a replica: one listener and one batched read, however many watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from uuid import UUID

import structlog

from orchestrator.store.rows import FinishedGame, SyncJob
from orchestrator.store.store import Store
from orchestrator.store.transport import WORK_WAITS, Change
from servicekit.errors import NotFound, RookifyError, Unavailable

log = structlog.get_logger()

# Changes of this long are read together: far below the quarter of a second that watchers may wait.
_GATHER_SECONDS = 0.03
# Watched jobs are read this often whatever happens, in case a notification was lost.
_RECHECK_SECONDS = 5.0
# Finished games read at a time: tens of kilobytes.
_GAMES_PER_READ = 100
# The last of them are kept for each watched job, so that its watchers share a read: two writes' worth, 30 KB.
_TAIL = 50


class _Watched:
    """The latest state of one job, and an event for each new one. Readers skip what they are too slow for.

    `tail` are the games that finished last, as far as they have been read: without a gap, a few of them.
    """

    def __init__(self) -> None:
        self.job: SyncJob | None = None
        self.changed = asyncio.Event()
        self.gone = False  # with its user
        self.watchers = 0
        self.tail: list[FinishedGame] = []
        self.reading = asyncio.Lock()

    def set(self, job: SyncJob) -> None:
        if self.job is None or job.revision > self.job.revision:
            self.job = job
            self.changed.set()
            self.changed = asyncio.Event()

    def lose(self) -> None:
        """The job is not there any more, and never will be again."""
        self.gone = True
        self.changed.set()

    def finished_after(self, ordinal: int) -> list[FinishedGame]:
        """Of the tail, where it begins there; else none."""
        if not self.tail or ordinal + 1 < self.tail[0].finished_ordinal:
            return []
        return self.tail[ordinal + 1 - self.tail[0].finished_ordinal :]

    def extend(self, games: list[FinishedGame]) -> None:
        """With games read from the database, where they are newer than the tail."""
        last = self.tail[-1].finished_ordinal if self.tail else 0
        newer = [game for game in games if game.finished_ordinal > last]
        if newer and newer[0].finished_ordinal > last + 1:
            self.tail = []
        self.tail = (self.tail + newer)[-_TAIL:]


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

    async def watch(self, sync_job_id: UUID) -> AsyncGenerator[SyncJob, None]:
        """The current state at once, then each newer one there is time for, last the terminal one.

        Raises NotFound, also where the job is deleted meanwhile, and Unavailable from the moment the process
        stops.
        """
        watched = self._watched.setdefault(sync_job_id, _Watched())
        watched.watchers += 1
        self._store.set_watched(self._watched)
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
                elif watched.gone:
                    raise NotFound(f"sync job {sync_job_id} has been deleted")
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
                self._store.set_watched(self._watched)

    async def finished_games(self, sync_job_id: UUID, after: int) -> list[FinishedGame]:
        """The next of a watched job's games that finished behind the `after`-th, in order; none: no more.

        Watchers are mostly equally far, and share one read of the database.
        """
        watched = self._watched[sync_job_id]
        if watched.tail and after + 1 < watched.tail[0].finished_ordinal:  # far behind: it catches up alone
            return await self._store.list_finished_games(sync_job_id, after, _GAMES_PER_READ)
        async with watched.reading:
            if games := watched.finished_after(after):
                return games
            games = await self._store.list_finished_games(sync_job_id, after, _GAMES_PER_READ)
            watched.extend(games)
            return games

    def close(self) -> None:
        """Sends every watcher to another replica, so that a stop need not wait for jobs to end."""
        self._closing = True
        for watched in self._watched.values():
            watched.changed.set()

    async def _listen(self) -> None:
        async for change in self._store.changes():
            for listener in self.listeners:
                listener(change)
            if change is WORK_WAITS:
                continue
            if change.sync_job_id is None:
                self._dirty.update(self._watched)
            elif watched := self._watched.get(change.sync_job_id):
                if job := self._store.job_of(change):
                    watched.set(job)
                else:
                    self._dirty.add(change.sync_job_id)
            if self._dirty:
                self._woken.set()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        recheck = loop.time() + _RECHECK_SECONDS
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(recheck):
                    await self._woken.wait()
            if loop.time() >= recheck:
                self._dirty.update(self._watched)
                recheck = loop.time() + _RECHECK_SECONDS
            await asyncio.sleep(_GATHER_SECONDS)
            self._woken.clear()
            ids, self._dirty = self._dirty & self._watched.keys(), set()
            if not ids:
                continue
            try:
                jobs = await self._store.get_sync_jobs(list(ids))
            except RookifyError as error:
                log.warning("watched jobs could not be read", error=error.message)
                self._dirty |= ids
                self._woken.set()
                continue
            for job in jobs:
                if watched := self._watched.get(job.id):
                    watched.set(job)
            # Nobody tells of a deleted job: it is missing at the next look at all that are watched.
            for missing in ids - {job.id for job in jobs}:
                if watched := self._watched.get(missing):
                    watched.lose()
