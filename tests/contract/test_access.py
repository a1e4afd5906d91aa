"""Who may do what, for every table and function of the schema, as PostgREST asks: by a role, and claims.

What is checked is read from the database's own catalog, so that a new table or function cannot be forgotten.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from orchestrator.domain import SyncStatus
from orchestrator.store.postgres import PostgresTransport
from orchestrator.store.store import Store
from tests.contract.test_store import analyzing
from tests.support.postgres import Database, PostgresCluster
from tests.support.samples import LIMITS, analysis, failure, new_sync, new_user

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

# What a user has a view of, by the column that says whose a row is. Every other table is closed to them.
READ_BY_USERS = {
    "users": "id",
    "sync_jobs": "user_id",
    "games": "user_id",
    "sync_job_games": "user_id",
    "game_analyses": "user_id",
    "moments": "user_id",
    "sync_job_events": "user_id",
    "llm_usage": "user_id",
}
# Filled and emptied by the application that has the users: its own service goes on doing so.
WRITTEN_BY_THE_SERVICE = {"users"}
VERBS = {
    "select": "select from public.{table}",
    "insert": "insert into public.{table} default values",
    "update": "update public.{table} set {column} = {column}",
    "delete": "delete from public.{table}",
    "truncate": "truncate public.{table} cascade",
}


@pytest.fixture(scope="module")
def world(postgres_cluster: PostgresCluster) -> Iterator[tuple[Database, list[UUID]]]:
    """Two users, each with a row in every table that users read. Tests take back what they write."""
    made = postgres_cluster.create_database()
    yield made, asyncio.run(populate(made))
    postgres_cluster.drop_database(made.name)


async def populate(database: Database) -> list[UUID]:
    users = []
    async with PostgresTransport(database.app_conninfo) as transport:
        store = Store(transport)
        for _ in range(2):
            users.append(user_id := await new_user(store))
            taken, ids = await analyzing(store, 2, user_id)
            await store.record_analyses(taken, [analysis(ids[0]), failure(ids[1])])
            await store.advance_sync_job(taken, SyncStatus.COMPLETED)
        for user_id in users:
            await store.start_sync_job(new_sync(user_id), LIMITS)  # with a row in the queue
    async with await psycopg.AsyncConnection.connect(database.owner_conninfo) as owner:
        await owner.execute(
            "insert into moments (game_analysis_id, user_id, ply, judgement, fen_before, move_san, best_san, "
            "win_percent_lost) select id, user_id, 1, 'blunder', 'startpos', 'f3', 'e4', 30 "
            "from game_analyses on conflict do nothing"
        )
        await owner.execute(
            "insert into llm_usage (id, sync_job_id, user_id, model, outcome, moments, calls, input_tokens) "
            "select id, id, user_id, 'gpt', 'answered', 1, 1, 1 from sync_jobs"
        )
    return users


@pytest.fixture
async def connection(world: tuple[Database, list[UUID]]) -> AsyncIterator[Connection]:
    """As what PostgREST connects."""
    async with await psycopg.AsyncConnection.connect(world[0].app_conninfo) as made:
        yield made
        await made.rollback()


async def become(connection: Connection, role: str, user_id: UUID | None = None) -> None:
    """For the rest of the transaction, as Supabase does for each request."""
    await connection.execute(sql.SQL("set local role {}").format(sql.Identifier(role)))
    claims = {"role": role, "aud": role} | ({"sub": str(user_id)} if user_id else {})
    await connection.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))


async def allowed(connection: Connection, role: str, user_id: UUID, verb: str) -> set[str]:
    """The tables and views of the schema on which the verb is not refused for want of a right."""
    cursor = await connection.execute(
        "select c.relname::text, min(a.attname)::text "
        "from pg_class c join pg_attribute a on a.attrelid = c.oid "
        "where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f') "
        "and a.attnum > 0 and not a.attisdropped and a.attidentity = '' "
        "and a.attgenerated = '' group by c.relname"
    )
    tables = await cursor.fetchall()
    assert set(READ_BY_USERS) < {table for table, _ in tables}
    found = set()
    for table, column in tables:
        names = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
        await become(connection, role, user_id)
        try:
            await connection.execute(sql.SQL(VERBS[verb]).format(**names))
        except psycopg.errors.InsufficientPrivilege:
            pass
        except psycopg.Error:
            found.add(table)  # refused for something else: the right is there
        else:
            found.add(table)
        await connection.rollback()
    return found


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
async def test_each_role_may_do_this_to_each_table_and_no_more(
    world: tuple[Database, list[UUID]], connection: Connection, role: str, verb: str
) -> None:
    """Users read what is theirs; the service reads, and writes by the functions alone; anon does nothing."""
    may = await allowed(connection, role, world[1][0], verb)
    match role, verb:
        case "authenticated", "select":
            assert may == set(READ_BY_USERS)
        case "service_role", "select":
            assert may >= set(READ_BY_USERS)
        case "service_role", "insert" | "update" | "delete":
            assert may == WRITTEN_BY_THE_SERVICE
        case _:
            assert may == set()


@pytest.mark.parametrize("table", READ_BY_USERS)
async def test_a_user_reads_their_own_rows_alone(
    world: tuple[Database, list[UUID]], connection: Connection, table: str
) -> None:
    owners = sql.SQL("select distinct {} from public.{}").format(
        sql.Identifier(READ_BY_USERS[table]), sql.Identifier(table)
    )
    await become(connection, "service_role")
    assert {row[0] for row in await (await connection.execute(owners)).fetchall()} == set(world[1])
    await connection.rollback()
    for user_id, sees in [(user, [(user,)]) for user in world[1]] + [(uuid4(), []), (None, [])]:
        await become(connection, "authenticated", user_id)
        assert await (await connection.execute(owners)).fetchall() == sees
        await connection.rollback()


async def test_every_table_has_row_level_security(connection: Connection) -> None:
    cursor = await connection.execute(
        "select relname::text from pg_class where relnamespace = 'public'::regnamespace "
        "and relkind in ('r', 'p') and not relrowsecurity"
    )
    assert await cursor.fetchall() == []


async def test_policies_are_for_reading_and_for_signed_in_users(connection: Connection) -> None:
    cursor = await connection.execute(
        "select tablename::text, cmd, roles::text[], qual from pg_policies where schemaname = 'public'"
    )
    policies = await cursor.fetchall()
    assert {policy[0] for policy in policies} == set(READ_BY_USERS)
    assert {(policy[1], *policy[2]) for policy in policies} == {("SELECT", "authenticated")}
    # Asked once a query, not once a row: in a scalar subquery.
    assert [policy for policy in policies if "( SELECT auth.uid() AS uid)" not in policy[3]] == []


async def test_functions_are_closed_to_users_and_fixed_in_their_names(connection: Connection) -> None:
    """A function's names mean what its author meant, whatever the caller's search_path. What the service
    calls runs as the owner, since the service itself has no right to write."""
    cursor = await connection.execute(
        "select oid::regprocedure::text, has_function_privilege('anon', oid, 'execute'), "
        "has_function_privilege('authenticated', oid, 'execute'), "
        "exists (select from aclexplode(coalesce(proacl, acldefault('f', proowner))) where grantee = 0), "
        "coalesce(proconfig @> array['search_path=\"\"'], false), "
        "prosecdef or not has_function_privilege('service_role', oid, 'execute') "
        "from pg_proc where pronamespace = 'public'::regnamespace"
    )
    functions = await cursor.fetchall()
    assert len(functions) > 30
    assert [row for row in functions if row[1:] != (False, False, False, True, True)] == []


async def test_sequences_are_nobodys(connection: Connection) -> None:
    """Nor can a number be drawn, which would tell how many rows there are."""
    cursor = await connection.execute(
        "select c.relname, r.rolname from pg_class c, pg_roles r where relnamespace = 'public'::regnamespace "
        "and relkind = 'S' and r.rolname in ('anon', 'authenticated', 'service_role') "
        "and has_sequence_privilege(r.oid, c.oid, 'usage, select, update')"
    )
    assert await cursor.fetchall() == []
