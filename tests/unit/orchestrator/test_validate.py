"""What StartSync refuses, by field, and what it makes of what it takes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from google.type import date_pb2

from orchestrator.domain import DateWindow, Platform
from orchestrator.service import validate
from orchestrator.settings import Settings
from orchestrator.store.rows import NewSync
from rookify.sync.v1 import sync_pb2 as pb
from servicekit.errors import InvalidInput

USER = "123e4567-e89b-12d3-a456-426614174000"
UNKNOWN: Any = 9  # an enum value of a newer contract
NOW = datetime(2024, 3, 31, 15, tzinfo=UTC)
SETTINGS = Settings(_env_file=None)  # type: ignore[call-arg]  # pydantic-settings' own


def day(year: int, month: int, number: int) -> date_pb2.Date:
    return date_pb2.Date(year=year, month=month, day=number)


def check(**changes: Any) -> NewSync:
    fields: dict[str, Any] = {
        "user_id": USER,
        "platform": pb.PLATFORM_CHESS_COM,
        "username": "PaulMorphy",
    } | changes
    return validate.new_sync(pb.StartSyncRequest(**fields), SETTINGS, NOW)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"user_id": ""}, "user_id"),
        ({"user_id": "nonsense"}, "user_id"),
        ({"user_id": USER.replace("-", "")}, "user_id"),
        ({"platform": pb.PLATFORM_UNSPECIFIED}, "platform"),
        ({"platform": 99}, "platform"),
        ({"username": " "}, "username"),
        ({"username": "a" * 26}, "username"),
        ({"username": "../../etc/passwd"}, "username"),
        ({"username": "Пешка"}, "username"),
        ({"username": "a\x00b"}, "username"),
        ({"months": -1}, "months"),
        ({"months": 13}, "months"),
        ({"from_date": day(2024, 2, 30)}, "from_date"),
        ({"from_date": day(0, 0, 0)}, "from_date"),
        ({"from_date": day(2006, 12, 31)}, "from_date"),
        ({"from_date": day(2024, 4, 2)}, "from_date"),
        ({"to_date": day(2024, 4, 2)}, "to_date"),
        ({"from_date": day(2024, 3, 2), "to_date": day(2024, 3, 1)}, "from_date"),
        ({"from_date": day(2023, 3, 30), "to_date": day(2024, 3, 31)}, "from_date"),
        (
            {"filter": pb.GameFilter(time_classes=[pb.TIME_CLASS_RAPID, pb.TIME_CLASS_UNSPECIFIED])},
            "filter.time_classes[1]",
        ),
        ({"filter": pb.GameFilter(results=[UNKNOWN])}, "filter.results[0]"),
        ({"filter": pb.GameFilter(colors=[pb.COLOR_UNSPECIFIED])}, "filter.colors[0]"),
        ({"filter": pb.GameFilter(time_classes=[pb.TIME_CLASS_RAPID] * 11)}, "filter.time_classes"),
        ({"filter": pb.GameFilter(results=[UNKNOWN] * 1000)}, "filter.results"),
        ({"max_games": -1}, "max_games"),
        ({"max_games": 5001}, "max_games"),
        ({"preset": 9}, "preset"),
        ({"request_id": "again"}, "request_id"),
        ({"lichess_token": "with space"}, "lichess_token"),
        ({"lichess_token": "x" * 513}, "lichess_token"),
    ],
)
def test_bad_input_is_refused_by_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check(**changes)
    assert [violation.field for violation in refused.value.violations] == [field]
    assert refused.value.violations[0].description


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InvalidInput) as refused:
        check(user_id="x", platform=0, months=20, max_games=-5)
    assert [v.field for v in refused.value.violations] == ["user_id", "platform", "months", "max_games"]


def test_a_token_is_not_quoted_in_its_refusal() -> None:
    with pytest.raises(InvalidInput) as refused:
        check(lichess_token="lip_secret with space")
    assert "lip_secret" not in refused.value.message


@pytest.mark.parametrize(
    ("changes", "first", "last", "months"),
    [
        ({}, date(2024, 2, 29), date(2024, 3, 31), 1),
        ({"months": 12}, date(2023, 3, 31), date(2024, 3, 31), 12),
        ({"from_date": day(2024, 3, 5)}, date(2024, 3, 5), date(2024, 3, 31), 1),
        ({"to_date": day(2022, 5, 20)}, date(2022, 5, 1), date(2022, 5, 20), 1),
        ({"from_date": day(2022, 3, 1), "to_date": day(2022, 5, 31)}, date(2022, 3, 1), date(2022, 5, 31), 3),
        ({"months": 99, "from_date": day(2024, 1, 1)}, date(2024, 1, 1), date(2024, 3, 31), 3),
        # 1 April has begun already at the other end of the world.
        ({"to_date": day(2024, 4, 1)}, date(2024, 4, 1), date(2024, 4, 1), 1),
    ],
)
def test_the_window(changes: dict[str, Any], first: date, last: date, months: int) -> None:
    new = check(**changes)
    assert (new.from_date, new.to_date, new.months) == (first, last, months)


def test_defaults() -> None:
    new = check(username="")
    assert (new.username, new.preset, new.filter, new.max_games) == ("", "standard", {}, 5000)
    assert isinstance(new.request_id, UUID)


def test_filters_are_kept_in_the_domains_words() -> None:
    new = check(
        platform=pb.PLATFORM_LICHESS,
        filter=pb.GameFilter(
            time_classes=[pb.TIME_CLASS_RAPID, pb.TIME_CLASS_BLITZ, pb.TIME_CLASS_RAPID],
            results=[pb.GAME_RESULT_LOSS],
            rated_only=True,
        ),
    )
    assert new.platform == Platform.LICHESS
    assert new.filter == {"time_classes": ["blitz", "rapid"], "results": ["loss"], "rated_only": True}


def test_a_repeated_request_is_compared_without_its_id_and_token() -> None:
    new = check(request_id=USER, lichess_token="lip_secret", months=2)
    assert new.request == {
        "user_id": USER,
        "platform": "PLATFORM_CHESS_COM",
        "username": "PaulMorphy",
        "months": 2,
    }


@pytest.mark.parametrize(
    ("first", "last", "months"),
    [
        (date(2024, 1, 31), date(2024, 2, 29), 1),
        (date(2024, 1, 31), date(2024, 3, 1), 2),
        (date(2024, 1, 1), date(2024, 1, 1), 1),
        (date(2023, 12, 15), date(2024, 1, 15), 1),
        (date(2023, 12, 15), date(2024, 1, 16), 2),
    ],
)
def test_months_spanned(first: date, last: date, months: int) -> None:
    assert validate.months_spanned(DateWindow(first, last)) == months


@pytest.mark.parametrize("size", [-1, 101, 10**6])
def test_a_page_size_out_of_bounds_is_refused(size: int) -> None:
    with pytest.raises(InvalidInput, match="page_size"):
        validate.page_size(size)


def test_page_sizes() -> None:
    assert [validate.page_size(size) for size in (0, 1, 100)] == [20, 1, 100]


def test_stuck_is_what_the_server_takes_for_stuck_where_nothing_else_is_said() -> None:
    settings = SETTINGS.model_copy(update={"stuck_after": 900.0})
    request = pb.CleanupStuckSyncJobsRequest()
    assert validate.older_than(request, settings) == timedelta(minutes=15)
    request.older_than.FromSeconds(60)
    assert validate.older_than(request, settings) == timedelta(minutes=1)
    request.older_than.FromSeconds(0)
    with pytest.raises(InvalidInput, match="older_than"):
        validate.older_than(request, settings)
