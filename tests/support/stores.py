"""The store over each of its transports: what its conformance suite runs against.

By default psycopg, and the supabase transport over a stand-in for PostgREST. `make test-supabase` runs it
over the real stack that `supabase start` brings up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from orchestrator.store.postgres import PostgresTransport
from orchestrator.store.store import Store
from orchestrator.store.supabase import SupabaseTransport
from tests.support.postgres import Database
from tests.support.postgrest import SECRET_KEY, PostgrestStandIn

TRANSPORTS = ("postgres", "supabase")


@asynccontextmanager
async def opened_store(transport: str, database: Database) -> AsyncIterator[Store]:
    if transport == "postgres":
        async with PostgresTransport(database.app_conninfo) as opened:
            yield Store(opened)
        return
    async with (
        PostgrestStandIn(database.app_conninfo) as server,
        SupabaseTransport(server.url, SECRET_KEY) as opened,
    ):
        yield Store(opened)


@pytest.fixture(params=TRANSPORTS)
async def store(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Store]:
    async with opened_store(request.param, database) as opened:
        yield opened
