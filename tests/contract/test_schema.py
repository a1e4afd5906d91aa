"""What a service, and `rookify doctor`, can tell of the database: the same over each transport."""

from __future__ import annotations

from typing import LiteralString

import psycopg
import pytest

from orchestrator.store.schema import SchemaFaults, check_schema, created_by_migrations, inspect_schema
from orchestrator.store.store import Store
from servicekit.errors import ConfigurationError
from tests.support.postgres import Database
from tests.support.stores import store

__all__ = ["store"]  # a fixture: over each transport

SOUND = SchemaFaults(pending=(), missing=(), refused=(), open=(), unprotected=())


async def changed(database: Database, *statements: LiteralString) -> None:
    async with await psycopg.AsyncConnection.connect(database.owner_conninfo) as connection:
        for statement in statements:
            await connection.execute(statement)


async def test_a_migrated_database_is_sound(store: Store) -> None:
    assert await inspect_schema(store) == SOUND
    await check_schema(store)


async def test_every_fault_is_named(store: Store, database: Database) -> None:
    await changed(
        database,
        "drop function public.get_user(uuid)",
        "revoke execute on function public.get_sync_jobs(uuid[]) from service_role",
        "grant execute on function public.take_games(uuid, uuid, integer, integer) to authenticated",
        "grant execute on function public.fail_sync_job(uuid, text) to anon",
        "alter table public.games disable row level security",
        "delete from supabase_migrations.schema_migrations where version = '20261101000300'",
    )
    assert await inspect_schema(store) == SchemaFaults(
        pending=("20261101000300_work",),
        missing=("get_user",),
        refused=("get_sync_jobs",),
        open=("fail_sync_job", "take_games"),
        unprotected=("games",),
    )
    with pytest.raises(ConfigurationError, match=r"lacks get_user.*supabase db push"):
        await check_schema(store)
    await changed(
        database,
        "create function public.get_user(p_user_id uuid) returns jsonb language sql as 'select null::jsonb'",
    )
    with pytest.raises(ConfigurationError, match="service_role may not execute get_sync_jobs"):
        await check_schema(store)


@pytest.mark.parametrize(
    "statement",
    [
        "drop schema supabase_migrations cascade",
        "alter table supabase_migrations.schema_migrations owner to supabase_admin",
    ],
)
async def test_without_a_list_of_migrations_what_they_made_decides(
    store: Store, database: Database, statement: LiteralString
) -> None:
    """Whoever applied them by hand, or by a role of their own, has none to show."""
    async with await psycopg.AsyncConnection.connect(database.superuser_conninfo) as connection:
        await connection.execute(statement)
    assert (await inspect_schema(store)).pending is None
    await check_schema(store)


async def test_a_database_older_than_the_question_is_told_so(store: Store, database: Database) -> None:
    await changed(database, "drop function public.describe_database(text[], text[])")
    with pytest.raises(ConfigurationError, match="apply the migrations") as refused:
        await check_schema(store)
    assert refused.value.reason == "MIGRATIONS_MISSING"


def test_what_migrations_create_is_found_in_them() -> None:
    functions, tables = created_by_migrations()
    assert {"sync_jobs_guard", "record_games", "get_usage_v2"} <= set(functions)
    assert {"sync_jobs", "sync_queue", "moments"} <= set(tables)
