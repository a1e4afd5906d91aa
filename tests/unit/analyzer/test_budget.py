"""Where a second look is taken."""

from __future__ import annotations

import pytest

from analyzer.engine.request import Limit
from analyzer.evaluation import Evaluation, Source
from analyzer.scores import Centipawns, Checkmate, MateIn, Score
from analyzer.search.budget import (
    LEAST_NODES,
    PRESETS,
    Pass,
    Preset,
    doubtful,
    expected_error,
    plan,
    quick_look,
    to_deepen,
)

STEP = Pass(Limit(depth=13, nodes=1), doubt=0.5)


def at(score: Score, best: str = "e2e4", swing: float = 0.0, depth: int = 12) -> Evaluation:
    return Evaluation(score, (best,), Source.SEARCHED, depth=depth, swing=swing)


def test_limits_are_depth_and_nodes() -> None:
    assert Limit(nodes=5000, depth=12).go == "go depth 12 nodes 5000"
    assert Limit(nodes=5000).go == "go nodes 5000"


def test_plans() -> None:
    assert plan(Preset.FAST) == PRESETS[Preset.FAST]
    assert plan(Preset.DEEP, 50_000) == (Pass(Limit(nodes=50_000)),)
    assert plan(Preset.FAST, 1) == (Pass(Limit(nodes=LEAST_NODES)),)


@pytest.mark.parametrize("preset", Preset)
def test_later_passes_look_deeper_and_doubt_less(preset: Preset) -> None:
    _, *later = PRESETS[preset]
    depths = [step.limit.depth or 0 for step in PRESETS[preset]]
    assert depths == sorted(set(depths))
    doubts = [step.doubt for step in later]
    assert doubts == sorted(doubts, reverse=True)
    assert all(doubt > 0 for doubt in doubts)


def test_presets_rise() -> None:
    first = [PRESETS[preset][0].limit.nodes for preset in Preset]
    last = [PRESETS[preset][-1].limit.nodes for preset in Preset]
    assert first == sorted(set(first))
    assert last == sorted(set(last))


def test_second_lines_are_looked_at_no_deeper_than_the_first_pass() -> None:
    assert quick_look(PRESETS[Preset.FAST]) == PRESETS[Preset.FAST][0].limit
    assert quick_look(PRESETS[Preset.DEEP]).depth == 9
    assert quick_look(plan(Preset.DEEP, 50_000)) == Limit(nodes=50_000)


def test_expected_error() -> None:
    calm = expected_error(at(Centipawns(0), depth=7))
    assert calm == pytest.approx(0.09)
    assert expected_error(at(Centipawns(0), depth=12)) == pytest.approx(calm / 4)
    assert expected_error(at(Centipawns(0), swing=0.1, depth=7)) == pytest.approx(calm + 0.04)
    assert (
        expected_error(at(Centipawns(600), depth=7)) < calm / 2
    )  # where it is decided, little is left to err
    over = Evaluation(Centipawns(0), (), Source.OVER)
    assert expected_error(over) == 0


@pytest.mark.parametrize(
    ("before", "after", "doubt"),
    [
        (0, 0, False),
        (0, -30, False),  # loses .055; half the expected errors of two calm searches to depth 12 are .022
        (0, -45, True),  # .083
        (0, -50, True),  # .092
        (0, -80, False),  # .147
        (0, -112, True),  # .203
        (0, -200, False),  # .352
        (0, 80, False),  # a gain
        (3000, 1200, False),  # decided
    ],
)
def test_doubt_is_near_a_threshold(before: int, after: int, doubt: bool) -> None:
    for white, sign in ((True, 1), (False, -1)):
        found = doubtful(
            STEP, at(Centipawns(sign * before)), at(Centipawns(sign * after)), white=white, first_choice=False
        )
        assert found is doubt


def test_a_score_that_still_moves_widens_the_doubt() -> None:
    calm, restless = at(Centipawns(-30)), at(Centipawns(-30), swing=0.2)
    start = at(Centipawns(0))
    assert not doubtful(STEP, start, calm, white=True, first_choice=False)
    assert doubtful(STEP, start, restless, white=True, first_choice=False)
    assert doubtful(STEP, restless, start, white=False, first_choice=False)


def test_a_deeper_search_narrows_it() -> None:
    def near(depth: int) -> bool:
        before, after = at(Centipawns(0), depth=depth), at(Centipawns(-45), depth=depth)
        return doubtful(STEP, before, after, white=True, first_choice=False)

    assert near(12)
    assert not near(16)


def test_a_first_choice_is_doubted_where_it_seems_an_error() -> None:
    assert doubtful(STEP, at(Centipawns(0)), at(Centipawns(-300)), white=True, first_choice=True)
    assert doubtful(STEP, at(Centipawns(0)), at(Centipawns(-45)), white=True, first_choice=True)
    assert not doubtful(STEP, at(Centipawns(0)), at(Centipawns(-30)), white=True, first_choice=True)


@pytest.mark.parametrize(
    ("before", "after", "first_choice", "doubt"),
    [
        (MateIn(2), MateIn(4), False, False),
        (MateIn(1), Checkmate(white_wins=True), True, False),
        (Centipawns(-500), MateIn(-4), False, True),
        (MateIn(5), Centipawns(600), False, True),
        (Centipawns(900), MateIn(3), True, False),
    ],
)
def test_mates(before: Score, after: Score, first_choice: bool, doubt: bool) -> None:
    assert doubtful(STEP, at(before), at(after), white=True, first_choice=first_choice) is doubt


def test_both_sides_of_a_doubtful_move_are_deepened() -> None:
    scores = [0, 0, -112, -112, 300]
    evaluations = [at(Centipawns(cp), "a1a2") for cp in scores]
    played = ["b1b2"] * 4
    assert to_deepen(STEP, evaluations, played, white_first=False) == {1, 2}
    # As White's moves they lose at 1 → 2 too for Black's turn: the loss is the mover's only.
    assert to_deepen(STEP, evaluations, played, white_first=True) == set()
