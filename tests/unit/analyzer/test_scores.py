"""Scores, winning chance, win percent."""

from __future__ import annotations

import math

import pytest
from hypothesis import given

from analyzer.scores import (
    Centipawns,
    Checkmate,
    MateIn,
    Score,
    before_only_move,
    flipped,
    held_centipawns,
    mover_chance,
    mover_win_percent,
    win_percent,
    winning_chance,
)
from tests.support.scores import centipawns, scores


@pytest.mark.parametrize(
    ("score", "percent"),
    [
        (Centipawns(0), 50.0),
        (Centipawns(100), 59.103),
        (Centipawns(-100), 40.897),
        (Centipawns(300), 75.112),
        (Centipawns(1000), 97.545),
        (Centipawns(5000), 97.545),
        (MateIn(1), 97.545),
        (MateIn(-30), 2.455),
        (Checkmate(white_wins=True), 97.545),
        (Checkmate(white_wins=False), 2.455),
    ],
)
def test_win_percent_of_known_scores(score: Score, percent: float) -> None:
    """Worked out by hand from lichess's formula; a mate counts as ±1000 centipawns."""
    assert win_percent(score) == pytest.approx(percent, abs=0.001)


@given(scores)
def test_colors_are_symmetric(score: Score) -> None:
    assert flipped(flipped(score)) == score
    assert winning_chance(flipped(score)) == pytest.approx(-winning_chance(score))
    assert mover_win_percent(score, white=True) + mover_win_percent(score, white=False) == pytest.approx(100)


@given(centipawns, centipawns)
def test_more_centipawns_are_never_worth_less(one: Centipawns, other: Centipawns) -> None:
    if one.value <= other.value:
        assert winning_chance(one) <= winning_chance(other)


@given(scores)
def test_bounds(score: Score) -> None:
    assert abs(held_centipawns(score)) <= 1000
    assert 0 <= win_percent(score) <= 100
    assert -1 <= mover_chance(score, white=False) <= 1
    assert win_percent(score) == pytest.approx(
        50 + 50 * (2 / (1 + math.exp(-0.00368208 * held_centipawns(score))) - 1)
    )


def test_a_mate_in_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="Checkmate"):
        MateIn(0)


@pytest.mark.parametrize(
    ("after", "white", "before"),
    [
        (Centipawns(35), True, Centipawns(35)),
        (Centipawns(35), False, Centipawns(35)),
        (MateIn(3), True, MateIn(4)),  # White's forced move, then Black to move and mate in 3 moves of White
        (MateIn(-3), True, MateIn(-3)),  # White cannot help it: Black still takes 3 moves
        (MateIn(3), False, MateIn(3)),
        (MateIn(-3), False, MateIn(-4)),
        (Checkmate(white_wins=True), True, MateIn(1)),
        (Checkmate(white_wins=False), False, MateIn(-1)),
    ],
)
def test_score_before_the_only_move(after: Score, white: bool, before: Score) -> None:
    assert before_only_move(after, white=white) == before
