"""What people type: lengths of time, days, ids."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
import typer

from orchestrator.cli.arguments import check_window, parse_day, parse_since, parse_span, parse_uuid

NOW = datetime(2024, 3, 10, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("2h", timedelta(hours=2)),
        ("90m", timedelta(minutes=90)),
        ("1h30m", timedelta(minutes=90)),
        ("1h 30m", timedelta(minutes=90)),
        ("45s", timedelta(seconds=45)),
        ("1.5h", timedelta(minutes=90)),
        ("2D", timedelta(days=2)),
        ("1w", timedelta(days=7)),
    ],
)
def test_a_length_of_time_is_numbers_with_units(text: str, span: timedelta) -> None:
    assert parse_span(text) == span


@pytest.mark.parametrize("text", ["", "2", "h", "2x", "-2h", "two hours", "2h!", "1h30", ".", "2 hours"])
def test_a_bad_length_of_time_is_shown_a_good_one(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="90m, 2h, 1h30m or 2d"):
        parse_span(text)


@pytest.mark.parametrize("text", ["0h", "0.0s", "99999w", "9" * 400 + "w"])
def test_a_length_of_time_has_bounds(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="out of bounds"):
        parse_span(text)


def test_a_day_is_a_date() -> None:
    assert parse_day("2024-02-29") == date(2024, 2, 29)


@pytest.mark.parametrize(
    "text", ["", "2024", "2024-3-1", "20240301", "01.03.2024", "2024-03-01T10:00", "today"]
)
def test_a_day_in_another_form_is_shown_the_form(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="YYYY-MM-DD"):
        parse_day(text)


def test_a_day_that_no_calendar_has_is_refused() -> None:
    with pytest.raises(typer.BadParameter, match="2023-02-29"):
        parse_day("2023-02-29")


def test_since_is_a_day_or_a_while_ago() -> None:
    assert parse_since("2024-03-01", NOW) == datetime(2024, 3, 1, tzinfo=UTC)
    assert parse_since("36h", NOW) == NOW - timedelta(hours=36)
    with pytest.raises(typer.BadParameter, match="90m"):
        parse_since("yesterday", NOW)
    with pytest.raises(typer.BadParameter, match="YYYY-MM-DD"):
        parse_since("2024-3", NOW)


def test_a_uuid_comes_out_in_its_usual_form() -> None:
    assert parse_uuid(" 4F3C2B1A0D9E4C7B8A651F2E3D4C5B6A ") == "4f3c2b1a-0d9e-4c7b-8a65-1f2e3d4c5b6a"
    with pytest.raises(typer.BadParameter, match="not a UUID"):
        parse_uuid("alice")


@pytest.mark.parametrize(
    ("months", "first", "last"),
    [(None, None, None), (3, None, None), (None, date(2024, 1, 1), None), (None, NOW.date(), NOW.date())],
)
def test_windows_that_make_sense(months: int | None, first: date | None, last: date | None) -> None:
    check_window(months, first, last)


@pytest.mark.parametrize(
    ("months", "first", "last", "option"),
    [
        (3, date(2024, 1, 1), None, "--months"),
        (3, None, date(2024, 1, 1), "--months"),
        (None, None, date(2024, 1, 1), "--to"),
        (None, date(2024, 1, 2), date(2024, 1, 1), "--from"),
    ],
)
def test_windows_that_make_none_name_the_option(
    months: int | None, first: date | None, last: date | None, option: str
) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        check_window(months, first, last)
    assert caught.value.param_hint == option
