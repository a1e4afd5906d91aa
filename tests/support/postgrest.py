"""A stand-in for PostgREST, and for Supabase's gateway before it, over the tests' real Postgres.

There is no PostgREST in any package registry, so this serves what the store uses of it: POST to
`/rest/v1/rpc/FN` with a JSON body. After PostgREST 14 (docs.postgrest.org; Error.hs, PreQuery.hs and Plan.hs
of its source):

- it logs in as `authenticator`; each request is one transaction, read only for functions that are stable or
  immutable, with `role`, `search_path`, `request.jwt.claims`, `.method`, `.path`, `.headers`, `.cookies` and
  the role's own timeouts set for it alone;
- functions are found by the names of their arguments (PGRST202 with 404 for none, PGRST203 with 300 for
  several); values pass through `json_to_record`, results through `json_agg`, at most `max_rows` of a set;
- 200 with JSON, 204 for void, `Content-Range` with the total for `Prefer: count=exact`, and 206 then where
  rows were left out;
- errors as {code, message, details, hint}, an SQLSTATE's HTTP status by PostgREST's table, PGRST301 to 303
  with 401 for bad tokens.

As the gateway it knows the `apikey`s: JWTs of `anon` and `service_role` signed with SECRET, and `sb_…` keys,
for which it puts in the role's JWT where the caller sends none.

It is none of the real things: no tables and views, no GET, no other media types or schemas, no functions that
return rows of several columns, no variadic or unnamed parameters, no asymmetric tokens, no pre-request hook,
no hints; its schema cache is never stale. What it is asked beyond that it answers with 501. The same tests
run against the real thing by `make test-supabase`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import jwt
import psycopg
from aiohttp import web
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from tests.support.postgrest_rpc import SCHEMA, Call, Functions, Refused, error_body, http_status, run

SECRET = "the stand-in's own JWT secret, long enough for HS256"
SECRET_KEY = "sb_secret_standin0123456789abcdefghij_klmnopqr"
PUBLISHABLE_KEY = "sb_publishable_standin0123456789abcdefghij_klm"
_KEY_ROLES = {SECRET_KEY: "service_role", PUBLISHABLE_KEY: "anon"}
_POOL_SIZE = 10
_ACQUIRE_SECONDS = 10.0  # db-pool-acquisition-timeout
_MAX_BODY = 2**26


def legacy_key(role: str, **claims: Any) -> str:
    """As Supabase's older keys are: a JWT of a role, good for years."""
    now = int(time.time())
    made = {"iss": "supabase-demo", "role": role, "iat": now, "exp": now + 10**8} | claims
    return jwt.encode(made, SECRET, algorithm="HS256")


@dataclass(frozen=True, slots=True)
class Fault:
    """What becomes of a request instead of its answer; with `carry_out` it is carried out all the same."""

    status: int | None = None  # None: the connection is closed without an answer
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = "<html>an error page of the gateway</html>"
    content_type: str = "text/html"
    carry_out: bool = False
    seconds: float = 0  # of silence before it


class PostgrestStandIn:
    """Use as `async with`. `url` is the project's.

    `calls` counts requests by function, faulty ones included; `seconds` is what each of them took.
    `faults` are taken one per request, None for one that is answered.
    """

    def __init__(self, conninfo: str, *, max_rows: int = 1000) -> None:
        """`conninfo` as `authenticator`."""
        self.calls: Counter[str] = Counter()
        self.seconds: list[tuple[str, float]] = []
        self.headers: list[Mapping[str, str]] = []
        self.faults: deque[Fault | None] = deque()
        self.max_rows = max_rows
        self._functions = Functions()
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]] = AsyncConnectionPool(
            conninfo,
            min_size=1,
            max_size=_POOL_SIZE,
            timeout=_ACQUIRE_SECONDS,
            kwargs={"autocommit": True},
            open=False,
        )

    async def __aenter__(self) -> Self:
        await self._pool.open()
        application = web.Application(client_max_size=_MAX_BODY)
        application.router.add_route("*", "/rest/v1/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """Of an orchestrator that is to use it."""
        return {
            "DATABASE_URL": None,
            "SUPABASE_URL": self.url,
            "SUPABASE_SERVICE_ROLE_KEY": SECRET_KEY,
        }

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._pool.close()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        name, began = request.match_info["path"].removeprefix("rpc/"), time.perf_counter()
        self.calls[name] += 1
        self.headers.append(request.headers)
        fault = self.faults.popleft() if self.faults else None
        if fault is None:
            answer = await self._guarded(request)
            self.seconds.append((name, time.perf_counter() - began))
            return answer
        if fault.carry_out:
            await self._guarded(request)
        await asyncio.sleep(fault.seconds)
        if fault.status is None:
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError
        return web.Response(
            status=fault.status, text=fault.body, headers=fault.headers, content_type=fault.content_type
        )

    async def _guarded(self, request: web.Request) -> web.Response:
        claims: Mapping[str, Any] = {"role": "anon"}
        try:
            claims = _claims(request)
            return await self._rpc(request, claims)
        except Refused as refused:
            return _error(refused.status, refused.body)
        except PoolTimeout:
            return _error(504, error_body("PGRST003", "Timed out acquiring connection from connection pool."))
        except psycopg.Error as error:
            if error.sqlstate is None:
                message = "Database client error. Retrying the connection."
                return _error(503, error_body("PGRST001", message, str(error)))
            message = error.diag.message_primary or ""
            return _error(
                http_status(error.sqlstate, message, claims["role"] != "anon"),
                error_body(error.sqlstate, message, error.diag.message_detail, error.diag.message_hint),
            )

    async def _rpc(self, request: web.Request, claims: Mapping[str, Any]) -> web.Response:
        kind, _, name = request.match_info["path"].partition("/")
        if kind != "rpc":
            raise Refused(501, None, "the stand-in serves functions only")
        if request.method in ("GET", "HEAD", "OPTIONS"):
            raise Refused(501, None, f"the stand-in does not serve {request.method}")
        if request.method != "POST":
            raise Refused(405, "PGRST101", f"Cannot use the {request.method} method on RPC")
        if (profile := request.headers.get("Content-Profile", SCHEMA)) != SCHEMA:
            hint = f"Only the following schemas are exposed: {SCHEMA}"
            raise Refused(406, "PGRST106", f"Invalid schema: {profile}", hint=hint)
        arguments = await _arguments(request)
        call = Call(claims, request.method, f"/rpc/{name}", request.headers, request.cookies, arguments)
        async with self._pool.connection() as connection:
            function = await self._functions.resolve(connection, name, frozenset(arguments))
            if not function.is_scalar:
                raise Refused(501, None, "the stand-in serves no functions of several columns")
            of_role = await self._functions.role_settings(connection, claims["role"])
            body, rows, total = await run(connection, function, call, of_role, self.max_rows)
        counted = "count=exact" in request.headers.get("Prefer", "")
        span = f"0-{rows - 1}" if rows else "*"
        headers = {"Content-Range": f"{span}/{total if counted else '*'}"}
        if function.is_void:
            return web.Response(status=204, headers=headers)
        return web.Response(
            status=206 if counted and rows < total else 200,
            text=body,
            content_type="application/json",
            charset="utf-8",
            headers=headers,
        )


def _claims(request: web.Request) -> Mapping[str, Any]:
    """Who calls: first the gateway's question, then PostgREST's. Raises Refused."""
    key = request.headers.get("apikey")
    if key is None:
        raise Refused(401, None, "No API key found in request", hint="No `apikey` request header was found.")
    if key not in _KEY_ROLES and not _is_signed(key):
        hint = "Double check your Supabase `anon` or `service_role` API key."
        raise Refused(401, None, "Invalid API key", hint=hint)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() == "bearer" and not token:
        raise Refused(401, "PGRST301", "Empty JWT is sent in Authorization header")
    if scheme.lower() != "bearer":
        return {"role": _KEY_ROLES.get(key, "anon")}
    return {"role": "anon"} | _decoded(token)


def _is_signed(key: str) -> bool:
    try:
        jwt.decode(key, SECRET, algorithms=["HS256"], options={"verify_exp": False})
    except jwt.InvalidTokenError:
        return False
    return True


def _decoded(token: str) -> dict[str, Any]:
    parts = token.count(".") + 1
    if parts != 3:
        raise Refused(401, "PGRST301", f"Expected 3 parts in JWT; got {parts}")
    try:
        return jwt.decode(token, SECRET, algorithms=["HS256"], leeway=30, options={"verify_aud": False})
    except jwt.ExpiredSignatureError:
        raise Refused(401, "PGRST303", "JWT expired") from None
    except jwt.ImmatureSignatureError:
        raise Refused(401, "PGRST303", "JWT not yet valid") from None
    except jwt.InvalidAlgorithmError:
        raise Refused(401, "PGRST301", "Wrong or unsupported encoding algorithm") from None
    except jwt.InvalidTokenError:
        details = "None of the keys was able to decode the JWT"
        raise Refused(401, "PGRST301", "No suitable key or wrong key type", details) from None


async def _arguments(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":
        raise Refused(501, None, f"the stand-in does not take {request.content_type}")
    try:
        arguments = json.loads(await request.text())
    except ValueError:
        raise Refused(400, "PGRST102", "Empty or invalid json") from None
    if not isinstance(arguments, dict):
        raise Refused(501, None, "the stand-in takes one object of named arguments")
    return arguments


def _error(status: int, body: Mapping[str, Any]) -> web.Response:
    headers = {}
    if "code" in body:
        headers["Proxy-Status"] = f"PostgREST; error={body['code']}"
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return web.json_response(body, status=status, headers=headers)
