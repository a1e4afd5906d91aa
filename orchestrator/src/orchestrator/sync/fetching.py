"""The first phase of a job: the platform's games of the window, page by page into the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from orchestrator.domain import Color, DateWindow, GameFilter, GameResult, TimeClass
from orchestrator.platforms.base import FetchRequest, PlatformClient
from orchestrator.store.rows import Claim, SyncJob
from orchestrator.sync.manager import SyncJobManager
from servicekit.errors import RookifyError
from servicekit.tasks import alongside

log = structlog.get_logger()


def fetch_request(claim: Claim, token: str | None, on_notice: Callable[[str | None], None]) -> FetchRequest:
    """What the job asks of its platform, from where an earlier worker left off."""
    job = claim.job
    assert job.from_date is not None  # noqa: S101  set by start_sync_job
    assert job.to_date is not None  # noqa: S101
    return FetchRequest(
        username=job.username,
        window=DateWindow(job.from_date, job.to_date),
        filter=GameFilter(
            time_classes=frozenset(map(TimeClass, job.filter.get("time_classes", ()))),
            results=frozenset(map(GameResult, job.filter.get("results", ()))),
            colors=frozenset(map(Color, job.filter.get("colors", ()))),
            rated_only=job.filter.get("rated_only", False),
        ),
        max_games=job.max_games or 0,
        already_fetched=job.games_found,
        token=token,
        cursor=claim.fetch_cursor,
        on_notice=on_notice,
    )


async def fetch_games(
    manager: SyncJobManager,
    platform: PlatformClient,
    claim: Claim,
    token: str | None,
    on_waiting: Callable[[bool], None],
) -> SyncJob:
    """Stores every page with its cursor, and says in the job where it has to wait; the job as it is then.

    `on_waiting` hears whether the platform is being waited for.

    Raises platform errors, or StaleLease.
    """
    notices: asyncio.Queue[str | None] = asyncio.Queue()
    if claim.job.error:  # what a worker before this one waited for
        notices.put_nowait(None)

    def on_notice(notice: str | None) -> None:
        notices.put_nowait(notice)
        on_waiting(notice is not None)

    async def store_pages() -> SyncJob:
        job = claim.job
        async for page in platform.fetch(fetch_request(claim, token, on_notice)):
            job = await manager.record_games(claim, page.games, page.excluded, page.cursor)
            log.debug("page stored", games=len(page.games), games_found=job.games_found)
        return job

    job = await alongside(store_pages(), _tell(manager, claim, notices))
    log.info("games fetched", games_found=job.games_found, excluded=dict(job.games_excluded))
    return job


async def _tell(manager: SyncJobManager, claim: Claim, notices: asyncio.Queue[str | None]) -> None:
    """Writes the latest notice into the job. Not being able to is no reason to stop fetching."""
    while True:
        notice = await notices.get()
        while not notices.empty():
            notice = notices.get_nowait()
        try:
            await manager.note_sync_job(claim, notice or "")
        except RookifyError as error:
            log.warning("what is waited for could not be noted", error=error.message)
