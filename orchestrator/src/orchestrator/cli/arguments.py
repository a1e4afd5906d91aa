"""What people type, parsed where that gives a better message than the server could; it has the last word."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from uuid import UUID

import typer

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_LONGEST = timedelta(days=3660)  # ten years: older than any job, and far inside what a Duration holds


def parse_uuid(text: str) -> str:
    """The UUID in its usual form: lower case, with hyphens."""
    try:
        return str(UUID(text.strip()))
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a UUID, such as 4f3c2b1a-0d9e-4c7b-8a65-1f2e3d4c5b6a."
        ) from None


def parse_day(text: str) -> date:
    """A day as YYYY-MM-DD."""
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        try:
            return date.fromisoformat(text)
        except ValueError as error:
            raise typer.BadParameter(f"{text}: {error}.") from None
    raise typer.BadParameter(f"{text!r} is not a day; write it as YYYY-MM-DD, such as 2024-03-01.")


def parse_span(text: str) -> timedelta:
    """A length of time as numbers with units: "90m", "2h", "1h30m", "2d"; more than 0, at most ten years."""
    compact = text.replace(" ", "").lower()
    parts = _SPAN.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        raise typer.BadParameter(f"{text!r} is not a length of time; write it as 90m, 2h, 1h30m or 2d.")
    try:
        span = sum((float(number) * _UNITS[unit] for number, unit in parts), timedelta())
    except OverflowError:
        span = _LONGEST * 2
    if not timedelta() < span <= _LONGEST:
        raise typer.BadParameter(f"{text!r} is out of bounds: more than 0, at most ten years.")
    return span


def parse_since(text: str, now: datetime) -> datetime:
    """A moment in the past: a day (its start in UTC), or how long before `now`, which knows its zone."""
    if re.match(r"\d{4}-", text):
        return datetime.combine(parse_day(text), datetime.min.time(), tzinfo=now.tzinfo)
    return now - parse_span(text)


def check_window(months: int | None, from_day: date | None, to_day: date | None) -> None:
    """Months, or two days in order; raises BadParameter naming the option."""
    if months is not None and (from_day or to_day):
        raise typer.BadParameter("give months or days, not both.", param_hint="--months")
    if to_day and not from_day:
        raise typer.BadParameter("needs --from as well.", param_hint="--to")
    if from_day and to_day and from_day > to_day:
        raise typer.BadParameter(f"{from_day} is after --to {to_day}.", param_hint="--from")
