"""The store: one method for each SQL function, typed on both sides. All access to the database is here."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from orchestrator.domain import Platform, PlatformGame, SyncStatus
from orchestrator.store.caller import WORK_PATIENCE, leased, parsed, portions
from orchestrator.store.moment_rows import LlmBudget
from orchestrator.store.moments import MomentCalls
from orchestrator.store.operations import OperatorCalls
from orchestrator.store.positions import PositionCalls
from orchestrator.store.rows import (
    Claim,
    FinishedGame,
    GameAnalysisRow,
    Limits,
    NewSync,
    PageKey,
    QueuedGame,
    QuotaUse,
    SyncJob,
    User,
    WholeGame,
)
from orchestrator.store.transport import AsJson, Change, Pace
from servicekit.errors import NotFound


class Store(MomentCalls, OperatorCalls, PositionCalls):
    """Raises what `Transport.call` raises."""

    def patient(self) -> Store:
        """The same store, for workers."""
        return Store(self._transport, WORK_PATIENCE)

    @property
    def pace(self) -> Pace:
        return self._transport.pace

    def changes(self) -> AsyncGenerator[Change, None]:
        return self._transport.changes()

    def set_watched(self, sync_job_ids: Collection[UUID]) -> None:
        """The jobs whose changes are waited for by somebody who sees it when they come late."""
        self._transport.set_watched(sync_job_ids)

    @staticmethod
    def job_of(change: Change) -> SyncJob | None:
        """The job as it is now, where the change brings it along."""
        return parsed(SyncJob, change.job) if change.job is not None else None

    # The life of a job

    async def start_sync_job(
        self, new: NewSync, limits: Limits, encrypted_token: str | None = None, traceparent: str | None = None
    ) -> SyncJob:
        """Raises AlreadyExists, QuotaExceeded, InvalidInput, or NotFound for an unknown user."""
        asked = {**_asked(new, limits), "p_lichess_token_encrypted": encrypted_token}
        if traceparent:
            return await self._one(SyncJob, "start_traced_sync_job", **asked, p_traceparent=traceparent)
        return await self._one(SyncJob, "start_sync_job", **asked)

    async def get_traceparent(self, sync_job_id: UUID) -> str | None:
        """The trace that the job was started in."""
        return next(iter(await self._call("get_traceparent", p_sync_job_id=sync_job_id)), None)

    async def start_held_sync_job(
        self, new: NewSync, limits: Limits, owner: str, lease: timedelta, lease_token: UUID
    ) -> Claim:
        """The same, and the job is the caller's to work, by a lease token of its own choice."""
        row = await self._one(
            dict[str, Any],
            "start_held_sync_job",
            **_asked(new, limits),
            p_owner=owner,
            p_lease_seconds=lease.total_seconds(),
            p_lease_token=lease_token,
        )
        return parsed(Claim, {**row, "job": row})

    async def claim_sync_job(
        self, owner: str, lease: timedelta, max_takeovers: int, held: Sequence[UUID] = ()
    ) -> Claim | None:
        """A job to work on, other than those held already; None where none waits."""
        rows = await self._call(
            "claim_sync_job",
            p_owner=owner,
            p_lease_seconds=lease.total_seconds(),
            p_max_takeovers=max_takeovers,
            p_held=list(held),
        )
        return parsed(Claim, {**rows[0], "job": rows[0]}) if rows else None

    async def fail_abandoned_sync_jobs(self, max_takeovers: int) -> list[SyncJob]:
        return await self._all(SyncJob, "fail_abandoned_sync_jobs", p_max_takeovers=max_takeovers)

    async def renew_leases(self, claims: Sequence[Claim], lease: timedelta) -> set[UUID]:
        """The ids of the jobs whose leases are still held."""
        held: set[UUID] = set()
        for some in portions(claims):
            leases = [{"sync_job_id": str(c.job.id), "lease_token": str(c.lease_token)} for c in some]
            held.update(
                await self._all(
                    UUID, "renew_leases", p_leases=AsJson(leases), p_lease_seconds=lease.total_seconds()
                )
            )
        return held

    async def release_sync_job(self, claim: Claim) -> None:
        await self._call("release_sync_job", **leased(claim))

    async def advance_sync_job(self, claim: Claim, status: SyncStatus, error: str | None = None) -> SyncJob:
        return await self._one(
            SyncJob, "advance_sync_job", **leased(claim), p_status=status.value, p_error=error
        )

    async def note_sync_job(self, claim: Claim, notice: str) -> SyncJob:
        """Says in the job's `error` what it waits for; an empty notice takes it back."""
        return await self._one(SyncJob, "note_sync_job", **leased(claim), p_notice=notice)

    async def cancel_sync_job(self, sync_job_id: UUID, user_id: UUID | None) -> SyncJob:
        return await self._one(SyncJob, "cancel_sync_job", p_sync_job_id=sync_job_id, p_user_id=user_id)

    async def fail_sync_job(self, sync_job_id: UUID, reason: str) -> SyncJob:
        return await self._one(SyncJob, "fail_sync_job", p_sync_job_id=sync_job_id, p_reason=reason)

    # What a worker writes

    async def record_games(
        self,
        claim: Claim,
        games: Sequence[PlatformGame],
        excluded: Mapping[str, int],
        cursor: Mapping[str, Any] | None,
        games_per_day: int,
    ) -> SyncJob:
        """Games beyond the user's `games_per_day` are left out, and counted as excluded for it.

        A page with the cursor of the last one is that page again; one without is looked at game by game.
        """
        return await self._one(
            SyncJob,
            "record_games",
            **leased(claim),
            p_games=AsJson([_game_json(game) for game in games]),
            p_excluded=AsJson(dict(excluded)),
            p_fetch_cursor=None if cursor is None else AsJson(dict(cursor)),
            p_games_per_day=games_per_day,
        )

    async def take_games(self, claim: Claim, after_ordinal: int, limit: int) -> list[QueuedGame]:
        return await self._all(
            QueuedGame, "take_games", **leased(claim), p_after_ordinal=after_ordinal, p_limit=limit
        )

    async def record_analyses(self, claim: Claim, results: Sequence[Mapping[str, Any]]) -> SyncJob:
        """`results` as the function's comment says: columns of game_analyses, or a failure."""
        return await self._one(
            SyncJob, "record_analyses", **leased(claim), p_results=AsJson([dict(r) for r in results])
        )

    # What is read

    async def get_user(self, user_id: UUID) -> User | None:
        rows = await self._call("get_user", p_user_id=user_id)
        return parsed(User, rows[0]) if rows and rows[0] is not None else None

    async def ensure_user(self, user_id: UUID) -> None:
        await self._call("ensure_user", p_user_id=user_id)

    async def get_sync_jobs(self, sync_job_ids: Sequence[UUID]) -> list[SyncJob]:
        return [
            job
            for ids in portions(sync_job_ids)
            for job in await self._all(SyncJob, "get_sync_jobs", p_sync_job_ids=list(ids))
        ]

    async def list_sync_jobs(
        self, user_id: UUID | None, *, active_only: bool, limit: int, after: PageKey | None
    ) -> list[SyncJob]:
        return await self._all(
            SyncJob,
            "list_sync_jobs",
            p_user_id=user_id,
            p_active_only=active_only,
            p_limit=limit,
            **_behind(after),
        )

    async def sync_job_failures(self, sync_job_id: UUID) -> dict[str, int]:
        """How many games failed, by reason."""
        return await self._one(dict[str, int], "sync_job_failures", p_sync_job_id=sync_job_id)

    async def list_finished_games(self, sync_job_id: UUID, after: int, limit: int) -> list[FinishedGame]:
        return await self._all(
            FinishedGame, "list_finished_games", p_sync_job_id=sync_job_id, p_after=after, p_limit=limit
        )

    async def list_game_analyses(
        self,
        user_id: UUID,
        sync_job_id: UUID | None,
        platform: Platform | None,
        *,
        limit: int,
        after: PageKey | None,
    ) -> list[GameAnalysisRow]:
        return await self._all(
            GameAnalysisRow,
            "list_game_analyses",
            p_user_id=user_id,
            p_sync_job_id=sync_job_id,
            p_platform=platform.value if platform else None,
            p_limit=limit,
            **_behind(after),
        )

    async def get_game_analysis(self, user_id: UUID, game_analysis_id: UUID) -> GameAnalysisRow:
        """Raises NotFound."""
        rows = await self._all(
            GameAnalysisRow, "get_game_analysis", p_user_id=user_id, p_game_analysis_id=game_analysis_id
        )
        if not rows:
            raise NotFound(f"there is no analysis {game_analysis_id}")
        return rows[0]

    async def list_games_by_offset(
        self,
        user_id: UUID,
        *,
        game_analysis_id: UUID | None = None,
        platform: Platform | None = None,
        limit: int = 1,
        offset: int = 0,
    ) -> list[WholeGame]:
        return await self._all(
            WholeGame,
            "list_games_by_offset",
            p_user_id=user_id,
            p_game_analysis_id=game_analysis_id,
            p_platform=platform.value if platform else None,
            p_limit=limit,
            p_offset=offset,
        )

    async def get_quota(
        self, user_id: UUID, limits: Limits, budget: LlmBudget | None = None
    ) -> list[QuotaUse]:
        """With the day's part of the LLM's budget where that is given."""
        every = dataclasses.asdict(limits)
        if budget is not None:
            every |= {
                "llm_calls_per_day": budget.calls_per_day,
                "llm_tokens_per_day": budget.tokens_per_day,
            }
        return await self._all(QuotaUse, "get_quota_v2", p_user_id=user_id, p_limits=AsJson(every))


def _asked(new: NewSync, limits: Limits) -> dict[str, Any]:
    """The parameters of a start."""
    return {
        "p_user_id": new.user_id,
        "p_platform": new.platform.value,
        "p_username": new.username,
        "p_from_date": new.from_date,
        "p_to_date": new.to_date,
        "p_months": new.months,
        "p_filter": AsJson(dict(new.filter)),
        "p_max_games": new.max_games,
        "p_preset": new.preset,
        "p_request_id": new.request_id,
        "p_request": AsJson(dict(new.request)),
        "p_limits": AsJson(dataclasses.asdict(limits)),
    }


def _behind(key: PageKey | None) -> dict[str, Any]:
    return {"p_before_time": key.time if key else None, "p_before_id": key.id if key else None}


def _game_json(game: PlatformGame) -> dict[str, Any]:
    row = dataclasses.asdict(game)
    del row["platform"]  # the job's
    # Postgres stores no NUL; one in a PGN is left for the analyzer to refuse by name, as U+FFFD.
    return {
        key: value.replace("\x00", "\ufffd") if isinstance(value, str) else value
        for key, value in row.items()
    } | {"played_at": game.played_at.isoformat()}
