"""A job worked by hand, call by call, through the real store: as a replica elsewhere would work it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

from orchestrator.domain import SyncStatus
from orchestrator.store.postgres import PostgresTransport
from orchestrator.store.rows import Claim, SyncJob
from orchestrator.store.store import Store
from tests.support import samples
from tests.support.postgres import Database

_LEASE = timedelta(minutes=10)  # no orchestrator of the test takes the job over


class HandWorker:
    """Holds a job's lease by its `claim`. `urls` are the finished games in the order of their finishing."""

    def __init__(self, store: Store, claim: Claim, user_id: UUID) -> None:
        self.store = store
        self.user_id = user_id
        self.job_id = claim.job.id
        self.urls: list[str] = []
        self.claim = claim
        self._fetched = 0
        self._taken = 0

    async def fetch(self, games: int) -> SyncJob:
        """Finds so many games more."""
        job = self.claim.job
        while games:
            page = samples.games(min(games, 100), first=self._fetched + 1)
            job = await self.store.record_games(
                self.claim, page, {}, {"after": self._fetched}, samples.PER_DAY
            )
            self._fetched += len(page)
            games -= len(page)
        return job

    async def analyzing(self) -> None:
        await self.store.advance_sync_job(self.claim, SyncStatus.ANALYZING)

    async def finish(self, games: int) -> SyncJob:
        """The next so many games are analyzed, the fifth, tenth, … fail; in one write."""
        taken = await self.store.take_games(self.claim, self._taken, games)
        assert len(taken) == games
        self._taken = taken[-1].ordinal
        results = [
            samples.failure(game.game_id) if game.ordinal % 5 == 0 else samples.analysis(game.game_id)
            for game in taken
        ]
        job = await self.store.record_analyses(self.claim, results)
        self.urls += [game.url for game in taken]  # only once it is committed
        return job

    async def end(self, status: SyncStatus = SyncStatus.COMPLETED) -> SyncJob:
        if status is SyncStatus.CANCELLED:
            return await self.store.cancel_sync_job(self.job_id, self.user_id)
        error = None if status is SyncStatus.COMPLETED else "as the test wants it"
        return await self.store.advance_sync_job(self.claim, status, error)


@asynccontextmanager
async def hand_worker(database: Database, *, games: int = 0) -> AsyncIterator[HandWorker]:
    """With a job of a new user's, claimed and fetching; `games` > 0: found, and being analyzed.

    Begin it before any orchestrator runs on the database, or that one claims the job.
    """
    async with PostgresTransport(database.app_conninfo) as transport:
        store = Store(transport)
        user_id = await samples.new_user(store)
        await store.start_sync_job(samples.new_sync(user_id), samples.LIMITS)
        claim = await store.claim_sync_job("by hand", _LEASE, 5)
        assert claim is not None
        await store.advance_sync_job(claim, SyncStatus.FETCHING)
        worker = HandWorker(store, claim, user_id)
        if games:
            await worker.fetch(games)
            await worker.analyzing()
        yield worker
