"""The life of sync jobs in the compliance guide's words: whoever works a job moves and ends it by this.

A job is moved only by who holds its lease: who created it here or claimed it here, until it ends, is released
or is lost (then another worker goes on with it, and this one can write nothing more). The counters are
nobody's to set: they follow the games that are recorded. All of it is enforced by the database.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID, uuid4

from orchestrator import metrics
from orchestrator.domain import Platform, PlatformGame, SyncStatus
from orchestrator.platforms.usernames import validate_username
from orchestrator.platforms.window import window_of_months
from orchestrator.store.rows import Claim, Limits, NewSync, PageKey, QueuedGame, SyncJob
from orchestrator.store.store import Store
from orchestrator.sync.leases import Leases
from servicekit.errors import FailedPrecondition, InvalidInput, NotFound, RookifyError, StaleLease

MAX_TAKEOVERS = 5  # of one job: then it is the job that kills its workers
_PAGE = 500  # jobs read at a time: below the 1000 rows that a Supabase project returns at most

Word = TypeVar("Word", bound=StrEnum)


class ProgressNotRecorded(FailedPrecondition):
    """More progress is claimed for a job than its recorded games show."""

    default_reason = "PROGRESS_NOT_RECORDED"


class SyncJobManager:
    """A job is named by its id, or by the Claim that a worker got: then by that very lease and no later one.

    `leases.keep` must run beside the work. Methods raise what the store raises, and StaleLease where this
    process does not hold the job.
    """

    def __init__(
        self, store: Store, limits: Limits, *, lease: timedelta, max_months: int, max_games: int
    ) -> None:
        self.leases = Leases(store, lease)
        self._store = store
        self._limits = limits
        self._max_months = max_months
        self._max_games = max_games

    # The guide's

    async def create_sync_job(
        self,
        user_id: UUID | str,
        platform: Platform | str,
        username: str = "",
        months_requested: int = 1,
    ) -> SyncJob:
        """A new job, held by this process. `username` empty: the one in the user's profile.

        Raises AlreadyExists, QuotaExceeded, NotFound (no such user), or InvalidInput.
        """
        new = self._new_sync(user_id, platform, username, months_requested)
        claim = await self._store.start_held_sync_job(
            new, self._limits, self.leases.owner, self.leases.length, uuid4()
        )
        self.leases.hold(claim)
        return claim.job

    async def update_sync_job_status(
        self, sync_job_id: UUID | str | Claim, status: SyncStatus | str, error: str | None = None
    ) -> SyncJob:
        """pending → fetching → analyzing → completed, or failed with its `error`, or cancelled.

        Cancelling needs no lease. Raises FailedPrecondition for a step that is not allowed, such as
        `completed` while a game is open. The status that it has already changes nothing.
        """
        step = _word("status", SyncStatus, status)
        if step is SyncStatus.CANCELLED:
            return await self._store.cancel_sync_job(_id(sync_job_id), None)
        if step is SyncStatus.FAILED and not error:
            raise InvalidInput.of("error", "is empty; a failed job says why, in a sentence for the player")
        claim = self._claim(sync_job_id)
        try:
            job = await self._store.advance_sync_job(claim, step, error)
        except StaleLease:
            self.leases.let_go(claim)
            job = await self.get_sync_job(claim.job.id)
            # If only the answer to this very step was lost: it was taken, and the lease went with it.
            if not (step.terminal and (job.status, job.error) == (step, error)):
                raise
        metrics.job_moved(job.id, job.platform, job.status, over=job.status.terminal)
        if job.status.terminal:
            self.leases.let_go(claim)
        return job

    async def update_sync_job_progress(
        self,
        sync_job_id: UUID | str | Claim,
        games_found: int | None = None,
        games_analyzed: int | None = None,
    ) -> SyncJob:
        """Checks the caller's count against the games recorded, and renews the lease; the job as it stands.

        The counters rise by `record_games` and `record_analyses` alone, so that a counter is never a claim.
        Raises ProgressNotRecorded where the caller counts more; fewer is only old news.
        """
        claim = self._claim(sync_job_id)
        await self.leases.renew(claim)
        job = await self.get_sync_job(claim.job.id)
        for name, told, recorded in (
            ("games_found", games_found, job.games_found),
            ("games_analyzed", games_analyzed, job.games_analyzed),
        ):
            if told is not None and told < 0:
                raise InvalidInput.of(name, f"{told} is below zero")
            if told is not None and told > recorded:
                raise ProgressNotRecorded(
                    f"{name} of sync job {job.id} is {recorded} and cannot be set to {told}: it counts the "
                    "games given to record_games and record_analyses",
                    metadata={"sync_job_id": str(job.id), name: str(recorded)},
                )
        return job

    async def get_sync_job(self, sync_job_id: UUID | str) -> SyncJob:
        """Raises NotFound."""
        job_id = _id(sync_job_id)
        for job in await self._store.get_sync_jobs([job_id]):
            return job
        raise NotFound(f"there is no sync job {job_id}")

    async def get_user_sync_jobs(self, user_id: UUID | str) -> list[SyncJob]:
        """All of the user's, newest first."""
        return await self._all(_uuid("user_id", user_id), active_only=False)

    async def get_active_sync_jobs(self) -> list[SyncJob]:
        """All users' jobs that are pending, fetching or analyzing, newest first."""
        return await self._all(None, active_only=True)

    # A worker's

    async def claim_sync_job(self, besides: Collection[UUID] = ()) -> Claim | None:
        """A waiting job, or one whose worker was lost, now the caller's to work; None where there is none."""
        held = {*besides, *(claim.job.id for claim in self.leases.claims)}
        claim = await self._store.claim_sync_job(
            self.leases.owner, self.leases.length, MAX_TAKEOVERS, list(held)
        )
        if claim:
            self.leases.hold(claim)
        return claim

    async def record_games(
        self,
        sync_job_id: UUID | str | Claim,
        games: Sequence[PlatformGame],
        excluded: Mapping[str, int] | None = None,
        cursor: Mapping[str, Any] | None = None,
    ) -> SyncJob:
        """Stores games found, newest first, while the job is fetching; `games_found` rises with them.

        `excluded` counts games left out, by reason. `cursor` is for the platform's client alone, to go on
        behind this page: without it another worker begins anew, and finds these games stored.
        """
        claim = self._claim(sync_job_id)
        return await self._store.record_games(
            claim, games, excluded or {}, cursor, self._limits.games_per_day
        )

    async def take_games(
        self, sync_job_id: UUID | str | Claim, after_ordinal: int = 0, limit: int = 25
    ) -> list[QueuedGame]:
        """The next games without an analysis, newest first."""
        return await self._store.take_games(self._claim(sync_job_id), after_ordinal, limit)

    async def record_analyses(
        self, sync_job_id: UUID | str | Claim, results: Sequence[Mapping[str, Any]]
    ) -> SyncJob:
        """Writes how games ended, while the job is analyzing: by game_id, the columns of `game_analyses`, or
        `failure` and `failure_message`. `games_analyzed` and `games_failed` rise with them."""
        return await self._store.record_analyses(self._claim(sync_job_id), results)

    async def note_sync_job(self, sync_job_id: UUID | str | Claim, notice: str) -> SyncJob:
        """Says in the job's `error` what it waits for, until its status changes; '' takes it back."""
        return await self._store.note_sync_job(self._claim(sync_job_id), notice)

    async def release_sync_job(self, sync_job_id: UUID | str | Claim) -> None:
        """Gives the job back as it stands; a worker of the orchestrator goes on with it at once."""
        claim = self._claim(sync_job_id)
        self.leases.let_go(claim)
        await self._store.release_sync_job(claim)

    async def release_all(self) -> None:
        """For a process that stops. What cannot be given back is taken over when its lease has run out."""
        for claim in self.leases.claims:
            with suppress(RookifyError):
                await self.release_sync_job(claim)

    async def end_lost_jobs(self, stuck_after: timedelta) -> list[SyncJob]:
        """Fails what was taken over too often, and what made no progress for so long; the jobs ended."""
        ended = await self._store.fail_abandoned_sync_jobs(MAX_TAKEOVERS)
        return ended + await self._store.cleanup_stuck_sync_jobs(stuck_after, dry_run=False)

    # How

    def _claim(self, job: UUID | str | Claim) -> Claim:
        return job if isinstance(job, Claim) else self.leases.of(_id(job))

    def _new_sync(self, user_id: UUID | str, platform: Platform | str, username: str, months: int) -> NewSync:
        site = _word("platform", Platform, platform)
        if not 1 <= months <= self._max_months:
            raise InvalidInput.of(
                "months_requested", f"{months} is out of bounds; give 1 to {self._max_months}"
            )
        window = window_of_months(months, datetime.now(UTC).date())
        return NewSync(
            user_id=_uuid("user_id", user_id),
            platform=site,
            username=validate_username(site, username) if username else "",
            from_date=window.from_date,
            to_date=window.to_date,
            months=months,
            filter={},
            max_games=self._max_games,
            preset="standard",
            request_id=uuid4(),
            request={"platform": site.value, "username": username, "months": months},
        )

    async def _all(self, user_id: UUID | None, *, active_only: bool) -> list[SyncJob]:
        jobs: list[SyncJob] = []
        after: PageKey | None = None
        while page := await self._store.list_sync_jobs(
            user_id, active_only=active_only, limit=_PAGE, after=after
        ):
            jobs += page
            if len(page) < _PAGE:
                break
            after = PageKey(page[-1].created_at, page[-1].id)
        return jobs


def _id(job: UUID | str | Claim) -> UUID:
    return job.job.id if isinstance(job, Claim) else _uuid("sync_job_id", job)


def _uuid(field: str, value: UUID | str) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        raise InvalidInput.of(field, f"{value!r} is not a UUID") from None


def _word(field: str, kind: type[Word], value: str) -> Word:
    try:
        return kind(value)
    except ValueError:
        raise InvalidInput.of(field, f"{value!r} is none of {', '.join(kind)}") from None
