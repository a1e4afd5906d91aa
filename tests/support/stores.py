"""The store over each of its transports: what its conformance suite runs against.

By default psycopg, and the supabase transport over a stand-in for PostgREST. `make test-supabase` runs it
over the real stack that `supabase start` brings up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from orchestrator.store.postgres import PostgresTransport
from orchestrator.store.store import Store
from tests.support.postgres import Database
from tests.support.postgrest import SECRET_KEY, PostgrestStandIn
from tests.support.stack import Stack, stack_asked_for

# "stack": the API that is really there.
TRANSPORTS = ("stack",) if stack_asked_for() else ("postgres", "supabase")


@asynccontextmanager
async def opened_store(transport: str, database: Database) -> AsyncIterator[Store]:
    async with AsyncExitStack() as opened:
        if transport == "postgres":
            yield Store(await opened.enter_async_context(PostgresTransport(database.app_conninfo)))
            return
        stack = stack_asked_for()
        if stack is None:
            server = await opened.enter_async_context(PostgrestStandIn(database.app_conninfo))
            stack = Stack(server.url, SECRET_KEY, database.owner_conninfo)
        yield Store(await opened.enter_async_context(stack.transport()))


@pytest.fixture(params=TRANSPORTS)
async def store(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[Store]:
    async with opened_store(request.param, database) as opened:
        yield opened
