"""What those who run the system ask of the database: figures, audit, cleaning, histories, its own state."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from orchestrator.store.caller import Caller
from orchestrator.store.rows import DatabaseReport, Finding, JobEvent, Limits, SyncJob, Usage
from orchestrator.store.transport import AsJson


class OperatorCalls(Caller):
    async def get_usage(self, since: datetime) -> Usage:
        return await self._one(Usage, "get_usage_v2", p_since=since)

    async def get_figures(self) -> dict[str, float]:
        """Active jobs by status, and how long and how much they wait: see the function."""
        return await self._one(dict[str, float], "get_figures")

    async def audit_sync_jobs(self, limits: Limits, within: timedelta | None = None) -> list[Finding]:
        """Every breach of the compliance rules, and what the original application left that fits none.

        `within`: breaches only, of active jobs and of what was started, ended or written so lately. Without
        it everything there is is read.
        """
        asked: dict[str, float] = dataclasses.asdict(limits)
        if within is not None:
            asked["within_seconds"] = within.total_seconds()
        breaches = await self._all(Finding, "audit_sync_jobs", p_limits=AsJson(asked))
        return breaches if within is not None else breaches + await self._all(Finding, "audit_adopted")

    async def cleanup_stuck_sync_jobs(self, older_than: timedelta, *, dry_run: bool) -> list[SyncJob]:
        """Those without progress for so long are failed; with `dry_run` only named."""
        return await self._all(
            SyncJob,
            "cleanup_stuck_sync_jobs",
            p_older_than_seconds=older_than.total_seconds(),
            p_dry_run=dry_run,
        )

    async def list_sync_job_events(self, sync_job_id: UUID) -> list[JobEvent]:
        """The job's history, oldest first; empty for an unknown job."""
        return await self._all(JobEvent, "list_sync_job_events", p_sync_job_id=sync_job_id)

    async def describe_database(self, functions: Sequence[str], tables: Sequence[str]) -> DatabaseReport:
        """Which migrations it has, and what of these names is there and for whom."""
        return await self._one(
            DatabaseReport, "describe_database", p_functions=list(functions), p_tables=list(tables)
        )
