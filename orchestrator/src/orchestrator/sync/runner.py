"""Claims jobs and works them: the phases, and every way in which a job can end."""

from __future__ import annotations

import asyncio
import functools
import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog

from orchestrator.domain import Platform, SyncStatus
from orchestrator.platforms.base import PlatformClient
from orchestrator.platforms.errors import PlatformError
from orchestrator.store.rows import Claim
from orchestrator.store.store import Store
from orchestrator.store.transport import WORK_WAITS, Change
from orchestrator.sync import policy
from orchestrator.sync.analyzing import Analyzers, Explainer, analyze_games
from orchestrator.sync.fetching import fetch_games
from orchestrator.sync.manager import SyncJobManager
from orchestrator.token_cipher import TokenCipher
from servicekit import tracing
from servicekit.errors import FailedPrecondition, InvalidInput, RookifyError, StaleLease, Unavailable

log = structlog.get_logger()

# A job that waits for its platform costs next to nothing: it does not take the place of one that can be
# worked, so that an outage of one platform does not stop the jobs of the other. Bounded all the same.
_WAITING_FACTOR = 10
_CLEANING_SECONDS = 60.0
_ABORT_SENTENCE = "Something went wrong on our side and the sync was stopped. Please start it again."


@dataclass(slots=True)
class _Held:
    claim: Claim
    task: asyncio.Task[None]
    waiting: bool = False  # for a platform that does not answer


class Runner:
    """`run` works jobs until `stop`; `capacity` of them at once, the rest wait in the database.

    Without an `explainer` nothing is explained.
    """

    def __init__(
        self,
        manager: SyncJobManager,
        store: Store,
        platforms: Mapping[Platform, PlatformClient],
        analyzers: Analyzers,
        cipher: TokenCipher,
        explainer: Explainer | None,
        *,
        stuck_after: timedelta,
        capacity: int,
        write_interval: float,
    ) -> None:
        self._manager = manager
        self._store = store
        self._platforms = platforms
        self._analyzers = analyzers
        self._cipher = cipher
        self._explainer = explainer
        self._stuck_after = stuck_after
        self._capacity = capacity
        self._write_interval = write_interval
        self._held: dict[UUID, _Held] = {}
        self._wake = asyncio.Event()
        self._stopping = False

    @property
    def jobs(self) -> int:
        return len(self._held)

    def on_change(self, change: Change) -> None:
        """News from the database: look for work, let go of what was cancelled or taken away."""
        if change is WORK_WAITS or change.status in ("", "pending", "released"):
            self._wake.set()
        held = self._held.get(change.sync_job_id) if change.sync_job_id else None
        if held and change.status == "cancelled":
            held.task.cancel()  # at once; whatever else takes a job away shows at the next heartbeat or write

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            heartbeat = tasks.create_task(self._manager.leases.keep(self._on_lost), name="heartbeat")
            cleaning = tasks.create_task(self._clean(), name="cleaning")
            try:
                await self._claim_jobs(tasks)
            finally:
                heartbeat.cancel()
                cleaning.cancel()

    def stop(self) -> None:
        """Claims no more, gives every job back as it stands; `run` then returns."""
        self._stopping = True
        self._wake.set()
        loop = asyncio.get_running_loop()
        for held in self._held.values():
            loop.call_soon(held.task.cancel)  # one that has not begun yet would never give its job back

    async def _claim_jobs(self, tasks: asyncio.TaskGroup) -> None:
        while not self._stopping:
            self._wake.clear()
            claim = await self._next_claim()
            if claim is None:
                # For jobs whose worker was lost: twice a lease at least, to take them over within two.
                idle = min(self._store.pace.look_interval, self._manager.leases.length.total_seconds() / 2)
                with suppress(TimeoutError):
                    async with asyncio.timeout(idle * random.uniform(0.75, 1.25)):  # noqa: S311  jitter
                        await self._wake.wait()
            else:
                task = tasks.create_task(self._work(claim), name=f"job {claim.job.id}")
                self._held[claim.job.id] = _Held(claim, task)
                task.add_done_callback(functools.partial(self._let_go, claim))

    async def _next_claim(self) -> Claim | None:
        working = sum(not held.waiting for held in self._held.values())
        if working >= self._capacity or len(self._held) >= _WAITING_FACTOR * self._capacity:
            return None
        try:
            claim = await self._manager.claim_sync_job(besides=self._held)
        except RookifyError as error:
            log.warning("no jobs can be claimed", error=error.message)
            return None
        if claim is not None and self._stopping:  # since it was asked for
            await self._release(claim)
            return None
        return claim

    def _on_lost(self, claim: Claim) -> None:
        held = self._held.get(claim.job.id)
        if held and held.claim is claim:
            held.task.cancel()

    def _let_go(self, claim: Claim, _ended: asyncio.Task[None]) -> None:
        self._manager.leases.let_go(claim)
        held = self._held.get(claim.job.id)
        if held and held.claim.lease_token == claim.lease_token:
            del self._held[claim.job.id]
        self._wake.set()

    def _set_waiting(self, claim: Claim, waiting: bool) -> None:
        if held := self._held.get(claim.job.id):
            held.waiting = waiting
            self._wake.set()

    # One job

    async def _work(self, claim: Claim) -> None:
        """Never raises: a job's trouble is its own. Cancelled at any time, it gives the job back."""
        job = claim.job
        with structlog.contextvars.bound_contextvars(job_id=str(job.id)):
            log.info("job claimed", status=job.status.value, takeovers=claim.takeovers)
            try:
                await self._to_its_end(claim)
            except asyncio.CancelledError:
                log.info("job given back", stopping=self._stopping)
                await self._release(claim)
                raise

    async def _to_its_end(self, claim: Claim) -> None:
        try:
            await self._traced(claim)
        except StaleLease:
            log.info("job is not this worker's any more")
        except (PlatformError, FailedPrecondition, InvalidInput) as error:
            await self._fail(claim, error.message)
        except Unavailable as error:
            # The database was away for longer than a worker's patience. Somebody goes on when it is back.
            log.warning("job given back", error=error.message)
            await self._release(claim)
        except Exception:
            log.exception("job stopped by a defect")
            await self._fail(claim, _ABORT_SENTENCE)

    async def _traced(self, claim: Claim) -> None:
        """The job's work as a part of the trace that started it."""
        job = claim.job
        begun = await self._store.get_traceparent(job.id) if tracing.enabled() else None
        attributes = {"rookify.job_id": str(job.id), "rookify.platform": job.platform.value}
        with tracing.continued(begun), tracing.span("sync job", attributes):
            await self._through_the_phases(claim)

    async def _through_the_phases(self, claim: Claim) -> None:
        manager, store, status = self._manager, self._store, claim.job.status
        if status == SyncStatus.PENDING:
            await manager.update_sync_job_status(claim, SyncStatus.FETCHING)
        if status in (SyncStatus.PENDING, SyncStatus.FETCHING):
            encrypted = claim.lichess_token_encrypted
            token = self._cipher.decrypt(encrypted) if encrypted else None
            platform = self._platforms[claim.job.platform]
            with tracing.span("fetch games"):
                await fetch_games(
                    manager,
                    platform,
                    claim,
                    token,
                    on_waiting=functools.partial(self._set_waiting, claim),
                )
            await manager.update_sync_job_status(claim, SyncStatus.ANALYZING)
        with tracing.span("analyze games"):
            await self._analyze(claim)
        job = await manager.get_sync_job(claim.job.id)
        failures = await store.sync_job_failures(job.id) if job.games_failed else {}
        status, error = policy.ending(job, failures)
        await manager.update_sync_job_status(claim, status, error)
        log.info(
            "job ended",
            status=status.value,
            games_found=job.games_found,
            games_analyzed=job.games_analyzed,
            games_skipped=job.games_skipped,
            games_failed=job.games_failed,
        )

    async def _analyze(self, claim: Claim) -> None:
        """Explained beside it, where explanations are wanted."""
        if self._explainer is None:
            await analyze_games(self._store, self._analyzers, claim, self._write_interval)
            return
        async with self._explainer.beside(claim) as explaining:
            await analyze_games(
                self._store, self._analyzers, claim, self._write_interval, explaining.progress
            )
            await explaining.finish()

    async def _fail(self, claim: Claim, sentence: str) -> None:
        log.warning("job failed", error=sentence)
        with suppress(RookifyError):  # lost meanwhile, or the database is away: a later worker finds out
            await self._manager.update_sync_job_status(claim, SyncStatus.FAILED, sentence)

    async def _release(self, claim: Claim) -> None:
        with suppress(RookifyError):  # the lease runs out by itself
            await asyncio.shield(self._manager.release_sync_job(claim))

    # Beside the jobs

    async def _clean(self) -> None:
        """Ends jobs that nobody can work any more; whichever replica comes first does it."""
        while True:
            try:
                for job in await self._manager.end_lost_jobs(self._stuck_after):
                    log.warning("job given up", job_id=str(job.id), error=job.error)
            except RookifyError as error:
                log.warning("jobs could not be cleaned up", error=error.message)
            await asyncio.sleep(_CLEANING_SECONDS * random.uniform(0.75, 1.25))  # noqa: S311  jitter
