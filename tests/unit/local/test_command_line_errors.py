"""One clear line and the right exit code for whatever goes wrong at the command line."""

from __future__ import annotations

import sys
from datetime import timedelta

import grpc
import grpc.aio
import pytest
import typer

from orchestrator.cli import _errors
from orchestrator.settings import Settings
from servicekit.errors import (
    ConfigurationError,
    InvalidInput,
    NotFound,
    QuotaExceeded,
    RookifyError,
    Unauthenticated,
    to_status,
)
from servicekit.status import DETAILS_KEY


def rpc_error(error: RookifyError) -> grpc.aio.AioRpcError:
    """As a client gets it from a server of this project."""
    trailing = grpc.aio.Metadata((DETAILS_KEY, to_status(error).SerializeToString()))
    return grpc.aio.AioRpcError(error.status, grpc.aio.Metadata(), trailing, details=error.message)


def plain_rpc_error(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=details)


@pytest.mark.parametrize(
    ("error", "part", "code"),
    [
        (ConfigurationError("port 5 is in use"), "port 5 is in use", 2),
        (InvalidInput.of("months", "1 to 12"), "months: 1 to 12", 2),
        (NotFound("no such job"), "no such job", 1),
        (rpc_error(InvalidInput.of("months", "1 to 12")), "months: 1 to 12", 2),
        (rpc_error(NotFound("no such job")), "no such job", 1),
        (rpc_error(Unauthenticated("the token has expired")), "`rookify token --user UUID` makes one", 2),
        (
            rpc_error(
                QuotaExceeded("5 starts", quota="starts", subject="u", retry_after=timedelta(seconds=90))
            ),
            "5 starts (again in 90 s)",
            1,
        ),
        (plain_rpc_error(grpc.StatusCode.UNAVAILABLE, "connection refused"), "Is `rookify up` running?", 1),
        (plain_rpc_error(grpc.StatusCode.DEADLINE_EXCEEDED, "timeout"), "did not answer in time", 1),
        (plain_rpc_error(grpc.StatusCode.INTERNAL, ""), "INTERNAL", 1),
        (
            FileNotFoundError(2, "No such file or directory", "/x/y.pgn"),
            "No such file or directory: /x/y.pgn",
            1,
        ),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero", 1),
        (typer.Exit(5), "", 5),
    ],
)
def test_line_and_exit_code(error: Exception, part: str, code: int) -> None:
    line, exit_code = _errors.explain(error)
    assert part in line
    assert exit_code == code
    assert "\n" not in line


def test_a_bad_setting_names_the_variable_and_not_its_value() -> None:
    with pytest.raises(ValueError, match="1 validation error") as caught:
        Settings(lease_seconds="s3cret")  # type: ignore[arg-type]  # what the environment would give
    line, code = _errors.explain(caught.value)
    assert "ROOKIFY_LEASE_SECONDS: " in line
    assert "s3cret" not in line
    assert code == 2


def test_the_projects_own_error_speaks_for_a_group(capsys: pytest.CaptureFixture[str]) -> None:
    group = ExceptionGroup(
        "tasks", [ValueError("noise"), ExceptionGroup("more", [ConfigurationError("set X")])]
    )
    assert _errors.report(group) == 2
    assert capsys.readouterr().err == "rookify: set X\n"


@pytest.mark.parametrize(("level", "traceback"), [("debug", True), ("info", False)])
def test_a_traceback_only_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], level: str, traceback: bool
) -> None:
    monkeypatch.setenv("ROOKIFY_LOG_LEVEL", level)
    with pytest.raises(NotFound) as caught:
        raise NotFound("no such job")
    assert _errors.report(caught.value) == 1
    said = capsys.readouterr().err
    assert said.startswith("rookify: no such job\n")
    assert ("Traceback" in said) is traceback


def test_run_gives_the_exit_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

    @app.command()
    def command(what: str) -> None:
        if what == "exit":
            raise typer.Exit(3)
        if what == "interrupt":
            raise KeyboardInterrupt
        if what == "fail":
            raise NotFound("no such job")

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["rookify", *arguments])
        return _errors.run(app)

    assert run("fine") == 0
    assert run("exit") == 3
    assert run("interrupt") == 130
    assert run("fail") == 1
    assert run() == 2
    assert "Missing argument 'what'" in capsys.readouterr().err
