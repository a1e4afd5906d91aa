"""`rookify jobs --history`: read from the database itself, since it is for those who run the system."""

from __future__ import annotations

import asyncio
from uuid import UUID

from orchestrator.cli.arguments import parse_uuid
from orchestrator.cli.client import full_id
from orchestrator.cli.grid import Column, Grid
from orchestrator.cli.output import show_grid
from orchestrator.cli.words import NOTHING, clean
from orchestrator.local.access import latest_job_ids, opened_store
from orchestrator.settings import Settings, load_settings
from orchestrator.store.rows import JobEvent
from servicekit.errors import NotFound


def show_history(job: str) -> None:
    """Every change of the status or worker of the job, oldest first; `job` is its id or the beginning of it.

    Raises NotFound.
    """
    events = asyncio.run(_read(load_settings(Settings), job))
    if not events:
        raise NotFound(f"there is no sync job {job}")
    show_grid(history_grid(events))


async def _read(settings: Settings, job: str) -> list[JobEvent]:
    async with opened_store(settings) as store:
        found = await full_id(job, "sync among the latest", latest_job_ids(store))
        return await store.list_sync_job_events(UUID(parse_uuid(found)))


def history_grid(events: list[JobEvent]) -> Grid:
    grid = Grid([Column("time (UTC)"), Column("from"), Column("to"), Column("cause", shrinks=1, least=20)])
    for event in events:
        grid.add(
            f"{event.at:%Y-%m-%d %H:%M:%S.%f}"[:-3],
            event.from_status.value if event.from_status else NOTHING,
            event.to_status.value,
            clean(event.cause),
        )
    return grid
