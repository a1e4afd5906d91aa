"""Log lines: their form, what is bound, and that secrets never come out."""

from __future__ import annotations

import errno
import json
import logging
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from servicekit import logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_json_lines_carry_service_level_time_and_bound_ids(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("analyzer", "info", "json")
    structlog.contextvars.bind_contextvars(job_id="j1", game_id="g1", request_id="r1")
    structlog.get_logger().info("game analyzed", plies=80)
    structlog.get_logger().debug("not said")
    (line,) = lines(capsys)
    assert line["event"] == "game analyzed"
    assert (line["service"], line["level"], line["plies"]) == ("analyzer", "info", 80)
    assert (line["job_id"], line["game_id"], line["request_id"]) == ("j1", "g1", "r1")
    assert line["timestamp"].endswith("Z")


def test_auto_is_json_where_stderr_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("x", "debug", "auto")
    structlog.get_logger().debug("said")
    assert lines(capsys)[0]["event"] == "said"


@pytest.mark.parametrize(
    "key",
    [
        "token",
        "authorization",
        "Authorization",
        "secret",
        "password",
        "api_key",
        "lichess_token",
        "jwt",
        "supabase_service_role_key",
        "db_password",
        "set-cookie",
    ],
)
@pytest.mark.parametrize("fmt", ["json", "text"])
def test_values_of_secret_keys_never_come_out(capsys: pytest.CaptureFixture[str], key: str, fmt: Any) -> None:
    logs.configure("x", "info", fmt)
    nested: dict[str, Any] = {"deep": [{key: "hush-hush"}], "pairs": [(key, "hush-hush")]}
    structlog.get_logger().info("call", **{key: "hush-hush"}, nested=nested)
    out = capsys.readouterr().err
    assert "hush-hush" not in out
    assert logs.REDACTED in out


@pytest.mark.parametrize(
    "text",
    [
        "Bearer abc.def-123",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        "sb-access-eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        "lip_0123456789abcdef",
        "lio_0123456789abcdef",
        "postgresql://rookify:hunter2@db/x",
        "host=db password=hunter2 dbname=x",
        "password='hunter2 is long' host=db",
        "sk-0123456789abcdefghij",
        "sb_secret_abcdef",
    ],
)
@pytest.mark.parametrize("fmt", ["json", "text"])
def test_secrets_inside_texts_and_tracebacks_never_come_out(
    capsys: pytest.CaptureFixture[str], text: str, fmt: Any
) -> None:
    logs.configure("x", "info", fmt)
    structlog.get_logger().info(f"calling with {text}", header=text)
    structlog.get_logger().error("failed", exc_info=ValueError(f"refused: {text}"))
    logging.getLogger("library").warning("said %s", text)
    out = capsys.readouterr().err
    assert text not in out
    assert "hunter2" not in out
    assert out.count(logs.REDACTED) >= 4
    assert "ValueError" in out


@pytest.mark.parametrize(
    "unit",
    [
        "eyJ-",
        "eyJ",
        "-eyJ",
        "eyJaaaaaaaa.",
        "eyJaaaaaaaa.a",
        "a-",
        "bearer ",
        "bearer\t",
        "lip_",
        "sb_secret_",
        "sk-",
        "sk-a.",
        "://",
        "://a:",
        "a:",
        "password=",
        "password='",
        "password='\\",
    ],
)
def test_what_callers_write_takes_time_by_its_length(unit: str) -> None:
    """A path of 16 KB is theirs to choose: by its square, fifty of them would stop everybody."""

    def seconds(characters: int) -> float:
        text = (unit * characters)[:characters]
        taken = []
        for _ in range(3):
            began = time.process_time()
            logs.redact(None, "", {"method": text})
            taken.append(time.process_time() - began)
        return min(taken)

    # Of four times the length: linear is 4, quadratic 16. What is too fast to be measured is linear.
    assert seconds(100_000) < 9 * seconds(25_000) + 0.005


def test_harmless_names_stay(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("x", "info", "json")
    structlog.get_logger().info("usage", llm_input_tokens=12, tokenizer="bpe", note=None, url="https://a.b/c")
    (line,) = lines(capsys)
    assert (line["llm_input_tokens"], line["tokenizer"], line["url"]) == (12, "bpe", "https://a.b/c")


def test_the_standard_library_logs_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("orchestrator", "warning", "json")
    logging.getLogger("grpc").warning("odd %s", "thing")
    logging.getLogger("grpc").info("not said")
    (line,) = lines(capsys)
    assert (line["event"], line["level"], line["service"]) == ("odd thing", "warning", "orchestrator")


class FullDisk:
    """A stream to a file for which there is no room."""

    def write(self, _text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_that_cannot_be_written_ends_nobodys_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", FullDisk())
    logs.configure("orchestrator", "info", "json")
    structlog.get_logger().warning("lost")
    logging.getLogger("grpc").warning("lost too")
