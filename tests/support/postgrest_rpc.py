"""The stand-in for PostgREST, its half towards the database: finds functions, calls them, names errors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

SCHEMA = "public"

_FUNCTIONS = """
select p.proname, p.proretset, p.prorettype = 'void'::regtype, p.provolatile, t.typtype,
       coalesce(p.proargnames[1:p.pronargs], '{}'), p.pronargdefaults,
       array(select format_type(type, null) from unnest(p.proargtypes) with ordinality a (type, n)
             order by n),
       (select split_part(s, '=', 2) from unnest(p.proconfig) s where s like 'statement_timeout=%')
  from pg_catalog.pg_proc p join pg_catalog.pg_type t on t.oid = p.prorettype
 where p.pronamespace = 'public'::regnamespace and p.prokind = 'f'
"""
_ROLE_SETTINGS = """
select split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)
  from pg_catalog.pg_roles r, unnest(r.rolconfig) setting where r.rolname = %s
"""


class Refused(Exception):
    """An error of PostgREST's own, or of the gateway's, which has no code."""

    def __init__(
        self, status: int, code: str | None, message: str, details: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(code, message, details, hint)


def error_body(
    code: str | None, message: str | None, details: str | None = None, hint: str | None = None
) -> dict[str, Any]:
    body = {"message": message, "details": details, "hint": hint}
    return body if code is None else {"code": code} | body


@dataclass(frozen=True, slots=True)
class Function:
    """A row of _FUNCTIONS."""

    name: str
    is_set: bool
    is_void: bool
    volatility: str
    return_kind: str
    arguments: list[str]
    defaults: int
    types: list[str]
    timeout: str | None  # of the function's own, which PostgREST sets for the transaction

    @property
    def is_scalar(self) -> bool:
        """Returns values of one column, or nothing."""
        return self.return_kind not in ("c", "p") or self.is_void

    def takes(self, names: frozenset[str]) -> bool:
        required = self.arguments[: len(self.arguments) - self.defaults]
        return names.issubset(self.arguments) and names.issuperset(required)

    def __str__(self) -> str:
        arguments = zip(self.arguments, self.types, strict=True)
        return f"{SCHEMA}.{self.name}({', '.join(f'{name} => {kind}' for name, kind in arguments)})"


@dataclass(frozen=True, slots=True)
class Call:
    """What a request asks for, and as whom."""

    claims: Mapping[str, Any]
    method: str
    path: str
    headers: Mapping[str, str]
    cookies: Mapping[str, str]
    arguments: Mapping[str, Any]

    def settings(self) -> list[tuple[str, str]]:
        """Those of the transaction, the role before what only it may read."""
        return [
            ("search_path", f'"{SCHEMA}"'),
            ("role", self.claims["role"]),
            ("request.jwt.claims", json.dumps(self.claims)),
            ("request.method", self.method),
            ("request.path", self.path),
            ("request.headers", json.dumps({name.lower(): value for name, value in self.headers.items()})),
            ("request.cookies", json.dumps(dict(self.cookies))),
        ]


class Functions:
    """PostgREST's schema cache, except that what is not in it is looked for again."""

    def __init__(self) -> None:
        self._known: dict[str, list[Function]] = {}
        self._role_settings: dict[str, list[tuple[str, str]]] = {}

    async def resolve(
        self, connection: psycopg.AsyncConnection[Any], name: str, given: frozenset[str]
    ) -> Function:
        """By the names of the arguments. Raises Refused."""
        found = self._find(name, given)
        if not found:
            await self._load(connection)
            found = self._find(name, given)
        if not found:
            raise _not_found(name, ", ".join(sorted(given)), len(given))
        if len(found) > 1:
            raise Refused(
                300,
                "PGRST203",
                f"Could not choose the best candidate function between: {', '.join(map(str, found))}",
                hint="Try renaming the parameters or the function itself in the database so function "
                "overloading can be resolved",
            )
        return found[0]

    async def role_settings(
        self, connection: psycopg.AsyncConnection[Any], role: str
    ) -> list[tuple[str, str]]:
        """What `alter role … set` says, the statement's timeout above all."""
        if role not in self._role_settings:
            self._role_settings[role] = await (await connection.execute(_ROLE_SETTINGS, (role,))).fetchall()
        return self._role_settings[role]

    def _find(self, name: str, given: frozenset[str]) -> list[Function]:
        return [function for function in self._known.get(name, ()) if function.takes(given)]

    async def _load(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._known.clear()
        for row in await (await connection.execute(_FUNCTIONS)).fetchall():
            function = Function(*row)
            self._known.setdefault(function.name, []).append(function)


def _not_found(name: str, listed: str, count: int) -> Refused:
    parameters = f" with parameter{'s' if count > 1 else ''} {listed}" if count else " without parameters"
    called = f"{SCHEMA}.{name}({listed})" if count else f"{SCHEMA}.{name} without parameters"
    return Refused(
        404,
        "PGRST202",
        f"Could not find the function {called} in the schema cache",
        f"Searched for the function {SCHEMA}.{name}{parameters} or with a single unnamed json/jsonb "
        "parameter, but no matches were found in the schema cache.",
    )


async def run(
    connection: psycopg.AsyncConnection[Any],
    function: Function,
    call: Call,
    role_settings: Sequence[tuple[str, str]],
    max_rows: int,
) -> tuple[str, int, int]:
    """In a transaction of its own: the body as JSON, the rows in it, and how many there were."""
    # The role's own settings come first: they may be ones that the role itself may not set.
    settings = [*role_settings, *call.settings()]
    if function.timeout:
        settings.append(("statement_timeout", function.timeout))
    mode = sql.SQL("read write" if function.volatility == "v" else "read only")
    await connection.execute(sql.SQL("begin isolation level read committed {}").format(mode))
    try:
        assignments = sql.SQL(", ").join([sql.SQL("set_config(%s, %s, true)")] * len(settings))
        await connection.execute(
            sql.SQL("select {}").format(assignments), [part for setting in settings for part in setting]
        )
        values = {"body": json.dumps(call.arguments), "rows": max_rows}
        row = await (await connection.execute(_query(function, list(call.arguments)), values)).fetchone()
    except BaseException:
        if not connection.closed:
            await connection.execute("rollback")
        raise
    await connection.execute("commit")
    assert row is not None
    body, rows, total = row
    return body, rows, total


def _query(function: Function, given: list[str]) -> sql.Composed:
    """As PostgREST writes it, for functions of one column."""
    types = dict(zip(function.arguments, function.types, strict=True))
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.Composed([_raw(types[name])])) for name in given
    )
    passed = sql.SQL(", ").join(
        sql.SQL("{0} := pgrst_body.{0}").format(sql.Identifier(name)) for name in given
    )
    record = sql.SQL("select * from json_to_record(pgrst_payload.json_data) as _({})").format(columns)
    source = sql.SQL(
        "select pgrst_call.pgrst_scalar from (select %(body)s::json as json_data) pgrst_payload, "
        "lateral ({record}) pgrst_body, lateral (select {function}({passed}) as pgrst_scalar) pgrst_call"
    ).format(
        record=record if given else sql.SQL("select"),
        function=sql.Identifier(SCHEMA, function.name),
        passed=passed,
    )
    one = "coalesce(json_agg(_t.pgrst_scalar)->0, 'null')"
    value = sql.SQL("coalesce(json_agg(_t.pgrst_scalar), '[]')" if function.is_set else one)
    return sql.SQL(
        "with pgrst_source as ({source}) "
        "select ({value})::text, count(_t), (select count(*) from pgrst_source) "
        "from (select * from pgrst_source limit %(rows)s) _t"
    ).format(source=source, value=value)


def _raw(kind: str) -> sql.SQL:
    """A type's name as Postgres itself gave it."""
    return sql.SQL(kind)


def http_status(sqlstate: str, message: str, authenticated: bool) -> int:
    """PostgREST's table (mapSQLtoHTTP)."""
    exact = {
        "21000": 400 if message.endswith("requires a WHERE clause") else 500,
        "22023": 401 if message.startswith("role") and message.endswith("does not exist") else 400,
        "23503": 409,
        "23505": 409,
        "25006": 405,
        "42501": 403 if authenticated else 401,
        "42883": 406 if message.startswith("function xmlagg(") else 404,
        "42P01": 404,
        "42P17": 500,
        "53400": 500,
        "57P01": 503,
        "P0001": 400,
    }
    classes = {"08": 503, "0L": 403, "0P": 403, "28": 403, "53": 503}
    failures = ("09", "25", "2D", "38", "39", "3B", "40", "54", "55", "57", "58", "F0", "HV", "P0", "XX")
    return exact.get(sqlstate) or (classes | dict.fromkeys(failures, 500)).get(sqlstate[:2], 400)
