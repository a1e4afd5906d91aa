"""chess.com's JSON, sound and unsound."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain import Color, PlatformGame, TimeClass
from orchestrator.platforms.chesscom_format import archive_months, month_entries
from orchestrator.platforms.entries import LeftOut
from orchestrator.platforms.window import Month
from tests.support.platforms.any_json import ANY_JSON
from tests.support.platforms.making import PLAYER, Made

FEBRUARY = Month(2024, 2)


def only(raw: Any) -> PlatformGame | LeftOut:
    (entry,) = month_entries(json.dumps({"games": [raw]}).encode(), FEBRUARY, PLAYER.lower())
    return entry.value


def game(**changes: Any) -> PlatformGame | LeftOut:
    raw = Made(0).chesscom()
    return only({key: value for key, value in (raw | changes).items() if value is not ...})


def test_archives_come_newest_first_wherever_the_api_stands() -> None:
    urls = [f"https://elsewhere/x/player/A/games/{month}" for month in ("2022/03", "2023/11", "2022/12")]
    assert archive_months({"archives": urls}) == [Month(2023, 11), Month(2022, 12), Month(2022, 3)]
    assert archive_months({"archives": []}) == []


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"archives": None}, {"archives": [1]}, {"archives": ["https://x/player/a/games/2022/13"]}],
)
def test_what_is_no_list_of_archives(body: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        archive_months(body)


@pytest.mark.parametrize(
    ("white", "black", "result"),
    [
        ("win", "checkmated", "1-0"),
        ("timeout", "win", "0-1"),
        ("abandoned", "win", "0-1"),
        ("agreed", "agreed", "1/2-1/2"),
        ("stalemate", "stalemate", "1/2-1/2"),
        ("repetition", "repetition", "1/2-1/2"),
        ("insufficient", "insufficient", "1/2-1/2"),
        ("50move", "50move", "1/2-1/2"),
        ("timevsinsufficient", "timevsinsufficient", "1/2-1/2"),
        ("something", "new", "*"),
    ],
)
def test_results(white: str, black: str, result: str) -> None:
    raw = Made(0).chesscom()
    raw["white"]["result"], raw["black"]["result"] = white, black
    value = only(raw)
    assert isinstance(value, PlatformGame)
    assert value.result == result


@pytest.mark.parametrize(
    ("url", "game_id"),
    [
        ("https://www.chess.com/game/live/39846562427", "live/39846562427"),
        ("https://www.chess.com/game/daily/194799652", "daily/194799652"),
        ("https://www.chess.com/daily/game/194799652", "daily/194799652"),
        ("https://www.chess.com/live/game/39846562427", "live/39846562427"),
    ],
)
def test_ids_are_the_end_of_the_url(url: str, game_id: str) -> None:
    value = game(url=url)
    assert isinstance(value, PlatformGame)
    assert (value.platform_game_id, value.url) == (game_id, url)


@pytest.mark.parametrize(
    ("word", "time_class"),
    [
        ("bullet", TimeClass.BULLET),
        ("blitz", TimeClass.BLITZ),
        ("rapid", TimeClass.RAPID),
        ("daily", TimeClass.CORRESPONDENCE),
    ],
)
def test_time_classes(word: str, time_class: TimeClass) -> None:
    value = game(time_class=word)
    assert isinstance(value, PlatformGame)
    assert value.time_class is time_class


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rules": "bughouse"}, "variant:bughouse"),
        ({"rules": "new <b>rules</b>" + "x" * 99}, "variant:newbrulesb" + "x" * 22),
        ({"pgn": ...}, "no_moves"),
        ({"pgn": ""}, "no_moves"),
        ({"pgn": '[White "Be4"]\n\n1. {[%clk 0:01:00] Nf3} 0-1'}, "no_moves"),
        ({"pgn": None}, "no_moves"),
        ({"url": "https://www.chess.com/"}, "malformed"),
        ({"url": ...}, "malformed"),
        ({"time_class": "eternal"}, "malformed"),
        ({"rules": ...}, "malformed"),
        ({"white": ...}, "malformed"),
        ({"end_time": "soon"}, "malformed"),
        ({"end_time": 10**18}, "malformed"),
        ({"pgn": "1. e4 {\x00}"}, "malformed"),
        ({"pgn": "1. e4 {\ud800}"}, "malformed"),
    ],
)
def test_games_left_out(changes: dict[str, Any], reason: str) -> None:
    value = game(**changes)
    assert isinstance(value, LeftOut)
    assert value.reason == reason


def test_the_player_is_found_in_any_case_and_ratings_may_be_missing() -> None:
    raw = Made(0, color=Color.BLACK, player="ALICE_a").chesscom()
    del raw["white"]["rating"]
    value = only(raw)
    assert isinstance(value, PlatformGame)
    assert (value.user_color, value.white_rating, value.black_rating) == (Color.BLACK, None, 1501)


def test_entries_without_anything_count_one_by_one() -> None:
    entries = month_entries(b'{"games": [null, 1, [], "x", {}]}', FEBRUARY, PLAYER)
    assert [entry.value for entry in entries] == [LeftOut("malformed", datetime(2024, 2, 1, tzinfo=UTC))] * 5


@given(ANY_JSON)
def test_whatever_stands_for_a_game_is_a_game_or_left_out(raw: Any) -> None:
    assert isinstance(only(raw), PlatformGame | LeftOut)


@given(st.dictionaries(st.sampled_from(sorted(Made(0).chesscom())), ANY_JSON, max_size=4))
def test_whatever_a_field_holds_it_is_a_game_or_left_out(changes: dict[str, Any]) -> None:
    assert isinstance(game(**changes), PlatformGame | LeftOut)


@given(st.binary(max_size=60) | ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_whatever_comes_is_a_list_of_games_or_refused(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        month_entries(body, FEBRUARY, PLAYER)


@given(st.integers(0, 400), st.booleans())
def test_a_month_that_breaks_off_is_refused(at: int, pretty: bool) -> None:
    body = json.dumps(
        {"games": [Made(n).chesscom() for n in range(3)]}, indent=1 if pretty else None
    ).encode()
    cut = len(body) * at // 401
    with pytest.raises(ValueError, match=r".+"):
        month_entries(body[:cut], FEBRUARY, PLAYER)


def test_a_month_laid_out_in_another_way_is_read_as_well() -> None:
    raw = Made(0).chesscom()
    for body in ({"more": 1, "games": [raw]}, {"games": [raw], "more": []}):
        assert len(month_entries(json.dumps(body).encode(), FEBRUARY, PLAYER)) == 1
    assert month_entries(b' {"games" : [ ] } ', FEBRUARY, PLAYER) == []
