"""SyncAdminService: for operators. Every call needs the service role, or a user whose row has is_admin."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from orchestrator.auth import current_caller
from orchestrator.quotas import limits
from orchestrator.service import convert, tokens, validate
from orchestrator.settings import Settings
from orchestrator.store.rows import PageKey
from orchestrator.store.store import Store
from rookify.sync.v1 import sync_pb2 as pb
from rookify.sync.v1 import sync_pb2_grpc
from servicekit.errors import PermissionDenied

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class AdminServicer(sync_pb2_grpc.SyncAdminServiceServicer):
    """Raises the errors of `servicekit.errors`."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._limits = limits(settings)

    async def ListActiveSyncJobs(  # noqa: N802  gRPC's
        self, request: pb.ListActiveSyncJobsRequest, context: Any
    ) -> pb.ListActiveSyncJobsResponse:
        await self._require_admin()
        user_id = validate.uuid("user_id", request.user_id) if request.user_id else None
        size = validate.page_size(request.page_size)
        jobs = await self._store.list_sync_jobs(
            user_id, active_only=True, limit=size + 1, after=tokens.page_key(request.page_token)
        )
        page, more = jobs[:size], len(jobs) > size
        return pb.ListActiveSyncJobsResponse(
            sync_jobs=[convert.sync_job(job) for job in page],
            next_page_token=tokens.page_token(PageKey(page[-1].created_at, page[-1].id)) if more else "",
        )

    async def CleanupStuckSyncJobs(  # noqa: N802
        self, request: pb.CleanupStuckSyncJobsRequest, context: Any
    ) -> pb.CleanupStuckSyncJobsResponse:
        await self._require_admin()
        jobs = await self._store.cleanup_stuck_sync_jobs(
            validate.older_than(request, self._settings), dry_run=request.dry_run
        )
        verb = "would be failed" if request.dry_run else "failed"
        return pb.CleanupStuckSyncJobsResponse(
            cleaned_up=0 if request.dry_run else len(jobs),
            stuck_jobs=[convert.sync_job(job) for job in jobs],
            message=f"{len(jobs)} stuck sync job{'' if len(jobs) == 1 else 's'} {verb}",
        )

    async def FailSyncJob(self, request: pb.FailSyncJobRequest, context: Any) -> pb.FailSyncJobResponse:  # noqa: N802
        await self._require_admin()
        job_id = validate.uuid("sync_job_id", request.sync_job_id)
        job = await self._store.fail_sync_job(job_id, validate.reason(request.reason))
        return pb.FailSyncJobResponse(sync_job=convert.sync_job(job))

    async def AuditSyncJobs(self, request: pb.AuditSyncJobsRequest, context: Any) -> pb.AuditSyncJobsResponse:  # noqa: N802
        await self._require_admin()
        findings = await self._store.audit_sync_jobs(self._limits)
        return pb.AuditSyncJobsResponse(findings=[convert.finding(found) for found in findings])

    async def GetUsage(self, request: pb.GetUsageRequest, context: Any) -> pb.GetUsageResponse:  # noqa: N802
        await self._require_admin()
        since = request.since.ToDatetime(UTC) if request.HasField("since") else _EPOCH
        usage = await self._store.get_usage(since)
        return pb.GetUsageResponse(
            jobs_started=usage.jobs_started,
            jobs_completed=usage.jobs_completed,
            jobs_failed=usage.jobs_failed,
            games_analyzed=usage.games_analyzed,
            engine_nodes=usage.engine_nodes,
            moments_explained=usage.moments_explained,
            llm_calls=usage.llm_calls,
            llm_calls_saved=max(0, usage.moves_analyzed - usage.llm_calls),
            llm_input_tokens=usage.llm_input_tokens,
            llm_output_tokens=usage.llm_output_tokens,
        )

    async def _require_admin(self) -> None:
        caller = current_caller()
        if caller.is_service:
            return
        user = await self._store.get_user(caller.user_id) if caller.user_id else None
        if user is None or not user.is_admin:
            raise PermissionDenied(
                "this needs the service role, or a user with is_admin", reason="NOT_AN_ADMIN"
            )
