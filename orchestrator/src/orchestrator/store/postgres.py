"""The psycopg transport: the embedded Postgres, or any `DATABASE_URL`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from typing import Any, Self
from uuid import UUID

import psycopg
import structlog
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from orchestrator.store.conninfo import read_conninfo
from orchestrator.store.transport import (
    AsJson,
    Change,
    Pace,
    database_unavailable,
    error_from_sqlstate,
)
from servicekit.backoff import Backoff
from servicekit.errors import RookifyError
from servicekit.tasks import cancellable

log = structlog.get_logger()

_POOL_SIZE = (
    8  # calls take milliseconds: eight at once is thousands a second, and leaves room for other replicas
)
_CHECKOUT_SECONDS = 5  # longer means that the database is away; the caller decides whether to wait on
# The pool's attempts to connect double their pauses, from 1 s: begun anew this often, the database is noticed
# within two seconds or so of its return, however long it was away.
_POOL_RECONNECT_SECONDS = 4
# A peer that vanished (a host that went, a network that was cut) would else be waited for for hours: found
# after 10 s of silence and 3 unanswered probes, or 20 s with data under way. The conninfo may say otherwise.
_LINK = {
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
}
_STATEMENT_TIMEOUT = "30s"  # no call comes near it; one that does must not hold its locks
_MOST_LOGGED = 100  # characters of a foreign notification, which may have 8,000
_RECONNECT = Backoff(0.1, 2.0)  # of the listener: quickly at first, then gently


class PostgresTransport:
    """A pool for calls and one connection that listens. Use as `async with`.

    Raises ConfigurationError where `conninfo` is none.
    """

    # A write takes a millisecond or two. Lost jobs are taken over within two leases, and a lease is 15 s.
    pace = Pace(write_interval=0.2, look_interval=2.0)

    def __init__(self, conninfo: str) -> None:
        self._conninfo = _with_link_settings(conninfo)
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[tuple[Any]]] = AsyncConnectionPool(
            self._conninfo,
            min_size=1,
            max_size=_POOL_SIZE,
            timeout=_CHECKOUT_SECONDS,
            reconnect_timeout=_POOL_RECONNECT_SECONDS,
            kwargs={"autocommit": True},
            configure=_become_service_role,
            open=False,
            name="rookify",
        )

    async def __aenter__(self) -> Self:
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._pool.close()

    async def call(self, function: str, parameters: Mapping[str, Any]) -> list[Any]:
        arguments = sql.SQL(", ").join(
            sql.SQL("{} => {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in parameters
        )
        query = sql.SQL("select * from public.{}({})").format(sql.Identifier(function), arguments)
        values = {
            name: Jsonb(value.value) if isinstance(value, AsJson) else value
            for name, value in parameters.items()
        }
        try:
            with cancellable():
                async with self._pool.connection() as connection:
                    cursor = await connection.execute(query, values)
                    return [row[0] for row in await cursor.fetchall()]
        except psycopg.Error as error:
            raise _translate(error) from error

    async def changes(self) -> AsyncGenerator[Change, None]:
        failures = 0
        while True:
            try:
                with cancellable() as check:
                    async with await psycopg.AsyncConnection.connect(
                        self._conninfo, autocommit=True
                    ) as connection:
                        await _become_service_role(connection)
                        await connection.execute("listen sync_jobs")
                        failures = 0
                        check()
                        yield Change(None)  # whatever happened before now
                        async for notification in connection.notifies():
                            check()
                            yield _parse(notification.payload)
                trouble = "the connection has ended"
            except psycopg.Error as error:
                trouble = str(error)
            failures += 1
            pause = _RECONNECT.delay(failures)
            log.warning("lost the database's notifications", error=trouble, retry_in=round(pause, 3))
            await asyncio.sleep(pause)

    def set_watched(self, sync_job_ids: Collection[UUID]) -> None:
        """Notifications come at once, whoever waits for them."""


def _with_link_settings(conninfo: str) -> str:
    return make_conninfo(**{**_LINK, **read_conninfo(conninfo)})


def place_of(conninfo: str) -> str:
    """Where it leads, for people: `DATABASE on HOST`. Raises ConfigurationError where it is none."""
    parts = conninfo_to_dict(_with_link_settings(conninfo))
    name = parts.get("dbname") or parts.get("user") or "postgres"
    return f"{name} on {parts.get('host') or 'this machine'}"


async def _become_service_role(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.execute("set role service_role")
    await connection.execute(sql.SQL("set statement_timeout = {}").format(_STATEMENT_TIMEOUT))


def _parse(payload: str) -> Change:
    """Everybody who may log in may NOTIFY: what is no news of ours stands for any change."""
    sync_job_id, _, status = payload.partition(" ")
    try:
        return Change(UUID(sync_job_id), status)
    except ValueError:
        log.warning("a notification that is not understood", payload=payload[:_MOST_LOGGED])
        return Change(None)


def _translate(error: psycopg.Error) -> RookifyError:
    sqlstate = error.sqlstate or ""
    lost = isinstance(error, PoolTimeout | psycopg.OperationalError | psycopg.InterfaceError) and not sqlstate
    if lost:
        return database_unavailable()
    return error_from_sqlstate(sqlstate, error.diag.message_primary or str(error), error.diag.message_detail)
