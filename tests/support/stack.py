"""A real Supabase stack under the store's tests, as `supabase start` brings it up: `make test-supabase`.

It is named by SUPABASE_URL, SUPABASE_SERVICE_ROLE_KEY and SUPABASE_DB_URL. Each test begins with empty
tables, so it must be on this machine: a project that is in use is not to be emptied by mistake.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from orchestrator.store import migrate
from orchestrator.store.schema import created_by_migrations, inspect_schema
from orchestrator.store.store import Store
from orchestrator.store.transport import Transport
from servicekit.errors import ConfigurationError
from servicekit.plaintext import is_loopback
from tests.support.postgres import Database

SWITCH = "ROOKIFY_TEST_STACK"  # set by `make test-supabase`
_SCHEMA_SECONDS = 30  # PostgREST hears of migrations by a notification, and then reads all of the schema


@dataclass(frozen=True, slots=True)
class Stack:
    url: str
    key: str
    db_url: str

    async def empty(self) -> None:
        """Whatever an earlier test, or anybody else, has left in the tables of this project."""
        tables = [sql.Identifier("public", name) for name in created_by_migrations()[1]]
        async with await psycopg.AsyncConnection.connect(self.db_url) as connection:
            await connection.execute(sql.SQL("truncate {} cascade").format(sql.SQL(", ").join(tables)))

    @asynccontextmanager
    async def transport(self) -> AsyncIterator[Transport]:
        from orchestrator.store.supabase import SupabaseTransport  # a third of a second: not for every test

        async with SupabaseTransport(self.url, self.key) as opened:
            yield opened


def stack_asked_for() -> Stack | None:
    """None in every run but that of `make test-supabase`. Raises AssertionError for one that is elsewhere."""
    if not os.environ.get(SWITCH):
        return None
    names = ("SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_DB_URL")
    assert all(map(os.environ.get, names)), f"set {', '.join(names)}: `supabase status` has them"
    stack = Stack(*(os.environ[name] for name in names))
    hosts = [
        urlsplit(stack.url).hostname or "",
        str(conninfo_to_dict(stack.db_url).get("host") or "localhost"),
    ]
    assert all(is_loopback(host) or host.startswith("/") for host in hosts), (
        "the tests empty every table: only of a stack on this machine"
    )
    return stack


@pytest.fixture(scope="session")
def stack() -> Stack:
    """Migrated, and its API knows."""
    found = stack_asked_for()
    assert found is not None
    asyncio.run(_prepare(found))
    return found


@pytest.fixture(name="database")
async def stack_database(stack: Stack) -> Database:
    """The stack's own, emptied."""
    await stack.empty()
    return Database("postgres", stack.db_url, stack.db_url, stack.db_url)


async def _prepare(stack: Stack) -> None:
    await migrate.migrate(stack.db_url)
    async with asyncio.timeout(_SCHEMA_SECONDS), stack.transport() as transport:
        while True:
            try:
                faults = await inspect_schema(Store(transport))
            except ConfigurationError:
                await asyncio.sleep(0.2)  # it gives no sign that could be waited for
                continue
            assert not faults.missing, faults
            return
