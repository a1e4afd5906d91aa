"""The compliance rules as the database keeps them: plain SQL, even of the tables' owner, is refused."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

import psycopg
import pytest

from orchestrator.domain import SyncStatus
from orchestrator.store.functions import FUNCTIONS
from orchestrator.store.postgres import PostgresTransport
from orchestrator.store.store import Store
from orchestrator.store.supabase import SupabaseTransport
from tests.contract.test_store import LEASE
from tests.support.postgres import Database
from tests.support.samples import LIMITS, PER_DAY, analysis, games, new_sync, new_user


@dataclass
class World:
    """One job in analyzing with one analysis and one game open, and one job that is over; another user."""

    owner: psycopg.AsyncConnection[tuple[object, ...]]
    store: Store
    user_id: UUID
    other_id: UUID
    active: UUID
    over: UUID

    async def run(self, statement: LiteralString) -> list[tuple[object, ...]]:
        cursor = await self.owner.execute(
            statement,
            {"user": self.user_id, "other": self.other_id, "active": self.active, "over": self.over},
        )
        return await cursor.fetchall() if cursor.description else []


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    async with (
        PostgresTransport(database.app_conninfo) as transport,
        await psycopg.AsyncConnection.connect(database.owner_conninfo, autocommit=True) as owner,
    ):
        store = Store(transport)
        user_id, other_id = await new_user(store), await new_user(store)
        over = await store.start_sync_job(new_sync(user_id), LIMITS)
        await store.cancel_sync_job(over.id, user_id)
        active = await store.start_sync_job(new_sync(user_id), LIMITS)
        claim = await store.claim_sync_job("w", LEASE, 5)
        assert claim is not None
        await store.advance_sync_job(claim, SyncStatus.FETCHING)
        await store.record_games(claim, games(2), {}, {}, PER_DAY)
        await store.advance_sync_job(claim, SyncStatus.ANALYZING)
        first, _second = await store.take_games(claim, 0, 2)
        await store.record_analyses(claim, [analysis(first.game_id)])
        yield World(owner, store, user_id, other_id, active.id, over.id)


@pytest.mark.parametrize(
    ("rule", "statement"),
    [
        (
            "a job starts pending",
            (
                "insert into sync_jobs (user_id, platform, username, status) "
                "values (%(other)s, 'lichess', 'x', 'fetching')"
            ),
        ),
        ("a job has an owner", "insert into sync_jobs (platform, username) values ('lichess', 'x')"),
        (
            "a known platform",
            "insert into sync_jobs (user_id, platform, username) values (%(other)s, 'fics', 'x')",
        ),
        ("a known status", "update sync_jobs set status = 'done' where id = %(active)s"),
        ("no step back", "update sync_jobs set status = 'fetching' where id = %(active)s"),
        (
            "no skipping ahead",
            (
                "insert into sync_jobs (user_id, platform, username) values (%(other)s, 'lichess', 'x'); "
                "update sync_jobs set status = 'analyzing' where user_id = %(other)s"
            ),
        ),
        ("completed is whole", "update sync_jobs set status = 'completed' where id = %(active)s"),
        ("failed says why", "update sync_jobs set status = 'failed' where id = %(active)s"),
        ("a job that is over stays", "update sync_jobs set status = 'pending' where id = %(over)s"),
        ("its error too", "update sync_jobs set error = 'x' where id = %(over)s"),
        ("a job keeps its user", "update sync_jobs set user_id = %(other)s where id = %(active)s"),
        ("games_analyzed is counted", "update sync_jobs set games_analyzed = 2 where id = %(active)s"),
        ("games_found is counted", "update sync_jobs set games_found = 3 where id = %(active)s"),
        ("games_failed is counted", "update sync_jobs set games_failed = 1 where id = %(active)s"),
        (
            "one active job",
            "insert into sync_jobs (user_id, platform, username) values (%(user)s, 'chess.com', 'x')",
        ),
        ("an analysis has a job", "update game_analyses set sync_job_id = null"),
        ("and keeps it", "update game_analyses set sync_job_id = %(over)s"),
        ("of its own user", "update game_analyses set user_id = %(other)s"),
        ("an analysis stays with its job", "delete from game_analyses where sync_job_id = %(active)s"),
        ("so does a game", "delete from sync_job_games where sync_job_id = %(active)s"),
        (
            "a finished game stays so",
            (
                "update sync_job_games set outcome = 'queued', finished_ordinal = null "
                "where outcome = 'analyzed'"
            ),
        ),
        (
            "analyzed means an analysis",
            "update sync_job_games set outcome = 'analyzed', finished_ordinal = 9 where outcome = 'queued'",
        ),
        (
            "failed says why",
            "update sync_job_games set outcome = 'failed', finished_ordinal = 9 where outcome = 'queued'",
        ),
        (
            "a skipped game was found so",
            "update sync_job_games set outcome = 'skipped' where outcome = 'queued'",
        ),
    ],
)
async def test_plain_sql_cannot_break_a_rule(world: World, rule: str, statement: LiteralString) -> None:
    before = await world.run("select to_jsonb(j) from sync_jobs j order by id")
    *before_it, breach = statement.split("; ")
    async with world.owner.transaction(force_rollback=True):
        for part in before_it:
            await world.run(part)
        with pytest.raises(psycopg.Error) as refused:
            await world.run(breach)
    assert refused.value.sqlstate
    assert refused.value.sqlstate[:2] in ("23", "RK"), rule
    assert await world.run("select to_jsonb(j) from sync_jobs j order by id") == before
    assert await world.store.audit_sync_jobs(LIMITS) == []


async def test_an_analysis_is_written_only_while_its_job_is_analyzing(world: World) -> None:
    """Even one that is complete and names a job, game and user that belong together."""
    await world.run("update sync_jobs set status = 'cancelled' where id = %(active)s")
    columns = await world.run(
        "select string_agg(quote_ident(column_name), ', ') from information_schema.columns "
        "where table_name = 'game_analyses' and column_name not in ('id', 'game_id') "
        "and is_generated = 'NEVER'"
    )
    names = columns[0][0]
    with pytest.raises(psycopg.Error) as refused:
        await world.run(
            f"insert into game_analyses (game_id, {names}) "
            f"select (select game_id from sync_job_games where outcome = 'queued'), {names} "
            "from game_analyses"
        )
    assert refused.value.sqlstate == "RK005"


async def test_the_service_calls_every_function_it_needs_and_no_other(database: Database) -> None:
    """What the store calls is what is granted: neither a forgotten grant nor one too many.

    An older version of a function stays for replicas that are not upgraded yet.
    """
    sources = "".join(inspect.getsource(part) for part in (*Store.__mro__[:-1], SupabaseTransport))
    assert {name for name in FUNCTIONS if f'"{name}"' not in sources} == set()
    async with await psycopg.AsyncConnection.connect(database.app_conninfo, autocommit=True) as connection:
        await connection.execute("set role service_role")
        cursor = await connection.execute(
            "select p.proname from pg_proc p where p.pronamespace = 'public'::regnamespace "
            "and has_function_privilege(p.oid, 'execute')"
        )
        granted = {row[0] for row in await cursor.fetchall()}
    assert FUNCTIONS - granted == set()
    assert granted - FUNCTIONS - {name.removesuffix("_v2") for name in FUNCTIONS} == set()
