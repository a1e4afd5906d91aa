"""docs/supabase.md does what it says: its SQL runs, and what it names is there."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import psycopg
import pytest

from orchestrator.store import migrate
from tests.support import original
from tests.support.original import ALICE, BOB
from tests.support.postgres import Database, PostgresCluster

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "supabase.md").read_text(encoding="utf-8")
SQL = re.findall(r"^```sql\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


async def test_its_sql_makes_users_and_administrators(postgres_cluster: PostgresCluster) -> None:
    publication = "create publication supabase_realtime"
    made = await asyncio.to_thread(original.project, postgres_cluster, publication)
    await migrate.migrate(made.owner_conninfo)
    auth = "insert into auth.users (id, email) values (%s, %s)"
    sign_up, administer, realtime = SQL
    async with (
        await psycopg.AsyncConnection.connect(made.superuser_conninfo, autocommit=True) as supabase,
        await psycopg.AsyncConnection.connect(made.owner_conninfo, autocommit=True) as owner,
    ):
        await supabase.execute(auth, (ALICE, "you@example.com"))  # before
        await owner.execute(sign_up.encode())
        await supabase.execute(auth, (BOB, "bob@example.com"))
        await owner.execute(administer.encode())
        cursor = await owner.execute("select id::text, is_admin from public.users order by id")
        assert await cursor.fetchall() == [(ALICE, True), (BOB, False)]
        await owner.execute("alter publication supabase_realtime set table public.users")
        await owner.execute(realtime.encode())
    await asyncio.to_thread(postgres_cluster.drop_database, made.name)


async def test_what_it_reads_is_what_a_user_may_read(database: Database) -> None:
    """Its queries as PostgREST makes them; a part in brackets is read by the foreign key between the two."""
    queries = re.findall(r'from\("(\w+)"\)\s*\.select\("([^"]+)"\)', GUIDE)
    assert len(queries) == 2
    async with await psycopg.AsyncConnection.connect(database.app_conninfo) as connection:
        await connection.execute("set role authenticated")
        await connection.execute(
            "select set_config('request.jwt.claims', %s, false)", (json.dumps({"sub": ALICE}),)
        )
        for table, columns in queries:
            parts = re.findall(r"(\w+)\(([^)]*)\)", columns)
            own = re.sub(r",?\s*\w+\([^)]*\)", "", columns)
            for name, wanted in [(table, own), *parts]:
                cursor = await connection.execute(f"select {wanted} from public.{name}".encode())
                assert await cursor.fetchall() == []
            for name, _ in parts:
                cursor = await connection.execute(
                    "select count(*) from pg_constraint where contype = 'f' "
                    "and (conrelid, confrelid) in ((%(a)s::regclass, %(b)s::regclass), "
                    "(%(b)s::regclass, %(a)s::regclass))",
                    {"a": f"public.{table}", "b": f"public.{name}"},
                )
                assert await cursor.fetchall() == [(1,)]


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\b(?:ROOKIFY|SUPABASE|DATABASE)_[A-Z_]+", GUIDE))))
def test_the_variables_that_it_names_are_settings(name: str) -> None:
    assert f"#{name}=" in (ROOT / ".env.example").read_text(encoding="utf-8")


def test_the_reasons_that_it_names_are_given() -> None:
    named = set(re.findall(r"^\| `([A-Z_]+)`", GUIDE, re.MULTILINE)) | {"KEY_REFUSED"}
    assert len(named) >= 6
    sources = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "orchestrator" / "src").rglob("*.py"))
    assert {name for name in named if f'"{name}"' not in sources} == set()
