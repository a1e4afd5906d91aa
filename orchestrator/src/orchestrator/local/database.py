"""Makes the embedded server's database what a Supabase project's is, and brings it up to date."""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg import sql

from orchestrator.local.postgres import DATABASE, OWNER, SUPERUSER, EmbeddedPostgres
from orchestrator.local.processes import ProcessFailed
from orchestrator.store import migrate


async def prepare(
    server: EmbeddedPostgres, dbname: str = DATABASE, *, migrations: Path | None = None
) -> list[str]:
    """Create the database where there is none, bootstrap it, migrate it; the labels of what was applied.

    The superuser only creates and bootstraps. Migrations run as the owner, which is no superuser, so that
    one that needs more than a Supabase project allows fails here too.
    """
    name = sql.Identifier(dbname)
    try:
        async with await psycopg.AsyncConnection.connect(
            server.conninfo(SUPERUSER, "postgres"), autocommit=True
        ) as connection:
            known = await connection.execute("select from pg_database where datname = %s", (dbname,))
            if known.rowcount == 0:
                await connection.execute(sql.SQL("create database {}").format(name))
            await migrate.bootstrap(server.conninfo(SUPERUSER, dbname))
            await connection.execute(
                sql.SQL("alter database {} owner to {}").format(name, sql.Identifier(OWNER))
            )
        return await migrate.migrate(server.conninfo(OWNER, dbname), migrations)
    except psycopg.Error as error:
        raise ProcessFailed(f"the database could not be set up: {error} (see {server.log_file})") from error
