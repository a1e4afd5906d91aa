"""CompatService: the original application's endpoints. Its words in and out; every rule is SyncService's."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar
from uuid import UUID

from google.api.httpbody_pb2 import HttpBody
from google.type import date_pb2

from orchestrator.domain import Platform, TimeClass
from orchestrator.service import compat_json, validate, words
from orchestrator.service.admin_servicer import AdminServicer
from orchestrator.service.sync_servicer import SyncServicer, own_user
from orchestrator.store.rows import SyncJob
from orchestrator.store.store import Store
from rookify.compat.v1 import compat_pb2 as pb
from rookify.compat.v1 import compat_pb2_grpc
from rookify.sync.v1 import sync_pb2
from servicekit.errors import FailedPrecondition, FieldViolation, InvalidInput, NotFound

T = TypeVar("T")

_HISTORY = 100  # jobs in an answer; the original gave all of them, and nobody scrolls further
_MAX_OFFSET = 1_000_000
_GAME_TYPES = {
    str(word): value for value, word in words.TIME_CLASSES.items() if word is not TimeClass.CORRESPONDENCE
}
_RESULTS = {str(word): value for value, word in words.RESULTS.items()}
_COLORS = {str(word): value for value, word in words.COLORS.items()}
# What SyncService calls a field, and what these clients do.
_OLD_NAMES = {"from_date": "fromDate", "to_date": "toDate"}


class CompatServicer(compat_pb2_grpc.CompatServiceServicer):
    """Raises the errors of `servicekit.errors`, fields by their names here."""

    def __init__(self, store: Store, sync: SyncServicer, admin: AdminServicer) -> None:
        self._store = store
        self._sync = sync
        self._admin = admin

    async def StartSync(self, request: pb.StartSyncRequest, context: Any) -> pb.StartSyncResponse:  # noqa: N802  gRPC's
        answer = await _renamed(self._sync.StartSync(_start_request(request), context))
        return pb.StartSyncResponse(started=_body(compat_json.started(answer)))

    async def GetSyncStatus(self, request: pb.GetSyncStatusRequest, context: Any) -> pb.GetSyncStatusResponse:  # noqa: N802
        job = await self._sync.own_job(validate.uuid("sync_job_id", request.sync_job_id))
        return pb.GetSyncStatusResponse(sync_job=_body(compat_json.sync_job(job)))

    async def ListSyncJobs(self, request: pb.ListSyncJobsRequest, context: Any) -> pb.ListSyncJobsResponse:  # noqa: N802
        jobs = await self._store.list_sync_jobs(
            own_user(request.user_id), active_only=False, limit=_HISTORY, after=None
        )
        history: compat_json.History = {
            "status": "success",
            "sync_jobs": [compat_json.sync_job(job) for job in jobs],
        }
        return pb.ListSyncJobsResponse(history=_body(history))

    async def ListGames(self, request: pb.ListGamesRequest, context: Any) -> pb.ListGamesResponse:  # noqa: N802
        user_id = own_user(request.user_id)
        checks = validate.Checks()
        platform = checks.of(lambda: _platform(request.platform)) if request.platform else None
        if not 0 <= request.limit <= validate.MAX_PAGE_SIZE:
            checks.add("limit", f"{request.limit} is out of bounds; give 1 to {validate.MAX_PAGE_SIZE}")
        if not 0 <= request.offset <= _MAX_OFFSET:
            checks.add("offset", f"{request.offset} is out of bounds; give 0 to {_MAX_OFFSET}")
        checks.done()
        games = await self._store.list_games_by_offset(
            user_id,
            platform=platform,
            limit=request.limit or validate.DEFAULT_PAGE_SIZE,
            offset=request.offset,
        )
        return pb.ListGamesResponse(games=_body([compat_json.game(game) for game in games]))

    async def GetGame(self, request: pb.GetGameRequest, context: Any) -> pb.GetGameResponse:  # noqa: N802
        user_id = own_user(request.user_id)
        game_id = validate.uuid("game_id", request.game_id)
        games = await self._store.list_games_by_offset(user_id, game_analysis_id=game_id)
        if not games:
            raise NotFound(f"there is no game {game_id}")
        return pb.GetGameResponse(game=_body(compat_json.game(games[0])))

    async def CleanupStuckSyncJobs(  # noqa: N802
        self, request: pb.CleanupStuckSyncJobsRequest, context: Any
    ) -> pb.CleanupStuckSyncJobsResponse:
        answer = await self._admin.CleanupStuckSyncJobs(sync_pb2.CleanupStuckSyncJobsRequest(), context)
        jobs = await self._store.get_sync_jobs([UUID(job.id) for job in answer.stuck_jobs])
        cleaned: compat_json.CleanedUp = {
            "message": answer.message,
            "cleaned_up": answer.cleaned_up,
            "stuck_jobs": [compat_json.stuck_job(job) for job in jobs],
        }
        return pb.CleanupStuckSyncJobsResponse(cleaned=_body(cleaned))

    async def FixSpecificSyncJob(  # noqa: N802
        self, request: pb.FixSpecificSyncJobRequest, context: Any
    ) -> pb.FixSpecificSyncJobResponse:
        wanted = sync_pb2.FailSyncJobRequest(sync_job_id=request.sync_job_id)
        message, updated = "The sync job has been failed", True
        try:
            await self._admin.FailSyncJob(wanted, context)
        except FailedPrecondition as error:
            if error.reason != "SYNC_IS_OVER":
                raise
            message, updated = "The sync job is over already", False
        job = await self._job(request.sync_job_id)
        fixed: compat_json.Fixed = {"message": message, "job": compat_json.sync_job(job), "updated": updated}
        return pb.FixSpecificSyncJobResponse(fixed=_body(fixed))

    async def _job(self, job_id: str) -> SyncJob:
        """A job that the caller has just been shown to have a right to."""
        [job] = await self._store.get_sync_jobs([UUID(job_id)])
        return job


def _body(answer: object) -> HttpBody:
    return HttpBody(content_type="application/json", data=json.dumps(answer, ensure_ascii=False).encode())


async def _renamed(call: Awaitable[T]) -> T:
    """The call's answer; where a field is wrong, it is named as these clients sent it."""
    try:
        return await call
    except InvalidInput as error:
        raise InvalidInput(
            *(FieldViolation(_OLD_NAMES.get(v.field, v.field), v.description) for v in error.violations),
            reason=error.reason,
        ) from None


def _start_request(request: pb.StartSyncRequest) -> sync_pb2.StartSyncRequest:
    """Raises InvalidInput for words that are not known."""
    checks = validate.Checks()
    platform = checks.of(lambda: _platform(request.platform))
    from_date = checks.of(lambda: _day("fromDate", request.from_date))
    to_date = checks.of(lambda: _day("toDate", request.to_date))
    chosen = sync_pb2.GameFilter(
        time_classes=_known(checks, "game_types", request.game_types, _GAME_TYPES),
        results=_known(checks, "results", request.results, _RESULTS),
        colors=_known(checks, "colors", request.colors, _COLORS),
    )
    checks.done()
    assert platform is not None  # noqa: S101  what done() promises
    return sync_pb2.StartSyncRequest(
        user_id=request.user_id,
        platform=words.PLATFORM_VALUES[platform],
        username=request.username,
        months=request.months,
        from_date=from_date,
        to_date=to_date,
        filter=chosen,
        lichess_token=request.lichess_token,
    )


def _platform(text: str) -> Platform:
    try:
        return Platform(text)
    except ValueError:
        raise InvalidInput.of(
            "platform", f"{text[:40]!r} is not supported; give chess.com or lichess"
        ) from None


def _day(field: str, text: str) -> date_pb2.Date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise InvalidInput.of(field, f"{text[:40]!r} is not a day; write it as 2024-03-31") from None
    return date_pb2.Date(year=day.year, month=day.month, day=day.day)


def _known(checks: validate.Checks, field: str, given: Sequence[str], known: Mapping[str, int]) -> list[Any]:
    """The contract's values; the fields of the message are typed by enum, hence Any."""
    if not checks.few(field, given):
        return []
    for index, word in enumerate(given):
        if word not in known:
            checks.add(f"{field}[{index}]", f"{word[:40]!r} is none of {', '.join(known)}")
    return [known[word] for word in given if word in known]
