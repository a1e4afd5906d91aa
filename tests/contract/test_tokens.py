"""Who may do what, over a real socket: good tokens of every kind, bad ones, and good ones in the wrong place.

Real Postgres, real gRPC, and a real HTTP server with the signer's public keys.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import grpc
import grpc.aio
import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from orchestrator.tokens import mint_token
from rookify.compat.v1 import compat_pb2, compat_pb2_grpc
from rookify.sync.v1 import sync_pb2 as pb
from servicekit.status import RpcFailure, from_rpc_error
from tests.support.orchestrator import SECRET, Client, Orchestrator, running_orchestrator
from tests.support.platforms.__main__ import SHIPPED
from tests.support.platforms.chesscom_server import ChessComServer, read_months
from tests.support.postgres import Database
from tests.support.scripted_analyzer import ScriptedAnalyzer
from tests.support.signer import SigningServer, claims, ec_key, jwk, rsa_key, sign

LEGACY = "a legacy JWT secret of the project, long enough"
SERVICE_KEY = "sb_secret_cJ3gX0uWm5N8rT2yQ7vB1zL4kD6pF9aE_made"
USER = UUID("4f3c2b1a-0d9e-4c7b-8a65-1f2e3d4c5b6a")
KEY, OLD_KEY, FOREIGN = ec_key("current"), rsa_key("old"), ec_key("foreign")

Metadata = tuple[tuple[str, str], ...]


@asynccontextmanager
async def project(database: Database, **settings: Any) -> AsyncIterator[tuple[Orchestrator, SigningServer]]:
    """An orchestrator that trusts a Supabase project in every way it can, and its own secret."""
    async with SigningServer(jwk(KEY, "current"), jwk(OLD_KEY, "old")) as signer:
        fields = {
            "SUPABASE_JWKS_URL": signer.jwks_url,
            "SUPABASE_JWT_ISSUER": signer.url,
            "SUPABASE_JWT_SECRET": LEGACY,
            "SUPABASE_SERVICE_ROLE_KEY": SERVICE_KEY,
            "analyzers": "127.0.0.1:1",
        }
        async with running_orchestrator(database, **(fields | settings)) as orchestrator:
            yield orchestrator, signer


async def contents(database: Database) -> dict[str, list[Any]]:
    """Every row of every table."""
    async with await psycopg.AsyncConnection.connect(database.superuser_conninfo) as connection:
        names = await connection.execute("select tablename from pg_tables where schemaname = 'public'")
        tables = [name for (name,) in await names.fetchall()]
        return {
            table: await (
                await connection.execute(f"select t::text from public.{table} t order by 1")
            ).fetchall()
            for table in tables
        }


async def add_user(database: Database, user_id: UUID, *, is_admin: bool = False) -> None:
    async with await psycopg.AsyncConnection.connect(database.owner_conninfo) as connection:
        await connection.execute(
            "insert into users (id, username, is_admin) values (%s, %s, %s)",
            (user_id, str(user_id), is_admin),
        )


def encoded(part: Any) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unsigned(payload: dict[str, Any], alg: Any) -> str:
    return f"{encoded({'alg': alg, 'typ': 'JWT', 'kid': 'current'})}.{encoded(payload)}."


def hmac_with(payload: Any, secret: bytes, alg: str = "HS256", **header: Any) -> str:
    """PyJWT refuses to sign with a public key, for the reason that is tested here."""
    body = f"{encoded({'alg': alg, 'typ': 'JWT', 'kid': 'current', **header})}.{encoded(payload)}"
    return f"{body}.{encoded(hmac.new(secret, body.encode(), hashlib.sha256).digest())}"


def public_pem(key: Any) -> bytes:
    pem: bytes = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem


def der_signed(payload: dict[str, Any]) -> str:
    body = f"{encoded({'alg': 'ES256', 'typ': 'JWT', 'kid': 'current'})}.{encoded(payload)}"
    return f"{body}.{encoded(KEY.sign(body.encode(), ec.ECDSA(hashes.SHA256())))}"


@dataclass(frozen=True)
class Bad:
    """A token that nobody may get in with; `make` gets the signer's address."""

    name: str
    make: Callable[[str], str]
    reason: str = "TOKEN_INVALID"

    @property
    def code(self) -> grpc.StatusCode:
        denied = self.reason == "ROLE_NOT_ALLOWED"
        return grpc.StatusCode.PERMISSION_DENIED if denied else grpc.StatusCode.UNAUTHENTICATED


def bad(name: str, reason: str = "TOKEN_INVALID", /, **changes: Any) -> Bad:
    """A token that is signed as it should be, with other claims than it should have."""
    return Bad(name, lambda issuer: sign(claims(issuer, USER, **changes), KEY, "current"), reason)


def spliced(issuer: str) -> str:
    """The signature of one token under the claims of another."""
    mine, other = (sign(claims(issuer, user), KEY, "current") for user in (USER, uuid4()))
    return f"{other.rpartition('.')[0]}.{mine.rpartition('.')[2]}"


NOW = int(time.time())
BAD = [
    # No token at all
    Bad("nonsense", lambda _: "nonsense"),
    Bad("three empty parts", lambda _: ".."),
    Bad("a refresh token", lambda _: "v1tq6h2lkzxp"),
    Bad("a publishable key", lambda _: "sb_publishable_ACJWlzQHlZjBrEguHvfOxg_3BJgxAaH"),
    Bad("the beginning of the service key", lambda _: SERVICE_KEY[:-1]),
    Bad("more than the service key", lambda _: SERVICE_KEY + "x"),
    Bad("an encrypted token", lambda issuer: sign(claims(issuer, USER), KEY, "current") + ".x.y"),
    Bad("claims that are a list", lambda _: hmac_with([1, 2], SECRET.encode())),
    Bad("a number that is none", lambda _: hmac_with(b'{"iss": "rookify", "exp": 1e999}', SECRET.encode())),
    Bad("too long", lambda issuer: sign(claims(issuer, USER, app_metadata="x" * 9000), KEY, "current")),
    # The algorithm
    Bad("unsigned", lambda issuer: unsigned(claims(issuer, USER), "none")),
    Bad("unsigned in disguise", lambda issuer: unsigned(claims(issuer, USER), "nOnE")),
    Bad("an algorithm that is no name", lambda issuer: unsigned(claims(issuer, USER), ["ES256"])),
    Bad("HS256 with the public key", lambda issuer: hmac_with(claims(issuer, USER), public_pem(KEY))),
    Bad(
        "HS256 with the public RSA key",
        lambda issuer: hmac_with(claims(issuer, USER), public_pem(OLD_KEY), kid="old"),
    ),
    Bad("HS256 called ES256", lambda issuer: hmac_with(claims(issuer, USER), LEGACY.encode(), "ES256")),
    Bad("HS512", lambda _: jwt.encode(claims("rookify", USER), SECRET * 2, "HS512")),
    Bad("RS256 with the key of ES256", lambda issuer: sign(claims(issuer, USER), OLD_KEY, "current")),
    Bad("ES256 with the key of RS256", lambda issuer: sign(claims(issuer, USER), KEY, "old")),
    Bad("a signature in another form", lambda issuer: der_signed(claims(issuer, USER))),
    # The key
    Bad("an unknown key", lambda issuer: sign(claims(issuer, USER), FOREIGN, "foreign")),
    Bad("no key named", lambda issuer: sign(claims(issuer, USER), KEY)),
    Bad("a key named like a file", lambda issuer: sign(claims(issuer, USER), KEY, "../../../dev/null")),
    Bad("another's key under a known name", lambda issuer: sign(claims(issuer, USER), FOREIGN, "current")),
    Bad(
        "its own key in the header",
        lambda issuer: sign(claims(issuer, USER), FOREIGN, "x", jwk=jwk(FOREIGN, "x")),
    ),
    Bad(
        "a known key and another in the header",
        lambda issuer: sign(claims(issuer, USER), KEY, "current", jwk={}),
    ),
    Bad(
        "a place to fetch its key",
        lambda issuer: sign(claims(issuer, USER), FOREIGN, "x", jku=f"{issuer}/mine"),
    ),
    Bad(
        "a place to fetch its certificate",
        lambda issuer: sign(claims(issuer, USER), FOREIGN, "x", x5u=f"{issuer}/mine"),
    ),
    Bad("something critical", lambda issuer: sign(claims(issuer, USER), KEY, "current", crit=["exp"])),
    Bad("another type of token", lambda issuer: sign(claims(issuer, USER), KEY, "current", typ="dpop+jwt")),
    Bad("the signature of another token", spliced),
    Bad("another secret", lambda _: mint_token("another secret, also long enough", str(USER))),
    Bad("our issuer, the project's secret", lambda _: sign(claims("rookify", USER), LEGACY)),
    Bad("the project's issuer, our secret", lambda issuer: sign(claims(issuer, USER), SECRET)),
    Bad("our issuer, the project's key", lambda _: sign(claims("rookify", USER), KEY, "current")),
    # The claims
    bad("expired", "TOKEN_EXPIRED", exp=NOW - 60),
    bad("never expires", exp=None),
    bad("expires at no time", exp="never"),
    bad("not yet valid", nbf=NOW + 3600),
    bad("valid from no time", nbf="now"),
    bad("issued in the future", iat=NOW + 3600),
    bad("issued at no time", iat=None),
    bad("from nobody", iss=None),
    bad("from another project", iss="https://other.supabase.co/auth/v1"),
    Bad("from several", lambda _: hmac_with(claims("", USER, iss=["rookify"]), SECRET.encode())),
    bad("for nobody", aud=None),
    bad("for another audience", aud="anon"),
    bad("for audiences that are none", aud=[1, {}]),
    bad("of nobody", sub=None),
    bad("of no user", sub="not a uuid"),
    bad("of a number", sub=7),
    # The role
    bad("without a role", "ROLE_NOT_ALLOWED", role=None),
    bad("an anonymous caller", "ROLE_NOT_ALLOWED", role="anon"),
    bad("a database role", "ROLE_NOT_ALLOWED", role="postgres"),
    bad("roles", "ROLE_NOT_ALLOWED", role=["service_role"]),
    Bad("the legacy anon key", lambda _: legacy_api_key("anon"), "ROLE_NOT_ALLOWED"),
    Bad("a user by the keys' issuer", lambda _: sign(claims("supabase", USER), LEGACY), "ROLE_NOT_ALLOWED"),
    Bad("a service key of another project", lambda _: legacy_api_key("service_role", "x" * 40)),
]


def legacy_api_key(role: str, secret: str = LEGACY) -> str:
    """As a Supabase project has them in its settings: good for ten years, without audience and subject."""
    made = {
        "iss": "supabase",
        "ref": "abcdefghijklmnopqrst",
        "role": role,
        "iat": NOW,
        "exp": NOW + 10 * 365 * 86400,
    }
    return jwt.encode(made, secret, "HS256")


async def refused(call: Any) -> RpcFailure:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return from_rpc_error(error.value)


async def every_refusal(client: Client, metadata: Metadata) -> list[RpcFailure]:
    """What a call that writes, one that streams, and one for operators come to."""
    watch = pb.WatchSyncRequest(sync_job_id=str(uuid4()))
    return [
        await refused(client.sync.StartSync(client.request(), metadata=metadata, timeout=10)),
        await refused(anext(aiter(client.sync.WatchSync(watch, metadata=metadata, timeout=10)))),
        await refused(
            client.admin.CleanupStuckSyncJobs(pb.CleanupStuckSyncJobsRequest(), metadata=metadata, timeout=10)
        ),
    ]


async def test_no_bad_token_gets_in_and_nothing_is_written(database: Database) -> None:
    await add_user(database, USER, is_admin=True)  # who could do anything, were the token good
    async with project(database) as (orchestrator, signer):
        before = await contents(database)
        client = Client(orchestrator.channel, USER, "")
        wrong = []
        for each in BAD:
            token = each.make(signer.url)
            for failure in await every_refusal(client, (("authorization", f"Bearer {token}"),)):
                if (failure.code, failure.reason) != (each.code, each.reason):
                    wrong.append(f"{each.name}: {failure.code.name} {failure.reason} {failure.message}")
                if token in failure.message or (len(token) > 30 and token[:30] in str(failure)):
                    wrong.append(f"{each.name}: is quoted in {failure.message!r}")
        assert wrong == []
        assert await contents(database) == before
        assert {seen.path for seen in signer.requests} == {"/.well-known/jwks.json"}
        assert len(signer.requests) <= 2, "made-up keys made us ask again and again"


# As they come, with a good token at TOKEN.
HEADERS: list[tuple[str, list[tuple[str, str]]]] = [
    ("TOKEN_MISSING", []),
    ("TOKEN_MISSING", [("x-authorization", "Bearer TOKEN")]),
    ("TOKEN_MALFORMED", [("authorization", "")]),
    ("TOKEN_MALFORMED", [("authorization", "Bearer")]),
    ("TOKEN_MALFORMED", [("authorization", "Bearer  ")]),
    ("TOKEN_MALFORMED", [("authorization", "TOKEN")]),
    ("TOKEN_MALFORMED", [("authorization", "Basic TOKEN")]),
    ("TOKEN_MALFORMED", [("authorization", "Bearer TOKEN"), ("authorization", "Bearer TOKEN")]),
    ("TOKEN_MALFORMED", [("authorization", "Bearer TOKEN"), ("authorization", "")]),
    ("TOKEN_INVALID", [("authorization", "Bearer TOKEN, Bearer TOKEN")]),
    ("TOKEN_INVALID", [("authorization", "Bearer Bearer TOKEN")]),
]


async def test_a_good_token_gets_in_only_as_one_bearer_token(database: Database) -> None:
    await add_user(database, USER)
    async with running_orchestrator(database, analyzers="127.0.0.1:1") as orchestrator:
        token = mint_token(SECRET, str(USER))
        before = await contents(database)
        for reason, headers in HEADERS:
            metadata = tuple((name, value.replace("TOKEN", token)) for name, value in headers)
            for failure in await every_refusal(Client(orchestrator.channel, USER, ""), metadata):
                assert (failure.code, failure.reason) == (grpc.StatusCode.UNAUTHENTICATED, reason), headers
        assert await contents(database) == before


async def test_no_method_of_any_service_answers_without_a_token(database: Database) -> None:
    async with running_orchestrator(database, analyzers="127.0.0.1:1") as orchestrator:
        services = [
            *pb.DESCRIPTOR.services_by_name.values(),
            *compat_pb2.DESCRIPTOR.services_by_name.values(),
        ]
        paths = [f"/{service.full_name}/{method.name}" for service in services for method in service.methods]
        assert len(paths) >= 20
        paths += ["/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"]
        for path in paths:
            method: Any = orchestrator.channel.stream_stream(path)
            # Nothing is sent: grpcio makes INTERNAL of a status that overtakes a write (grpc issue 36066).
            call = method(timeout=10)
            assert await call.code() is grpc.StatusCode.UNAUTHENTICATED, path
            call.cancel()


async def test_every_good_token_gets_in(database: Database) -> None:
    await add_user(database, USER)
    async with project(database) as (orchestrator, signer):
        user = claims(signer.url, USER)
        service = {"role": "service_role"}
        for name, token in {
            "ES256": sign(user, KEY, "current"),
            "RS256": sign(user, OLD_KEY, "old"),
            "the legacy secret": sign(user, LEGACY, "any kid"),
            "our own": mint_token(SECRET, str(USER)),
            "several audiences": sign(user | {"aud": ["other", "authenticated"]}, KEY, "current"),
            "nbf": sign(user | {"nbf": NOW - 5}, KEY, "current"),
            "a clock a little behind": sign(user | {"iat": int(time.time()) + 10}, KEY, "current"),
            "a clock a little ahead": sign(user | {"exp": int(time.time()) - 10}, KEY, "current"),
            "a large one": sign(user | {"app_metadata": "x" * 5000}, KEY, "current"),
            "a lower-case kind": sign(user, KEY, "current", typ="jwt"),
            "the service key": SERVICE_KEY,
            "the legacy service key": legacy_api_key("service_role"),
            "a service token without a user": sign(
                claims(signer.url, "", sub=None) | service, KEY, "current"
            ),
            "a service token of a user": sign(claims(signer.url, uuid4()) | service, KEY, "current"),
            "our own service token": mint_token(SECRET, str(uuid4()), "service_role"),
        }.items():
            client = Client(orchestrator.channel, USER, token)
            listed = await client.call("ListSyncJobs", pb.ListSyncJobsRequest(user_id=str(USER)))
            assert list(listed.sync_jobs) == [], name
            audit = client.call("AuditSyncJobs", pb.AuditSyncJobsRequest())
            if "service" in name:
                await audit
            else:
                assert (await refused(audit)).code is grpc.StatusCode.PERMISSION_DENIED, name


async def test_hs256_is_refused_where_no_secret_is_configured(database: Database) -> None:
    await add_user(database, USER)
    unset = {"SUPABASE_JWT_SECRET": None, "SUPABASE_SERVICE_ROLE_KEY": None, "jwt_secret": None}
    async with project(database, **unset) as (orchestrator, signer):
        for token in (
            sign(claims(signer.url, USER), LEGACY),
            mint_token(SECRET, str(USER)),
            hmac_with(claims("rookify", USER), b""),
            hmac_with(claims(signer.url, USER), b""),
            legacy_api_key("service_role"),
            SERVICE_KEY,
        ):
            client = Client(orchestrator.channel, USER, token)
            failure = await refused(client.call("StartSync", client.request()))
            assert (failure.code, failure.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")
        good = Client(orchestrator.channel, USER, sign(claims(signer.url, USER), KEY, "current"))
        await good.call("ListSyncJobs", pb.ListSyncJobsRequest(user_id=str(USER)))


async def test_without_the_signers_keys_callers_are_told_to_come_back(database: Database) -> None:
    await add_user(database, USER)
    async with project(database, SUPABASE_JWKS_URL="http://127.0.0.1:1/jwks.json") as (orchestrator, signer):
        client = Client(orchestrator.channel, USER, sign(claims(signer.url, USER), KEY, "current"))
        failure = await refused(client.call("StartSync", client.request()))
        assert (failure.code, failure.reason) == (grpc.StatusCode.UNAVAILABLE, "NO_SIGNING_KEYS")
        assert failure.retry_delay
        legacy = Client(orchestrator.channel, USER, sign(claims(signer.url, USER), LEGACY))
        await legacy.call("ListSyncJobs", pb.ListSyncJobsRequest(user_id=str(USER)))


class TestCallers:
    """Good tokens, and what is not theirs."""

    async def test_what_is_anothers_is_not_there(self, database: Database) -> None:
        async with (
            ChessComServer(read_months(SHIPPED / "chesscom")) as platform,
            ScriptedAnalyzer(credits=4) as analyzer,
            project(database, chesscom_url=platform.url, analyzers=analyzer.address) as (orchestrator, _),
        ):
            owner, other = await orchestrator.user(), await orchestrator.user()
            job = await owner.ended((await owner.start(max_games=2)).id)
            mine = pb.ListGameAnalysesRequest(user_id=str(owner.user_id), sync_job_id=job.id)
            game = (await owner.call("ListGameAnalyses", mine)).games[0]
            before = await contents(database)
            ids = {
                job.id: game.id,
                str(uuid4()): str(uuid4()),
            }  # another's, and nobody's: not to be told apart
            answers = []
            for job_id, game_id in ids.items():
                user_id = str(other.user_id)
                calls = {
                    "GetSyncJob": pb.GetSyncJobRequest(sync_job_id=job_id),
                    "CancelSync": pb.CancelSyncRequest(sync_job_id=job_id),
                    "ListGameAnalyses": pb.ListGameAnalysesRequest(user_id=user_id, sync_job_id=job_id),
                    "GetGameAnalysis": pb.GetGameAnalysisRequest(user_id=user_id, game_analysis_id=game_id),
                }
                failures = [await refused(other.call(name, request)) for name, request in calls.items()]
                failures.append(await refused(anext(other.watch(job_id))))
                compat = compat_pb2_grpc.CompatServiceStub(orchestrator.channel)
                status = compat_pb2.GetSyncStatusRequest(sync_job_id=job_id)
                failures.append(await refused(compat.GetSyncStatus(status, metadata=other.metadata)))
                detail = compat_pb2.GetGameRequest(user_id=user_id, game_id=game_id)
                failures.append(await refused(compat.GetGame(detail, metadata=other.metadata)))
                answers.append(
                    [failure.message.replace(job_id, "ID").replace(game_id, "ID") for failure in failures]
                )
                assert {(f.code, f.reason) for f in failures} == {(grpc.StatusCode.NOT_FOUND, "NOT_FOUND")}
            assert answers[0] == answers[1]
            assert await contents(database) == before

    async def test_nobody_acts_for_another(self, database: Database) -> None:
        async with project(database) as (orchestrator, _):
            owner, other = await orchestrator.user(), await orchestrator.user()
            before = await contents(database)
            user_id = str(owner.user_id)
            for name, request in {
                "StartSync": owner.request(),
                "ListSyncJobs": pb.ListSyncJobsRequest(user_id=user_id),
                "GetQuota": pb.GetQuotaRequest(user_id=user_id),
                "ListGameAnalyses": pb.ListGameAnalysesRequest(user_id=user_id),
                "GetGameAnalysis": pb.GetGameAnalysisRequest(user_id=user_id, game_analysis_id=str(uuid4())),
            }.items():
                failure = await refused(other.call(name, request))
                assert (failure.code, failure.reason) == (
                    grpc.StatusCode.PERMISSION_DENIED,
                    "NOT_YOUR_USER",
                ), name
            compat = compat_pb2_grpc.CompatServiceStub(orchestrator.channel)
            for call in (
                compat.StartSync(
                    compat_pb2.StartSyncRequest(user_id=user_id, platform="chess.com", username="hikaru"),
                    metadata=other.metadata,
                ),
                compat.ListSyncJobs(compat_pb2.ListSyncJobsRequest(user_id=user_id), metadata=other.metadata),
                compat.ListGames(compat_pb2.ListGamesRequest(user_id=user_id), metadata=other.metadata),
            ):
                assert (await refused(call)).reason == "NOT_YOUR_USER"
            assert await contents(database) == before

    async def test_operators_calls_need_the_service_or_an_admin(self, database: Database) -> None:
        async with project(database) as (orchestrator, signer):
            user = await orchestrator.user()
            admin = Client(orchestrator.channel, uuid4(), "")
            await add_user(database, admin.user_id, is_admin=True)
            admin.token = sign(claims(signer.url, admin.user_id), KEY, "current")
            claimed = Client(
                orchestrator.channel, user.user_id, ""
            )  # is_admin is the row's, whatever the token says
            claimed.token = sign(
                claims(signer.url, user.user_id, is_admin=True, app_metadata={"is_admin": True}),
                KEY,
                "current",
            )
            unknown = Client(orchestrator.channel, uuid4(), "")  # a user without a row
            unknown.token = sign(claims(signer.url, unknown.user_id), KEY, "current")
            before = await contents(database)
            calls = {
                "ListActiveSyncJobs": pb.ListActiveSyncJobsRequest(),
                "CleanupStuckSyncJobs": pb.CleanupStuckSyncJobsRequest(),
                "AuditSyncJobs": pb.AuditSyncJobsRequest(),
                "GetUsage": pb.GetUsageRequest(),
                "FailSyncJob": pb.FailSyncJobRequest(sync_job_id=str(uuid4())),
            }
            assert calls.keys() == {
                method.name for method in pb.DESCRIPTOR.services_by_name["SyncAdminService"].methods
            }
            for name, request in calls.items():
                for caller in (user, claimed, unknown):
                    failure = await refused(caller.call(name, request))
                    assert (failure.code, failure.reason) == (
                        grpc.StatusCode.PERMISSION_DENIED,
                        "NOT_AN_ADMIN",
                    )
            compat = compat_pb2_grpc.CompatServiceStub(orchestrator.channel)
            fix = compat_pb2.FixSpecificSyncJobRequest(sync_job_id=str(uuid4()))
            for call in (
                compat.CleanupStuckSyncJobs(compat_pb2.CleanupStuckSyncJobsRequest(), metadata=user.metadata),
                compat.FixSpecificSyncJob(fix, metadata=user.metadata),
            ):
                assert (await refused(call)).reason == "NOT_AN_ADMIN"
            assert await contents(database) == before
            for name, request in list(calls.items())[:-1]:
                await admin.call(name, request)
                await Client(orchestrator.channel, uuid4(), SERVICE_KEY).call(name, request)
            job = await user.start()
            fail = pb.FailSyncJobRequest(sync_job_id=job.id, reason="by hand")
            assert (await refused(user.call("FailSyncJob", fail))).reason == "NOT_AN_ADMIN"
            failed = await admin.call("FailSyncJob", fail)
            assert failed.sync_job.error == "by hand"
            # An admin is so for operators' calls; another's sync is still not theirs to start.
            failure = await refused(admin.call("StartSync", user.request()))
            assert failure.reason == "NOT_YOUR_USER"

    @pytest.mark.parametrize("token", [SERVICE_KEY, legacy_api_key("service_role")])
    async def test_the_service_acts_for_the_user_it_names(self, database: Database, token: str) -> None:
        async with project(database) as (orchestrator, _):
            user = await orchestrator.user()
            service = Client(orchestrator.channel, user.user_id, token)
            job = await service.start()
            assert job.user_id == str(user.user_id)
            assert (
                await user.call("GetSyncJob", pb.GetSyncJobRequest(sync_job_id=job.id))
            ).sync_job.id == job.id
            assert (await anext(service.watch(job.id))).sync_job.id == job.id
            cancelled = await service.call("CancelSync", pb.CancelSyncRequest(sync_job_id=job.id))
            assert cancelled.sync_job.status == pb.SYNC_STATUS_CANCELLED
            nobody = service.request(user_id=str(uuid4()))
            assert (await refused(service.call("StartSync", nobody))).code is grpc.StatusCode.NOT_FOUND
