"""For code that works sync jobs of its own beside the orchestrator: the compliance guide's SyncJobManager.

    async with open_sync_job_manager() as sync_job_manager:
        sync_job = await sync_job_manager.create_sync_job(user_id, "chess.com", "player123")
        await sync_job_manager.update_sync_job_status(sync_job["id"], "fetching")

The database and the limits are those of the orchestrator's environment, and its rules hold here too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from orchestrator.quotas import limits
from orchestrator.settings import Settings, load_settings
from orchestrator.store.choice import open_transport
from orchestrator.store.store import Store
from orchestrator.sync.manager import SyncJobManager

log = structlog.get_logger()

__all__ = ["SyncJobManager", "job_manager", "open_sync_job_manager"]


@asynccontextmanager
async def open_sync_job_manager(settings: Settings | None = None) -> AsyncIterator[SyncJobManager]:
    """Holds its jobs' leases while it is open, and gives back at the end what has not ended.

    Raises ConfigurationError where the environment names no database.
    """
    settings = settings or load_settings(Settings)
    async with open_transport(settings) as transport:
        manager = job_manager(Store(transport), settings)
        heartbeat = asyncio.create_task(manager.leases.keep(), name="heartbeat")
        heartbeat.add_done_callback(_tell_of_defect)
        try:
            yield manager
        finally:
            heartbeat.cancel()
            await asyncio.gather(heartbeat, return_exceptions=True)
            await manager.release_all()


def _tell_of_defect(heartbeat: asyncio.Task[None]) -> None:
    """Without it the leases lapse, and every write is refused: that is to be understood."""
    if not heartbeat.cancelled() and (error := heartbeat.exception()):
        log.error("leases are not kept any more", exc_info=error)


def job_manager(store: Store, settings: Settings) -> SyncJobManager:
    return SyncJobManager(
        store,
        limits(settings),
        lease=timedelta(seconds=settings.lease_seconds),
        max_months=settings.max_months,
        max_games=settings.max_games_per_sync,
    )
