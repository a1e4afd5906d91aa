"""The migrations over what a Supabase project holds already: nothing is lost, and then the rules hold."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from orchestrator.domain import SyncStatus
from orchestrator.store import migrate
from orchestrator.store.migrate import MigrationError
from orchestrator.store.postgres import PostgresTransport
from orchestrator.store.store import Store
from tests.contract.test_store import LEASE
from tests.support import original
from tests.support.original import ALICE, BOB
from tests.support.postgres import Database, PostgresCluster
from tests.support.samples import LIMITS, new_sync, new_user

Row = tuple[Any, ...]


@pytest.fixture(scope="module")
def adopted(postgres_cluster: PostgresCluster) -> Iterator[Database]:
    """The original application's project, migrated. Tests take back what they write."""
    made = original.project(
        postgres_cluster,
        original.USERS,
        original.SYNC_JOBS,
        original.GAME_ANALYSIS,
        original.ROWS_OF_JOBS,
        original.ROWS_OF_ANALYSES,
    )
    asyncio.run(migrate.migrate(made.owner_conninfo))
    yield made
    postgres_cluster.drop_database(made.name)


@pytest.fixture
async def owner(adopted: Database) -> AsyncIterator[psycopg.AsyncConnection[Row]]:
    async with await psycopg.AsyncConnection.connect(adopted.owner_conninfo) as connection:
        yield connection
        await connection.rollback()


@pytest.fixture
async def store(adopted: Database) -> AsyncIterator[Store]:
    async with PostgresTransport(adopted.app_conninfo) as transport:
        yield Store(transport)


async def ask(connection: psycopg.AsyncConnection[Row], query: LiteralString, *values: object) -> list[Row]:
    cursor = await connection.execute(query, values or None)
    return await cursor.fetchall() if cursor.description else []


async def become(connection: psycopg.AsyncConnection[Row], role: LiteralString, user_id: str = "") -> None:
    await connection.execute(f"set local role {role}")
    claims = json.dumps({"role": role} | ({"sub": user_id} if user_id else {}))
    await connection.execute("select set_config('request.jwt.claims', %s, true)", (claims,))


AT_11 = datetime(2024, 7, 1, 11, tzinfo=UTC)
CUT_OFF = "The sync was cut off when the system that ran it was replaced. Please start it again."


class TestSyncJobs:
    @pytest.mark.parametrize(
        ("case", "status", "counters", "error", "completed_at"),
        [
            ("whole", "completed", (10, 10, 0), None, AT_11),
            ("not dated", "completed", (10, 10, 0), None, AT_11),
            ("short", "completed", (50, 40, 10), "10 of 50 games were not analyzed.", AT_11),
            ("over", "completed", (8, 8, 0), None, AT_11),
            ("no counters", "completed", (0, 0, 0), None, AT_11),
            ("failed", "failed", (9, 3, 0), "rate limited", AT_11),
            (
                "says nothing",
                "failed",
                (9, 3, 0),
                "The sync failed; the system that ran it did not keep why.",
                AT_11,
            ),
            ("pending", "failed", (0, 0, 0), CUT_OFF, "now"),
            ("fetching", "failed", (20, 0, 0), CUT_OFF, "now"),
            ("analyzing", "failed", (20, 7, 0), f"{CUT_OFF} It said before: waiting", "now"),
            ("active, dated", "failed", (20, 20, 0), CUT_OFF, AT_11.replace(minute=30)),
            ("null status", "failed", (2, 1, 0), "The sync was left with the unknown status null.", "now"),
            (
                "unknown status",
                "failed",
                (2, 0, 0),
                "The sync was left with the unknown status 'error'. It said before: oops",
                "now",
            ),
            ("cancelled", "cancelled", (2, 1, 0), None, AT_11),
            ("no times", "completed", (0, 0, 0), None, "now"),
            ("nobody's", "completed", (0, 0, 0), None, "now"),
            ("nowhere", "failed", (0, 0, 0), CUT_OFF, "now"),
        ],
    )
    async def test_every_row_is_kept_and_fits_the_rules(
        self,
        owner: psycopg.AsyncConnection[Row],
        case: str,
        status: str,
        counters: tuple[int, int, int],
        error: str | None,
        completed_at: datetime | str,
    ) -> None:
        ((is_status, found, analyzed, failed, is_error, is_completed, recent),) = await ask(
            owner,
            "select status, games_found, games_analyzed, games_failed, error, completed_at, "
            "completed_at > now() - interval '1 hour' from sync_jobs where username = %s",
            case,
        )
        assert (is_status, (found, analyzed, failed), is_error) == (status, counters, error)
        assert recent if completed_at == "now" else is_completed == completed_at

    async def test_what_was_right_is_not_touched(self, owner: psycopg.AsyncConnection[Row]) -> None:
        query = "select updated_at from sync_jobs where username in ('whole', 'failed', 'over', 'cancelled')"
        assert set(await ask(owner, query)) == {(AT_11,)}

    async def test_the_rules_hold_for_old_rows_as_far_as_they_can(
        self, owner: psycopg.AsyncConnection[Row]
    ) -> None:
        """A job of nobody's and one of no known platform are kept: those two rules are for new rows."""
        query = (
            "select conname::text from pg_constraint where conrelid = 'sync_jobs'::regclass "
            "and not convalidated order by 1"
        )
        assert await ask(owner, query) == [("sync_jobs_owner",), ("sync_jobs_platform",)]

    async def test_the_history_is_listed_by_the_store(self, store: Store) -> None:
        jobs = await store.list_sync_jobs(UUID(ALICE), active_only=False, limit=100, after=None)
        assert len(jobs) == 15
        assert all(job.status.terminal for job in jobs)
        assert await store.list_sync_jobs(None, active_only=True, limit=100, after=None) == []

    async def test_what_no_client_could_read_is_left_out(
        self, store: Store, owner: psycopg.AsyncConnection[Row]
    ) -> None:
        rows = await ask(owner, "select id from sync_jobs where username in ('nobody''s', 'nowhere')")
        assert len(rows) == 2
        assert await store.get_sync_jobs([row[0] for row in rows]) == []

    async def test_the_audit_names_what_fits_no_rule_and_nothing_else(self, store: Store) -> None:
        found = [(finding.rule, finding.detail) for finding in await store.audit_sync_jobs(LIMITS)]
        assert sorted(found) == [
            ("job_without_user", "user null does not exist"),
            ("unknown_platform", "platform is 'fics'"),
            (
                "unlinked_game_analysis",
                "1 rows of game_analysis of user null name no sync job of that user",
            ),
            (
                "unlinked_game_analysis",
                f"3 rows of game_analysis of user {ALICE} name no sync job of that user",
            ),
        ]

    async def test_a_new_sync_starts_where_old_ones_were_active(self, store: Store) -> None:
        job = await store.start_sync_job(new_sync(UUID(ALICE), username=""), LIMITS)
        assert (job.status, job.username) == (SyncStatus.PENDING, "AliceChess")
        claim = await store.claim_sync_job("w", LEASE, 5)
        assert claim is not None
        assert claim.job.id == job.id
        await store.cancel_sync_job(job.id, UUID(ALICE))

    async def test_an_old_job_changes_no_more(self, owner: psycopg.AsyncConnection[Row]) -> None:
        with pytest.raises(psycopg.Error, match="cannot change any more"):
            await ask(owner, "update sync_jobs set status = 'analyzing' where username = 'pending'")

    @pytest.mark.parametrize(
        "statement",
        [
            "insert into sync_jobs (user_id, platform, username) values (auth.uid(), 'lichess', 'x')",
            "update sync_jobs set games_analyzed = 50",
            "update sync_jobs set status = 'completed'",
            "delete from sync_jobs",
        ],
    )
    async def test_the_old_policies_are_no_way_around(
        self, owner: psycopg.AsyncConnection[Row], statement: LiteralString
    ) -> None:
        query = "select policyname::text, cmd from pg_policies where tablename = 'sync_jobs'"
        assert await ask(owner, query) == [("sync_jobs_own", "SELECT")]
        await become(owner, "authenticated", ALICE)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await ask(owner, statement)


class TestGameAnalysis:
    async def test_every_row_is_kept_and_read_by_its_user_alone(
        self, owner: psycopg.AsyncConnection[Row]
    ) -> None:
        assert await ask(owner, "select count(*) from game_analysis") == [(6,)]
        await become(owner, "authenticated", ALICE)
        rows = await ask(owner, "select game_url from game_analysis order by 1")
        assert rows == [("another's job",), ("dangling",), ("linked",), ("no job",)]
        await become(owner, "authenticated", BOB)
        assert await ask(owner, "select game_url from game_analysis") == [("linked",)]
        await become(owner, "anon")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await ask(owner, "select game_url from game_analysis")

    @pytest.mark.parametrize("role", ["anon", "authenticated"])
    @pytest.mark.parametrize(
        "statement",
        [
            "insert into game_analysis (user_id) values (auth.uid())",
            "update game_analysis set analysis = 'brilliant'",
            "delete from game_analysis",
            "truncate game_analysis",
        ],
    )
    async def test_users_write_nothing(
        self, owner: psycopg.AsyncConnection[Row], role: LiteralString, statement: LiteralString
    ) -> None:
        await become(owner, role, ALICE)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await ask(owner, statement)

    async def test_the_service_adds_and_amends_and_removes_nothing(
        self, owner: psycopg.AsyncConnection[Row]
    ) -> None:
        await become(owner, "service_role")
        rows = await ask(
            owner,
            "insert into game_analysis (user_id, sync_job_id) "
            "select user_id, id from sync_jobs where username = 'whole' returning id",
        )
        await ask(owner, "update game_analysis set analysis = 'good' where id = %s", rows[0][0])
        await ask(owner, "update game_analysis set analysis = 'good' where game_url = 'dangling'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await ask(owner, "delete from game_analysis")

    @pytest.mark.parametrize(
        "statement",
        [
            "insert into game_analysis (user_id) values (%(alice)s)",
            "insert into game_analysis (user_id, sync_job_id) values (%(alice)s, gen_random_uuid())",
            (
                "insert into game_analysis (user_id, sync_job_id) "
                "select %(alice)s, id from sync_jobs where username = 'bob''s'"
            ),
            "update game_analysis set sync_job_id = null where game_url = 'linked'",
            "update game_analysis set sync_job_id = gen_random_uuid() where game_url = 'no job'",
        ],
    )
    async def test_a_row_names_a_job_of_its_user(
        self, owner: psycopg.AsyncConnection[Row], statement: LiteralString
    ) -> None:
        with pytest.raises(psycopg.Error, match="names a sync job of its user"):
            await owner.execute(statement, {"alice": ALICE})

    async def test_an_old_row_may_be_linked(self, owner: psycopg.AsyncConnection[Row]) -> None:
        await ask(
            owner,
            "update game_analysis set sync_job_id = (select id from sync_jobs where username = 'short') "
            "where game_url in ('no job', 'dangling')",
        )
        ((counted,),) = await ask(
            owner,
            "select detail from audit_adopted() a, jsonb_to_record(a) as r (detail text) "
            "where detail like %s",
            f"%{ALICE}%",
        )
        assert counted.startswith("1 rows")

    async def test_a_user_leaves_with_everything(self, owner: psycopg.AsyncConnection[Row]) -> None:
        await ask(owner, "delete from users where id = %s", ALICE)
        assert await ask(owner, "select game_url from game_analysis") == [("linked",), ("nobody's",)]
        assert await ask(owner, "select username from sync_jobs order by 1") == [("bob's",), ("nobody's",)]
        assert await ask(owner, "select count(*) from puzzles") == [(0,)]


class TestUsers:
    async def test_the_applications_policies_go_on(self, owner: psycopg.AsyncConnection[Row]) -> None:
        await become(owner, "authenticated", ALICE)
        await ask(owner, "update users set chess_com_username = 'AliceMoved'")
        assert await ask(owner, "select username, chess_com_username from users") == [("alice", "AliceMoved")]

    @pytest.mark.parametrize(
        "statement",
        [
            "update users set is_admin = true",
            "insert into users (id, username, email, is_admin) values (auth.uid(), 'x', 'x', true)",
            "delete from users",
            "truncate users cascade",
        ],
    )
    @pytest.mark.parametrize("role", ["anon", "authenticated"])
    async def test_but_nobody_makes_an_administrator_or_sheds_their_quotas(
        self, owner: psycopg.AsyncConnection[Row], role: LiteralString, statement: LiteralString
    ) -> None:
        carol = "ca501000-0000-4000-8000-000000000003" if "insert" in statement else ALICE
        await become(owner, role, carol)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await ask(owner, statement)

    async def test_the_service_does(self, owner: psycopg.AsyncConnection[Row]) -> None:
        await become(owner, "service_role")
        await ask(owner, "update users set is_admin = true where id = %s", ALICE)


MINIMAL_USERS = """
    create table public.users (id uuid primary key references auth.users (id), nickname text not null);
    create publication supabase_realtime
"""
OPEN_USERS = "create table public.users (id uuid primary key, email text); grant all on public.users to anon"
PUBLISHED_JOBS = """
    alter table public.sync_jobs replica identity nothing;
    create publication supabase_realtime for table public.sync_jobs
"""
LOOSE_JOBS = f"""
    {re.sub("PRIMARY KEY|REFERENCES.*CASCADE|NOT NULL", "", original.SYNC_JOBS)}
    insert into public.sync_jobs (user_id, platform, status)
    select gen_random_uuid(), 'lichess', 'fetching' from generate_series(1, 2)
"""
NO_DEFAULTS = """
    alter default privileges in schema public revoke all on tables from anon, authenticated, service_role;
    alter default privileges in schema public revoke all on functions from anon, authenticated, service_role;
    alter default privileges in schema public revoke all on sequences from anon, authenticated, service_role
"""
UNLINKED = "create table public.game_analysis (user_id uuid)"
FRONT_ENDS_HEAR_OF = ["game_analyses", "moments", "sync_jobs"]


@pytest.mark.parametrize(
    ("start", "statements", "published"),
    [
        ("empty", [], []),
        ("empty, of Supabase's newer kind: nothing is open by default", [NO_DEFAULTS], []),
        ("users of another application", [MINIMAL_USERS], FRONT_ENDS_HEAR_OF),
        ("users without policies", [OPEN_USERS], []),
        ("sync_jobs published", [original.USERS, original.SYNC_JOBS, PUBLISHED_JOBS], FRONT_ENDS_HEAR_OF),
        (
            "sync_jobs without any constraint, game_analysis without sync_job_id",
            [original.USERS, LOOSE_JOBS, UNLINKED],
            [],
        ),
    ],
)
async def test_each_start_ends_in_the_same_rules(
    postgres_cluster: PostgresCluster, start: str, statements: list[str], published: list[str]
) -> None:
    made = await asyncio.to_thread(original.project, postgres_cluster, *statements)
    applied = await migrate.migrate(made.owner_conninfo)
    known = migrate.read_migrations(migrate.bundled("migrations"))
    assert applied == [migration.label for migration in known]
    assert await migrate.migrate(made.owner_conninfo) == []

    async with (
        PostgresTransport(made.app_conninfo) as transport,
        await psycopg.AsyncConnection.connect(made.owner_conninfo) as owner,
    ):
        store = Store(transport)
        await sign_up(made, owner)
        job = await store.start_sync_job(new_sync(UUID(BOB)), LIMITS)
        await become(owner, "authenticated", BOB)
        assert await ask(owner, "select id from sync_jobs") == [(job.id,)]
        assert await ask(owner, "select id::text from users") == [(BOB,)]
        await owner.rollback()
        for statement in ("update users set is_admin = true", "delete from users", "truncate users cascade"):
            await become(owner, "authenticated", BOB)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await owner.execute(statement)
            await owner.rollback()
        query = (
            "select p.tablename::text, c.relreplident::text from pg_publication_tables p "
            "join pg_class c on c.oid = format('%I.%I', schemaname, tablename)::regclass order by 1"
        )
        assert await ask(owner, query) == [(table, "d") for table in published]
    await asyncio.to_thread(postgres_cluster.drop_database, made.name)


async def test_the_script_for_the_sql_editor_does_the_same(postgres_cluster: PostgresCluster) -> None:
    made = await asyncio.to_thread(
        original.project, postgres_cluster, original.USERS, original.SYNC_JOBS, original.ROWS_OF_JOBS
    )
    async with await psycopg.AsyncConnection.connect(made.owner_conninfo, autocommit=True) as owner:
        await owner.execute(migrate.script().encode())
    assert await migrate.migrate(made.owner_conninfo) == []
    await asyncio.to_thread(postgres_cluster.drop_database, made.name)


async def test_adopting_passes_over_a_database_that_has_the_tables(database: Database) -> None:
    """An embedded one from before that file: it comes late there, and changes nothing."""
    async with PostgresTransport(database.app_conninfo) as transport:
        store = Store(transport)
        job = await store.start_sync_job(new_sync(await new_user(store)), LIMITS)
        version = "20261031000000"
        async with await psycopg.AsyncConnection.connect(database.owner_conninfo, autocommit=True) as owner:
            await ask(owner, "delete from supabase_migrations.schema_migrations where version = %s", version)
        assert await migrate.migrate(database.owner_conninfo) == [f"{version}_adopt"]
        assert await store.get_sync_jobs([job.id]) == [job]
        claim = await store.claim_sync_job("w", LEASE, 5)
        assert claim is not None


async def sign_up(project: Database, owner: psycopg.AsyncConnection[Row]) -> None:
    """Bob, as whatever application's user."""
    async with await psycopg.AsyncConnection.connect(project.superuser_conninfo) as auth:
        await auth.execute("insert into auth.users values (%s)", (BOB,))
    query = (
        "select array_agg(column_name::text) from information_schema.columns "
        "where table_schema = 'public' and table_name = 'users' and is_nullable = 'NO' "
        "and column_name <> 'id'"
    )
    ((columns,),) = await ask(owner, query)
    names = ["id", *(columns or [])]
    insert = sql.SQL("insert into users ({}) values ({})").format(
        sql.SQL(", ").join(map(sql.Identifier, names)),
        sql.SQL(", ").join(map(sql.Literal, [BOB, *names[1:]])),
    )
    await become(owner, "service_role")
    await owner.execute(insert)
    await owner.commit()


@pytest.mark.parametrize(
    ("statement", "hint"),
    [
        ("create table public.users (id uuid, username text)", "add primary key"),
        ("create table public.users (id bigint primary key)", "no unique column .* of type uuid"),
        (
            f"{original.USERS}; create table public.game_analysis (user_id uuid, sync_job_id text)",
            "alter column sync_job_id type uuid",
        ),
    ],
)
async def test_what_cannot_be_taken_is_said_with_its_fix(
    postgres_cluster: PostgresCluster, statement: str, hint: str
) -> None:
    made = await asyncio.to_thread(original.project, postgres_cluster, statement)
    with pytest.raises(MigrationError, match=hint):
        await migrate.migrate(made.owner_conninfo)
    await asyncio.to_thread(postgres_cluster.drop_database, made.name)
