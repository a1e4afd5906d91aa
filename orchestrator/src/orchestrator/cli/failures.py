"""A failed call as an error of the project's own, its message complete: fields, quotas, when to come back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import grpc
import grpc.aio

from orchestrator.cli.words import clean, span_text
from servicekit.errors import (
    ConfigurationError,
    FieldViolation,
    InvalidInput,
    RookifyError,
    Unavailable,
)
from servicekit.status import RpcFailure, from_rpc_error
from servicekit.tls import handshake_trouble

# Where a request's field has an option of another name, so that the message speaks of what was typed.
_OPTIONS: Final = {
    "user_id": "--user",
    "platform": "PLATFORM",
    "username": "USERNAME",
    "months": "--months",
    "from_date": "--from",
    "to_date": "--to",
    "max_games": "--max-games",
    "older_than": "--older-than",
    "reason": "--reason",
    "sync_job_id": "JOB",
    "game_analysis_id": "GAME",
}


class CallFailed(RookifyError):
    """A call that ended in a status for which the command line has nothing more to say."""


def as_failure(error: grpc.aio.AioRpcError, target: str, *, tls: bool = False) -> RookifyError:
    """What the user should read; `target` is the address that was called, by TLS or without."""
    return _failure(from_rpc_error(error), target, tls=tls)


def _failure(failure: RpcFailure, target: str, *, tls: bool) -> RookifyError:
    message = clean(failure.message) or failure.code.name
    match failure.code:
        case grpc.StatusCode.UNAVAILABLE if trouble := handshake_trouble(failure.message, tls=tls):
            return ConfigurationError(
                f"no connection to {target} {'by TLS' if tls else 'without TLS'}: {trouble}. ROOKIFY_TLS_CA, "
                f"ROOKIFY_TLS_NAME and ROOKIFY_TLS_CLIENT_CERT set it up. ({message})",
                reason="TLS",
            )
        case grpc.StatusCode.UNAVAILABLE if not failure.reason:  # nobody of this project answered
            return Unavailable(
                f"no orchestrator answers at {target}. `rookify up` starts one; ROOKIFY_ORCHESTRATOR names "
                f"another address. ({message})"
            )
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return Unavailable(f"the orchestrator at {target} did not answer in time. ({message})")
        case grpc.StatusCode.UNIMPLEMENTED:
            return CallFailed(f"the server at {target} does not know this call: {message}.")
        case grpc.StatusCode.UNAUTHENTICATED:
            return ConfigurationError(
                f"{message} (ROOKIFY_TOKEN holds the token; `rookify token --user UUID` makes one)",
                reason=failure.reason,
            )
        case grpc.StatusCode.PERMISSION_DENIED if failure.reason == "NOT_AN_ADMIN":
            return CallFailed(
                f"{message} (an operator's token: `rookify token --user UUID --role service_role`, "
                "where ROOKIFY_JWT_SECRET or the data folder of `rookify up` is)",
                reason=failure.reason,
            )
        case grpc.StatusCode.INVALID_ARGUMENT if failure.field_violations:
            return InvalidInput(
                *(
                    FieldViolation(_OPTIONS.get(each.field, clean(each.field)), clean(each.description))
                    for each in failure.field_violations
                ),
                reason=failure.reason,
            )
        case grpc.StatusCode.ALREADY_EXISTS if job := failure.metadata.get("sync_job_id"):
            return CallFailed(f"{message} (`rookify watch {clean(job)}` shows it)", reason=failure.reason)
        case _:
            return CallFailed(message + _details(failure), reason=failure.reason)


def _details(failure: RpcFailure) -> str:
    """What the message itself did not say: whose quota, and when there is room again."""
    said = clean(failure.message)
    extra = [
        text for each in failure.quota_violations if (text := clean(each.description)) and text not in said
    ]
    if failure.retry_delay:
        extra.append(f"try again in {wait_text(failure.retry_delay, datetime.now().astimezone())}")
    return f" ({'; '.join(extra)})" if extra else ""


def wait_text(delay: timedelta, now: datetime) -> str:
    """ "0:45" for a short wait; a long one also gets its time of day: "8:20, at 14:32"."""
    if delay < timedelta(minutes=2):
        return span_text(delay)
    then = now + delay
    clock = f"{then:%H:%M}" if then.date() == now.date() else f"{then:%Y-%m-%d %H:%M}"
    return f"{span_text(delay)}, at {clock}"
