"""Page and resume tokens: round trips, and everything else refused by field."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.service import tokens
from orchestrator.store.rows import PageKey
from servicekit.errors import InvalidInput

JOB = UUID(int=7)


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_page_tokens_go_round(time: datetime, row_id: UUID) -> None:
    assert tokens.page_key(tokens.page_token(PageKey(time, row_id))) == PageKey(time, row_id)


@given(st.uuids(), st.integers(0, 2**31 - 1))
def test_resume_tokens_go_round(job_id: UUID, ordinal: int) -> None:
    assert tokens.resumed_ordinal(tokens.resume_token(job_id, ordinal), job_id) == ordinal


def test_empty_tokens_are_the_beginning() -> None:
    assert tokens.page_key("") is None
    assert tokens.resumed_ordinal("", JOB) == 0


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@given(st.text(min_size=1))
def test_what_is_no_token_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="page_token"):
        tokens.page_key(text)
    with pytest.raises(InvalidInput, match="resume_token"):
        tokens.resumed_ordinal(text, JOB)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        ["2024-01-01T00:00:00", str(JOB)],
        [1, 2],
        ["x", "y"],
        {"a": 1},
        [str(JOB), -1],
        [str(JOB), 2**31],
        [str(JOB), True and "1"],
        [str(uuid4()), 1],
    ],
)
def test_forged_tokens_are_refused(value: object) -> None:
    with pytest.raises(InvalidInput):
        tokens.page_key(encoded(value))
    with pytest.raises(InvalidInput):
        tokens.resumed_ordinal(encoded(value), JOB)


@pytest.mark.parametrize("depth", [100, 50_000])
def test_brackets_within_brackets_are_refused(depth: int) -> None:
    nested = base64.urlsafe_b64encode(b"[" * depth + b"]" * depth).decode()
    with pytest.raises(InvalidInput, match="page_token"):
        tokens.page_key(nested)
    with pytest.raises(InvalidInput, match="resume_token"):
        tokens.resumed_ordinal(nested, JOB)


def test_no_token_is_longer_than_ours_can_be() -> None:
    """Spaces and zeros make other writings of the same token, and reading is not for nothing."""
    latest = PageKey(datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))
    parts = [latest.time.isoformat(), str(latest.id)]
    assert len(tokens.page_token(latest)) < 200
    assert len(tokens.resume_token(latest.id, 2**31 - 1)) < 200
    assert tokens.page_key(encoded(parts)) == latest
    with pytest.raises(InvalidInput, match="page_token"):
        tokens.page_key(base64.urlsafe_b64encode(json.dumps(parts).encode() + b" " * 512).decode())
