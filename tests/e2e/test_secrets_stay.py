"""No secret in any log, table or answer: real processes at their most talkative, in good times and bad.

All of it by mutual TLS, as in production.

The secrets have forms that the logs' redaction does not know, so that it is not what hides them here.
"""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import grpc
import grpc.aio
import psycopg
import pytest
from google.protobuf.message import Message
from google.type import date_pb2

from orchestrator.local import database as local_database
from orchestrator.local.postgres import APP_USER, OWNER, EmbeddedPostgres
from orchestrator.tokens import mint_token
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2 as pb
from servicekit.status import from_rpc_error
from servicekit.tls import ClientSecurity
from tests.support.certificates import Authority
from tests.support.faults_services import free_address, service
from tests.support.orchestrator import PLAYER, Client
from tests.support.platforms.__main__ import SHIPPED
from tests.support.platforms.lichess_server import LichessServer, read_export
from tests.support.postgres import reachable_folder
from tests.support.rookify_cli import answered

pytestmark = pytest.mark.timeout(180)

USER = uuid4()
PASSWORD = "db-pass-Wq4eR7tY2u"
SIGNING = "signing-Vq3xw8Kz1pYd6Rt5Lm2Nb7HcTg9"
AUTHORITY = Authority("ca")
PAIR = AUTHORITY.make("127.0.0.1")
SECRETS = {
    "the lichess token": "lichessGd82kQw0Zx",
    "a lichess token that was revoked": "revokedPq71mNc4Yt",
    "the signing secret": SIGNING,
    "the LLM's key": "llm-key-Hs8dK2fL5gQ9wZ",
    "the legacy secret": "legacy-Zt5vB0nMq8Xc2Ls7Kd4Jf6HgWe3",
    "the service key": "sb_secret_Mn6bV3cX9zLk1JhQw8Rt",
    "the database's password": PASSWORD,
    "the Fernet key": base64.urlsafe_b64encode(b"a Fernet key of thirty-two bytes").decode(),
    "the user's token": mint_token(SIGNING, str(USER)),
    "a private key": PAIR.key.decode().splitlines()[1],
    "a token of nobody": mint_token("another secret, which nobody knows", str(USER)),
}


@pytest.fixture
async def postgres() -> AsyncIterator[EmbeddedPostgres]:
    """A server of its own: one that can be stopped."""
    folder = reachable_folder("rookify-secrets-")
    server = EmbeddedPostgres(folder / "data", durable=False)
    try:
        await server.start()
        await local_database.prepare(server)
        yield server
    finally:
        await server.stop()
        await asyncio.to_thread(shutil.rmtree, folder)


@dataclass
class Heard:
    """Everything that was said to anybody."""

    said: dict[str, str] = field(default_factory=dict)

    def add(self, where: str, what: object) -> None:
        self.said[where] = self.said.get(where, "") + f"{what}\n"

    async def call(self, client: Client, method: str, request: Message) -> Any:
        """The answer, or the failure; either is kept."""
        try:
            answer = await client.call(method, request)
        except grpc.aio.AioRpcError as error:
            self.add("answers", f"{method}: {error!r} {error.trailing_metadata()}")
            return from_rpc_error(error)
        self.add("answers", f"{method}: {answer!r}")
        return answer

    def leaks(self) -> list[str]:
        forms = {
            (name, form) for name, secret in SECRETS.items() for form in (secret, quote(secret, safe=""))
        }
        return [
            f"{name} is in {where}"
            for where, text in self.said.items()
            for name, form in forms
            if form in text
        ]


async def tables(postgres: EmbeddedPostgres) -> str:
    """Every row of the application's tables, and what sessions last ran."""
    async with await psycopg.AsyncConnection.connect(postgres.conninfo(OWNER), autocommit=True) as connection:
        names = await connection.execute("select tablename from pg_tables where schemaname = 'public'")
        queries = [f"select t::text from public.{name} t" for (name,) in await names.fetchall()]
        queries.append("select query from pg_stat_activity")
        return "\n".join([str(await (await connection.execute(query)).fetchall()) for query in queries])


async def encrypted_tokens(postgres: EmbeddedPostgres) -> list[str]:
    async with await psycopg.AsyncConnection.connect(postgres.conninfo(OWNER)) as connection:
        rows = await connection.execute("select lichess_token_encrypted from public.sync_queue")
        return [str(token) for (token,) in await rows.fetchall()]


def request(token: str) -> pb.StartSyncRequest:
    return pb.StartSyncRequest(
        user_id=str(USER),
        platform=pb.PLATFORM_LICHESS,
        username=PLAYER,
        from_date=date_pb2.Date(year=2024, month=1, day=1),
        to_date=date_pb2.Date(year=2024, month=6, day=30),
        max_games=2,
        preset=analysis_pb2.SearchBudget.PRESET_FAST,
        lichess_token=token,
    )


def settings(postgres: EmbeddedPostgres, folder: Path, lichess: LichessServer) -> Mapping[str, str]:
    """Half of the secrets by files."""
    for name in ("the signing secret", "the Fernet key", "the service key"):
        (folder / name).write_text(SECRETS[name] + "\n")
    return {
        "DATABASE_URL": f"{postgres.conninfo(APP_USER)} password={PASSWORD}",
        "ROOKIFY_JWT_SECRET": "",
        "ROOKIFY_JWT_SECRET_FILE": str(folder / "the signing secret"),
        "ROOKIFY_TOKEN_KEY": "",
        "ROOKIFY_TOKEN_KEY_FILE": str(folder / "the Fernet key"),
        "SUPABASE_SERVICE_ROLE_KEY_FILE": str(folder / "the service key"),
        "SUPABASE_JWT_SECRET": SECRETS["the legacy secret"],
        "SUPABASE_JWT_ISSUER": "https://project.example.org/auth/v1",
        "ROOKIFY_LICHESS_URL": lichess.url,
        "OPENAI_API_KEY": SECRETS["the LLM's key"],
        "OPENAI_BASE_URL": f"{lichess.url}/v1",  # which refuses it
        "ROOKIFY_LOG_LEVEL": "debug",
        "ROOKIFY_LOG_FORMAT": "json",
        "ROOKIFY_SHUTDOWN_GRACE": "2",
    }


async def ended(heard: Heard, client: Client, started: Any) -> pb.SyncJob:
    async with asyncio.timeout(60):
        async for message in client.watch(started.sync_job.id, include_games=True):
            heard.add("answers", message)
    return message.sync_job


async def test_no_secret_is_told_to_anybody(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    heard = Heard()
    games = read_export(SHIPPED / "lichess" / "games.ndjson")
    async with LichessServer(games, tokens={SECRETS["the lichess token"]: PLAYER}, speed_up=100) as lichess:
        given = dict(settings(postgres, tmp_path, lichess))
        listen, analyzer_at = free_address(), free_address()
        given |= {"ROOKIFY_LISTEN": listen, "ROOKIFY_ANALYZERS": analyzer_at}
        ca, (cert, key) = str(AUTHORITY.write(tmp_path)), map(str, PAIR.write(tmp_path, "all"))
        server = {"CERT": cert, "KEY": key, "CLIENT_CA": ca}
        client = {"CA": ca, "CLIENT_CERT": cert, "CLIENT_KEY": key}
        given |= {f"ROOKIFY_TLS_{name}": path for name, path in server.items()}
        given |= {f"ROOKIFY_ANALYZER_TLS_{name}": path for name, path in client.items()}
        command = {"ROOKIFY_ORCHESTRATOR": listen, "ROOKIFY_LOG_LEVEL": "debug"}
        command |= {f"ROOKIFY_TLS_{name}": path for name, path in client.items()}
        security = ClientSecurity(ca=Path(ca), cert=Path(cert), key=Path(key))
        async with (
            service("orchestrator", tmp_path / "orchestrator.log", listen, **given) as orchestrator,
            await security.channel(listen, "127.0.0.1", ()) as channel,
        ):
            user = Client(channel, USER, SECRETS["the user's token"])
            service_key = Client(channel, USER, SECRETS["the service key"])
            await add_user(postgres)

            # While a sync is active its token is there, but not to be read.
            started = await heard.call(user, "StartSync", request(SECRETS["the lichess token"]))
            await orchestrator.says("games fetched")
            (encrypted,) = await encrypted_tokens(postgres)
            assert encrypted.startswith("gAAAA")
            heard.add("the tables while it runs", await tables(postgres))
            own = {"ROOKIFY_ANALYZER_LISTEN": analyzer_at, "ROOKIFY_ENGINE_WORKERS": "1"}
            own |= {f"ROOKIFY_ANALYZER_TLS_{name}": path for name, path in server.items()}
            async with service(
                "analyzer", tmp_path / "analyzer.log", analyzer_at, ROOKIFY_LOG_LEVEL="debug", **own
            ):
                job = await ended(heard, user, started)
            assert job.status == pb.SYNC_STATUS_COMPLETED, job.error
            assert job.games_analyzed == 2
            assert lichess.requests[-1].headers["Authorization"] == f"Bearer {SECRETS['the lichess token']}"
            assert await encrypted_tokens(postgres) == []
            assert encrypted not in await tables(postgres)

            # Bad times: a revoked token, one that is none, tokens of nobody, then no database.
            started = await heard.call(
                user, "StartSync", request(SECRETS["a lichess token that was revoked"])
            )
            job = await ended(heard, user, started)
            assert job.status == pb.SYNC_STATUS_FAILED
            assert "token" in job.error
            failure = await heard.call(user, "StartSync", request(SECRETS["the lichess token"] + " x"))
            assert failure.code is grpc.StatusCode.INVALID_ARGUMENT
            nobody = Client(channel, USER, SECRETS["a token of nobody"])
            failure = await heard.call(nobody, "StartSync", request(SECRETS["the lichess token"]))
            assert failure.code is grpc.StatusCode.UNAUTHENTICATED
            twice = Client(channel, USER, f"{user.token} {service_key.token}")
            failure = await heard.call(twice, "StartSync", request(""))
            assert failure.code is grpc.StatusCode.UNAUTHENTICATED
            for method, asked in every_read(job.id).items():
                await heard.call(service_key, method, asked)
            heard.add("the tables", await tables(postgres))

            for arguments, more in (
                (("jobs",), {"ROOKIFY_TOKEN": user.token}),
                (("jobs",), {"ROOKIFY_TOKEN": nobody.token}),
                (
                    ("sync", "lichess", PLAYER),
                    {"ROOKIFY_TOKEN": user.token, "ROOKIFY_LICHESS_TOKEN": "s p a c e"},
                ),
            ):
                done = await answered(*arguments, settings=command | more, folder=tmp_path)
                heard.add(f"rookify {arguments[0]}", done.out + done.err)

            await postgres.stop()
            failure, _ = await asyncio.gather(
                heard.call(user, "StartSync", request(SECRETS["the lichess token"])),
                fails_to_start(heard, tmp_path, given),
            )
            assert failure.code is grpc.StatusCode.UNAVAILABLE
            await orchestrator.says("lost the database's notifications")
        heard.add("the files of the services", logs(tmp_path, postgres))
    assert heard.leaks() == []
    assert "call finished" in heard.said["the files of the services"], "there was something to look through"
    assert len(heard.said["answers"]) > 5000


async def fails_to_start(heard: Heard, folder: Path, given: Mapping[str, str]) -> None:
    """With settings that are no good, secrets among them."""

    async def start(name: str, **changes: str) -> None:
        with pytest.raises(AssertionError) as failed:
            async with service("orchestrator", folder / f"bad-{name}.log", "", **{**given, **changes}):
                pass
        heard.add(f"the start with a bad {name}", failed.value)
        assert "cannot start" in str(failed.value)
        assert "Traceback" not in str(failed.value)

    await asyncio.gather(
        start("url", DATABASE_URL=f"postgresql://me:{PASSWORD}@[::1/rookify"),
        start("key", ROOKIFY_TOKEN_KEY_FILE="", ROOKIFY_TOKEN_KEY=SECRETS["the Fernet key"] + "x!"),
    )


def every_read(job_id: str) -> dict[str, Message]:
    user_id = str(USER)
    return {
        "GetSyncJob": pb.GetSyncJobRequest(sync_job_id=job_id),
        "ListSyncJobs": pb.ListSyncJobsRequest(user_id=user_id),
        "GetQuota": pb.GetQuotaRequest(user_id=user_id),
        "ListGameAnalyses": pb.ListGameAnalysesRequest(user_id=user_id),
        "ListActiveSyncJobs": pb.ListActiveSyncJobsRequest(),
        "AuditSyncJobs": pb.AuditSyncJobsRequest(),
        "GetUsage": pb.GetUsageRequest(),
    }


async def add_user(postgres: EmbeddedPostgres) -> None:
    async with await psycopg.AsyncConnection.connect(postgres.conninfo(OWNER)) as connection:
        await connection.execute("insert into users (id, username) values (%s, 'player')", (USER,))


def logs(folder: Path, postgres: EmbeddedPostgres) -> str:
    return "\n".join(path.read_text(errors="replace") for path in [*folder.glob("*.log"), postgres.log_file])
