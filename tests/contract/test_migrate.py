"""The migration runner and the bootstrap, against a real Postgres, mostly with migrations made for a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from structlog.testing import capture_logs

from orchestrator.store import migrate
from orchestrator.store.migrate import MigrationError
from servicekit.errors import ConfigurationError
from tests.support.postgres import Database, PostgresCluster

FIRST = "create table first (id int primary key);\n"
SECOND = "create table second (id int references first (id));\n"


@pytest.fixture
async def empty(postgres_cluster: PostgresCluster) -> AsyncIterator[Database]:
    """As Postgres makes it; roles belong to the whole cluster, so another test may have made them."""
    made = await asyncio.to_thread(postgres_cluster.create_database, migrated=False)
    yield made
    await asyncio.to_thread(postgres_cluster.drop_database, made.name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "20260101000000_first.sql").write_text(FIRST)
    (tmp_path / "20260102000000_second.sql").write_text(SECOND)
    return tmp_path


async def ask(conninfo: str, query: str, *values: object) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        cursor = await connection.execute(query, values or None)
        return await cursor.fetchall() if cursor.description else []


async def test_applies_in_order_and_only_once(empty: Database, folder: Path) -> None:
    labels = ["20260101000000_first", "20260102000000_second"]
    assert await migrate.pending(empty.superuser_conninfo, folder) == labels
    assert await migrate.migrate(empty.superuser_conninfo, folder) == labels
    assert await migrate.migrate(empty.superuser_conninfo, folder) == []
    assert await migrate.pending(empty.superuser_conninfo, folder) == []
    (folder / "20260103000000_third.sql").write_text("create table third ()")
    assert await migrate.migrate(empty.superuser_conninfo, folder) == ["20260103000000_third"]


async def test_records_as_the_supabase_cli_does(empty: Database, folder: Path) -> None:
    await migrate.migrate(empty.superuser_conninfo, folder)
    query = "select version, name, statements from supabase_migrations.schema_migrations order by version"
    assert await ask(empty.superuser_conninfo, query) == [
        ("20260101000000", "first", [FIRST]),
        ("20260102000000", "second", [SECOND]),
    ]


async def test_takes_what_the_supabase_cli_applied(empty: Database, folder: Path) -> None:
    """It stores statements one by one, trimmed and without semicolons; old versions stored none."""
    (folder / "20260101000000_first.sql").write_text(
        f"-- A table.\n{FIRST}\ncomment on table first is 'a;b';\n"
    )
    await ask(
        empty.superuser_conninfo,
        """
        create schema supabase_migrations;
        create table supabase_migrations.schema_migrations
            (version text primary key, statements text[], name text);
        insert into supabase_migrations.schema_migrations values
            ('20260101000000', array['-- A table.
create table first (id int primary key)', 'comment on table first is ''a;b'''], 'first'),
            ('20260102000000', null, null);
        """,
    )
    assert await migrate.migrate(empty.superuser_conninfo, folder) == []


async def test_a_failing_one_leaves_nothing_behind(empty: Database, folder: Path) -> None:
    (folder / "20260102000000_second.sql").write_text("create table second ();\n\nselect * from missing;\n")
    (folder / "20260103000000_third.sql").write_text("create table third ();")
    message = r'^migration 20260102000000_second, line 3: relation "missing" does not exist'
    with pytest.raises(MigrationError, match=message):
        await migrate.migrate(empty.superuser_conninfo, folder)
    query = "select tablename from pg_tables where schemaname = 'public'"
    assert await ask(empty.superuser_conninfo, query) == [("first",)]
    pending = await migrate.pending(empty.superuser_conninfo, folder)
    assert pending == ["20260102000000_second", "20260103000000_third"]


async def test_one_that_was_changed_after_it_was_applied_is_refused(empty: Database, folder: Path) -> None:
    await migrate.migrate(empty.superuser_conninfo, folder)
    (folder / "20260101000000_first.sql").write_text(f"-- layout and comments may change\n\n{FIRST}")
    assert await migrate.migrate(empty.superuser_conninfo, folder) == []
    (folder / "20260101000000_first.sql").write_text(FIRST.replace("int", "bigint"))
    for call in (migrate.migrate, migrate.pending):
        with pytest.raises(MigrationError, match="20260101000000_first is not what was applied") as caught:
            await call(empty.superuser_conninfo, folder)
        assert caught.value.reason == "MIGRATION_CHANGED"


async def test_unknown_ones_are_named_and_left_alone(empty: Database, folder: Path) -> None:
    await migrate.migrate(empty.superuser_conninfo, folder)
    (folder / "20260102000000_second.sql").unlink()
    (folder / "20260101120000_between.sql").write_text("create table between_them ()")
    with capture_logs() as logged:
        assert await migrate.migrate(empty.superuser_conninfo, folder) == ["20260101120000_between"]
    assert [entry["versions"] for entry in logged if "versions" in entry] == [["20260102000000"]]


async def test_runners_take_turns(empty: Database, folder: Path) -> None:
    (folder / "20260101000000_first.sql").write_text(f"select pg_sleep(0.1); {FIRST}")
    results = await asyncio.gather(*(migrate.migrate(empty.superuser_conninfo, folder) for _ in range(5)))
    assert sorted(label for labels in results for label in labels) == [
        "20260101000000_first",
        "20260102000000_second",
    ]


async def test_another_role_than_the_one_that_applied_them(empty: Database, folder: Path) -> None:
    await migrate.bootstrap(empty.superuser_conninfo)
    await migrate.migrate(empty.superuser_conninfo, folder)
    with pytest.raises(MigrationError, match=r"permission denied .* Connect as the role that applied"):
        await migrate.pending(empty.app_conninfo, folder)


async def test_a_commit_inside_is_refused(empty: Database, folder: Path) -> None:
    (folder / "20260101000000_first.sql").write_text(f"{FIRST} commit;")
    with pytest.raises(MigrationError, match="leave out BEGIN and COMMIT"):
        await migrate.migrate(empty.superuser_conninfo, folder)


@pytest.mark.parametrize(
    "name",
    ["1_first.sql", "20260101000000.sql", "20260101000000_First.sql", "first.sql", "2026-01-01_first.sql"],
)
async def test_a_name_that_is_not_the_clis_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("select 1")
    with pytest.raises(MigrationError, match=name):
        migrate.read_migrations(tmp_path)


async def test_two_of_one_version_are_refused(folder: Path) -> None:
    (folder / "20260101000000_again.sql").write_text("select 1")
    with pytest.raises(MigrationError, match="same version"):
        migrate.read_migrations(folder)


async def test_a_folder_without_any_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="no migrations in"):
        migrate.read_migrations(tmp_path / "missing")


async def test_no_database_there_is_a_clear_error(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot connect to the database: .* Is DATABASE_URL right"):
        await migrate.migrate(f"host={tmp_path} user=nobody", folder)


@pytest.mark.parametrize(
    "url", ["postgresql://u:Sec%hush@127.0.0.1:1/x", "postgresql://u:S@hush#w@127.0.0.1:1/x"]
)
async def test_a_password_with_special_characters_is_told_to_nobody(url: str) -> None:
    with capture_logs() as logged:
        for call in (migrate.migrate, migrate.pending, migrate.bootstrap, migrate.require_bootstrapped):
            with pytest.raises(ConfigurationError, match="percent-encode the password") as caught:
                await call(url)
            assert "hush" not in str(caught.value)
            assert caught.value.__cause__ is None
    assert "hush" not in str(logged)


async def test_bootstrap_makes_a_plain_postgres_like_supabase(empty: Database) -> None:
    with pytest.raises(MigrationError, match="rookify migrate --bootstrap"):
        await migrate.require_bootstrapped(empty.superuser_conninfo)
    await migrate.bootstrap(empty.superuser_conninfo)
    await migrate.bootstrap(empty.superuser_conninfo)  # changes nothing
    await migrate.require_bootstrapped(empty.superuser_conninfo)
    query = "select rolname::text, rolbypassrls, rolcanlogin, rolsuper from pg_roles where rolname = any(%s)"
    names = ["anon", "authenticated", "service_role", "authenticator"]
    assert sorted(await ask(empty.superuser_conninfo, query, names)) == [
        ("anon", False, False, False),
        ("authenticated", False, False, False),
        ("authenticator", False, True, False),
        ("service_role", True, False, False),
    ]


async def test_bootstrap_needs_a_superuser(database: Database) -> None:
    with pytest.raises(MigrationError, match="needs a superuser"):
        await migrate.bootstrap(database.app_conninfo)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("request.jwt.claims", '{"sub": "4f3c2b1a-0d9e-4c7b-8a65-1f2e3d4c5b6a", "role": "authenticated"}'),
        ("request.jwt.claim.sub", "4f3c2b1a-0d9e-4c7b-8a65-1f2e3d4c5b6a"),
    ],
)
async def test_auth_uid_is_the_claims_subject(database: Database, setting: str, value: str) -> None:
    async with await psycopg.AsyncConnection.connect(database.app_conninfo) as connection:
        await connection.execute("set role authenticated")
        assert await (await connection.execute("select auth.uid(), auth.role(), auth.jwt()")).fetchone() == (
            None,
            None,
            None,
        )
        await connection.execute("select set_config(%s, %s, true)", (setting, value))
        row = await (await connection.execute("select auth.uid()")).fetchone()
        assert row == (UUID("4f3c2b1a-0d9e-4c7b-8a65-1f2e3d4c5b6a"),)


async def test_what_is_created_is_open_until_a_migration_closes_it(empty: Database, folder: Path) -> None:
    """Supabase's default privileges: the reason why this project's migrations revoke by name."""
    await migrate.bootstrap(empty.superuser_conninfo)
    await migrate.migrate(empty.owner_conninfo, folder)
    for role in ("anon", "authenticated", "service_role"):
        query = f"select has_table_privilege('{role}', 'public.first', 'insert')"
        assert await ask(empty.owner_conninfo, query) == [(True,)]


async def test_the_projects_own_are_applied_by_an_owner_who_is_no_superuser(database: Database) -> None:
    assert await migrate.pending(database.owner_conninfo) == []
    query = "select distinct tableowner::text from pg_tables where schemaname = 'public'"
    assert await ask(database.superuser_conninfo, query) == [("postgres",)]
    assert await ask(
        database.owner_conninfo, "select rolsuper from pg_roles where rolname = current_user"
    ) == [(False,)]


async def test_the_fixtures_databases_are_apart(
    database: Database, postgres_cluster: PostgresCluster
) -> None:
    other = await asyncio.to_thread(postgres_cluster.create_database)
    await ask(other.owner_conninfo, "insert into public.users (id) values (gen_random_uuid())")
    assert await ask(database.owner_conninfo, "select count(*) from public.users") == [(0,)]
    await asyncio.to_thread(postgres_cluster.drop_database, other.name)
