"""The migration runner, against a real Postgres, with migrations made for these tests."""

from __future__ import annotations

import psycopg

from orchestrator.store import migrate
from tests.support.postgres import Database


async def test_the_fixture_gives_a_migrated_database_and_a_service_login(database: Database) -> None:
    async with await psycopg.AsyncConnection.connect(database.app_conninfo) as connection:
        await connection.execute("set role service_role")
        assert await (await connection.execute("select count(*) from sync_jobs")).fetchone() == (0,)
    assert await migrate.pending(database.owner_conninfo) == []
