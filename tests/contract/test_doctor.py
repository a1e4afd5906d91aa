"""`rookify doctor`: a line for each thing that a sync needs, the fix for what is wrong, an exit code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import Database
from tests.support.postgrest import SECRET_KEY, PostgrestStandIn
from tests.support.rookify_cli import answered
from tests.support.scripted_analyzer import ScriptedAnalyzer

SUBJECTS = ["database", "reachable", "migrations", "grants", "stockfish", "analyzers"]


@pytest.fixture
async def project(database: Database) -> AsyncIterator[PostgrestStandIn]:
    async with PostgrestStandIn(database.app_conninfo) as running:
        yield running


@pytest.fixture
async def analyzer() -> AsyncIterator[ScriptedAnalyzer]:
    async with ScriptedAnalyzer() as running:
        yield running


def chosen(way: str, database: Database, project: PostgrestStandIn) -> dict[str, str]:
    if way == "postgres":
        return {"DATABASE_URL": database.app_conninfo}
    return {"SUPABASE_URL": project.url, "SUPABASE_SERVICE_ROLE_KEY": SECRET_KEY}


def lines(out: str) -> dict[str, tuple[str, str]]:
    """Subject to verdict and the rest."""
    parts = [line.split(maxsplit=2) for line in out.splitlines()]
    return {subject: (verdict, rest) for verdict, subject, rest in parts}


@pytest.mark.parametrize("way", ["postgres", "supabase"])
async def test_all_is_well(
    way: str, database: Database, project: PostgrestStandIn, analyzer: ScriptedAnalyzer, tmp_path: Path
) -> None:
    settings = chosen(way, database, project) | {"ROOKIFY_ANALYZERS": analyzer.address}
    done = await answered("doctor", settings=settings, folder=tmp_path)
    found = lines(done.out)
    assert (done.code, done.err) == (0, "")
    assert list(found) == SUBJECTS
    assert {verdict for verdict, _ in found.values()} == {"ok"}
    assert {"postgres": "DATABASE_URL", "supabase": project.url}[way] in found["database"][1]
    assert "Postgres 1" in found["reachable"][1]
    assert "are applied" in found["migrations"][1]
    assert "Stockfish" in found["stockfish"][1]
    assert f"{analyzer.address}: script, 2 workers" in found["analyzers"][1]


@pytest.mark.parametrize("way", ["postgres", "supabase"])
async def test_every_fault_has_its_fix(
    way: str, database: Database, project: PostgrestStandIn, tmp_path: Path
) -> None:
    async with await psycopg.AsyncConnection.connect(database.owner_conninfo) as connection:
        await connection.execute("delete from supabase_migrations.schema_migrations where name = 'audit'")
        await connection.execute("grant execute on function get_user(uuid) to anon")
    settings = chosen(way, database, project) | {
        "ROOKIFY_ANALYZERS": "127.0.0.1:1",
        "ROOKIFY_STOCKFISH": "/bin/true",
    }
    done = await answered("doctor", settings=settings, folder=tmp_path)
    found = lines(done.out)
    assert done.code == 1
    assert [verdict for verdict, _ in found.values()] == ["ok", "ok", "FAIL", "FAIL", "FAIL", "FAIL"]
    assert "not applied: 20261101000700_audit" in found["migrations"][1]
    assert "rookify migrate" in found["migrations"][1]
    assert "anon or authenticated may execute get_user" in found["grants"][1]
    assert "/bin/true does not run as a UCI engine" in found["stockfish"][1]
    assert "ROOKIFY_STOCKFISH" in found["stockfish"][1]
    assert "127.0.0.1:1 does not answer" in found["analyzers"][1]
    assert "ROOKIFY_ANALYZERS" in found["analyzers"][1]


@pytest.mark.parametrize(
    ("settings", "subject", "told"),
    [
        ({"DATABASE_URL": "postgresql://u:hush@127.0.0.1:1/x"}, "reachable", "Is DATABASE_URL right"),
        ({"DATABASE_URL": "hush"}, "database", "DATABASE_URL is no connection string"),
        ({"SUPABASE_SERVICE_ROLE_KEY": "sb_secret_hush"}, "database", "SUPABASE_URL is not"),
        (
            {"SUPABASE_URL": "http://127.0.0.1:1", "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_hush"},
            "reachable",
            "can this machine reach it?",
        ),
    ],
)
async def test_a_database_that_is_not_there(
    settings: dict[str, str], subject: str, told: str, tmp_path: Path
) -> None:
    engine = {"ROOKIFY_STOCKFISH": "/nowhere", "ROOKIFY_ANALYZERS": "nowhere.invalid:1"}
    done = await answered("doctor", settings=settings | engine, folder=tmp_path)
    found = lines(done.out)
    assert done.code == 1
    assert found[subject][0] == "FAIL"
    assert told in found[subject][1]
    assert "migrations" not in found, "nothing can be said of it"
    assert found["stockfish"][0] == found["analyzers"][0] == "FAIL", "the rest is looked at all the same"
    assert "hush" not in done.out + done.err


async def test_a_refused_key_is_named(database: Database, project: PostgrestStandIn, tmp_path: Path) -> None:
    settings = {"SUPABASE_URL": project.url, "SUPABASE_SERVICE_ROLE_KEY": "sb_secret_hush"}
    done = await answered("doctor", settings=settings, folder=tmp_path)
    assert done.code == 1
    verdict, said = lines(done.out)["reachable"]
    assert verdict == "FAIL"
    assert "refuses SUPABASE_SERVICE_ROLE_KEY" in said
    assert "hush" not in done.out + done.err


async def test_an_embedded_database_that_does_not_run_is_no_fault(tmp_path: Path) -> None:
    done = await answered("doctor", "--data", str(tmp_path / "data"), settings={}, folder=tmp_path)
    found = lines(done.out)
    assert (done.code, found["database"][0], found["reachable"][0]) == (0, "ok", "note")
    assert "rookify up" in found["reachable"][1]
    assert found["analyzers"][0] in ("note", "ok")
    assert not (tmp_path / "data").exists(), "looking leaves nothing behind"
