"""The stand-in for PostgREST answers as PostgREST does; what is expected here is from its documentation."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import psycopg
import pytest

from tests.support.postgres import Database
from tests.support.postgrest import PUBLISHABLE_KEY, SECRET_KEY, PostgrestStandIn, legacy_key
from tests.support.postgrest_rpc import http_status

FUNCTIONS = """
create function public.add_them(a integer, b integer default 1) returns integer language sql immutable
    as 'select a + b';
create function public.twice(a integer) returns integer language sql as 'select a';
create function public.twice(a integer, b text default '') returns integer language sql as 'select a';
create function public.numbers(n integer) returns setof integer language sql
    as 'select generate_series(1, n)';
create function public.nothing() returns void language sql as 'select';
create function public.null_one() returns jsonb language sql as 'select null::jsonb';
create function public.as_array(ids uuid[]) returns jsonb language sql as 'select to_jsonb(ids)';
create function public.asked() returns jsonb language sql stable as $$
    select jsonb_build_object('user', current_user, 'uid', auth.uid(),
        'path', current_setting('request.path'), 'method', current_setting('request.method'),
        'timeout', current_setting('statement_timeout'),
        'agent', current_setting('request.headers')::json ->> 'user-agent')
$$;
create sequence public.counter;
create function public.cheat() returns bigint language sql stable as $$ select nextval('public.counter') $$;
create function public.fail(code text) returns void language plpgsql as $$
begin
    raise exception 'it failed' using errcode = code, detail = '{"a": 1}', hint = 'try harder';
end $$;
create function public.sleep() returns void language sql set statement_timeout = '10ms'
    as 'select pg_sleep(5)';
create table public.secrets (id integer);
create function public.read_secrets() returns setof integer language sql as 'select id from public.secrets';
revoke all on public.secrets from anon, authenticated;
"""


class Client:
    def __init__(self, server: PostgrestStandIn, session: aiohttp.ClientSession) -> None:
        self.server = server
        self._session = session

    async def post(
        self, name: str, body: Any = None, *, method: str = "POST", **headers: str
    ) -> tuple[int, Any, Any]:
        """Status, JSON (None for no body) and headers. As service_role, unless `apikey` says otherwise."""
        sent = {"apikey": SECRET_KEY, "Content-Type": "application/json"} | {
            key.replace("_", "-"): value for key, value in headers.items()
        }
        async with self._session.request(
            method,
            f"{self.server.url}/rest/v1/{name}",
            data=body if isinstance(body, str) else json.dumps(body or {}),
            headers={key: value for key, value in sent.items() if value},
        ) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None, answer.headers


@pytest.fixture
async def client(database: Database) -> AsyncIterator[Client]:
    async with await psycopg.AsyncConnection.connect(database.owner_conninfo) as connection:
        await connection.execute(FUNCTIONS)
    async with PostgrestStandIn(database.app_conninfo) as server, aiohttp.ClientSession() as session:
        yield Client(server, session)


async def test_values(client: Client) -> None:
    assert (await client.post("rpc/add_them", {"a": 1, "b": 2}))[:2] == (200, 3)
    assert (await client.post("rpc/add_them", {"a": 2**31 - 2}))[:2] == (200, 2**31 - 1)
    assert (await client.post("rpc/numbers", {"n": 3}))[:2] == (200, [1, 2, 3])
    assert (await client.post("rpc/numbers", {"n": 0}))[:2] == (200, [])
    assert (await client.post("rpc/null_one"))[:2] == (200, None)
    assert (await client.post("rpc/nothing"))[:2] == (204, None)
    ids = ["6f3c2b1a-0d9e-4c7b-8a65-1f2e3d4c5b6a"]
    assert (await client.post("rpc/as_array", {"ids": ids}))[:2] == (200, ids)


async def test_rows_beyond_the_most_are_left_out(client: Client) -> None:
    client.server.max_rows = 2
    status, rows, headers = await client.post("rpc/numbers", {"n": 3})
    assert (status, rows, headers["Content-Range"]) == (200, [1, 2], "0-1/*")
    status, rows, headers = await client.post("rpc/numbers", {"n": 3}, Prefer="count=exact")
    assert (status, rows, headers["Content-Range"]) == (206, [1, 2], "0-1/3")
    status, rows, headers = await client.post("rpc/numbers", {"n": 0}, Prefer="count=exact")
    assert (status, rows, headers["Content-Range"]) == (200, [], "*/0")


async def test_functions_are_found_by_the_names_of_their_arguments(client: Client) -> None:
    status, body, headers = await client.post("rpc/add_them", {"c": 1, "a": 2})
    assert status == 404
    assert body == {
        "code": "PGRST202",
        "message": "Could not find the function public.add_them(a, c) in the schema cache",
        "details": "Searched for the function public.add_them with parameters a, c or with a single unnamed "
        "json/jsonb parameter, but no matches were found in the schema cache.",
        "hint": None,
    }
    assert headers["Proxy-Status"] == "PostgREST; error=PGRST202"
    status, body, _ = await client.post("rpc/nowhere")
    assert (status, body["message"]) == (
        404,
        "Could not find the function public.nowhere without parameters in the schema cache",
    )
    status, body, _ = await client.post("rpc/twice", {"a": 1})
    assert (status, body["code"]) == (300, "PGRST203")
    assert (await client.post("rpc/twice", {"a": 1, "b": "x"}))[:2] == (200, 1)


async def test_requests_that_are_none(client: Client) -> None:
    for method, body, headers, status, code in (
        ("POST", "{", {}, 400, "PGRST102"),
        ("PUT", "{}", {}, 405, "PGRST101"),
        ("POST", "{}", {"Content_Profile": "private"}, 406, "PGRST106"),
    ):
        answer = await client.post("rpc/nothing", body, method=method, **headers)
        assert (answer[0], answer[1]["code"]) == (status, code)
    for method, path in (("GET", "rpc/nothing"), ("POST", "users")):
        assert (await client.post(path, method=method))[0] == 501, "beyond the stand-in"


async def test_a_request_is_its_callers_transaction(client: Client) -> None:
    uid = "0a1b2c3d-0000-4000-8000-000000000000"
    token = legacy_key("authenticated", sub=uid)
    status, asked, _ = await client.post(
        "rpc/asked", apikey=PUBLISHABLE_KEY, Authorization=f"Bearer {token}", User_Agent="tests"
    )
    assert status == 200
    assert asked == {
        "user": "authenticated",
        "uid": uid,
        "path": "/rpc/asked",
        "method": "POST",
        "timeout": "8s",
        "agent": "tests",
    }
    for key, user, timeout in (
        (SECRET_KEY, "service_role", "8s"),  # the login role's
        (PUBLISHABLE_KEY, "anon", "3s"),
        (legacy_key("anon"), "anon", "3s"),
    ):
        _, asked, _ = await client.post("rpc/asked", apikey=key)
        assert (asked["user"], asked["uid"], asked["timeout"]) == (user, None, timeout)
    status, body, _ = await client.post("rpc/cheat")
    assert (status, body["code"]) == (405, "25006"), "a stable function is called read only"


async def test_bad_callers(client: Client) -> None:
    for headers, code, message in (
        ({"apikey": ""}, None, "No API key found in request"),
        ({"apikey": "sb_secret_unknown"}, None, "Invalid API key"),
        ({"apikey": "a.b.c"}, None, "Invalid API key"),
        ({"Authorization": "Bearer "}, "PGRST301", "Empty JWT is sent in Authorization header"),
        ({"Authorization": f"Bearer {SECRET_KEY}"}, "PGRST301", "Expected 3 parts in JWT; got 1"),
        ({"Authorization": "Bearer a.b.c"}, "PGRST301", "No suitable key or wrong key type"),
        ({"Authorization": f"Bearer {legacy_key('anon', exp=1)}"}, "PGRST303", "JWT expired"),
        ({"Authorization": f"Bearer {legacy_key('nobody')}"}, "22023", 'role "nobody" does not exist'),
    ):
        status, body, _ = await client.post("rpc/nothing", **headers)
        assert (status, body.get("code"), body["message"]) == (401, code, message)


async def test_errors_come_whole_and_change_nothing(client: Client) -> None:
    for code, status in (("RK002", 400), ("40001", 500), ("53300", 503), ("P0001", 400)):
        answer = await client.post("rpc/fail", {"code": code})
        assert answer[:2] == (
            status,
            {"code": code, "message": "it failed", "details": '{"a": 1}', "hint": "try harder"},
        )
    status, body, _ = await client.post("rpc/sleep")
    assert (status, body["code"]) == (500, "57014")
    for key, status in ((PUBLISHABLE_KEY, 401), (legacy_key("authenticated"), 403)):
        answer = await client.post(
            "rpc/read_secrets", apikey=PUBLISHABLE_KEY, Authorization="" if "sb_" in key else f"Bearer {key}"
        )
        assert (answer[0], answer[1]["code"]) == (status, "42501")


def test_the_table_of_statuses() -> None:
    """Each line of the documentation's table."""
    table = {
        503: "08006 53300 57P01",
        500: "09000 25001 2D000 38000 39000 3B000 40P01 53400 54000 55P03 57014 58030 F0000 HV000 P0002 "
        "XX000 42P17 21000",
        403: "0L000 0P000 28000 42501",
        409: "23503 23505",
        405: "25006",
        404: "42883 42P01",
        400: "P0001 22P02 RK001 23514",
    }
    for status, codes in table.items():
        for code in codes.split():
            assert http_status(code, "", authenticated=True) == status, code
    assert http_status("42501", "", authenticated=False) == 401
