"""One way to log for every process: structlog on stderr, JSON lines or text, secrets taken out."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any, Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from servicekit import tracing

REDACTED = "[redacted]"

# A key is secret when it is one of these words or ends in one behind an underscore: `lichess_token`.
_SECRET_WORDS = (
    "token",
    "authorization",
    "secret",
    "password",
    "passwd",
    "api_key",
    "apikey",
    "service_role_key",
    "jwt",
    "cookie",
)
# Secrets inside texts, messages of libraries and tracebacks above all: a bearer token, a JWT, a token of
# lichess (personal or OAuth), a key of Supabase or OpenAI, the password in a URL or a libpq
# connection string. Callers choose some of these texts, so each alternative must be linear: what a repetition
# has run over must not begin the same alternative again. Hence a JWT is looked for only where its run of
# letters begins, also where something stands before it with a hyphen ("x-eyJ…").
_SECRET_TEXT = re.compile(
    r"(?i)\bbearer\s+[\w.~+/=-]+"
    r"|(?<![\w-])(?=eyJ|[\w-]*-eyJ)[\w-]{11,}\.[\w-]+\.[\w-]*"
    r"|\bli[op]_\w{8,}"
    r"|\bsb_secret_\w+"
    r"|\bsk-[\w-]{16,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|(?<=\bpassword=)(?:'(?:[^'\\]|\\.)*'|[^\s'\"]+)"
)


def _traced(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    if found := tracing.trace_id():
        event["trace_id"] = found
    return event


def configure(service: str, level: str = "info", fmt: Literal["auto", "json", "text"] = "auto") -> None:
    """Set up structlog and the standard library's logging for the whole process.

    `service` stands in every line. `fmt` auto: text where stderr is a terminal, else JSON.
    The current trace's id, and ids bound with `structlog.contextvars` (request_id, job_id, game_id), are
    in the line as well.
    """
    threshold = logging.getLevelNamesMapping()[level.upper()]
    text = fmt == "text" or (fmt == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _traced,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(service),
    ]
    render: list[Processor] = (
        [redact, structlog.dev.ConsoleRenderer(exception_formatter=_plain_traceback)]
        if text
        else [structlog.processors.format_exc_info, redact, structlog.processors.JSONRenderer(default=str)]
    )
    stream = cast("TextIO", _Lossy(sys.stderr))
    structlog.configure(
        processors=[*shared, *render],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,  # a test may configure again
    )
    # What libraries log (grpc's tracebacks) comes out in the same form.
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    logging.basicConfig(level=max(threshold, logging.INFO), handlers=[handler], force=True)
    # A line for each request says nothing that is not said better where the request is made.
    logging.getLogger("httpx").setLevel(logging.WARNING)


class _Lossy:
    """A stream that loses lines where they cannot be written: a full disk must not end the work that logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: values of secret keys at any depth, and secrets inside texts."""
    for key, value in event.items():
        event[key] = _redacted(key, value)
    return event


def _redacted(key: object, value: Any) -> Any:
    if isinstance(key, str) and _is_secret(key) and value is not None:
        return REDACTED
    if isinstance(value, str):
        return _SECRET_TEXT.sub(REDACTED, value)
    if isinstance(value, Mapping):
        return {inner: _redacted(inner, item) for inner, item in value.items()}
    if isinstance(value, (list, tuple)):
        if len(value) == 2 and isinstance(value[0], str) and _is_secret(value[0]):
            return [value[0], REDACTED]  # a pair, as in metadata and headers
        return [_redacted(None, item) for item in value]
    return value


def _is_secret(key: str) -> bool:
    name = key.lower().replace("-", "_")
    return any(name == word or name.endswith(f"_{word}") for word in _SECRET_WORDS)


def _named(service: str) -> Processor:
    def add_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("service", service)
        return event

    return add_service


def _plain_traceback(stream: Any, exc_info: Any) -> None:
    """Redacted like everything else; the terminal's pretty printers would show local variables."""
    event: MutableMapping[str, Any] = {"exc_info": exc_info}
    text = structlog.processors.format_exc_info(None, "", event)["exception"]
    stream.write("\n" + _SECRET_TEXT.sub(REDACTED, str(text)))
