"""SyncService: what gateways call for users. Thin: check, ask the store, convert."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from orchestrator import metrics
from orchestrator.auth import current_caller
from orchestrator.domain import Platform
from orchestrator.hub import Hub
from orchestrator.quotas import limits, llm_budget
from orchestrator.service import convert, tokens, validate, words
from orchestrator.service.watch_limit import WatchLimit
from orchestrator.settings import Settings
from orchestrator.store.rows import PageKey, SyncJob
from orchestrator.store.store import Store
from orchestrator.token_cipher import TokenCipher
from rookify.sync.v1 import sync_pb2 as pb
from rookify.sync.v1 import sync_pb2_grpc
from servicekit.errors import InvalidInput, NotFound
from servicekit.tracing import traceparent

Row = TypeVar("Row")


class SyncServicer(sync_pb2_grpc.SyncServiceServicer):
    """Every method authenticates by the interceptor, and raises the errors of `servicekit.errors`."""

    def __init__(self, store: Store, hub: Hub, cipher: TokenCipher, settings: Settings) -> None:
        self._store = store
        self._hub = hub
        self._cipher = cipher
        self._settings = settings
        self._limits = limits(settings)
        self._watches = WatchLimit(settings.max_watches_per_user, settings.max_watches)

    async def StartSync(self, request: pb.StartSyncRequest, context: Any) -> pb.StartSyncResponse:  # noqa: N802  gRPC's
        new = validate.new_sync(request, self._settings, datetime.now(UTC))
        current_caller().require(new.user_id)
        token = request.lichess_token if new.platform is Platform.LICHESS else ""
        encrypted = self._cipher.encrypt(token) if token else None
        job = await self._store.start_sync_job(new, self._limits, encrypted, traceparent())
        return pb.StartSyncResponse(
            sync_job=convert.sync_job(job), message=f"Sync started for {job.platform}"
        )

    async def GetSyncJob(self, request: pb.GetSyncJobRequest, context: Any) -> pb.GetSyncJobResponse:  # noqa: N802
        job = await self.own_job(validate.uuid("sync_job_id", request.sync_job_id))
        return pb.GetSyncJobResponse(sync_job=convert.sync_job(job))

    async def ListSyncJobs(self, request: pb.ListSyncJobsRequest, context: Any) -> pb.ListSyncJobsResponse:  # noqa: N802
        user_id = own_user(request.user_id)
        size = validate.page_size(request.page_size)
        jobs = await self._store.list_sync_jobs(
            user_id,
            active_only=request.active_only,
            limit=size + 1,
            after=tokens.page_key(request.page_token),
        )
        page, more = jobs[:size], len(jobs) > size
        return pb.ListSyncJobsResponse(
            sync_jobs=[convert.sync_job(job) for job in page],
            next_page_token=tokens.page_token(PageKey(page[-1].created_at, page[-1].id)) if more else "",
        )

    async def WatchSync(  # noqa: N802
        self, request: pb.WatchSyncRequest, context: Any
    ) -> AsyncIterator[pb.WatchSyncResponse]:
        job_id = validate.uuid("sync_job_id", request.sync_job_id)
        ordinal = tokens.resumed_ordinal(request.resume_token, job_id)
        with self._watches.one_more(current_caller()):
            await self.own_job(job_id)
            async for message in self._watched(job_id, ordinal, include_games=request.include_games):
                yield message

    async def _watched(
        self, job_id: UUID, ordinal: int, *, include_games: bool
    ) -> AsyncIterator[pb.WatchSyncResponse]:
        """The job's changes, and its games behind the `ordinal`-th that finished."""
        news = False  # the state at the beginning is none
        async for job in self._hub.watch(job_id):
            if news:
                metrics.EVENT_DELAY.observe((datetime.now(UTC) - job.updated_at).total_seconds())
            news = True
            message = convert.sync_job(job)
            # The games that the job's counters tell of come before it.
            finished = job.games_analyzed + job.games_failed if include_games else 0
            while ordinal < finished and (games := await self._hub.finished_games(job_id, ordinal)):
                for game in games:
                    ordinal = game.finished_ordinal
                    yield pb.WatchSyncResponse(
                        sync_job=message,
                        game=convert.game_finished(game),
                        resume_token=tokens.resume_token(job_id, ordinal),
                    )
            yield pb.WatchSyncResponse(sync_job=message, resume_token=tokens.resume_token(job_id, ordinal))

    async def CancelSync(self, request: pb.CancelSyncRequest, context: Any) -> pb.CancelSyncResponse:  # noqa: N802
        job_id = validate.uuid("sync_job_id", request.sync_job_id)
        job = await self._store.cancel_sync_job(job_id, current_caller().scope)
        return pb.CancelSyncResponse(sync_job=convert.sync_job(job))

    async def GetQuota(self, request: pb.GetQuotaRequest, context: Any) -> pb.GetQuotaResponse:  # noqa: N802
        budget = llm_budget(self._settings) if self._settings.asks_llm else None
        quotas = await self._store.get_quota(own_user(request.user_id), self._limits, budget)
        bounds = {"months_per_sync": self._settings.max_months}
        if budget is not None:
            bounds |= {
                "llm_calls_per_sync": budget.calls_per_job,
                "llm_tokens_per_sync": budget.tokens_per_job,
                "llm_tokens_per_game": self._settings.llm_tokens_per_game,
            }
        return pb.GetQuotaResponse(
            quotas=[
                *(convert.quota(quota) for quota in quotas),
                *(pb.Quota(name=name, limit=limit) for name, limit in bounds.items()),
            ]
        )

    async def ListGameAnalyses(  # noqa: N802
        self, request: pb.ListGameAnalysesRequest, context: Any
    ) -> pb.ListGameAnalysesResponse:
        user_id = own_user(request.user_id)
        job_id = validate.uuid("sync_job_id", request.sync_job_id) if request.sync_job_id else None
        if job_id:
            await self._job_of(user_id, job_id)
        if request.platform and request.platform not in words.PLATFORMS:
            raise InvalidInput.of("platform", "set PLATFORM_CHESS_COM or PLATFORM_LICHESS, or leave it out")
        size = validate.page_size(request.page_size)
        rows = await self._store.list_game_analyses(
            user_id,
            job_id,
            words.PLATFORMS.get(request.platform),
            limit=size + 1,
            after=tokens.page_key(request.page_token),
        )
        page, more = rows[:size], len(rows) > size
        return pb.ListGameAnalysesResponse(
            games=[convert.game_summary(row) for row in page],
            next_page_token=tokens.page_token(PageKey(page[-1].played_at, page[-1].id)) if more else "",
        )

    async def GetGameAnalysis(  # noqa: N802
        self, request: pb.GetGameAnalysisRequest, context: Any
    ) -> pb.GetGameAnalysisResponse:
        user_id = own_user(request.user_id)
        row = await self._store.get_game_analysis(
            user_id, validate.uuid("game_analysis_id", request.game_analysis_id)
        )
        return pb.GetGameAnalysisResponse(game=convert.game_detail(row))

    async def own_job(self, job_id: UUID) -> SyncJob:
        """Another user's job is not there, as far as the caller can see."""
        return await self._job_of(current_caller().scope, job_id)

    async def _job_of(self, user_id: UUID | None, job_id: UUID) -> SyncJob:
        """The user's job; None is any user's."""
        jobs = await self._store.get_sync_jobs([job_id])
        if not jobs or (user_id is not None and jobs[0].user_id != user_id):
            raise NotFound(f"there is no sync job {job_id}")
        return jobs[0]


def own_user(text: str) -> UUID:
    """The user of that id, for whom the caller may act. Raises InvalidInput, PermissionDenied."""
    user_id = validate.uuid("user_id", text)
    current_caller().require(user_id)
    return user_id
