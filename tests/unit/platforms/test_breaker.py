"""The circuit breaker's rule, without any platform."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.platforms.breaker import Breaker


def breaker(jitter: float = 1.0) -> Breaker:
    return Breaker(3, 5, 60, jitter=lambda least, most: least + (most - least) * (jitter - 1))


def test_it_opens_after_failures_in_a_row_and_rests_longer_each_time() -> None:
    platform = breaker()
    assert [platform.failed() for _ in range(8)] == [0, 0, 5, 10, 20, 40, 60, 60]
    assert platform.is_open


def test_an_answer_between_keeps_it_closed() -> None:
    platform = breaker()
    for _ in range(10):
        assert platform.failed() == platform.failed() == 0
        platform.succeeded()
    assert not platform.is_open


def test_an_answer_closes_it_and_the_next_outage_begins_anew() -> None:
    platform = breaker()
    rests = [platform.failed() for _ in range(6)]
    platform.succeeded()
    assert not platform.is_open
    assert [platform.failed() for _ in range(6)] == rests


def test_replicas_do_not_come_back_together() -> None:
    rests = set()
    for _ in range(20):
        platform = Breaker(1, 5, 60)
        rests.add(platform.failed())
    assert len(rests) > 1
    assert all(5 <= rest <= 6.25 for rest in rests)


@given(st.lists(st.booleans(), max_size=60))
def test_it_is_open_exactly_after_three_failures_in_a_row(attempts: list[bool]) -> None:
    platform, in_a_row = breaker(), 0
    for succeeded in attempts:
        if succeeded:
            platform.succeeded()
            in_a_row = 0
        else:
            rest, in_a_row = platform.failed(), in_a_row + 1
            assert (rest > 0) == (in_a_row >= 3)
        assert platform.is_open == (in_a_row >= 3)


def test_no_number_of_failures_is_too_many() -> None:
    platform = breaker(jitter=2.0)
    rest = next(itertools.islice((platform.failed() for _ in itertools.count()), 5000, None))
    assert rest == pytest.approx(75)
