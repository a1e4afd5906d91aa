"""A real grpc.aio server of the public contract whose answers a test writes down beforehand.

It is what the command line's tests talk to: errors travel as the services' own rich statuses, lists come in
pages, a watch follows a script that may wait, break or fail. It holds no rules of the orchestrator.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import grpc.aio
from google.protobuf.message import Message

from rookify.sync.v1 import sync_pb2, sync_pb2_grpc
from servicekit.errors import RookifyError, Unauthenticated
from servicekit.interceptors import ErrorInterceptor
from servicekit.server import GrpcServer

# One step of a watch: something to send, to wait for, or to end with.
Step = sync_pb2.WatchSyncResponse | asyncio.Event | RookifyError | grpc.StatusCode


class ScriptedSync(sync_pb2_grpc.SyncServiceServicer, sync_pb2_grpc.SyncAdminServiceServicer):
    """`answers` holds what a method returns, by its name; lists of jobs and games are served in pages.

    `failures[method]` are raised first, one per call. `watches` are taken one per WatchSync, each a list of
    steps; past its end the stream closes with OK. `calls` is every request in order.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self.jobs: list[sync_pb2.SyncJob] = []
        self.games: list[sync_pb2.GameSummary] = []
        self.details: dict[str, sync_pb2.GameDetail] = {}
        self.answers: dict[str, Message] = {}
        self.failures: dict[str, list[RookifyError | grpc.StatusCode]] = {}
        self.watches: list[Sequence[Step]] = []
        self.calls: list[tuple[str, Any]] = []
        self.heard = asyncio.Event()  # set from the first call on
        self.silent = False  # hears every call and answers none
        self.max_page = 100

    def requests(self, method: str) -> list[Any]:
        return [request for name, request in self.calls if name == method]

    async def _heard(self, method: str, request: Message, context: Any) -> None:
        self.calls.append((method, request))
        self.heard.set()
        if self.silent:
            await asyncio.Event().wait()
        metadata = dict(context.invocation_metadata() or ())
        if metadata.get("authorization") != f"Bearer {self.token}":
            raise Unauthenticated("the token is not valid")
        if planned := self.failures.get(method):
            await self._end(planned.pop(0), context)

    @staticmethod
    async def _end(how: RookifyError | grpc.StatusCode, context: Any) -> None:
        if isinstance(how, RookifyError):
            raise how
        await context.abort(how, "scripted")

    async def _answer(self, method: str, request: Message, context: Any) -> Any:
        await self._heard(method, request, context)
        return self.answers[method]

    def _page(self, items: Sequence[Any], size: int, token: str) -> tuple[Sequence[Any], str]:
        start = int(token or 0)
        end = start + min(size or self.max_page, self.max_page)
        return items[start:end], str(end) if end < len(items) else ""

    async def StartSync(self, request: Any, context: Any) -> Any:  # noqa: N802  gRPC's name
        return await self._answer("StartSync", request, context)

    async def GetSyncJob(self, request: Any, context: Any) -> Any:  # noqa: N802  gRPC's name
        return await self._answer("GetSyncJob", request, context)

    async def ListSyncJobs(self, request: Any, context: Any) -> Any:  # noqa: N802  gRPC's name
        await self._heard("ListSyncJobs", request, context)
        page, following = self._page(self.jobs, request.page_size, request.page_token)
        return sync_pb2.ListSyncJobsResponse(sync_jobs=page, next_page_token=following)

    async def WatchSync(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802  gRPC's name
        await self._heard("WatchSync", request, context)
        for step in self.watches.pop(0):
            if isinstance(step, asyncio.Event):
                await step.wait()
            elif isinstance(step, sync_pb2.WatchSyncResponse):
                yield step
            else:
                await self._end(step, context)

    async def CancelSync(self, request: Any, context: Any) -> Any:  # noqa: N802  gRPC's name
        return await self._answer("CancelSync", request, context)

    async def GetQuota(self, request: Any, context: Any) -> Any:  # noqa: N802  gRPC's name
        return await self._answer("GetQuota", request, context)

    async def ListGameAnalyses(self, request: Any, context: Any) -> Any:  # noqa: N802  gRPC's name
        await self._heard("ListGameAnalyses", request, context)
        games = [each for each in self.games if request.sync_job_id in ("", each.sync_job_id)]
        page, following = self._page(games, request.page_size, request.page_token)
        return sync_pb2.ListGameAnalysesResponse(games=page, next_page_token=following)

    async def GetGameAnalysis(self, request: Any, context: Any) -> Any:  # noqa: N802  gRPC's name
        await self._heard("GetGameAnalysis", request, context)
        return sync_pb2.GetGameAnalysisResponse(game=self.details[request.game_analysis_id])

    async def ListActiveSyncJobs(self, request: Any, context: Any) -> Any:  # noqa: N802  gRPC's name
        await self._heard("ListActiveSyncJobs", request, context)
        page, following = self._page(self.jobs, request.page_size, request.page_token)
        return sync_pb2.ListActiveSyncJobsResponse(sync_jobs=page, next_page_token=following)

    async def CleanupStuckSyncJobs(self, request: Any, context: Any) -> Any:  # noqa: N802  gRPC's name
        return await self._answer("CleanupStuckSyncJobs", request, context)

    async def FailSyncJob(self, request: Any, context: Any) -> Any:  # noqa: N802  gRPC's name
        return await self._answer("FailSyncJob", request, context)

    async def AuditSyncJobs(self, request: Any, context: Any) -> Any:  # noqa: N802  gRPC's name
        return await self._answer("AuditSyncJobs", request, context)

    async def GetUsage(self, request: Any, context: Any) -> Any:  # noqa: N802  gRPC's name
        return await self._answer("GetUsage", request, context)


async def serve(scripted: ScriptedSync, listen: str = "127.0.0.1:0") -> tuple[GrpcServer, int]:
    """Serve it as the orchestrator serves; the server and its port."""
    server = GrpcServer(listen, interceptors=[ErrorInterceptor()])
    for add, name in (
        (sync_pb2_grpc.add_SyncServiceServicer_to_server, "rookify.sync.v1.SyncService"),
        (sync_pb2_grpc.add_SyncAdminServiceServicer_to_server, "rookify.sync.v1.SyncAdminService"),
    ):
        server.add(add, scripted, name)
    port = await server.start()
    return server, port
