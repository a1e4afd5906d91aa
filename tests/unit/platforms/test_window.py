"""Windows of days: months back, edges, and the months they touch."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain import DateWindow
from orchestrator.platforms.window import Month, bounds, touches, window_of_months

DAYS = st.dates(date(2007, 1, 1), date(2100, 1, 1))
WINDOWS = st.tuples(DAYS, DAYS).map(lambda pair: DateWindow(min(pair), max(pair)))


@pytest.mark.parametrize(
    ("months", "today", "first"),
    [
        (1, date(2024, 3, 15), date(2024, 2, 15)),
        (1, date(2024, 3, 31), date(2024, 2, 29)),
        (1, date(2023, 3, 31), date(2023, 2, 28)),
        (1, date(2024, 1, 31), date(2023, 12, 31)),
        (12, date(2024, 2, 29), date(2023, 2, 28)),
        (12, date(2024, 12, 1), date(2023, 12, 1)),
        (6, date(2024, 8, 31), date(2024, 2, 29)),
    ],
)
def test_months_go_back_to_the_same_day_or_the_last_of_its_month(
    months: int, today: date, first: date
) -> None:
    assert window_of_months(months, today) == DateWindow(first, today)


@given(st.integers(1, 12), DAYS)
def test_months_back_is_that_many_months_back(months: int, today: date) -> None:
    window = window_of_months(months, today)
    first = window.from_date
    assert (today.year * 12 + today.month) - (first.year * 12 + first.month) == months
    assert window.to_date == today
    assert first.day == today.day or (first.day < today.day and (first + timedelta(days=1)).day == 1)


@given(WINDOWS, st.datetimes(datetime(2006, 1, 1), datetime(2101, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_game_belongs_to_the_day_of_its_end(window: DateWindow, when: datetime) -> None:
    start, end = bounds(window)
    assert (start <= when < end) == (window.from_date <= when.date() <= window.to_date)


@given(WINDOWS, st.datetimes(datetime(2006, 1, 1), datetime(2101, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_the_month_of_every_game_in_the_window_is_touched(window: DateWindow, when: datetime) -> None:
    start, end = bounds(window)
    if start <= when < end:
        assert touches(window, Month.of(when.date()))


@given(WINDOWS)
def test_a_month_is_touched_exactly_when_one_of_its_days_is_in_the_window(window: DateWindow) -> None:
    for month in {
        Month(y, m) for y in (2007, window.from_date.year, window.to_date.year) for m in range(1, 13)
    }:
        first = date(month.year, month.month, 1)
        last = (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        assert touches(window, month) == (first <= window.to_date and last >= window.from_date)


def test_bounds_of_the_longest_window_do_not_overflow() -> None:
    start, end = bounds(DateWindow(date.min, date.max))
    assert (start.year, end.year) == (1, 9999)


@given(DAYS.map(Month.of))
def test_months_are_written_and_read_alike(month: Month) -> None:
    assert Month.parse(str(month)) == month


@pytest.mark.parametrize("text", ["2024-13", "2024", "", "2024-01-01", "20240-1"])
def test_what_is_no_month(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Month.parse(text)


def test_later_months_are_greater() -> None:
    assert Month(2023, 12) < Month(2024, 1) < Month(2024, 2)
