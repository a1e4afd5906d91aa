"""What a request must look like: each bad field is named, with what is wrong and what is right. Pure."""

from __future__ import annotations

import calendar
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID, uuid4

from google.protobuf import json_format
from google.protobuf.message import Message
from google.type import date_pb2

from orchestrator.domain import DateWindow
from orchestrator.platforms.usernames import validate_username
from orchestrator.platforms.window import window_of_months
from orchestrator.service import words
from orchestrator.settings import Settings
from orchestrator.store.rows import NewSync
from rookify.sync.v1 import sync_pb2 as pb
from servicekit.errors import FieldViolation, InvalidInput

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
# Of one request, unpacked. The largest that is any good has 2 KB; the gateway lets the same through.
MAX_REQUEST_BYTES = 64 * 1024
_MAX_VALUES = 10  # of one repeated field: twice as many as there are time classes, the longest of these lists
_FIRST_DAY = date(2007, 1, 1)  # chess.com began in 2007, lichess in 2010
_MAX_LICHESS_TOKEN = 512  # lichess's are 24 characters ("lip_…"); OAuth leaves room for longer ones
_MAX_REASON = 500


T = TypeVar("T")


class Checks:
    """Collects what is wrong with a request, to tell all of it at once."""

    def __init__(self) -> None:
        self._violations: list[FieldViolation] = []

    def add(self, field: str, description: str) -> None:
        self._violations.append(FieldViolation(field, description))

    def of(self, check: Callable[[], T]) -> T | None:
        """The check's value; None, and its violations noted, where it raises InvalidInput."""
        try:
            return check()
        except InvalidInput as error:
            self._violations.extend(error.violations)
            return None

    def few(self, field: str, values: Sequence[object]) -> bool:
        """Whether these are so few that each may be looked at; more are refused as one."""
        if len(values) <= _MAX_VALUES:
            return True
        self.add(field, f"has {len(values)} values; at most {_MAX_VALUES} are allowed, each is needed once")
        return False

    def done(self) -> None:
        if self._violations:
            raise InvalidInput(*self._violations)


def uuid(field: str, text: str) -> UUID:
    """Raises InvalidInput. Only the usual form: 36 characters with hyphens."""
    try:
        value = UUID(text)
    except ValueError:
        value = None
    if value is None or len(text) != 36:
        raise InvalidInput.of(
            field, f"{_short(text)} is not a UUID such as 123e4567-e89b-12d3-a456-426614174000"
        )
    return value


def page_size(value: int) -> int:
    if not 0 <= value <= MAX_PAGE_SIZE:
        raise InvalidInput.of(
            "page_size", f"{value} is out of bounds; give 1 to {MAX_PAGE_SIZE}, or 0 for {DEFAULT_PAGE_SIZE}"
        )
    return value or DEFAULT_PAGE_SIZE


def older_than(request: pb.CleanupStuckSyncJobsRequest, settings: Settings) -> timedelta:
    if not request.HasField("older_than"):
        return timedelta(seconds=settings.stuck_after)
    value = request.older_than.ToTimedelta()
    if value <= timedelta(0):
        raise InvalidInput.of("older_than", "must be more than nothing; leave it out for the server's own")
    return value


def reason(text: str) -> str:
    if len(text) > _MAX_REASON:
        raise InvalidInput.of("reason", f"has {len(text)} characters; at most {_MAX_REASON} are allowed")
    return text.strip() or "Failed by an administrator"


def new_sync(request: pb.StartSyncRequest, settings: Settings, now: datetime) -> NewSync:
    """What of a StartSync needs no database. Raises InvalidInput for all that is wrong at once."""
    checks = Checks()
    user_id = checks.of(lambda: uuid("user_id", request.user_id))
    request_id = checks.of(lambda: uuid("request_id", request.request_id) if request.request_id else uuid4())
    platform = words.PLATFORMS.get(request.platform)
    if platform is None:
        checks.add("platform", "set PLATFORM_CHESS_COM or PLATFORM_LICHESS")
    elif request.username:
        checks.of(lambda: validate_username(platform, request.username))
    span = checks.of(lambda: _window(request, settings.max_months, now))
    filters = checks.of(lambda: _filter(request.filter))
    if not 0 <= request.max_games <= settings.max_games_per_sync:
        checks.add(
            "max_games",
            f"{request.max_games} is out of bounds; give 0 to {settings.max_games_per_sync} (0: that many)",
        )
    preset = words.PRESETS.get(request.preset)
    if preset is None:
        checks.add("preset", "is not known; set PRESET_FAST, PRESET_STANDARD or PRESET_DEEP, or leave it out")
    token = request.lichess_token
    if len(token) > _MAX_LICHESS_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        checks.add("lichess_token", "is not a lichess token; copy it from the player's lichess preferences")
    checks.done()
    assert user_id and request_id and platform and span and filters is not None and preset  # noqa: S101, PT018
    window, months = span
    return NewSync(
        user_id=user_id,
        platform=platform,
        username=request.username.strip(),
        from_date=window.from_date,
        to_date=window.to_date,
        months=months,
        filter=filters,
        max_games=request.max_games or settings.max_games_per_sync,
        preset=preset,
        request_id=request_id,
        request=_fingerprint(request),
    )


def months_spanned(window: DateWindow) -> int:
    """Months of the window, begun ones counted: from a day to the same day of the next month is one."""
    first, last = window.from_date, window.to_date
    whole = (last.year - first.year) * 12 + last.month - first.month
    begun = last.day > min(first.day, calendar.monthrange(last.year, last.month)[1])
    return max(whole + begun, 1)


def _window(request: pb.StartSyncRequest, max_months: int, now: datetime) -> tuple[DateWindow, int]:
    """The window, and how many months it counts as."""
    today = now.astimezone(UTC).date()
    if not request.HasField("from_date") and not request.HasField("to_date"):
        if not 0 <= request.months <= max_months:
            raise InvalidInput.of(
                "months", f"{request.months} is out of bounds; give 1 to {max_months}, or 0 for 1"
            )
        months = request.months or 1
        return window_of_months(months, today), months
    checks = Checks()
    latest = (now.astimezone(UTC) + timedelta(hours=14)).date()  # today in the zone that is furthest ahead
    to_date = (
        checks.of(lambda: _date("to_date", request.to_date, latest)) if request.HasField("to_date") else today
    )
    from_date = None
    if request.HasField("from_date"):
        from_date = checks.of(lambda: _date("from_date", request.from_date, latest))
    elif to_date:
        from_date = to_date.replace(day=1)
    checks.done()
    assert from_date and to_date  # noqa: S101, PT018
    if from_date > to_date:
        raise InvalidInput.of("from_date", f"{from_date} is after to_date {to_date}; exchange them")
    window = DateWindow(from_date, to_date)
    months = months_spanned(window)
    if months > max_months:
        raise InvalidInput.of(
            "from_date", f"the window spans {months} months; at most {max_months} are allowed"
        )
    return window, months


def _date(field: str, value: date_pb2.Date, latest: date) -> date:
    try:
        day = date(value.year, value.month, value.day)
    except ValueError:
        text = f"{value.year:04}-{value.month:02}-{value.day:02}"
        raise InvalidInput.of(field, f"{text} is not a day; give year, month and day") from None
    if day < _FIRST_DAY:
        raise InvalidInput.of(field, f"{day} is before {_FIRST_DAY}, when neither platform existed")
    if day > latest:
        raise InvalidInput.of(field, f"{day} is in the future; give today at the latest")
    return day


def _filter(message: pb.GameFilter) -> dict[str, Any]:
    """As `sync_jobs.filter` holds it; what is empty is left out."""
    checks = Checks()
    chosen: dict[str, Any] = {}
    kinds: tuple[tuple[str, Sequence[int], Mapping[int, StrEnum]], ...] = (
        ("time_classes", message.time_classes, words.TIME_CLASSES),
        ("results", message.results, words.RESULTS),
        ("colors", message.colors, words.COLORS),
    )
    for name, values, known in kinds:
        if not checks.few(f"filter.{name}", values):
            continue
        for index, value in enumerate(values):
            if value not in known:
                checks.add(f"filter.{name}[{index}]", f"{value} is none of {', '.join(known.values())}")
        if values:
            chosen[name] = sorted({known[value].value for value in values if value in known})
    checks.done()
    if message.rated_only:
        chosen["rated_only"] = True
    return chosen


def _fingerprint(request: Message) -> dict[str, Any]:
    """What a repeated request_id must agree in: all fields as sent but the token, which is not kept."""
    fields: dict[str, Any] = json_format.MessageToDict(request, preserving_proto_field_name=True)
    return {name: value for name, value in fields.items() if name not in ("request_id", "lichess_token")}


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
