"""Windows of days, and what of a platform they touch. Pure; all days and times are UTC."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from orchestrator.domain import DateWindow


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month; later months are greater."""

    year: int
    month: int

    @classmethod
    def of(cls, day: date) -> Month:
        return cls(day.year, day.month)

    @classmethod
    def parse(cls, text: str) -> Month:
        """From "2022-03"; ValueError on anything else."""
        return cls.of(date.fromisoformat(f"{text}-01"))

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"


def window_of_months(months: int, today: date) -> DateWindow:
    """From the same day `months` months ago to today, both inclusive.

    Where that month has no such day, its last one: one month before 31 March begins on 28 or 29 February.
    """
    year, index = divmod(today.year * 12 + today.month - 1 - months, 12)
    last = calendar.monthrange(year, index + 1)[1]
    return DateWindow(date(year, index + 1, min(today.day, last)), today)


def bounds(window: DateWindow) -> tuple[datetime, datetime]:
    """The window as instants: the first of its first day, and the first that is after its last day."""
    start = datetime.combine(window.from_date, time.min, UTC)
    if window.to_date == date.max:  # there is no day after it
        return start, datetime.max.replace(tzinfo=UTC)
    return start, datetime.combine(window.to_date + timedelta(days=1), time.min, UTC)


def touches(window: DateWindow, month: Month) -> bool:
    """Whether a game that ended in the month can belong to the window."""
    return Month.of(window.from_date) <= month <= Month.of(window.to_date)
