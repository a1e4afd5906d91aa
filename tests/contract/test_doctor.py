"""`rookify doctor`: a line for each thing that a sync needs, the fix for what is wrong, an exit code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestrator.local import doctor
from orchestrator.local.doctor import Check, Verdict
from orchestrator.settings import Settings
from tests.support.postgres import Database
from tests.support.postgrest import PostgrestStandIn
from tests.support.rookify_cli import answered
from tests.support.scripted_analyzer import ScriptedAnalyzer

DATABASE = ["database", "reachable", "migrations", "grants"]


@pytest.fixture
async def project(database: Database) -> AsyncIterator[PostgrestStandIn]:
    async with PostgrestStandIn(database.app_conninfo) as running:
        yield running


@pytest.fixture
async def analyzer() -> AsyncIterator[ScriptedAnalyzer]:
    async with ScriptedAnalyzer() as running:
        yield running


def settings(**given: Any) -> Settings:
    nothing = {"DATABASE_URL": None, "SUPABASE_URL": "", "SUPABASE_SERVICE_ROLE_KEY": None}
    return Settings(_env_file=None, **(nothing | given))  # type: ignore[call-arg]


def chosen(way: str, database: Database, project: PostgrestStandIn) -> Settings:
    if way == "postgres":
        return settings(DATABASE_URL=database.app_conninfo)
    return settings(**project.settings)


async def looked_at(made: Settings) -> dict[str, Check]:
    """What is said of the database: the engine takes a second to be looked at."""
    return {check.subject: check async for check in doctor._database(made)}


@pytest.mark.parametrize("way", ["postgres", "supabase"])
async def test_a_sound_database(way: str, database: Database, project: PostgrestStandIn) -> None:
    found = await looked_at(chosen(way, database, project))
    assert list(found) == DATABASE
    assert {check.verdict for check in found.values()} == {Verdict.OK}
    assert {"postgres": "DATABASE_URL", "supabase": project.url}[way] in found["database"].found
    assert "Postgres 1" in found["reachable"].found
    assert "are applied" in found["migrations"].found


@pytest.mark.parametrize("way", ["postgres", "supabase"])
async def test_a_database_with_faults(way: str, database: Database, project: PostgrestStandIn) -> None:
    async with await psycopg.AsyncConnection.connect(database.owner_conninfo) as connection:
        await connection.execute("delete from supabase_migrations.schema_migrations where name = 'audit'")
        await connection.execute("grant execute on function get_user(uuid) to anon")
    found = await looked_at(chosen(way, database, project))
    verdicts = [check.verdict for check in found.values()]
    assert verdicts == [Verdict.OK, Verdict.OK, Verdict.FAIL, Verdict.FAIL]
    assert found["migrations"].found == "not applied: 20261101000700_audit"
    assert "rookify migrate" in found["migrations"].fix
    assert found["grants"].found == "anon or authenticated may execute get_user"


@pytest.mark.parametrize(
    ("given", "subject", "told"),
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
async def test_a_database_that_is_not_there(given: dict[str, str], subject: str, told: str) -> None:
    found = await looked_at(settings(**given))
    assert list(found) == DATABASE[: DATABASE.index(subject) + 1], "nothing more can be said of it"
    assert found[subject].verdict is Verdict.FAIL
    assert told in str(found[subject])
    assert "hush" not in str(found)


async def test_a_refused_key_is_named(project: PostgrestStandIn) -> None:
    given = project.settings | {"SUPABASE_SERVICE_ROLE_KEY": "sb_secret_hush"}
    found = await looked_at(settings(**given))
    assert found["reachable"].verdict is Verdict.FAIL
    assert "refuses SUPABASE_SERVICE_ROLE_KEY" in found["reachable"].found
    assert "hush" not in str(found)


async def test_the_command_when_all_is_well(
    project: PostgrestStandIn, analyzer: ScriptedAnalyzer, tmp_path: Path
) -> None:
    given = {name: value for name, value in project.settings.items() if value}
    done = await answered("doctor", settings=given | {"ROOKIFY_ANALYZERS": analyzer.address}, folder=tmp_path)
    lines = [line.split(maxsplit=2) for line in done.out.splitlines()]
    assert (done.code, done.err) == (0, "")
    assert [subject for _, subject, _ in lines] == [*DATABASE, "stockfish", "analyzers"]
    assert {verdict for verdict, _, _ in lines} == {"ok"}
    assert "Stockfish" in lines[-2][2]
    assert f"{analyzer.address}: script, 2 workers" in lines[-1][2]


async def test_the_command_when_much_is_wrong(tmp_path: Path) -> None:
    given = {
        "DATABASE_URL": "postgresql://u:hush@127.0.0.1:1/x",
        "ROOKIFY_STOCKFISH": "/bin/true",
        "ROOKIFY_ANALYZERS": "127.0.0.1:1,127.0.0.2:1",
    }
    done = await answered("doctor", settings=given, folder=tmp_path)
    lines = done.out.splitlines()
    assert done.code == 1
    assert [line.split()[:2] for line in lines] == [
        ["ok", "database"],
        ["FAIL", "reachable"],
        ["FAIL", "stockfish"],
        ["FAIL", "analyzers"],
        ["FAIL", "analyzers"],
    ]
    for part in ("/bin/true does not run as a UCI engine", "ROOKIFY_STOCKFISH"):
        assert part in lines[2]
    for part in ("127.0.0.1:1 does not answer", "ROOKIFY_ANALYZERS"):
        assert part in lines[3]
    assert "127.0.0.2:1 does not answer" in lines[4]
    assert "hush" not in done.out + done.err


async def test_an_embedded_database_that_does_not_run_is_no_fault(tmp_path: Path) -> None:
    found = await looked_at(settings(data=tmp_path / "data"))
    assert [check.verdict for check in found.values()] == [Verdict.OK, Verdict.NOTE]
    assert "rookify up" in found["reachable"].found
    assert not (tmp_path / "data").exists(), "looking leaves nothing behind"
