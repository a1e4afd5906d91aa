"""What a failed call says to the person at the terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import grpc
import grpc.aio
import pytest
from grpc_status import rpc_status

from orchestrator.cli import _errors
from orchestrator.cli.failures import as_failure, wait_text
from servicekit.errors import (
    AlreadyExists,
    FieldViolation,
    InvalidInput,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RookifyError,
    Unauthenticated,
    Unavailable,
    to_status,
)

TARGET = "127.0.0.1:50051"


def rich(error: RookifyError) -> grpc.aio.AioRpcError:
    """As it arrives when a service raised it."""
    status = rpc_status.to_status(to_status(error))
    return grpc.aio.AioRpcError(
        status.code, grpc.aio.Metadata(), grpc.aio.Metadata(*(status.trailing_metadata or ())), status.details
    )


def bare(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details)


def said(error: grpc.aio.AioRpcError) -> tuple[str, int]:
    return _errors.explain(as_failure(error, TARGET))


def test_bad_fields_are_listed_by_the_name_that_was_typed() -> None:
    text, code = said(
        rich(
            InvalidInput(FieldViolation("from_date", "is in the future"), FieldViolation("pony", "no ponies"))
        )
    )
    assert text == "--from: is in the future; pony: no ponies"
    assert code == 2


def test_a_quota_says_which_and_when_there_is_room_again() -> None:
    error = QuotaExceeded(
        "5 syncs per 10 minutes", quota="syncs_per_window", subject="user", retry_after=timedelta(seconds=45)
    )
    assert said(rich(error)) == ("5 syncs per 10 minutes (try again in 0:45)", 1)


def test_a_running_sync_is_offered_to_watch() -> None:
    error = AlreadyExists("a sync is running", metadata={"sync_job_id": "3f2a"})
    assert said(rich(error)) == ("a sync is running (`rookify watch 3f2a` shows it)", 1)
    assert said(rich(AlreadyExists("taken"))) == ("taken", 1)


def test_nobody_there_names_the_address_and_the_way_out() -> None:
    text, code = said(bare(grpc.StatusCode.UNAVAILABLE, "failed to connect"))
    assert TARGET in text
    assert "`rookify up`" in text
    assert code == 1


def test_an_orchestrator_that_says_it_is_unavailable_is_not_taken_for_absent() -> None:
    text, _ = said(rich(Unavailable("the database is away", retry_after=timedelta(seconds=3))))
    assert text == "the database is away (try again in 0:03)"


def test_silence_names_the_address() -> None:
    text, code = said(bare(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"))
    assert text.startswith(f"the orchestrator at {TARGET} did not answer in time")
    assert code == 1


def test_who_is_no_operator_is_told_how_to_be_one() -> None:
    text, code = said(rich(PermissionDenied("this needs the service role", reason="NOT_AN_ADMIN")))
    assert text.startswith("this needs the service role (")
    assert "`rookify token --user UUID --role service_role`" in text
    assert code == 1
    assert said(rich(PermissionDenied("not yours"))) == ("not yours", 1)


def test_a_refused_token_says_where_tokens_come_from() -> None:
    text, code = said(rich(Unauthenticated("the token has expired")))
    assert text.startswith("the token has expired (ROOKIFY_TOKEN")
    assert code == 2


@pytest.mark.parametrize("code", [each for each in grpc.StatusCode if each is not grpc.StatusCode.OK])
def test_every_status_ends_in_one_line(code: grpc.StatusCode) -> None:
    for details in ("", "two\nlines \x1b[31m"):
        text, exit_code = said(bare(code, details))
        assert text
        assert text.isprintable()
        assert exit_code in (1, 2)


def test_what_was_not_found_is_said_as_the_server_said_it() -> None:
    assert said(rich(NotFound("no such sync job"))) == ("no such sync job", 1)


def test_long_waits_get_a_time_of_day() -> None:
    now = datetime(2024, 3, 10, 23, 0, tzinfo=UTC)
    assert wait_text(timedelta(seconds=90), now) == "1:30"
    assert wait_text(timedelta(minutes=8, seconds=20), now) == "8:20, at 23:08"
    assert wait_text(timedelta(hours=2), now) == "2:00:00, at 2024-03-11 01:00"
