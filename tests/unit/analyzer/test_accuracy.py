"""Accuracy and centipawn loss, against lichess's own test cases and figures worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.accuracy import game_figures, move_accuracy
from analyzer.scores import Centipawns, Checkmate, MateIn, Score, flipped
from tests.support.scores import scores


def accuracies(cps: list[int], *, white_first: bool = True) -> tuple[float, float]:
    white, black = game_figures([Centipawns(cp) for cp in cps], white_first=white_first)
    assert white is not None
    assert black is not None
    return white.accuracy, black.accuracy


# lila, AccuracyPercentTest.scala: scores after each ply; White's and Black's accuracy, and how near.
LICHESS = [
    ([15, 15], (100, 1), (100, 1)),
    ([-900, -900], (10, 5), (100, 1)),
    ([15, 900], (100, 1), (10, 5)),
    ([-900, 0], (10, 5), (10, 5)),
    ([15] * 20, (100, 1), (100, 1)),
    ([15] * 20 + [-900], (50, 5), (100, 1)),
    ([15] * 21 + [900], (100, 1), (50, 5)),
    ([-50, 15] * 5, (76, 8), (76, 8)),
    ([-50, 15] * 50, (76, 8), (76, 8)),
    ([-135, 15] * 50, (54, 8), (54, 8)),
    ([-435, 15] * 50, (20, 8), (20, 8)),
]
LICHESS_BLACK_FIRST = [
    ([15, 15], (100, 1), (100, 1)),
    ([900, 900], (100, 1), (10, 5)),
    ([15, -900], (10, 5), (100, 1)),
    ([900, 0], (10, 5), (10, 5)),
]


@pytest.mark.parametrize(("cps", "white", "black"), LICHESS)
def test_lichess_cases(cps: list[int], white: tuple[float, float], black: tuple[float, float]) -> None:
    got = accuracies(cps)
    assert got[0] == pytest.approx(white[0], abs=white[1])
    assert got[1] == pytest.approx(black[0], abs=black[1])


@pytest.mark.parametrize(("cps", "white", "black"), LICHESS_BLACK_FIRST)
def test_lichess_cases_with_black_first(
    cps: list[int], white: tuple[float, float], black: tuple[float, float]
) -> None:
    got = accuracies(cps, white_first=False)
    assert got[0] == pytest.approx(white[0], abs=white[1])
    assert got[1] == pytest.approx(black[0], abs=black[1])


def test_a_game_worked_out_by_hand() -> None:
    """1. f3 e5 2. g4 with -60, -80, mate: White's moves lose 6.87 and 40.26 points of win percent."""
    white, black = game_figures([Centipawns(-60), Centipawns(-80), MateIn(-1)], white_first=True)
    assert white is not None
    assert black is not None
    # win percents 51.380, 44.507, 42.687, 2.455; accuracies 74.322, 100, 15.730
    # windows of 2: deviations 3.437, .910, 20.116 held to 12
    weighted = (74.322 * 3.4368 + 15.730 * 12) / 15.4368
    harmonic = 2 / (1 / 74.322 + 1 / 15.730)
    assert white.accuracy == pytest.approx((weighted + harmonic) / 2, abs=0.02)
    assert white.average_centipawn_loss == pytest.approx((75 + 920) / 2)
    assert black.accuracy == pytest.approx(100)
    assert black.average_centipawn_loss == 0


def test_the_move_that_mates_is_not_counted() -> None:
    """On lichess it has no score; it would raise the winner's accuracy for nothing."""
    before: list[Score] = [Centipawns(-60), Centipawns(-80), MateIn(-1)]
    assert game_figures([*before, Checkmate(white_wins=False)], white_first=True) == game_figures(
        before, white_first=True
    )


def test_one_move_games() -> None:
    white, black = game_figures([Centipawns(15)], white_first=True)
    assert black is None
    assert white is not None
    assert white.accuracy == pytest.approx(100)
    assert white.average_centipawn_loss == 0
    white, black = game_figures([Checkmate(white_wins=False)], white_first=False)
    assert white is None
    assert black is not None
    assert black.accuracy == pytest.approx(100)


def test_the_mate_counts_where_it_is_the_sides_only_move() -> None:
    white, black = game_figures([MateIn(-1), Checkmate(white_wins=False)], white_first=True)
    assert white is not None
    assert white.accuracy < 20
    assert black is not None
    assert black.accuracy == pytest.approx(100)


def test_centipawn_loss_is_held_and_never_a_gain() -> None:
    """5000 costs Black, who let it happen, 985; a mate on top costs nobody; falling to 0 costs White 1000."""
    after: list[Score] = [Centipawns(15), Centipawns(5000), MateIn(4), Centipawns(1200), Centipawns(0)]
    white, black = game_figures(after, white_first=True)
    assert white is not None
    assert black is not None
    assert white.average_centipawn_loss == pytest.approx(1000 / 3)
    assert black.average_centipawn_loss == pytest.approx(985 / 2)


@pytest.mark.parametrize(
    ("before", "after", "accuracy"),
    [(50, 50, 100), (50, 60, 100), (60, 50, 64.58), (80, 40, 15.91), (95, 5, 0), (100, 0, 0)],
)
def test_move_accuracy(before: float, after: float, accuracy: float) -> None:
    assert move_accuracy(before, after) == pytest.approx(accuracy, abs=0.01)


@given(st.floats(0, 100), st.floats(0, 100))
def test_move_accuracy_is_a_percentage(before: float, after: float) -> None:
    assert 0 <= move_accuracy(before, after) <= 100


@given(st.lists(scores, min_size=1, max_size=120), st.booleans())
def test_figures_are_in_bounds_and_blind_to_color(after: list[Score], white_first: bool) -> None:
    sides = game_figures(after, white_first=white_first)
    for side in sides:
        assert side is None or (0 <= side.accuracy <= 100.000001 and 0 <= side.average_centipawn_loss <= 2000)
    assert (sides[0] is not None, sides[1] is not None) == (
        white_first or len(after) > 1,
        not white_first or len(after) > 1,
    )


@given(st.lists(st.integers(-3000, 3000), min_size=2, max_size=60))
def test_a_mirrored_game_has_mirrored_losses(cps: list[int]) -> None:
    """But for the first position, which is +15 for whoever is White."""
    after = [Centipawns(15), *(Centipawns(cp) for cp in cps)]
    mirrored = [Centipawns(15), *(flipped(score) for score in after[1:])]
    one = game_figures(after[1:], white_first=True)
    other = game_figures(mirrored[1:], white_first=False)
    assert one[1] is not None
    assert other[0] is not None
    assert one[1].average_centipawn_loss == pytest.approx(other[0].average_centipawn_loss)
