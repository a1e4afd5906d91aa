"""How the store reaches the database: one function call at a time, and news of changed jobs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from servicekit.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    QuotaExceeded,
    RookifyError,
    StaleLease,
)


@dataclass(frozen=True, slots=True)
class AsJson:
    """A parameter that the function takes as jsonb."""

    value: Any


@dataclass(frozen=True, slots=True)
class Change:
    """A job changed. `sync_job_id` is None where news may have been missed: look at everything again."""

    sync_job_id: UUID | None
    status: str = ""


class Transport(Protocol):
    """Calls the SQL functions of `supabase/migrations/`, one transaction each, as service_role."""

    async def call(self, function: str, parameters: Mapping[str, Any]) -> list[Any]:
        """The rows that `public.FUNCTION` returns, as decoded JSON.

        Raises the errors of `error_from_sqlstate`, or `Unavailable` where the database did not answer: then
        nobody knows whether the call was carried out, and repeating it is safe (see the migrations).
        """
        ...

    def changes(self) -> AsyncIterator[Change]:
        """Every change of a job from now on, without end; goes on by itself after a lost connection."""
        ...

    async def aclose(self) -> None: ...


def error_from_sqlstate(sqlstate: str, message: str, detail: str | None) -> RookifyError:
    """The error tree's class for what a function raised (class RK, see the migrations), else a plain root."""
    try:
        details = json.loads(detail) if detail else {}
    except ValueError:
        details = {}
    match sqlstate:
        case "RK001":
            return NotFound(message)
        case "RK002":
            return AlreadyExists(
                message, reason="SYNC_ALREADY_RUNNING", metadata={"sync_job_id": str(details["sync_job_id"])}
            )
        case "RK003":
            return QuotaExceeded(
                message,
                quota=details["quota"],
                subject=details["quota"],
                retry_after=timedelta(seconds=details["retry_seconds"]),
            )
        case "RK004":
            return StaleLease(message)
        case "RK005" | "23514":  # a trigger of ours, or a check constraint
            return FailedPrecondition(message, reason="AGAINST_THE_RULES")
        case "RK006":
            return FailedPrecondition(message, reason="SYNC_IS_OVER")
        case "RK007":
            return InvalidInput.of(details.get("field", "request"), message)
        case _:
            return RookifyError(f"the database refused a call ({sqlstate}): {message}", reason="DATABASE")
