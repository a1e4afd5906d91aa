"""What clients find behind the gateway: the original application's API, REST, events, gRPC, gRPC-Web, limits.

Real Envoy before a real orchestrator; the analyzer is scripted.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import uuid4

import grpc
import grpc.aio
import httpx
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_health.v1 import health_pb2, health_pb2_grpc

from orchestrator.gateway import config
from orchestrator.local.stack import claimable
from orchestrator.settings import Settings
from rookify.sync.v1 import sync_pb2 as pb
from rookify.sync.v1 import sync_pb2_grpc
from servicekit.tls import ClientSecurity
from tests.support.certificates import Authority
from tests.support.gateway import ORIGIN, running_gateway
from tests.support.orchestrator import PLAYER, Client, Orchestrator, running_orchestrator
from tests.support.platforms.__main__ import SHIPPED
from tests.support.platforms.chesscom_server import ChessComServer, read_months
from tests.support.postgres import Database
from tests.support.scripted_analyzer import ScriptedAnalyzer, analyzed

ROW = {
    "id", "user_id", "platform", "username", "months_requested", "status", "games_found", "games_analyzed",
    "error", "created_at", "updated_at", "completed_at",
}  # fmt: skip


@dataclass
class Front:
    """The gateway, and who asks."""

    address: str
    orchestrator: Orchestrator
    user: Client
    http: httpx.AsyncClient

    def as_user(self, client: Client) -> dict[str, str]:
        return {"authorization": f"Bearer {client.token}"}

    async def start(self, **changes: Any) -> httpx.Response:
        body = {"platform": "chess.com", "username": PLAYER, "fromDate": "2024-01-01", "toDate": "2024-03-31"}
        return await self.http.post(f"/sync-games/{self.user.user_id}", json=body | changes)

    async def finished(self, job_id: str) -> dict[str, Any]:
        """Polled as the original front end does, but for its pauses."""
        async with asyncio.timeout(60):
            while True:
                row: dict[str, Any] = (await self.http.get(f"/sync-status/{job_id}")).json()
                if row["status"] not in ("pending", "fetching", "analyzing"):
                    return row


@pytest.fixture
async def front(database: Database) -> AsyncIterator[Front]:
    async with (
        ChessComServer(read_months(SHIPPED / "chesscom")) as platform,
        ScriptedAnalyzer(script=analyzed, credits=4) as analyzer,
        running_orchestrator(database, chesscom_url=platform.url, analyzers=analyzer.address) as orchestrator,
        running_gateway(f"127.0.0.1:{orchestrator.port}") as address,
    ):
        user = await orchestrator.user()
        headers = {"authorization": f"Bearer {user.token}"}
        async with httpx.AsyncClient(base_url=f"http://{address}", headers=headers, timeout=20) as http:
            yield Front(address, orchestrator, user, http)


class TestTheOriginalApi:
    async def test_start_poll_history_and_games(self, front: Front) -> None:
        started = await front.start()
        assert started.status_code == 200, started.text
        answer = started.json()
        assert answer == {
            "message": "Sync started for chess.com",
            "sync_job_id": answer["id"],
            "id": answer["id"],
            "platform": "chess.com",
            "username": PLAYER,
            "status": "pending",
        }
        row = await front.finished(answer["id"])
        assert set(row) == ROW
        assert (row["status"], row["error"], row["months_requested"]) == ("completed", None, 3)
        assert row["games_analyzed"] == row["games_found"] >= 20
        assert datetime.fromisoformat(row["completed_at"]).tzinfo is not None

        history = (await front.http.get(f"/sync-jobs/{front.user.user_id}")).json()
        assert history == {"status": "success", "sync_jobs": [row]}

        games = f"/games/{front.user.user_id}"
        first = (await front.http.get(games, params={"limit": 2})).json()
        second = (
            await front.http.get(games, params={"limit": 2, "offset": 1, "platform": "chess.com"})
        ).json()
        assert len(first) == 2
        assert second[0] == first[1]
        assert first[0]["game_timestamp"] >= first[1]["game_timestamp"]
        assert first[0]["pgn"].startswith("[Event ")
        assert (await front.http.get(f"{games}/{first[0]['id']}")).json() == first[0]
        assert (await front.http.get(games, params={"platform": "lichess"})).json() == []

    async def test_null_stands_for_what_is_not_given(self, front: Front) -> None:
        body = {"username": "nobody-of-that-name", "fromDate": None, "toDate": None, "lichess_token": None}
        answer = await front.start(**body, months=2, game_types=None, results=[])
        assert answer.status_code == 200, answer.text
        row = await front.finished(answer.json()["id"])
        assert (row["status"], row["months_requested"]) == ("failed", 2)
        assert "nobody-of-that-name" in row["error"]

    async def test_bad_fields_are_named(self, front: Front) -> None:
        bad: list[tuple[dict[str, Any], str]] = [
            ({"platform": "chess.org"}, "platform"),
            ({"fromDate": "2024-13-01"}, "fromDate"),
            ({"toDate": "yesterday"}, "toDate"),
            ({"fromDate": "2024-03-01", "toDate": "2024-01-01"}, "fromDate"),
            ({"game_types": ["blitz", "hyper"]}, "game_types[1]"),
            ({"results": ["won"]}, "results[0]"),
            ({"colors": ["green"]}, "colors[0]"),
            ({"game_types": [""] * 5000}, "game_types"),
            ({"username": ""}, "username"),
        ]
        for changes, field in bad:
            answer = await front.start(**changes)
            assert answer.status_code == 400, changes
            details = answer.json()["details"]
            assert [v["field"] for d in details for v in d.get("field_violations", ())] == [field], changes

    async def test_who_may_not(self, front: Front) -> None:
        other = await front.orchestrator.user()
        mine = (await front.start()).json()["id"]
        theirs = front.as_user(other)
        nobody = {"authorization": ""}
        me, anybody = front.user.user_id, uuid4()
        get, post = front.http.get, front.http.post
        assert (await get(f"/sync-jobs/{me}", headers=nobody)).status_code == 401
        assert (await get(f"/sync-jobs/{me}", headers=theirs)).status_code == 403
        assert (await get(f"/games/{me}", headers=theirs)).status_code == 403
        assert (await get(f"/sync-status/{mine}", headers=theirs)).status_code == 404
        assert (await get(f"/games/{me}/{anybody}")).status_code == 404
        assert (await get("/sync-status/no-uuid")).status_code == 400
        assert (await post("/admin/cleanup-stuck-sync-jobs")).status_code == 403
        assert (await post(f"/admin/fix-specific-sync-job/{mine}")).status_code == 403
        service = front.as_user(front.orchestrator.service())
        unknown = {"platform": "chess.com", "username": PLAYER}
        assert (await post(f"/sync-games/{anybody}", json=unknown, headers=service)).status_code == 404

    async def test_admin_calls(self, front: Front) -> None:
        service = front.as_user(front.orchestrator.service())
        done = (await front.start()).json()["id"]
        await front.finished(done)
        fixed = await front.http.post(f"/admin/fix-specific-sync-job/{done}", headers=service)
        assert fixed.status_code == 200
        assert fixed.json()["updated"] is False
        assert set(fixed.json()["job"]) == ROW
        unknown = await front.http.post(f"/admin/fix-specific-sync-job/{uuid4()}", headers=service)
        assert unknown.status_code == 404
        cleaned = await front.http.post("/admin/cleanup-stuck-sync-jobs", headers=service)
        assert cleaned.json() == {"message": "0 stuck sync jobs failed", "cleaned_up": 0, "stuck_jobs": []}


class TestRest:
    async def test_a_watcher_gets_events(self, front: Front) -> None:
        job_id = (await front.start()).json()["id"]
        events: list[dict[str, Any]] = []
        params = {"include_games": "true"}
        async with front.http.stream("GET", f"/v1/sync-jobs/{job_id}:watch", params=params) as stream:
            assert stream.headers["content-type"] == "text/event-stream"
            async for line in stream.aiter_lines():
                if line:
                    assert line.startswith("data: ")
                    events.append(json.loads(line.removeprefix("data: ")))
        assert events[-1]["sync_job"]["status"] == "SYNC_STATUS_COMPLETED"
        assert sum("game" in event for event in events) == events[-1]["sync_job"]["games_analyzed"]
        assert all(event["resume_token"] for event in events)

    async def test_quotas_and_errors_in_full(self, front: Front) -> None:
        quotas = (await front.http.get(f"/v1/users/{front.user.user_id}/quotas")).json()["quotas"]
        assert "games_per_day" in [quota["name"] for quota in quotas]
        refused = await front.http.post(f"/v1/users/{front.user.user_id}/sync-jobs", json={"months": 13})
        assert refused.status_code == 400
        kinds = [detail["@type"].rpartition(".")[2] for detail in refused.json()["details"]]
        assert kinds == ["ErrorInfo", "BadRequest"]

    async def test_what_is_not_known_is_refused(self, front: Front) -> None:
        me = front.user.user_id
        unknown = [
            ("GET", "/nope", 404),
            ("GET", f"/sync-jobs/{me}?bogus=1", 400),
            ("DELETE", f"/sync-jobs/{me}", 404),
            ("POST", f"/sync-games/{me}", 400),  # not JSON
            ("GET", f"/sync-jobs%2F{me}", 400),
        ]
        for method, path, status in unknown:
            answer = await front.http.request(method, path, content=b"{no json" if method == "POST" else None)
            assert answer.status_code == status, answer.text
            assert answer.json()["code"]

    async def test_what_docs_api_says_of_envoys_own_errors_and_of_unknown_fields(self, front: Front) -> None:
        own = await front.http.get("/nope")
        assert (own.json()["code"], own.json()["details"]) == (own.status_code, [])
        path = f"/v1/users/{front.user.user_id}/sync-jobs"
        dropped = await front.http.post(path, json={"months": 13, "bogus": 1})
        assert (dropped.status_code, dropped.json()["code"]) == (400, 3)
        assert "bogus" not in dropped.text, "where Envoy can refuse them it should, and docs/api say so"

    async def test_large_requests_are_refused(self, front: Front) -> None:
        answer = await front.start(username="x" * 70_000)
        assert answer.status_code == 413

    async def test_health_and_request_id(self, front: Front) -> None:
        assert (await front.http.get("/healthz")).status_code == 200
        answer = await front.http.get("/sync-status/no-uuid", headers={"x-request-id": "a-request-of-mine"})
        assert answer.headers["x-request-id"] == "a-request-of-mine"


class TestBrowsers:
    async def test_cors_for_the_origins_of_the_settings_alone(self, front: Front) -> None:
        path = f"/sync-games/{front.user.user_id}"
        asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}
        ours = await front.http.options(path, headers={"origin": ORIGIN, **asked})
        assert ours.headers["access-control-allow-origin"] == ORIGIN
        assert "authorization" in ours.headers["access-control-allow-headers"]
        theirs = await front.http.options(path, headers={"origin": "https://evil.example.com", **asked})
        assert "access-control-allow-origin" not in theirs.headers


class TestGrpc:
    async def test_calls_streams_and_errors_pass(self, front: Front) -> None:
        async with grpc.aio.insecure_channel(front.address) as channel:
            through = Client(channel, front.user.user_id, front.user.token)
            job = await through.start()
            assert (await through.ended(job.id)).status == pb.SYNC_STATUS_COMPLETED
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await through.call("GetSyncJob", pb.GetSyncJobRequest(sync_job_id="no-uuid"))
            assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            assert "grpc-status-details-bin" in dict(error.value.trailing_metadata() or ())
            unknown: Any = channel.unary_unary("/rookify.sync.v1.SyncService/Nope")
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await unknown(b"", metadata=through.metadata)
            assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED

    async def test_health_is_looked_at_and_not_watched(self, front: Front) -> None:
        """Nobody shows a token for it, so a stream of it would be free for everybody."""
        request = health_pb2.HealthCheckRequest()
        async with grpc.aio.insecure_channel(front.address) as channel:
            stub: Any = health_pb2_grpc.HealthStub  # its types know only the synchronous channel
            health = stub(channel)
            assert (await health.Check(request)).status == health_pb2.HealthCheckResponse.SERVING
            other: Any = channel.unary_stream("/grpc.health.v2.Health/Watch")
            async with asyncio.timeout(10):
                for call in (health.Watch(request), other(b"")):
                    assert await call.code() is grpc.StatusCode.UNIMPLEMENTED
                    assert "/healthz" in await call.details()

    async def test_a_request_that_never_ends_is_given_up(self, front: Front) -> None:
        async with grpc.aio.insecure_channel(front.address) as channel, asyncio.timeout(30):
            begun: Any = channel.stream_stream("/rookify.sync.v1.SyncService/WatchSync")
            call = begun(metadata=front.user.metadata)
            assert await call.details() == "request timeout"


async def test_a_second_start_is_a_conflict(database: Database) -> None:
    async with (
        running_orchestrator(
            database, chesscom_url="http://127.0.0.1:1", analyzers="127.0.0.1:1"
        ) as orchestrator,
        running_gateway(f"127.0.0.1:{orchestrator.port}") as address,
    ):
        user = await orchestrator.user()
        headers = {"authorization": f"Bearer {user.token}"}
        async with httpx.AsyncClient(base_url=f"http://{address}", headers=headers, timeout=20) as http:
            first, second = [
                await http.post(
                    f"/sync-games/{user.user_id}", json={"platform": "chess.com", "username": PLAYER}
                )
                for _ in range(2)
            ]
    assert (first.status_code, second.status_code) == (200, 409)
    assert second.json()["message"] == (
        "A sync job is already running for chess.com. Please wait for it to complete."
    )


async def test_a_client_that_asks_too_much_is_told_so(database: Database) -> None:
    async with (
        running_orchestrator(database) as orchestrator,
        running_gateway(f"127.0.0.1:{orchestrator.port}", rate=1, burst=5) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as http,
    ):
        answers = [(await http.get(f"/sync-jobs/{uuid4()}")).status_code for _ in range(20)]
        assert set(answers) == {401, 429}
        assert (await http.get("/healthz")).status_code == 200  # not a client's


@pytest.mark.parametrize(
    ("hops", "clients", "as_one"),
    [
        # Whoever calls from one network counts once: it can take any of 2^64 addresses.
        (1, [f"2001:db8:1:1::{number:x}" for number in range(1, 21)], True),
        (1, [f"2001:db8:1:{number:x}::1" for number in range(1, 21)], False),
        (1, [f"192.0.2.{number}" for number in range(1, 21)], False),
        # Nobody may name an address for themselves that no proxy has seen.
        (0, [f"192.0.2.{number}" for number in range(1, 21)], True),
        (1, [f"192.0.2.{number}, 198.51.100.7" for number in range(1, 21)], True),
    ],
    ids=["one IPv6 network", "many", "many IPv4 addresses", "made up", "made up before a proxy"],
)
async def test_whom_the_rate_is_counted_by(
    database: Database, hops: int, clients: list[str], as_one: bool
) -> None:
    limits: dict[str, Any] = {"rate": 1, "burst": 5, "trusted_hops": hops}
    async with (
        running_orchestrator(database) as orchestrator,
        running_gateway(f"127.0.0.1:{orchestrator.port}", **limits) as address,
        httpx.AsyncClient(base_url=f"http://{address}") as http,
    ):
        path = f"/sync-jobs/{uuid4()}"
        answers = [(await http.get(path, headers={"x-forwarded-for": c})).status_code for c in clients]
    assert set(answers) == ({401, 429} if as_one else {401})
    if as_one:  # the look at its health came from an address too; one a second may come again
        assert 4 <= answers.count(401) <= 12


async def test_an_orchestrator_that_goes_costs_readers_nothing(database: Database) -> None:
    """Two of them; one stops. Every read is answered, if need be by the other."""
    async with running_orchestrator(database) as stays:
        user = await stays.user()
        headers = {"authorization": f"Bearer {user.token}"}
        async with running_orchestrator(database) as goes:
            both = [f"127.0.0.1:{each.port}" for each in (stays, goes)]
            admin = claimable("127.0.0.1:0")
            gateway = running_gateway(*both, admin_port=int(admin.rpartition(":")[2]))
            address = await gateway.__aenter__()
            http = httpx.AsyncClient(base_url=f"http://{address}", headers=headers, timeout=20)
            path = f"/sync-jobs/{user.user_id}"
            assert [(await http.get(path)).status_code for _ in range(10)] == [200] * 10
        try:
            assert [(await http.get(path)).status_code for _ in range(30)] == [200] * 30
            # And the one that is gone is soon asked no more.
            name = "cluster.orchestrator.membership_healthy"
            stats = (await http.get(f"http://{admin}/stats", params={"filter": name})).text
            assert stats.strip() == f"{name}: 1", stats
            async with grpc.aio.insecure_channel(address) as channel:
                jobs = sync_pb2_grpc.SyncServiceStub(channel).ListSyncJobs
                request = pb.ListSyncJobsRequest(user_id=str(user.user_id))
                assert not (await jobs(request, metadata=user.metadata)).sync_jobs
        finally:
            await http.aclose()
            await gateway.__aexit__(None, None, None)


class TestTls:
    """Towards the orchestrators."""

    @pytest.fixture
    async def orchestrator(self, database: Database, tmp_path: Path) -> AsyncIterator[Orchestrator]:
        """Its certificate is for "orchestrator", and it wants one of the same CA."""
        authority = Authority("ca")
        ca = authority.write(tmp_path)
        cert, key = authority.make("orchestrator").write(tmp_path, "server")
        authority.make("gateway").write(tmp_path, "gateway")
        Authority("foreign").write(tmp_path)
        async with running_orchestrator(
            database, tls_cert=cert, tls_key=key, tls_client_ca=ca, analyzers="127.0.0.1:1"
        ) as made:
            yield made

    async def test_with_a_certificate_of_its_own(self, orchestrator: Orchestrator, tmp_path: Path) -> None:
        own, own_key = tmp_path / "gateway.pem", tmp_path / "gateway.key"
        security = ClientSecurity("TEST", tmp_path / "ca.ca.pem", own, own_key, "orchestrator")
        await self.read(orchestrator, security)

    async def test_as_rookify_up_reaches_its_own(self, orchestrator: Orchestrator) -> None:
        """It trusts the server's certificate itself, and shows the same."""
        await self.read(orchestrator, orchestrator.settings.security().towards_itself(None, None))

    async def read(self, orchestrator: Orchestrator, security: ClientSecurity) -> None:
        user = await orchestrator.user()
        headers = {"authorization": f"Bearer {user.token}"}
        async with (
            running_gateway(f"127.0.0.1:{orchestrator.port}", security=security) as address,
            httpx.AsyncClient(base_url=f"http://{address}", headers=headers, timeout=20) as http,
        ):
            assert (await http.get(f"/sync-jobs/{user.user_id}")).json()["sync_jobs"] == []

    @pytest.mark.parametrize(
        ("ca", "name", "counted"), [("foreign", "orchestrator", "error"), ("ca", "elsewhere", "san")]
    )
    async def test_nobody_else_is_spoken_to(
        self, orchestrator: Orchestrator, tmp_path: Path, ca: str, name: str, counted: str
    ) -> None:
        own, own_key = tmp_path / "gateway.pem", tmp_path / "gateway.key"
        security = ClientSecurity("TEST", tmp_path / f"{ca}.ca.pem", own, own_key, name)
        upstream = f"127.0.0.1:{orchestrator.port}"
        transport = httpx.AsyncHTTPTransport(retries=10)  # until it listens
        admin = claimable("127.0.0.1:0")
        port = int(admin.rpartition(":")[2])
        async with (
            running_gateway(upstream, healthy=False, security=security, admin_port=port) as address,
            httpx.AsyncClient(transport=transport, timeout=20) as http,
        ):
            assert (await http.get(f"http://{address}/sync-jobs/{uuid4()}")).status_code == 503
            stats = (await http.get(f"http://{admin}/stats", params={"filter": "ssl.fail_verify"})).text
            failures = dict(line.split(": ") for line in stats.splitlines())
            assert int(failures[f"cluster.orchestrator.ssl.fail_verify_{counted}"]) > 0, stats


def test_the_deployed_configuration_is_what_the_settings_give() -> None:
    """`make gateway` writes deploy/envoy; made again it is the same."""
    deployed = Path(__file__).parents[2] / "deploy" / "envoy"
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    made = config.from_settings(
        settings,
        "0.0.0.0:8080",
        ["orchestrator:50051"],
        PurePosixPath("/etc/envoy"),
        config.DEFAULT_ADMIN_PORT,
    )
    assert (deployed / config.CONFIG_FILE).read_text(encoding="utf-8") == config.render(made)
    ours = FileDescriptorSet.FromString((deployed / config.DESCRIPTOR_FILE).read_bytes())
    assert ours == FileDescriptorSet.FromString(config.descriptors())
