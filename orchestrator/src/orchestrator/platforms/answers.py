"""Reading a platform's answers: in bounds, and with a word for each way in which one can be wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

# What reading JSON of unknown origin raises: broken syntax or UTF-8, another shape, brackets without end.
BROKEN = (ValueError, RecursionError)
ERROR_BODY_BYTES = 16 * 1024  # both platforms' error answers are a line of JSON
MESSAGE_CHARS = 200


class Transient(Exception):
    """One attempt failed in a way that another may not; the text ends the sentence "it failed: …"."""


class RateLimited(Transient):
    """429. The gate is held already: it does the waiting, for this request as for everyone's."""


async def read_bounded(answer: httpx.Response, limit: int) -> bytearray:
    """The decoded body; `Transient` where it is larger than `limit` bytes."""
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > limit:
            raise Transient(f"an answer of more than {limit // 2**20} MiB")
    return body


async def bounded_lines(answer: httpx.Response, limit: int) -> AsyncGenerator[bytes, None]:
    """The body's lines as they come, blank ones left out; `Transient` where one is over `limit` bytes."""
    rest = bytearray()
    async for chunk in answer.aiter_bytes():
        rest += chunk
        if b"\n" in chunk:
            *lines, last = rest.split(b"\n")
            for line in lines:
                if line.strip():
                    yield bytes(line)
            rest = last
        if len(rest) > limit:
            raise Transient(f"a line of more than {limit // 2**20} MiB")
    if rest.strip():
        yield bytes(rest)


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """A Retry-After header, seconds or an HTTP date, as seconds from `now`; None where it says nothing."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])  # 30 years are enough, and no float overflows
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


async def error_message(answer: httpx.Response) -> str:
    """The platform's own short sentence in an error's JSON ("message" or "error"); else an empty text."""
    try:
        body = json.loads(await read_bounded(answer, ERROR_BODY_BYTES))
    except (Transient, *BROKEN):
        return ""
    text = (body.get("message") or body.get("error")) if isinstance(body, dict) else None
    if not isinstance(text, str):
        return ""
    return "".join(c if c.isprintable() else " " for c in text)[:MESSAGE_CHARS]


def in_words(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.ConnectError):
        return "it cannot be reached"
    if isinstance(error, httpx.TooManyRedirects):
        return "it redirects in circles"
    if isinstance(error, httpx.DecodingError):
        return "an answer that cannot be decoded"
    return "the connection broke"
