"""A job's history, read from the database by whoever runs the system."""

from __future__ import annotations

from uuid import UUID

from orchestrator.local.users import conninfo_of
from orchestrator.settings import Settings
from orchestrator.store.postgres import PostgresTransport
from orchestrator.store.rows import JobEvent
from orchestrator.store.store import Store


async def read_history(settings: Settings, sync_job_id: UUID) -> list[JobEvent]:
    """Oldest first; empty for an unknown job. Raises ConfigurationError where no database is to be found."""
    async with PostgresTransport(conninfo_of(settings)) as transport:
        return await Store(transport).list_sync_job_events(sync_job_id)
