"""Verdicts on moves: lichess's rules."""

from __future__ import annotations

import math

import pytest
from hypothesis import given

from analyzer.scores import Centipawns, Checkmate, MateIn, Score, flipped
from analyzer.verdicts import Judgement, chance_lost, is_only_move, judge
from tests.support.scores import centipawns, scores

NONE, INACCURACY, MISTAKE, BLUNDER = (
    Judgement.NONE,
    Judgement.INACCURACY,
    Judgement.MISTAKE,
    Judgement.BLUNDER,
)


def white(before: Score, after: Score) -> Judgement:
    return judge(before, after, white=True, first_choice=False)


def at_chance(chance: float) -> Centipawns:
    """The least centipawns with at least that winning chance."""
    return Centipawns(math.ceil(math.log((1 + chance) / (1 - chance)) / 0.00368208))


@pytest.mark.parametrize(
    ("lost", "verdict"),
    [(0.09, NONE), (0.11, INACCURACY), (0.19, INACCURACY), (0.21, MISTAKE), (0.29, MISTAKE), (0.31, BLUNDER)],
)
def test_thresholds_of_winning_chance(lost: float, verdict: Judgement) -> None:
    for start in (0.0, 0.4, -0.3):
        before, after = at_chance(start), at_chance(start - lost)
        assert white(before, after) is verdict
        assert judge(flipped(before), flipped(after), white=False, first_choice=False) is verdict


def test_exactly_at_a_threshold_is_over_it() -> None:
    """From 0 the least loss at or over .1 is 55 centipawns, over .2 111, over .3 169."""
    assert [white(Centipawns(0), Centipawns(-cp)) for cp in (54, 55, 110, 111, 168, 169)] == [
        NONE,
        INACCURACY,
        INACCURACY,
        MISTAKE,
        MISTAKE,
        BLUNDER,
    ]


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        # walked into a mate, from the mover's score before
        (Centipawns(50), MateIn(-5), BLUNDER),
        (Centipawns(-700), MateIn(-5), BLUNDER),
        (Centipawns(-701), MateIn(-5), MISTAKE),
        (Centipawns(-999), MateIn(-5), MISTAKE),
        (Centipawns(-1000), MateIn(-5), INACCURACY),
        (Centipawns(50), Checkmate(white_wins=False), BLUNDER),
        # gave a mate away, by the mover's score after
        (MateIn(3), Centipawns(0), BLUNDER),
        (MateIn(3), Centipawns(700), BLUNDER),
        (MateIn(3), Centipawns(701), MISTAKE),
        (MateIn(3), Centipawns(999), MISTAKE),
        (MateIn(3), Centipawns(1000), INACCURACY),
        (MateIn(3), Centipawns(-2000), BLUNDER),
        # both at once
        (MateIn(3), MateIn(-3), BLUNDER),
        # a slower mate, on either side, is no error
        (MateIn(1), MateIn(9), NONE),
        (MateIn(-9), MateIn(-1), NONE),
        # mating, found or delivered, is none either: an old system called it a blunder
        (Centipawns(0), MateIn(4), NONE),
        (Centipawns(900), Checkmate(white_wins=True), NONE),
        (MateIn(1), Checkmate(white_wins=True), NONE),
        (MateIn(-2), Checkmate(white_wins=True), NONE),
        # getting away
        (MateIn(-2), Centipawns(-1500), NONE),
        (MateIn(-2), MateIn(2), NONE),
        # stalemate given
        (MateIn(1), Centipawns(0), BLUNDER),
        (Centipawns(1500), Centipawns(0), BLUNDER),
        # long decided: beyond ±1000 nothing changes
        (Centipawns(9000), Centipawns(1100), NONE),
        (Centipawns(-1100), Centipawns(-9000), NONE),
    ],
)
def test_mates_and_decided_positions(before: Score, after: Score, verdict: Judgement) -> None:
    assert white(before, after) is verdict
    assert judge(flipped(before), flipped(after), white=False, first_choice=False) is verdict


@given(scores, scores)
def test_the_first_choice_is_never_an_error(before: Score, after: Score) -> None:
    assert judge(before, after, white=True, first_choice=True) is NONE


@given(scores, scores)
def test_colors_are_treated_alike(before: Score, after: Score) -> None:
    assert judge(before, after, white=True, first_choice=False) is judge(
        flipped(before), flipped(after), white=False, first_choice=False
    )


@given(centipawns, centipawns)
def test_a_gain_is_never_an_error(one: Centipawns, other: Centipawns) -> None:
    worse, better = sorted((one, other), key=lambda score: score.value)
    assert white(worse, better) is NONE
    assert chance_lost(worse, better, white=True) <= 0


@pytest.mark.parametrize(
    ("best", "second", "only"),
    [
        (Centipawns(0), Centipawns(-111), True),
        (Centipawns(0), Centipawns(-110), False),
        (Centipawns(900), Centipawns(700), False),  # both win
        (Centipawns(900), Centipawns(100), True),
        (Centipawns(-700), Centipawns(-2000), False),  # both lose
        (Centipawns(0), MateIn(-4), True),
        (MateIn(3), MateIn(9), False),
        (MateIn(3), Centipawns(700), False),  # it wins all the same
        (MateIn(3), Centipawns(300), True),
        (MateIn(-9), MateIn(-1), False),
        (Centipawns(-999), MateIn(-2), False),
    ],
)
def test_the_only_move_that_holds(best: Score, second: Score, only: bool) -> None:
    assert is_only_move(best, second, white=True) is only
    assert is_only_move(flipped(best), flipped(second), white=False) is only
