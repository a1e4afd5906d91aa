"""What the benches mean by agreement."""

from __future__ import annotations

import pytest

from analyzer.scores import Centipawns, MateIn
from analyzer.verdicts import Judgement
from tests.bench.agreement import Judged, by_chance, by_rules, compare, intervals, total


def lost(centipawns: int, *, first_choice: bool = False) -> Judged:
    """A move of White's from an equal position."""
    return Judged(Centipawns(0), Centipawns(-centipawns), white=True, first_choice=first_choice)


def test_each_side_is_judged_by_its_own_scores() -> None:
    # .092, .203 and .352 of winning chance: nothing, a mistake, a blunder.
    counts = compare([lost(50), lost(112), lost(200)], [lost(50), lost(200), lost(200, first_choice=True)])
    assert (counts.moves, counts.equal) == (3, 1)
    assert (counts.both, counts.one) == (1, 1)
    assert counts.f1 == pytest.approx(2 / 3)
    assert counts.share == pytest.approx(1 / 3)


def test_a_mate_given_away_from_a_won_game_is_an_error_by_the_rules_alone() -> None:
    given_away = Judged(MateIn(3), Centipawns(1200), white=True, first_choice=False)
    assert (by_rules(given_away), by_chance(given_away)) == (Judgement.INACCURACY, Judgement.NONE)
    assert [by_chance(lost(cp)) for cp in (50, 60, 112, 200)] == list(Judgement)[:4]
    assert by_chance(lost(200, first_choice=True)) is Judgement.NONE
    counts = compare([lost(0)], [given_away], by_chance)
    assert (counts.moves, counts.equal) == (1, 1)


def test_error_is_of_every_position_once() -> None:
    counts = compare([lost(0)], [lost(100)])
    assert counts.positions == 2
    assert counts.mean_error == pytest.approx((0 + 9.10) / 2, abs=0.01)  # win percent 50, and 50 for 40.90


def test_other_games_are_refused() -> None:
    with pytest.raises(ValueError, match="longer"):
        compare([lost(0)], [lost(0), lost(0)])


def test_intervals_hold_the_whole() -> None:
    games = [compare([lost(200), lost(cp)], [lost(200), lost(200)]) for cp in (0, 50, 120, 150, 200, 300)]
    f1, equal = intervals(games)
    assert f1.low < total(games).f1 < f1.high
    assert equal.low < total(games).share < equal.high
