"""`rookify doctor`: a line for each thing that a sync needs, the fix for what is wrong, an exit code."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from orchestrator.cli import doctor as command
from orchestrator.local import doctor
from orchestrator.local.doctor import Check, Verdict
from orchestrator.local.postgres import EmbeddedPostgres, running_conninfo
from orchestrator.settings import Settings
from servicekit.server import GrpcServer
from tests.support.cli_bench import TOKEN
from tests.support.postgres import Database, PostgresCluster
from tests.support.postgrest import PostgrestStandIn
from tests.support.rookify_cli import answered
from tests.support.scripted_analyzer import ScriptedAnalyzer
from tests.support.scripted_sync import ScriptedSync, serve

DATABASE = ["database", "reachable", "migrations", "grants"]


@pytest.fixture
async def project(database: Database) -> AsyncIterator[PostgrestStandIn]:
    async with PostgrestStandIn(database.app_conninfo) as running:
        yield running


@dataclass(frozen=True)
class Orchestrator:
    """One that starts: it does not serve yet."""

    server: GrpcServer
    address: str


@pytest.fixture
async def orchestrator() -> AsyncIterator[Orchestrator]:
    with capture_logs():  # the server's lines would mix with the command's
        server, port = await serve(ScriptedSync(TOKEN))
        yield Orchestrator(server, f"127.0.0.1:{port}")
        await server.stop(0)


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


async def test_a_plain_postgres_is_told_how_to_get_its_roles(
    postgres_cluster: PostgresCluster, capfd: pytest.CaptureFixture[str]
) -> None:
    made = await asyncio.to_thread(postgres_cluster.create_database, migrated=False)
    with capture_logs() as logged:
        found = await looked_at(settings(DATABASE_URL=made.superuser_conninfo))
    await asyncio.to_thread(postgres_cluster.drop_database, made.name)
    assert list(found) == ["database", "reachable"]
    assert found["reachable"].verdict is Verdict.FAIL
    assert "run `rookify migrate --bootstrap` once" in str(found["reachable"])
    assert logged == []
    assert capfd.readouterr().err == ""


async def test_a_login_that_may_not_become_the_service_is_told_so(database: Database) -> None:
    async with await psycopg.AsyncConnection.connect(
        database.superuser_conninfo, autocommit=True
    ) as connection:
        await connection.execute("revoke service_role from authenticator")
        try:
            found = await looked_at(settings(DATABASE_URL=database.app_conninfo))
        finally:  # roles are the whole cluster's
            await connection.execute("grant service_role to authenticator")
    assert found["reachable"].verdict is Verdict.FAIL
    assert "run `grant service_role to authenticator`" in str(found["reachable"])


async def test_a_refused_key_is_named(project: PostgrestStandIn) -> None:
    given = project.settings | {"SUPABASE_SERVICE_ROLE_KEY": "sb_secret_hush"}
    found = await looked_at(settings(**given))
    assert found["reachable"].verdict is Verdict.FAIL
    assert "refuses SUPABASE_SERVICE_ROLE_KEY" in found["reachable"].found
    assert "hush" not in str(found)


async def test_the_command_when_all_is_well(
    project: PostgrestStandIn, analyzer: ScriptedAnalyzer, orchestrator: Orchestrator, tmp_path: Path
) -> None:
    await orchestrator.server.set_serving()
    given = {name: value for name, value in project.settings.items() if value}
    given |= {"ROOKIFY_ANALYZERS": analyzer.address, "ROOKIFY_ORCHESTRATOR": orchestrator.address}
    done = await answered("doctor", settings=given, folder=tmp_path)
    lines = [line.split(maxsplit=2) for line in done.out.splitlines()]
    assert (done.code, done.err) == (0, "")
    assert [subject for _, subject, _ in lines] == [*DATABASE, "stockfish", "analyzers", "orchestrator"]
    assert {verdict for verdict, _, _ in lines} == {"ok"}
    assert "Stockfish" in lines[-3][2]
    assert f"{analyzer.address}: script, 2 workers" in lines[-2][2]
    assert lines[-1][2] == f"{orchestrator.address} serves"


async def test_an_orchestrator_that_is_gone_beside_an_analyzer_that_works(
    project: PostgrestStandIn, analyzer: ScriptedAnalyzer, tmp_path: Path
) -> None:
    given = {name: value for name, value in project.settings.items() if value}
    done = await answered("doctor", settings=given | {"ROOKIFY_ANALYZERS": analyzer.address}, folder=tmp_path)
    assert done.code == 1
    assert [line.split()[0] for line in done.out.splitlines()] == ["ok"] * 6 + ["FAIL"]
    assert "no orchestrator answers at 127.0.0.1:50051" in done.out


async def test_what_is_said_of_the_orchestrator(
    orchestrator: Orchestrator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # no .env
    verdicts = {}
    for running in (False, True):
        check = await command.orchestrator(running=running)
        verdicts[running] = check.verdict
        assert "`rookify up` starts one" in check.found
    assert verdicts == {False: Verdict.NOTE, True: Verdict.FAIL}, "nothing says that it should run"

    monkeypatch.setenv("ROOKIFY_ORCHESTRATOR", orchestrator.address)
    check = await command.orchestrator(running=False)
    assert (check.verdict, check.found) == (
        Verdict.FAIL,
        f"{orchestrator.address} answers that it does not serve",
    )
    monkeypatch.setenv("ROOKIFY_TLS_NAME", "rookify.example")
    check = await command.orchestrator(running=False)
    assert check.verdict is Verdict.FAIL
    assert "by TLS: the server does not speak TLS" in check.found
    monkeypatch.setenv("ROOKIFY_TLS_CLIENT_CERT", str(tmp_path / "cert.pem"))
    check = await command.orchestrator(running=False)
    assert check.verdict is Verdict.FAIL
    assert "ROOKIFY_TLS_CLIENT_KEY go together" in check.found


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
        ["note", "orchestrator"],
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


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_nor_is_one_that_does_not_run_any_more(folder: Path, how: str) -> None:
    data = folder / "data"
    server = EmbeddedPostgres(data, durable=False)
    await server.start()
    assert running_conninfo(data) is not None
    if how == "killed":
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        await server.wait()
    else:
        await server.stop()
        assert running_conninfo(data) is None
    found = await looked_at(settings(data=data))
    assert [check.verdict for check in found.values()] == [Verdict.OK, Verdict.NOTE]
    assert "it does not run: `rookify up` starts it" in found["reachable"].found
    await server.stop()
