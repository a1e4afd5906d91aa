"""`rookify migrate`: bring the database of DATABASE_URL up to date."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from orchestrator.settings import Settings, load_settings
from orchestrator.store import migrate as migrations
from orchestrator.store.choice import database_conninfo
from servicekit.errors import ConfigurationError


def migrate(
    bootstrap: Annotated[
        bool,
        typer.Option(
            "--bootstrap", help="First give a plain Postgres the roles and functions of a Supabase project."
        ),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only list what is pending; exit code 1 if any.")
    ] = False,
    script: Annotated[
        bool,
        typer.Option(
            "--print", help="Print them as one SQL script for Supabase's SQL editor, and apply nothing."
        ),
    ] = False,
) -> None:
    """Apply the pending migrations to the database of DATABASE_URL, and list them.

    The embedded database needs none of this: `rookify up` keeps it up to date.
    """
    if script:
        typer.echo(migrations.script())
        return
    settings = load_settings(Settings)
    if settings.database_url is None:
        raise ConfigurationError(
            "DATABASE_URL is not set: it names the Postgres to migrate. The embedded one is kept up to date "
            "by `rookify up`",
            reason="NO_DATABASE_URL",
        )
    labels = asyncio.run(_migrate(database_conninfo(settings), bootstrap=bootstrap, check=check))
    for label in labels:
        typer.echo(label)
    if not labels:
        typer.echo("nothing to do: the database is up to date", err=True)
    if check and labels:
        raise typer.Exit(1)


async def _migrate(conninfo: str, *, bootstrap: bool, check: bool) -> list[str]:
    if check:
        return await migrations.pending(conninfo)
    if bootstrap:
        await migrations.bootstrap(conninfo)
    await migrations.require_bootstrapped(conninfo)
    return await migrations.migrate(conninfo)
