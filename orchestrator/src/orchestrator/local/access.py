"""The database as the tools of whoever runs the system reach it: past the orchestrator, by the same store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import psycopg

from orchestrator.local.postgres import running_conninfo
from orchestrator.settings import Settings
from orchestrator.store.choice import Choice, choose, database_conninfo, open_transport
from orchestrator.store.postgres import PostgresTransport
from orchestrator.store.rows import JobEvent
from orchestrator.store.store import Store
from servicekit.errors import ConfigurationError

_CONNECT_SECONDS = 10


@asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator[Store]:
    """Of the database that the settings choose; the embedded one only while `rookify up` runs.

    Each call is made once: whoever waits for a tool's answer sees what is wrong. Raises ConfigurationError
    where there is no database, or none that answers.
    """
    if choose(settings) is Choice.SUPABASE:
        transport = open_transport(settings)
    else:
        transport = PostgresTransport(await _answering_conninfo(settings))
    async with transport as opened:
        yield Store(opened, patience=timedelta(0))


async def ensure_user(settings: Settings, user_id: str) -> None:
    """Make the user's row, which every job references, if there is none. `user_id` is a UUID as text."""
    async with opened_store(settings) as store:
        await store.ensure_user(UUID(user_id))


async def read_history(settings: Settings, sync_job_id: UUID) -> list[JobEvent]:
    """A job's history, oldest first; empty for an unknown job."""
    async with opened_store(settings) as store:
        return await store.list_sync_job_events(sync_job_id)


async def read_reasons(settings: Settings, user_id: UUID, game_analysis_id: UUID) -> dict[int, Sequence[str]]:
    """Why each moment of a game was chosen, and explained as it is; by ply. Raises NotFound."""
    async with opened_store(settings) as store:
        game = await store.get_game_analysis(user_id, game_analysis_id)
    return {moment.ply: moment.why for moment in game.moments}


async def _answering_conninfo(settings: Settings) -> str:
    conninfo = (
        database_conninfo(settings)
        if settings.database_url is not None
        else running_conninfo(settings.data.expanduser())
    )
    if conninfo is None:
        raise _not_running(settings)
    try:
        connection = await psycopg.AsyncConnection.connect(conninfo, connect_timeout=_CONNECT_SECONDS)
    except psycopg.Error as error:
        if settings.database_url is None:
            raise _not_running(settings) from error
        raise ConfigurationError(
            f"cannot connect to the database: {_said(error)}. Is DATABASE_URL right, and Postgres running?",
            reason="DATABASE_UNREACHABLE",
        ) from error
    await connection.close()
    return conninfo


def _not_running(settings: Settings) -> ConfigurationError:
    return ConfigurationError(
        f"no `rookify up` is running with the data folder {settings.data}: start it first, name its folder "
        "by --data or ROOKIFY_DATA, or set DATABASE_URL",
        reason="NOT_RUNNING",
    )


def _said(error: psycopg.Error) -> str:
    return " ".join((error.diag.message_primary or str(error)).split())
