"""Reading answers: Retry-After and the bounds of lines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.platforms.answers import Transient, bounded_lines, read_bounded, retry_after_seconds

NOW = datetime(2024, 2, 10, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7.0),
        (" 60 ", 60.0),
        ("0", 0.0),
        ("Sat, 10 Feb 2024 12:01:30 GMT", 90.0),
        ("Sat, 10 Feb 2024 11:00:00 GMT", 0.0),
        ("Sat, 10 Feb 2024 12:00:05 -0000", 5.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 400, 999_999_999.0),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


def answer(chunks: list[bytes]) -> httpx.Response:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return httpx.Response(200, content=stream())


@given(st.lists(st.binary(max_size=8).filter(lambda text: b"\n" not in text), max_size=8), st.integers(1, 9))
async def test_lines_are_the_same_however_they_are_cut(lines: list[bytes], size: int) -> None:
    body = b"\n".join(lines)
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    got = [line async for line in bounded_lines(answer(chunks), 1000)]
    assert got == [line for line in lines if line.strip()]


async def test_a_line_over_the_limit_is_refused_before_it_is_whole() -> None:
    lines = bounded_lines(answer([b"short\n", b"x" * 60, b"x" * 60, b"x" * 60]), 100)
    assert await anext(lines) == b"short"
    with pytest.raises(Transient, match="more than"):
        await anext(lines)


async def test_a_body_over_the_limit_is_refused() -> None:
    assert await read_bounded(answer([b"x" * 50, b"y" * 50]), 100) == b"x" * 50 + b"y" * 50
    with pytest.raises(Transient, match="more than"):
        await read_bounded(answer([b"x" * 50, b"y" * 51]), 100)
