"""`rookify up`, `token` and `migrate` as users run them, with the real services."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import httpx
import jwt
import psycopg
import pytest

from orchestrator.local.postgres import running_conninfo
from orchestrator.local.processes import alive
from rookify.sync.v1 import sync_pb2, sync_pb2_grpc
from servicekit import health
from tests.support.certificates import Authority
from tests.support.postgres import PostgresCluster
from tests.support.system import STOP_SECONDS
from tests.support.up import Up, rookify

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc to see that nothing is left")

USER = "4f3c2b1a-0d9e-4c7b-8a65-1f2e3d4c5b6a"


@pytest.fixture
async def up(folder: Path) -> AsyncIterator[Up]:
    running = await Up.start(folder / "data", "--engine-workers", "1")
    yield running
    await running.stop()


async def serving(address: str) -> bool:
    async with grpc.aio.insecure_channel(address) as channel:
        return await health.serving(channel, timeout=10)


async def list_jobs(address: str, token: str) -> sync_pb2.ListSyncJobsResponse:
    """A call that goes through authentication and to the database; waits for a server that is starting."""
    async with grpc.aio.insecure_channel(address) as channel:
        return await sync_pb2_grpc.SyncServiceStub(channel).ListSyncJobs(
            sync_pb2.ListSyncJobsRequest(user_id=USER),
            metadata=(("authorization", f"Bearer {token}"),),
            wait_for_ready=True,
            timeout=60,
        )


async def answered(address: str, token: str) -> bool:
    """False while the orchestrator or its database is being started."""
    try:
        await list_jobs(address, token)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        return False
    return True


async def token_for(up: Up, *options: str) -> str:
    finished = await rookify("token", "--user", USER, "--data", str(up.data), *options, cwd=up.data.parent)
    assert finished.code == 0, finished.err
    return finished.out.removesuffix("\n")


async def test_with_tls_all_goes_by_tls(folder: Path) -> None:
    authority = Authority("ca")
    ca = authority.write(folder)
    cert, key = authority.make("127.0.0.1").write(folder, "server")
    own, own_key = authority.make("rookify").write(folder, "own")
    client = {
        "ROOKIFY_TLS_CA": str(ca),
        "ROOKIFY_TLS_CLIENT_CERT": str(own),
        "ROOKIFY_TLS_CLIENT_KEY": str(own_key),
    }
    server = {"ROOKIFY_TLS_CERT": str(cert), "ROOKIFY_TLS_KEY": str(key), "ROOKIFY_TLS_CLIENT_CA": str(ca)}
    # What is for analyzers elsewhere does not disturb the one on loopback.
    elsewhere = {f"ROOKIFY_ANALYZER_TLS_{name}": "/nowhere" for name in ("CERT", "KEY", "CA", "CLIENT_CA")}
    options = ("--engine-workers", "1", "--gateway", "0")
    up = await Up.start(folder / "data", *options, env={**client, **server, **elsewhere})
    try:
        assert up.process.stdout is not None
        said = (await up.process.stdout.readline()).decode()
        async with httpx.AsyncClient(base_url=said.removeprefix("the gateway is at ").strip()) as http:
            assert (await http.get("/healthz")).status_code == 200
        call = {"ROOKIFY_TOKEN": await token_for(up), "ROOKIFY_ORCHESTRATOR": up.address}
        listed = await rookify("jobs", cwd=folder, env=client | call)
        assert listed.code == 0, listed.err
        refused = await rookify("jobs", cwd=folder, env={"ROOKIFY_TLS_CA": str(ca)} | call)
        assert refused.code == 2
        assert "does it want a client certificate" in refused.err

        renewed = Authority("renewed")
        renewed.make("127.0.0.1").write(folder, "server")
        trusting = client | {"ROOKIFY_TLS_CA": str(renewed.write(folder))}
        listed = await rookify("jobs", cwd=folder, env=trusting | call)
        assert listed.code == 0, listed.err
        log = (up.data / "logs" / "orchestrator.log").read_text()
        assert "TLS certificate reloaded" in log
        assert "Handshake failed" in log
        assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in log
    finally:
        await up.stop()


async def test_a_first_run(up: Up) -> None:
    assert up.address.startswith("127.0.0.1:")
    assert await serving(up.address)

    token = await token_for(up)
    assert jwt.decode(token, options={"verify_signature": False})["sub"] == USER
    assert list((await list_jobs(up.address, token)).sync_jobs) == []
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await list_jobs(up.address, token[:-4] + "AAAA")
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED

    # The row that every job references, made once.
    await token_for(up)
    conninfo = running_conninfo(up.data)
    assert conninfo is not None
    async with await psycopg.AsyncConnection.connect(conninfo) as connection:
        await connection.execute("set role service_role")
        rows = await (await connection.execute("select id::text, username from users")).fetchall()
    assert rows == [(USER, "user-4f3c2b1a")]

    # No secret in what anybody on the machine can see of processes.
    secret = (up.data / "jwt.secret").read_text().strip()
    assert not [line for line in up.descendants().values() if secret in line or token in line]

    second = await rookify("up", "--data", str(up.data), cwd=up.data.parent)
    assert (second.code, second.out) == (2, "")
    assert f"in use by process {up.process.pid}" in second.err
    assert await serving(up.address)

    assert await up.stop() < STOP_SECONDS
    assert up.process.returncode == 0
    assert await up.rest_of_stdout() == ""

    finished = await rookify("token", "--user", USER, "--data", str(up.data), cwd=up.data.parent)
    assert (finished.code, finished.out) == (2, "")
    assert "no `rookify up` is running with the data folder" in finished.err


@pytest.mark.parametrize(
    "options", [["--user", "x"], ["--user", USER, "--role", "king"], ["--user", USER, "--ttl", "z"]]
)
async def test_a_token_for_nobody(folder: Path, options: list[str]) -> None:
    wrong = await rookify("token", *options, "--data", str(folder), cwd=folder)
    assert (wrong.code, wrong.out) == (2, "")
    assert f"Invalid value for '{options[-2]}'" in wrong.err


async def test_ctrl_c_stops_it_in_order(up: Up) -> None:
    """A terminal sends SIGINT to the whole group: the services must not take it for their own."""
    below = up.descendants()
    os.killpg(up.process.pid, signal.SIGINT)
    async with asyncio.timeout(60):
        await up.process.wait()
    assert up.process.returncode == 0
    assert not [pid for pid in below if alive(pid)]
    log = (up.data / "logs" / "orchestrator.log").read_text()
    assert '"stopped"' in log
    assert '"level": "error"' not in log  # Postgres went after it


async def test_what_is_killed_is_started_again(up: Up) -> None:
    token = await token_for(up)
    for name, mark in (("analyzer", "-m analyzer"), ("orchestrator", "-m orchestrator"), ("postgres", "-D ")):
        victim = up.child(mark)
        os.kill(victim, signal.SIGKILL)
        async with asyncio.timeout(60):
            while not await is_back(up, name, mark, token):  # noqa: ASYNC110  other processes, no event of ours
                await asyncio.sleep(0.05)
        assert up.child(mark) != victim


async def is_back(up: Up, name: str, mark: str, token: str) -> bool:
    """It is said to have ended, runs again, and the orchestrator answers from the database."""
    said = f"{name} ended: signal SIGKILL; starting it again" in up.said
    return said and up.has_child(mark) and await answered(up.address, token)


async def test_kill_9_leaves_nothing_and_the_next_run_goes_on(folder: Path) -> None:
    first = await Up.start(folder / "data", "--engine-workers", "1")
    token = await token_for(first)
    await first.kill()
    second = await Up.start(folder / "data", "--engine-workers", "1")
    try:
        assert list((await list_jobs(second.address, token)).sync_jobs) == []
    finally:
        await second.stop()


@pytest.mark.parametrize(
    ("option", "others", "way_out"),
    [("--port", [], "--port or ROOKIFY_LISTEN"), ("--gateway", ["--port", "0"], "--gateway")],
)
async def test_a_port_in_use_is_named_before_anything_is_started(
    folder: Path, option: str, others: list[str], way_out: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        finished = await rookify("up", "--data", str(folder / "data"), option, port, *others, cwd=folder)
    assert (finished.code, finished.out) == (2, "")
    assert f"port {port} on 127.0.0.1 cannot be had" in finished.err
    assert f"or choose another by {way_out}\n" in finished.err
    assert not (folder / "data" / "postgres").exists()


async def test_without_stockfish_it_says_what_to_install(folder: Path) -> None:
    finished = await rookify(
        "up",
        "--data",
        str(folder / "data"),
        "--port",
        "0",
        cwd=folder,
        ROOKIFY_STOCKFISH="/nowhere/stockfish",
    )
    assert (finished.code, finished.out) == (2, "")
    assert "/nowhere/stockfish" in finished.err
    assert "Traceback" not in finished.err
    second = await rookify("token", "--user", USER, "--data", str(folder / "data"), cwd=folder)
    assert second.code == 2  # Postgres was stopped with the rest


async def test_a_folder_that_cannot_be_written(folder: Path) -> None:
    (folder / "data").write_text("a file")
    finished = await rookify("up", "--data", str(folder / "data"), cwd=folder)
    assert (finished.code, finished.out) == (2, "")
    assert f"the data folder {folder}/data cannot be used" in finished.err


async def test_a_postgres_of_ones_own(folder: Path, postgres_cluster: PostgresCluster) -> None:
    plain = await asyncio.to_thread(postgres_cluster.create_database, migrated=False)
    refused = await rookify(
        "up", "--data", str(folder / "data"), cwd=folder, DATABASE_URL=plain.superuser_conninfo
    )
    assert refused.code == 2
    assert "rookify migrate --bootstrap" in refused.err

    missing = await rookify("migrate", cwd=folder)
    assert missing.code == 2
    assert "DATABASE_URL is not set" in missing.err
    made = await rookify("migrate", "--bootstrap", cwd=folder, DATABASE_URL=plain.superuser_conninfo)
    assert made.code == 0, made.err
    assert all(line[:14].isdecimal() for line in made.out.splitlines())
    again = await rookify("migrate", "--check", cwd=folder, DATABASE_URL=plain.superuser_conninfo)
    assert (again.code, again.out) == (0, "")

    url = plain.superuser_conninfo
    up = await Up.start(folder / "data", "--engine-workers", "1", env={"DATABASE_URL": url})
    try:
        assert not [line for line in up.descendants().values() if "postgres" in line]
        token = await rookify("token", "--user", USER, "--data", str(up.data), cwd=folder, DATABASE_URL=url)
        assert token.code == 0, token.err
        assert list((await list_jobs(up.address, token.out.strip())).sync_jobs) == []
    finally:
        await up.stop()
        await asyncio.to_thread(postgres_cluster.drop_database, plain.name)
