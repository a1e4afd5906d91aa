"""What several commands ask an orchestrator: lists over all pages, and whole ids for typed beginnings."""

from __future__ import annotations

from collections.abc import AsyncIterator

from orchestrator.cli.client import PAGE_SIZE, Client, full_id, pages
from rookify.sync.v1 import sync_pb2


async def sync_jobs(
    client: Client, user_id: str, *, active_only: bool = False, page_size: int = PAGE_SIZE
) -> AsyncIterator[sync_pb2.ListSyncJobsResponse]:
    """The user's jobs, page by page, newest first."""

    async def fetch(token: str) -> sync_pb2.ListSyncJobsResponse:
        request = sync_pb2.ListSyncJobsRequest(
            user_id=user_id, active_only=active_only, page_size=page_size, page_token=token
        )
        return await client.call(client.sync.ListSyncJobs, request)

    async for page in pages(fetch):
        yield page


async def games(
    client: Client,
    user_id: str,
    *,
    job_id: str = "",
    platform: sync_pb2.Platform.ValueType = sync_pb2.PLATFORM_UNSPECIFIED,
    limit: int = 0,
) -> AsyncIterator[sync_pb2.GameSummary]:
    """The user's analyzed games, newest first; at most `limit` unless that is 0."""

    async def fetch(token: str) -> sync_pb2.ListGameAnalysesResponse:
        request = sync_pb2.ListGameAnalysesRequest(
            user_id=user_id,
            sync_job_id=job_id,
            page_size=min(limit, PAGE_SIZE) if limit else PAGE_SIZE,
            page_token=token,
            platform=platform,
        )
        return await client.call(client.sync.ListGameAnalyses, request)

    given = 0
    async for page in pages(fetch):
        for game in page.games:
            yield game
            given += 1
            if given == limit:
                return


async def whole_job_id(client: Client, typed: str, user_id: str | None = None) -> str:
    """The id of the user's job that begins as typed."""

    async def known() -> AsyncIterator[str]:
        async for page in sync_jobs(client, client.user(user_id)):
            for job in page.sync_jobs:
                yield job.id

    return await full_id(typed, "sync of yours", known())


async def whole_game_id(client: Client, typed: str, user_id: str | None = None) -> str:
    """The id of the user's analyzed game that begins as typed."""

    async def known() -> AsyncIterator[str]:
        async for game in games(client, client.user(user_id)):
            yield game.id

    return await full_id(typed, "analyzed game of yours", known())
