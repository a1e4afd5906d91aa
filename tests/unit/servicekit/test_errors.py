"""Each error of the tree as a gRPC status, over the wire form and back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from servicekit import errors
from servicekit.errors import (
    DOMAIN,
    AlreadyExists,
    ConfigurationError,
    FailedPrecondition,
    FieldViolation,
    InvalidInput,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RookifyError,
    StaleLease,
    Unauthenticated,
    Unavailable,
    to_status,
)
from servicekit.status import QuotaViolation, RpcFailure, from_rpc_error

JOB = "6f1c1f0e-54d4-4b39-9f4c-7d1d7a2d3f10"


@dataclass(frozen=True)
class Case:
    """An error, and what a caller must learn from it."""

    error: RookifyError
    failure: RpcFailure


CASES = [
    Case(
        RookifyError("broken"),
        RpcFailure(grpc.StatusCode.INTERNAL, "broken", "INTERNAL"),
    ),
    Case(
        InvalidInput(
            FieldViolation("months", "must be 1 to 12, is 13"), FieldViolation("username", "is empty")
        ),
        RpcFailure(
            grpc.StatusCode.INVALID_ARGUMENT,
            "months: must be 1 to 12, is 13; username: is empty",
            "INVALID_INPUT",
            field_violations=(
                FieldViolation("months", "must be 1 to 12, is 13"),
                FieldViolation("username", "is empty"),
            ),
        ),
    ),
    Case(
        Unauthenticated("the token has expired", reason="TOKEN_EXPIRED"),
        RpcFailure(grpc.StatusCode.UNAUTHENTICATED, "the token has expired", "TOKEN_EXPIRED"),
    ),
    Case(
        PermissionDenied("not yours"),
        RpcFailure(grpc.StatusCode.PERMISSION_DENIED, "not yours", "PERMISSION_DENIED"),
    ),
    Case(
        NotFound("no such job", metadata={"sync_job_id": JOB}),
        RpcFailure(grpc.StatusCode.NOT_FOUND, "no such job", "NOT_FOUND", {"sync_job_id": JOB}),
    ),
    Case(
        AlreadyExists("a sync is running", reason="SYNC_RUNNING", metadata={"sync_job_id": JOB}),
        RpcFailure(grpc.StatusCode.ALREADY_EXISTS, "a sync is running", "SYNC_RUNNING", {"sync_job_id": JOB}),
    ),
    Case(
        QuotaExceeded(
            "5 syncs were started in the last 10 minutes",
            quota="syncs_per_window",
            subject="user:1",
            retry_after=timedelta(minutes=3, milliseconds=250),
        ),
        RpcFailure(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "5 syncs were started in the last 10 minutes",
            "QUOTA_EXCEEDED",
            {"quota": "syncs_per_window"},
            quota_violations=(QuotaViolation("user:1", "5 syncs were started in the last 10 minutes"),),
            retry_delay=timedelta(minutes=3, milliseconds=250),
        ),
    ),
    Case(
        FailedPrecondition("the job is over", reason="JOB_TERMINAL"),
        RpcFailure(grpc.StatusCode.FAILED_PRECONDITION, "the job is over", "JOB_TERMINAL"),
    ),
    Case(
        StaleLease("the lease was taken over"),
        RpcFailure(grpc.StatusCode.ABORTED, "the lease was taken over", "STALE_LEASE"),
    ),
    Case(
        Unavailable("the database does not answer"),
        RpcFailure(
            grpc.StatusCode.UNAVAILABLE,
            "the database does not answer",
            "UNAVAILABLE",
            retry_delay=timedelta(seconds=1),
        ),
    ),
    Case(
        ConfigurationError("no Stockfish found; install it or set ROOKIFY_STOCKFISH"),
        RpcFailure(
            grpc.StatusCode.FAILED_PRECONDITION,
            "no Stockfish found; install it or set ROOKIFY_STOCKFISH",
            "CONFIGURATION",
        ),
    ),
]

# Which details each class brings beside ErrorInfo, as the table of the module's docstring says.
DETAILS: dict[type[RookifyError], list[type[Message]]] = {
    InvalidInput: [error_details_pb2.BadRequest],
    QuotaExceeded: [error_details_pb2.QuotaFailure, error_details_pb2.RetryInfo],
    Unavailable: [error_details_pb2.RetryInfo],
}

by_name = pytest.mark.parametrize("case", CASES, ids=lambda case: type(case.error).__name__)


class FinishedCall:
    """A call as grpc_status looks at it, ended with a status that went through the wire form."""

    def __init__(self, status: grpc.Status) -> None:
        self._status = status

    def code(self) -> grpc.StatusCode:
        return self._status.code

    def details(self) -> str:
        return self._status.details

    def trailing_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return tuple(self._status.trailing_metadata or ())


def tree(root: type[RookifyError] = RookifyError) -> Iterator[type[RookifyError]]:
    """The root and all below it that the kit itself defines."""
    if root.__module__ == errors.__name__:
        yield root
        for child in root.__subclasses__():
            yield from tree(child)


def test_no_class_is_left_out_here() -> None:
    assert {type(case.error) for case in CASES} == set(tree())


def test_the_docstring_draws_the_tree_as_it_is() -> None:
    drawn = dict(re.findall(r"^[ │├└─]*([A-Z]\w+)\s+([A-Z_]{5,})\b", errors.__doc__ or "", re.MULTILINE))
    assert drawn == {error.__name__: error.status.name for error in tree()}


@by_name
def test_the_status_has_code_message_and_details_in_order(case: Case) -> None:
    status = to_status(case.error)
    assert status.code == case.failure.code.value[0]
    assert status.message == case.failure.message == str(case.error)
    expected: list[type[Message]] = [error_details_pb2.ErrorInfo, *DETAILS.get(type(case.error), [])]
    assert [detail.TypeName() for detail in status.details] == [
        kind.DESCRIPTOR.full_name for kind in expected
    ]
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.domain, info.reason) == (DOMAIN, case.failure.reason)
    assert re.fullmatch(r"[A-Z][A-Z_]+", info.reason)


@by_name
def test_it_survives_grpc_status(case: Case) -> None:
    sent = to_status(case.error)
    received = rpc_status.from_call(cast("grpc.Call", FinishedCall(rpc_status.to_status(sent))))
    assert received == sent


@by_name
def test_a_client_reads_all_of_it(case: Case) -> None:
    sent = rpc_status.to_status(to_status(case.error))
    trailing = grpc.aio.Metadata(*(sent.trailing_metadata or ()))
    error = grpc.aio.AioRpcError(sent.code, grpc.aio.Metadata(), trailing, sent.details)
    assert from_rpc_error(error) == case.failure


def test_an_error_of_someone_else_has_its_code_and_no_more() -> None:
    error = grpc.aio.AioRpcError(
        grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata(), "connection refused"
    )
    assert from_rpc_error(error) == RpcFailure(grpc.StatusCode.UNAVAILABLE, "connection refused")


def test_details_that_do_not_parse_are_left_out() -> None:
    trailing = grpc.aio.Metadata(("grpc-status-details-bin", b"\xff\xff\xff"))
    error = grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, grpc.aio.Metadata(), trailing, "gone")
    assert from_rpc_error(error) == RpcFailure(grpc.StatusCode.NOT_FOUND, "gone")


def test_a_past_retry_time_is_now() -> None:
    status = to_status(Unavailable("busy", retry_after=timedelta(seconds=-5)))
    retry = error_details_pb2.RetryInfo()
    assert status.details[1].Unpack(retry)
    assert retry.retry_delay.ToTimedelta() == timedelta(0)


def test_one_field_in_short() -> None:
    assert InvalidInput.of("months", "is 0").violations == (FieldViolation("months", "is 0"),)


def violations(count: int, description: str = "9 is none of bullet, blitz, rapid") -> list[FieldViolation]:
    return [FieldViolation(f"filter.time_classes[{index}]", description) for index in range(count)]


def test_of_many_bad_fields_the_first_are_told_and_how_many_more_there_are() -> None:
    bad = InvalidInput(*violations(600))
    detail = error_details_pb2.BadRequest()
    assert to_status(bad).details[1].Unpack(detail)
    *first, last = detail.field_violations
    assert len(first) == 20
    assert [violation.field for violation in first] == [v.field for v in violations(20)]
    assert last.field == "filter.time_classes[20]"
    assert "580 more" in last.description
    assert bad.message.count("; ") == 20


@pytest.mark.parametrize(
    "error",
    [
        InvalidInput(*violations(600)),
        InvalidInput(*violations(600, "\N{WHITE CHESS KING}" * 100)),
        InvalidInput.of("username", "x" * 100_000),
        NotFound("\N{WHITE CHESS KING}" * 100_000),
    ],
    ids=["many", "many, of other letters", "long", "long, of other letters"],
)
def test_no_error_has_more_trailers_than_clients_take(error: RookifyError) -> None:
    status = to_status(error)
    encoded = sum(1 if 0x20 <= byte < 0x7F else 3 for byte in status.message.encode())  # %E2%99%94
    assert encoded + len(status.SerializeToString()) * 4 / 3 < 10_000  # gRPC's bound is 16 KiB
    assert status.message


def test_metadata_is_the_errors_own() -> None:
    given = {"sync_job_id": JOB}
    error = NotFound("gone", metadata=given)
    given["sync_job_id"] = "other"
    assert error.metadata == {"sync_job_id": JOB}
