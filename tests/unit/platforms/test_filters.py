"""The filter, as rules that hold for every game."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain import Color, GameFilter, GameResult, Platform, PlatformGame, TimeClass
from orchestrator.platforms.filters import passes, player_result

GAME = PlatformGame(
    platform=Platform.LICHESS,
    platform_game_id="abcdefgh",
    url="https://lichess.org/abcdefgh",
    pgn="1. e4 *",
    white="A",
    black="B",
    white_rating=None,
    black_rating=None,
    user_color=Color.WHITE,
    result="1-0",
    time_class=TimeClass.BLITZ,
    time_control="300+0",
    rated=True,
    variant="standard",
    played_at=datetime(2024, 1, 1, tzinfo=UTC),
)
GAMES = st.builds(
    replace,
    st.just(GAME),
    user_color=st.sampled_from(Color),
    result=st.sampled_from(["1-0", "0-1", "1/2-1/2", "*"]),
    time_class=st.sampled_from(TimeClass),
    rated=st.booleans(),
)
FILTERS = st.builds(
    GameFilter,
    time_classes=st.frozensets(st.sampled_from(TimeClass)),
    results=st.frozensets(st.sampled_from(GameResult)),
    colors=st.frozensets(st.sampled_from(Color)),
    rated_only=st.booleans(),
)


@pytest.mark.parametrize(
    ("result", "white", "black"),
    [
        ("1-0", GameResult.WIN, GameResult.LOSS),
        ("0-1", GameResult.LOSS, GameResult.WIN),
        ("1/2-1/2", GameResult.DRAW, GameResult.DRAW),
        ("*", None, None),
    ],
)
def test_results_are_seen_from_the_players_side(
    result: str, white: GameResult | None, black: GameResult | None
) -> None:
    assert player_result(result, Color.WHITE) is white
    assert player_result(result, Color.BLACK) is black


@given(GAMES)
def test_an_empty_filter_lets_every_game_pass(game: PlatformGame) -> None:
    assert passes(game, GameFilter())


@given(GAMES, FILTERS)
def test_each_condition_counts_and_all_must_hold(game: PlatformGame, wanted: GameFilter) -> None:
    result = player_result(game.result, game.user_color)
    conditions = [
        not wanted.time_classes or game.time_class in wanted.time_classes,
        not wanted.results or result in wanted.results,
        not wanted.colors or game.user_color in wanted.colors,
        not wanted.rated_only or game.rated,
    ]
    assert passes(game, wanted) == all(conditions)
