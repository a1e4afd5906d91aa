"""TLS and mutual TLS over real sockets, with certificates made here: who gets in, what a rotation does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import grpc
import grpc.aio
import pytest
import structlog
from grpc_health.v1 import health_pb2

from orchestrator.__main__ import serve
from orchestrator.analyzers import pool as pool_module
from orchestrator.analyzers.base import AnalyzedGame, GameToAnalyze
from orchestrator.analyzers.pool import AnalyzerPool
from orchestrator.local import stack
from orchestrator.settings import Settings
from orchestrator.tokens import mint_token
from servicekit import probe
from servicekit.backoff import Backoff
from servicekit.errors import ConfigurationError
from servicekit.interceptors import ErrorInterceptor
from servicekit.plaintext import refuse_plaintext_url
from servicekit.server import GrpcServer
from servicekit.tls import ClientSecurity, ServerSecurity, handshake_trouble
from tests.support.certificates import DAY, Authority
from tests.support.certificates import replace as replace_file
from tests.support.orchestrator import SECRET, running_orchestrator
from tests.support.postgres import Database
from tests.support.rookify_cli import answered
from tests.support.scripted_analyzer import ScriptedAnalyzer, analyzed


@dataclass
class Files:
    """A CA with a server and a client of its own, and a foreign CA with a client, all as files."""

    folder: Path
    authority: Authority
    foreign: Authority

    @property
    def server(self) -> ServerSecurity:
        return ServerSecurity("TEST_TLS", self.folder / "server.pem", self.folder / "server.key")

    @property
    def mutual(self) -> ServerSecurity:
        return replace(self.server, client_ca=self.folder / "ca.ca.pem")

    @property
    def trusting(self) -> ClientSecurity:
        """A client that shows nothing."""
        return ClientSecurity("TEST_TLS", ca=self.folder / "ca.ca.pem")

    def showing(self, name: str) -> ClientSecurity:
        return replace(self.trusting, cert=self.folder / f"{name}.pem", key=self.folder / f"{name}.key")


RENEWED = Authority().make("127.0.0.1")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path, Authority("ca"), Authority("foreign"))
    made.authority.write(tmp_path)
    made.foreign.write(tmp_path)
    made.authority.make("analyzer", "127.0.0.1").write(tmp_path, "server")
    made.authority.make("orchestrator").write(tmp_path, "client")
    made.foreign.make("orchestrator").write(tmp_path, "foreign")
    made.authority.make("orchestrator", ends=-DAY).write(tmp_path, "expired")
    return made


@asynccontextmanager
async def serving(security: ServerSecurity, **options: Any) -> AsyncIterator[str]:
    server = GrpcServer(
        "127.0.0.1:0",
        interceptors=[ErrorInterceptor()],
        security=security,
        options=[(name.replace("_", ".", 1), value) for name, value in options.items()],
    )
    port = await server.start()
    await server.set_serving()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)


async def check(channel: grpc.aio.Channel) -> int:
    call = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    return int((await call(health_pb2.HealthCheckRequest(), timeout=10)).status)


async def reach(address: str, security: ClientSecurity, host: str = "127.0.0.1") -> int:
    async with await security.channel(address, host, ()) as channel:
        return await check(channel)


async def trouble(address: str, security: ClientSecurity, host: str = "127.0.0.1") -> str:
    """Why it did not get in."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await reach(address, security, host)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    return handshake_trouble(refused.value.details() or "", tls=security.tls)


def of_tls(logs: Sequence[Mapping[str, Any]]) -> list[str]:
    return [line["event"] for line in logs if line["event"].startswith("TLS")]


class TestWhoGetsIn:
    async def test_by_tls(self, files: Files) -> None:
        foreign = ClientSecurity(ca=files.folder / "foreign.ca.pem")
        async with serving(files.server) as address:
            assert await reach(address, files.trusting) == health_pb2.HealthCheckResponse.SERVING
            assert await reach(address, files.trusting, "analyzer")
            assert await reach(address, replace(files.trusting, name="analyzer"), "other")
            assert "signed by no CA that is trusted" in await trouble(address, foreign)
            assert "signed by no CA that is trusted" in await trouble(
                address, ClientSecurity(name="analyzer")
            )
            assert "is for another name" in await trouble(address, files.trusting, "other")
            assert "does it want TLS?" in await trouble(address, ClientSecurity())

    async def test_by_mutual_tls(self, files: Files) -> None:
        async with serving(files.mutual) as address:
            assert await reach(address, files.showing("client"))
            for refused in (files.trusting, files.showing("foreign"), files.showing("expired")):
                assert "does it want a client certificate" in await trouble(address, refused)
            assert "does it want TLS?" in await trouble(address, ClientSecurity())
            assert await reach(address, files.showing("client"))

    async def test_a_server_in_the_clear_is_not_taken_for_one_with_tls(self, files: Files) -> None:
        async with serving(ServerSecurity()) as address:
            assert "does not speak TLS" in await trouble(address, files.trusting)

    @pytest.mark.parametrize(
        ("starts", "ends", "why"),
        [(-2 * DAY, -timedelta(hours=1), "has expired"), (DAY, 2 * DAY, "is not valid yet")],
    )
    async def test_a_certificate_out_of_its_time(
        self, files: Files, starts: timedelta, ends: timedelta, why: str
    ) -> None:
        files.authority.make("analyzer", "127.0.0.1", starts=starts, ends=ends).write(files.folder, "server")
        async with serving(files.server) as address:
            assert why in await trouble(address, files.trusting)

    async def test_who_says_nothing_is_sent_away_and_holds_nobody_up(self, files: Files) -> None:
        async with serving(files.mutual, grpc_server_handshake_timeout_ms=3000) as address:
            host, _, port = address.partition(":")
            silent = [await asyncio.open_connection(host, int(port)) for _ in range(20)]
            half, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a ClientHello
            writer.write_eof()
            assert await reach(address, files.showing("client"))
            async with asyncio.timeout(10):
                for reader, _writer in [*silent, (half, writer)]:
                    assert await reader.read() in (
                        b"",
                        b"\x15\x03\x01\x00\x02\x022",
                    )  # gone, or an alert first
            for _reader, each in [*silent, (half, writer)]:
                each.close()


class TestRotation:
    async def test_a_running_server_shows_the_new_certificate(self, files: Files) -> None:
        async with (
            serving(files.server) as address,
            await files.trusting.channel(address, "127.0.0.1", ()) as standing,
        ):
            assert await check(standing)
            renewed = Authority("renewed")
            renewed.write(files.folder)
            renewed.make("127.0.0.1").write(files.folder, "server")
            with structlog.testing.capture_logs() as logs:
                assert await reach(address, ClientSecurity(ca=files.folder / "renewed.ca.pem"))
            assert of_tls(logs) == ["TLS certificate reloaded"]
            assert "signed by no CA that is trusted" in await trouble(address, files.trusting)
            assert await check(standing), "a connection that stands is not cut"

    async def test_the_clients_ca_is_exchanged_too(self, files: Files) -> None:
        async with serving(files.mutual) as address:
            assert await trouble(address, files.showing("foreign"))
            replace_file(
                files.folder / "ca.ca.pem", files.authority.pem + files.foreign.pem
            )  # both, for a while
            assert await reach(address, files.showing("foreign"))
            assert await reach(address, files.showing("client"))
            trusting = files.folder / "trusting.pem"
            trusting.write_bytes(files.authority.pem)
            replace_file(files.folder / "ca.ca.pem", files.foreign.pem)
            assert await reach(address, replace(files.showing("foreign"), ca=trusting))
            assert await trouble(address, replace(files.showing("client"), ca=trusting))

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("server.pem", RENEWED.cert),  # its key is still to come
            ("server.key", None),
            ("server.key", b"-----BEGIN PRIVATE KEY-----\nMC4CAQAw"),
            ("server.pem", b""),
            ("server.pem", b"-----BEGIN CERTIFICATE-----\nMIIB"),
            ("clients.ca.pem", b"nonsense"),
        ],
    )
    async def test_half_a_rotation_changes_nothing_until_it_is_whole(
        self, files: Files, name: str, content: bytes | None
    ) -> None:
        clients = replace_file(files.folder / "clients.ca.pem", files.authority.pem)
        async with serving(replace(files.server, client_ca=clients)) as address:
            assert await reach(address, files.showing("client"))
            if content is None:
                (files.folder / name).unlink()
            else:
                replace_file(files.folder / name, content)
            with structlog.testing.capture_logs() as logs:
                assert await reach(address, files.showing("client"))
                assert await reach(address, files.showing("client"))
            said = "TLS files have changed and cannot be used; the former stay"
            assert of_tls(logs) == [said], "once, however many come"
            assert "PRIVATE" not in str(logs)
            files.authority.make("127.0.0.1").write(files.folder, "server")
            replace_file(clients, files.authority.pem)
            with structlog.testing.capture_logs() as logs:
                assert await reach(address, files.showing("client"))
            assert of_tls(logs) == ["TLS certificate reloaded"]

    @pytest.mark.parametrize(
        ("ends", "event"),
        [(-DAY, "TLS certificate has expired"), (3 * DAY, "TLS certificate expires soon"), (8 * DAY, "")],
    )
    def test_the_log_tells_of_its_end(self, files: Files, ends: timedelta, event: str) -> None:
        files.authority.make("127.0.0.1", ends=ends).write(files.folder, "server")
        with structlog.testing.capture_logs() as logs:
            files.server.credentials("127.0.0.1:0")
        assert of_tls(logs) == ([event] if event else [])


def game(pgn: str = "1. e4") -> GameToAnalyze:
    return GameToAnalyze(UUID(int=1), uuid4(), pgn, "fast")


class TestTheAnalyzerPool:
    """The orchestrator's side of mutual TLS."""

    @pytest.fixture(autouse=True)
    def _short_pauses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pool_module, "_RETRY_SECONDS", (0.0, 0.01))
        monkeypatch.setattr(pool_module, "_RECONNECT", Backoff(0.01, 0.05))

    @asynccontextmanager
    async def running(self, targets: str, security: ClientSecurity) -> AsyncIterator[AnalyzerPool]:
        pool = AnalyzerPool(
            targets,
            security=security,
            resolve_interval=timedelta(seconds=0.05),
            silence=timedelta(seconds=30),
        )
        task = asyncio.create_task(pool.run())
        try:
            async with asyncio.timeout(20):
                yield pool
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def test_games_go_through_it_and_a_rotation_of_everything_stops_nobody(self, files: Files) -> None:
        # As certificates of services are: for the name, not for the address behind it.
        files.authority.make("localhost").write(files.folder, "server")
        breaks = iter(["break"])
        script = lambda sent: next(breaks, analyzed(sent)) if sent.pgn == "break" else analyzed(sent)  # noqa: E731
        async with ScriptedAnalyzer(security=files.mutual, script=script) as analyzer:
            target = analyzer.address.replace("127.0.0.1", "localhost")
            async with self.running(target, files.showing("client")) as pool:
                assert isinstance(await (await pool.submit(game())), AnalyzedGame)
                renewed = Authority("renewed")
                replace_file(files.folder / "ca.ca.pem", renewed.pem)
                renewed.make("localhost").write(files.folder, "server")
                renewed.make("orchestrator").write(files.folder, "client")
                assert isinstance(await (await pool.submit(game())), AnalyzedGame)
                assert analyzer.streams == 1, "the stream that stands goes on"
                assert isinstance(await (await pool.submit(game("break"))), AnalyzedGame)
                assert analyzer.streams == 2

    async def test_it_says_once_why_it_cannot_get_in_and_tries_on(self, files: Files) -> None:
        async with ScriptedAnalyzer(security=files.mutual) as analyzer:
            files.foreign.make("orchestrator").write(files.folder, "client")
            with structlog.testing.capture_logs() as logs:
                async with self.running(analyzer.address, files.showing("client")) as pool:
                    waiting = await pool.submit(game())
                    while sum(line["event"] == "analyzer stream broke" for line in logs) < 4:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
                    (files.folder / "client.key").unlink()  # in the middle of an exchange
                    while not any("cannot be read" in str(line.get("error")) for line in logs):  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
                    files.authority.make("orchestrator").write(files.folder, "client")
                    assert isinstance(await waiting, AnalyzedGame)
            told = [line["error"] for line in logs if line["event"] == "analyzer cannot be reached"]
            assert "does it want a client certificate" in told[0]
            assert "client.key cannot be read" in told[1]
            assert len(told) == 2


class TestPlaintext:
    @pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "example.org:0"])
    async def test_a_server_does_not_leave_loopback_without_tls(self, listen: str) -> None:
        server = GrpcServer(listen, security=ServerSecurity("ROOKIFY_ANALYZER_TLS"))
        with pytest.raises(ConfigurationError) as refused:
            await server.start()
        assert refused.value.reason == "PLAINTEXT"
        for name in ("ROOKIFY_ANALYZER_TLS_CERT", "ROOKIFY_ANALYZER_TLS_KEY", "ROOKIFY_ALLOW_PLAINTEXT=true"):
            assert name in refused.value.message

    async def test_it_does_where_that_is_asked_for_by_name_or_with_tls(self, files: Files) -> None:
        for security in (ServerSecurity(allow_plaintext=True), files.server):
            server = GrpcServer("0.0.0.0:0", security=security)
            try:
                assert await server.start()
            finally:
                await server.stop(0)

    @pytest.mark.parametrize("variable", ["ROOKIFY_LICHESS_URL", "OPENAI_BASE_URL"])
    def test_no_url_that_gets_a_secret_leaves_loopback_without_tls(self, variable: str) -> None:
        for url in ("https://example.org", "http://127.0.0.1:8080/v1", "http://[::1]/", ""):
            refuse_plaintext_url(variable, url, allowed=False)
        with pytest.raises(
            ConfigurationError, match=f"{variable}: ollama.*use https.*ROOKIFY_ALLOW_PLAINTEXT"
        ):
            refuse_plaintext_url(variable, "http://ollama:11434/v1", allowed=False)
        refuse_plaintext_url(variable, "http://ollama:11434/v1", allowed=True)

    async def test_an_orchestrator_does_not_start_so(self) -> None:
        fields = {"jwt_secret": SECRET, "lichess_url": "http://lichess.example.org"}
        settings = Settings(_env_file=None, **fields)  # type: ignore[call-arg, arg-type]
        with pytest.raises(ConfigurationError, match=r"ROOKIFY_LICHESS_URL: lichess\.example\.org is"):
            await serve(settings, asyncio.Event())

    @pytest.mark.parametrize("targets", ["analyzer:50061", "127.0.0.1:1,192.0.2.1:50061"])
    async def test_the_orchestrator_does_not_call_analyzers_elsewhere_without_tls(
        self, files: Files, targets: str
    ) -> None:
        second = timedelta(seconds=1)
        refused = r"ROOKIFY_ANALYZER_TLS_CA.*ROOKIFY_ALLOW_PLAINTEXT=true"
        with pytest.raises(ConfigurationError, match=refused):
            AnalyzerPool(targets, resolve_interval=second, silence=second)
        for security in (ClientSecurity(allow_plaintext=True), files.trusting):
            AnalyzerPool(targets, resolve_interval=second, silence=second, security=security)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda a, _: ServerSecurity("X", cert=a), "X_CERT and X_KEY go together"),
        (lambda a, _: ServerSecurity("X", key=a), "X_CERT and X_KEY go together"),
        (lambda a, _: ServerSecurity("X", client_ca=a), "X_CLIENT_CA needs X_CERT and X_KEY"),
        (lambda a, _: ClientSecurity("X", cert=a), "X_CLIENT_CERT and X_CLIENT_KEY go together"),
        (lambda a, b: ServerSecurity("X", b, b), "X_….*b.pem holds no certificate"),
        (lambda a, b: ServerSecurity("X", a, a), "X_….*a.pem holds no private key"),
        (
            lambda a, b: ServerSecurity("X", a, b.with_name("c.pem")),
            "X_….*c.pem cannot be read: No such file",
        ),
        (lambda a, b: ServerSecurity("X", a, b), "X_….*b.pem is not the key of the certificate in .*a.pem"),
        (
            lambda a, b: ServerSecurity("X", a, a.with_suffix(".key"), b),
            "X_….*b.pem holds no certificates of a CA",
        ),
        (lambda a, b: ClientSecurity("X", ca=b), "X_….*b.pem holds no certificates of a CA"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(
    tmp_path: Path, make: Callable[[Path, Path], ServerSecurity | ClientSecurity], message: str
) -> None:
    a, b = tmp_path / "a.pem", tmp_path / "b.pem"
    pair, other = Authority().make("x"), Authority().make("x")
    pair.write(tmp_path, "a")
    b.write_bytes(other.key)
    with pytest.raises(ConfigurationError, match=message) as refused:
        use(make, a, b)
    assert "BEGIN" not in refused.value.message


def use(make: Callable[[Path, Path], ServerSecurity | ClientSecurity], a: Path, b: Path) -> None:
    security = make(a, b)
    if isinstance(security, ServerSecurity):
        security.credentials("127.0.0.1:0")
    else:
        security.credentials()


async def test_a_probe_asks_a_service_of_its_own_machine(files: Files) -> None:
    files.authority.make("orchestrator.example.org").write(files.folder, "server")  # not for the address
    folder = files.folder
    given = {"X_CERT": str(folder / "server.pem"), "X_KEY": str(folder / "server.key")}
    mutual = given | {"X_CLIENT_CA": str(folder / "ca.ca.pem")}
    showing = mutual | {
        "X_CLIENT_CERT": str(folder / "client.pem"),
        "X_CLIENT_KEY": str(folder / "client.key"),
    }
    for security, environ in (
        (ServerSecurity(), {}),
        (files.server, given),
        (files.mutual, mutual),
        (files.mutual, showing),
    ):
        async with serving(security) as address:
            assert await probe.serving(address, "X", environ)
            if security.client_ca:
                with pytest.raises(grpc.aio.AioRpcError):
                    await probe.serving(address, "X", given)
    with pytest.raises(grpc.aio.AioRpcError):
        await probe.serving(address, "X", showing)  # it has been stopped


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"listen": "0.0.0.0:50051"},
            "set ROOKIFY_TLS_CERT and ROOKIFY_TLS_KEY; or set ROOKIFY_ALLOW_PLAINTEXT",
        ),
        ({"tls_cert": "/nowhere/cert.pem", "tls_key": "/nowhere/key.pem"}, "cert.pem cannot be read"),
        ({"tls_cert": "/nowhere/cert.pem"}, "ROOKIFY_TLS_CERT and ROOKIFY_TLS_KEY go together"),
    ],
)
async def test_rookify_up_starts_nothing_where_tls_is_missing_or_spoilt(
    tmp_path: Path, fields: dict[str, Any], said: str
) -> None:
    settings = Settings(_env_file=None, data=tmp_path / "data", **fields)  # type: ignore[call-arg]
    with pytest.raises(ConfigurationError, match=said):
        await stack.run(
            settings,
            engine_workers=1,
            stop=asyncio.Event(),
            ready=lambda *_: None,
            notify=print,
        )
    assert not (tmp_path / "data").exists()


async def test_the_command_line_reaches_an_orchestrator_by_tls(
    database: Database, files: Files, tmp_path: Path
) -> None:
    server = {"tls_cert": files.server.cert, "tls_key": files.server.key}
    async with running_orchestrator(
        database, analyzers="127.0.0.1:1", tls_client_ca=tmp_path / "ca.ca.pem", **server
    ) as orchestrator:
        user = await orchestrator.user()
        base = {
            "ROOKIFY_ORCHESTRATOR": f"127.0.0.1:{orchestrator.port}",
            "ROOKIFY_TOKEN": mint_token(SECRET, str(user.user_id)),
        }
        full = {
            "ROOKIFY_TLS_CA": str(tmp_path / "ca.ca.pem"),
            "ROOKIFY_TLS_CLIENT_CERT": str(tmp_path / "client.pem"),
            "ROOKIFY_TLS_CLIENT_KEY": str(tmp_path / "client.key"),
        }

        async def jobs(**settings: str) -> tuple[int, str]:
            done = await answered("jobs", settings=base | settings, folder=tmp_path)
            return done.code, done.err

        code, err = await jobs(**full)
        assert code == 0, err
        for settings, said in (
            ({}, "without TLS: the server hung up at once: does it want TLS?"),
            (
                full | {"ROOKIFY_TLS_CA": str(tmp_path / "foreign.ca.pem")},
                "signed by no CA that is trusted here",
            ),
            (full | {"ROOKIFY_TLS_NAME": "other"}, "is for another name"),
            ({"ROOKIFY_TLS_CA": full["ROOKIFY_TLS_CA"]}, "does it want a client certificate"),
            (
                {"ROOKIFY_TLS_CLIENT_CERT": full["ROOKIFY_TLS_CLIENT_CERT"]},
                "ROOKIFY_TLS_CLIENT_KEY go together",
            ),
            ({"ROOKIFY_TLS_CA": str(tmp_path / "none.pem")}, "none.pem cannot be read"),
        ):
            code, err = await jobs(**settings)
            assert (code, said in err) == (2, True), err
            assert err.count("\n") == 1
