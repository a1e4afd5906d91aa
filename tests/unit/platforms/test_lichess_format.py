"""lichess's JSON, sound and unsound, and the place in an export."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain import PlatformGame, TimeClass
from orchestrator.platforms.entries import LeftOut
from orchestrator.platforms.lichess_export import Place
from orchestrator.platforms.lichess_format import Line, parse_line
from tests.support.platforms.any_json import ANY_JSON
from tests.support.platforms.lichess_pgn import pgn_of
from tests.support.platforms.making import NOON, PLAYER, Made

RAW = Made(0).lichess()
RAW["pgn"] = pgn_of(RAW, clocks=True)


def line(**changes: Any) -> Line:
    raw = {key: value for key, value in (RAW | changes).items() if value is not ...}
    return parse_line(json.dumps(raw).encode(), PLAYER.lower())


def game(**changes: Any) -> PlatformGame:
    value = line(**changes).value
    assert isinstance(value, PlatformGame)
    return value


def test_the_url_is_the_pgns_own() -> None:
    assert game().url == f"https://lichess.org/{RAW['id']}"
    long_id = RAW["pgn"].replace(f"/{RAW['id']}", f"/{RAW['id']}AbCd")
    assert game(pgn=long_id).url == f"https://lichess.org/{RAW['id']}AbCd"
    elsewhere = RAW["pgn"].replace("https://lichess.org", "https://evil.example")
    assert game(pgn=elsewhere).url == f"https://lichess.org/{RAW['id']}"


@pytest.mark.parametrize(
    ("speed", "time_class"),
    [
        ("ultraBullet", TimeClass.BULLET),
        ("bullet", TimeClass.BULLET),
        ("blitz", TimeClass.BLITZ),
        ("rapid", TimeClass.RAPID),
        ("classical", TimeClass.CLASSICAL),
        ("correspondence", TimeClass.CORRESPONDENCE),
    ],
)
def test_speeds(speed: str, time_class: TimeClass) -> None:
    assert game(speed=speed).time_class is time_class


def test_the_time_control_is_the_pgns() -> None:
    assert f'[TimeControl "{game().time_control}"]' in RAW["pgn"]
    assert game(clock=...).time_control == "-"


def test_the_end_is_the_last_move() -> None:
    assert game().played_at == NOON
    assert game(lastMoveAt=...).played_at.timestamp() * 1000 == RAW["createdAt"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "aborted"}, "aborted"),
        ({"status": "noStart", "variant": "atomic"}, "aborted"),
        ({"status": "started"}, "unfinished"),
        ({"variant": "racingKings"}, "variant:racingKings"),
        ({"variant": ...}, "malformed"),
        ({"pgn": ...}, "no_moves"),
        ({"pgn": '[Event "x"]\n\n *'}, "no_moves"),
        ({"speed": "warp"}, "malformed"),
        ({"players": {}}, "malformed"),
        ({"players": {"white": {}, "black": {}}}, "malformed"),
        ({"clock": {"initial": None}}, "malformed"),
        ({"pgn": "1. e4 {\x00}"}, "malformed"),
    ],
)
def test_games_left_out(changes: dict[str, Any], reason: str) -> None:
    value = line(**changes).value
    assert isinstance(value, LeftOut)
    assert value.reason == reason


@pytest.mark.parametrize(
    "text",
    [b"", b"1", b"[]", b"{}", b'{"id": "abcdefgh"}', b'{"id": "../../", "createdAt": 1}', b"{", b"\xff"],
)
def test_what_is_no_game_at_all(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_line(text, PLAYER)


@given(st.dictionaries(st.sampled_from(sorted(set(RAW) - {"id", "createdAt"})), ANY_JSON, max_size=4))
def test_whatever_a_field_holds_it_is_a_game_or_left_out(changes: dict[str, Any]) -> None:
    try:
        value = line(**changes).value
    except ValueError:
        assert "lastMoveAt" in changes  # a time that no clock shows
    else:
        assert isinstance(value, PlatformGame | LeftOut)


LINES = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 50)), unique_by=lambda pair: pair[1], max_size=30
)


@given(LINES, st.integers(0, 30))
def test_a_place_knows_exactly_what_is_still_to_come(pairs: list[tuple[int, int]], done: int) -> None:
    """Whatever the order within one millisecond, and after a trip through JSON."""
    value = line().value
    export = [Line(f"game{n:04}", created, created, value) for created, n in sorted(pairs, reverse=True)]
    place = Place(before=100)
    for one in export[:done]:
        assert place.is_new(one)
        place = place.after(one)
    place = Place.of(json.loads(json.dumps(place.cursor())))
    assert [one for one in export if place.is_new(one)] == export[done:]
