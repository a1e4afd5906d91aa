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
from orchestrator.store.migrate import not_bootstrapped
from orchestrator.store.postgres import PostgresTransport
from orchestrator.store.rows import PageKey
from orchestrator.store.store import Store
from servicekit.errors import ConfigurationError

_CONNECT_SECONDS = 10
# Ten answers of the most rows that a Supabase project must give: a second or so. Who asks for an older job,
# out of a log, has its whole id.
_PAGE = 1_000
_LATEST_PAGES = 10
# For any role to ask: unlike auth.uid() itself, the schema is found by those who may not use it.
_ROLES_EXIST = "select to_regrole('service_role') is not null and to_regnamespace('auth') is not null"


@asynccontextmanager
async def opened_store(settings: Settings) -> AsyncIterator[Store]:
    """Of the database that the settings choose; the embedded one only while `rookify up` runs.

    Each call is made once: whoever waits for a tool's answer sees what is wrong. Raises ConfigurationError
    where there is no database, or none that answers, or one without the roles of a Supabase project.
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


async def latest_job_ids(store: Store) -> AsyncIterator[str]:
    """Of all users, the newest first; not all that there ever were."""
    after = None
    for _ in range(_LATEST_PAGES):
        page = await store.list_sync_jobs(None, active_only=False, limit=_PAGE, after=after)
        for job in page:
            yield str(job.id)
        if len(page) < _PAGE:
            return
        after = PageKey(page[-1].created_at, page[-1].id)


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
        async with connection:
            await _check_roles(connection)
    except psycopg.Error as error:
        if settings.database_url is None:
            raise _not_running(settings) from error
        raise ConfigurationError(
            f"cannot connect to the database: {_said(error)}. Is DATABASE_URL right, and Postgres running?",
            reason="DATABASE_UNREACHABLE",
        ) from error
    return conninfo


async def _check_roles(connection: psycopg.AsyncConnection) -> None:
    """Before the store's pool tries: it would try again and again, and say no more than that it cannot.

    Raises ConfigurationError, or psycopg's own.
    """
    row = await (await connection.execute(_ROLES_EXIST)).fetchone()
    if row is None or not row[0]:
        raise not_bootstrapped()
    try:
        await connection.execute("set role service_role")
    except psycopg.errors.InsufficientPrivilege as error:
        user = connection.info.user
        raise ConfigurationError(
            f"{user} of DATABASE_URL may not become service_role: run `grant service_role to {user}` as a "
            "superuser",
            reason="NOT_GRANTED",
        ) from error


def _not_running(settings: Settings) -> ConfigurationError:
    return ConfigurationError(
        f"no `rookify up` is running with the data folder {settings.data}: start it first, name its folder "
        "by --data or ROOKIFY_DATA, or set DATABASE_URL",
        reason="NOT_RUNNING",
    )


def _said(error: psycopg.Error) -> str:
    return " ".join((error.diag.message_primary or str(error)).split())
