"""How the store reaches the database: one function call at a time, and news of changed jobs."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from servicekit.errors import (
    AlreadyExists,
    ConfigurationError,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    QuotaExceeded,
    RookifyError,
    StaleLease,
    Unavailable,
)


@dataclass(frozen=True, slots=True)
class AsJson:
    """A parameter that the function takes as jsonb."""

    value: Any


@dataclass(frozen=True, slots=True)
class Change:
    """A job changed. `sync_job_id` is None where news may have been missed: look at everything again.

    `job` is the whole job as it is now, where the news brings that along.
    """

    sync_job_id: UUID | None
    status: str = ""
    job: Mapping[str, Any] | None = field(default=None, repr=False, compare=False)


# No job changed, but there is one to claim: a worker may have been lost.
WORK_WAITS = Change(None, "work waits")


@dataclass(frozen=True, slots=True)
class Pace:
    """How often calls are worth what they cost, in seconds."""

    write_interval: float  # between two writes of one job's finished games
    look_interval: float  # between two looks of a worker for jobs that nobody tells it of


class Throttled(Unavailable):
    """The database's gateway refuses calls for a while: nothing was carried out; not before `retry_after`."""

    default_reason = "DATABASE_BUSY"


class TooManyRows(ConfigurationError):
    """The API gives fewer rows at once than the answer has; which of them is not said."""

    default_reason = "MAX_ROWS"


class Transport(Protocol):
    """Calls the SQL functions of `supabase/migrations/`, one transaction each, as service_role."""

    pace: Pace

    async def call(self, function: str, parameters: Mapping[str, Any]) -> list[Any]:
        """The rows that `public.FUNCTION` returns, as decoded JSON.

        Raises the errors of `error_from_sqlstate`, or `Unavailable` where the database did not answer: then
        nobody knows whether the call was carried out, and repeating it is safe (see the migrations).
        """
        ...

    def changes(self) -> AsyncGenerator[Change, None]:
        """Every change of a job from now on, without end; goes on by itself after a lost connection.

        One reader at a time.
        """
        ...

    def set_watched(self, sync_job_ids: Collection[UUID]) -> None:
        """All jobs whose changes somebody waits for: they are told of within a quarter of a second."""
        ...

    async def aclose(self) -> None: ...


# SQLSTATE classes after which the same call may succeed: connection exceptions, insufficient resources,
# operator intervention (shutdown, crash recovery, a timeout), and a transaction that lost to another one.
_TRANSIENT = ("08", "53", "57", "40")
_TRANSIENT_TOO = (
    "55P03",  # no lock in time: 8 s for the role that logs in on Supabase
    "25006",  # read only: a standby that is being promoted, a project of Supabase's whose disk is full
)


def database_unavailable() -> Unavailable:
    """The database did not answer, or not this time."""
    return Unavailable("the database does not answer; try again", reason="DATABASE_UNAVAILABLE")


def error_from_sqlstate(sqlstate: str, message: str, detail: str | None) -> RookifyError:
    """The error tree's class for what a function raised (class RK, see the migrations) or Postgres itself."""
    if sqlstate[:2] in _TRANSIENT or sqlstate in _TRANSIENT_TOO:
        return database_unavailable()
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
        case "42883":
            return ConfigurationError(
                f"the database lacks a function: apply the migrations ({message})",
                reason="MIGRATIONS_MISSING",
            )
        case "42501":
            return ConfigurationError(
                f"the database lets the service do less than the migrations grant: {message}",
                reason="NOT_GRANTED",
            )
        case _:
            return RookifyError(f"the database refused a call ({sqlstate}): {message}", reason="DATABASE")
