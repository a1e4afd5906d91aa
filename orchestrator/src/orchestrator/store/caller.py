"""How the store calls a function: repeated while the database does not answer, its rows typed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import stamina
from opentelemetry.trace import SpanKind
from pydantic import TypeAdapter

from orchestrator import metrics
from orchestrator.store.rows import Claim
from orchestrator.store.transport import Throttled, Transport
from servicekit import tracing
from servicekit.errors import Unavailable

Row = TypeVar("Row")

# A call that a client waits for is tried again within its patience; one of a worker outlives a database that
# is away for a while (a restart, a fail-over: tens of seconds), so that the job goes on where it was.
CALL_PATIENCE = timedelta(seconds=4)
WORK_PATIENCE = timedelta(seconds=90)


_DATABASE = {"db.system.name": "postgresql"}
# Ids sent with one call: below the rows that a Supabase project's API returns at most (1,000 by default).
_IDS_PER_CALL = 500


class Caller:
    """`patience` is how long a call is repeated, with jittered backoff, while the database does not answer.

    None of it: it is made once.
    Repeating is safe: every function is idempotent or fenced by the lease token.
    """

    def __init__(self, transport: Transport, patience: timedelta = CALL_PATIENCE) -> None:
        self._transport = transport
        self._patience = patience

    async def _call(self, function: str, **parameters: Any) -> list[Any]:
        if not self._patience:
            return await self._transport.call(function, parameters)
        async for attempt in stamina.retry_context(
            on=self._again, attempts=None, timeout=self._patience, wait_initial=0.05, wait_max=2.0
        ):
            with attempt, metrics.database_call(function), tracing.span(function, _DATABASE, SpanKind.CLIENT):
                return await self._transport.call(function, parameters)
        raise AssertionError("unreachable")  # the last attempt raises

    def _again(self, error: Exception) -> bool | timedelta:
        """Whether to repeat it; a gateway that says when is heard, where there is patience for it."""
        if isinstance(error, Throttled):
            jitter = timedelta(seconds=random.uniform(0, 1))  # noqa: S311  not a secret
            return error.retry_after < self._patience and error.retry_after + jitter
        return isinstance(error, Unavailable)

    async def _all(self, kind: type[Row], function: str, **parameters: Any) -> list[Row]:
        return [parsed(kind, row) for row in await self._call(function, **parameters)]

    async def _one(self, kind: type[Row], function: str, **parameters: Any) -> Row:
        rows = await self._call(function, **parameters)
        return parsed(kind, rows[0])


_adapters: dict[Any, TypeAdapter[Any]] = {}


def parsed(kind: type[Row], row: Any) -> Row:
    """One row, decoded JSON, as the dataclass or type that it is."""
    adapter = _adapters.get(kind)
    if adapter is None:
        adapter = _adapters[kind] = TypeAdapter(kind)
    typed: Row = adapter.validate_python(row)
    return typed


def portions(items: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """As many as go with one call, until there are none left."""
    for start in range(0, len(items), _IDS_PER_CALL):
        yield items[start : start + _IDS_PER_CALL]


def leased(claim: Claim) -> dict[str, UUID]:
    """The parameters of a function that only the holder of the lease may call."""
    return {"p_sync_job_id": claim.job.id, "p_lease_token": claim.lease_token}
