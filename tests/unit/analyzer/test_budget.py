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
    expected_error,
    gain,
    plan,
    quick_look,
    to_deepen,
)

STEP = Pass(Limit(depth=13, nodes=1), price=0.01)


def at(
    score: Score, best: str = "e2e4", swing: float = 0.0, depth: int = 12, nodes: int = 1000
) -> Evaluation:
    return Evaluation(score, (best,), Source.SEARCHED, depth=depth, nodes=nodes, swing=swing)


def after_quiet_start(score: Score, *, swing: float = 0.0, depth: int = 12) -> float:
    """What is to be gained at White's move from a level position."""
    start = at(Centipawns(0), depth=depth)
    return gain(start, at(score, swing=swing, depth=depth), white=True, first_choice=False)


def test_limits_are_depth_and_nodes() -> None:
    assert Limit(nodes=5000, depth=12).go == "go depth 12 nodes 5000"
    assert Limit(nodes=5000).go == "go nodes 5000"


def test_plans() -> None:
    assert plan(Preset.FAST) == PRESETS[Preset.FAST]
    assert plan(Preset.DEEP, 50_000) == (Pass(Limit(nodes=50_000)),)
    assert plan(Preset.FAST, 1) == (Pass(Limit(nodes=LEAST_NODES)),)


@pytest.mark.parametrize("preset", Preset)
def test_later_passes_look_deeper_at_one_price(preset: Preset) -> None:
    first, *later = PRESETS[preset]
    depths = [step.limit.depth or 0 for step in PRESETS[preset]]
    assert depths == sorted(set(depths))
    assert first.price == 0
    assert len({step.price for step in later}) == 1
    assert all(step.price > 0 for step in later)


def test_presets_rise() -> None:
    first = [PRESETS[preset][0].limit.nodes for preset in Preset]
    last = [PRESETS[preset][-1].limit.nodes for preset in Preset]
    assert first == sorted(set(first))
    assert last == sorted(set(last))
    prices = [PRESETS[preset][-1].price for preset in Preset]
    assert prices == sorted(set(prices), reverse=True)


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


@pytest.mark.parametrize("cp", [-55, -168])  # loses .1 and .3: an inaccuracy or not, a blunder or not
@pytest.mark.parametrize("towards", [1, -1])
def test_it_falls_with_the_distance_from_a_threshold(cp: int, towards: int) -> None:
    gains = [after_quiet_start(Centipawns(cp + towards * step), depth=15) for step in (1, 4, 8)]
    assert gains[0] > 0.05
    assert gains == sorted(set(gains), reverse=True)
    assert gains[-1] < gains[0] / 2


def test_an_error_is_confirmed_rather_than_looked_for() -> None:
    just_none, just_one = (after_quiet_start(Centipawns(cp)) for cp in (-54, -55))
    assert just_one > 3 * just_none > 0


def test_deep_looks_for_them_too() -> None:
    just_none = [at(Centipawns(cp), "a1a2") for cp in (0, -54)]

    def wanted(preset: Preset) -> set[int]:
        step = Pass(STEP.limit, price=0.1, below=PRESETS[preset][-1].below)
        return to_deepen(step, just_none, ["b1b2"], white_first=True)

    assert wanted(Preset.STANDARD) == set()
    assert wanted(Preset.DEEP) == {0, 1}


def test_a_mistake_or_not_matters_twice() -> None:
    inaccuracy, mistake = (after_quiet_start(Centipawns(cp), depth=7) for cp in (-55, -111))
    assert mistake == pytest.approx(2 * inaccuracy, rel=0.2)


def test_nothing_is_gained_at_a_good_move_and_a_plain_blunder() -> None:
    assert after_quiet_start(Centipawns(80)) < 1e-6
    assert after_quiet_start(Centipawns(-600)) < 1e-6


def test_colors_are_alike() -> None:
    before, after = at(Centipawns(30)), at(Centipawns(-40))
    flipped = at(Centipawns(-30)), at(Centipawns(40))
    assert gain(before, after, white=True, first_choice=False) == pytest.approx(
        gain(*flipped, white=False, first_choice=False)
    )


def test_a_score_that_still_moves_widens_it() -> None:
    assert after_quiet_start(Centipawns(-30), swing=0.2) > 2 * after_quiet_start(Centipawns(-30))


def test_a_deeper_search_narrows_it() -> None:
    assert after_quiet_start(Centipawns(-80), depth=8) > 2 * after_quiet_start(Centipawns(-80), depth=12)


@pytest.mark.parametrize("cp", [-300, -60, 0])
def test_a_first_choice_is_left_alone(cp: int) -> None:
    assert gain(at(Centipawns(0)), at(Centipawns(cp)), white=True, first_choice=True) == 0


@pytest.mark.parametrize(
    ("before", "after", "first_choice", "expected"),
    [
        (MateIn(2), MateIn(4), False, 0.0),
        (MateIn(1), Checkmate(white_wins=True), True, 0.0),
        (Centipawns(-500), MateIn(-4), False, 0.06),
        (Centipawns(-900), MateIn(-4), False, 0.45),  # lost either way: walked into, or there before?
        (Centipawns(0), MateIn(-4), False, 0.0),  # a blunder whatever a deeper look finds
        (MateIn(5), Centipawns(950), False, 0.45),
        (Centipawns(900), MateIn(3), True, 0.0),
    ],
)
def test_mates(before: Score, after: Score, first_choice: bool, expected: float) -> None:
    assert gain(at(before), at(after), white=True, first_choice=first_choice) == expected


def test_a_score_that_errs_little_beside_the_other_is_left_as_it_is() -> None:
    def wanted(*swings: float) -> set[int]:
        before, after = (
            at(Centipawns(cp), "a1a2", swing=swing) for cp, swing in zip((0, -112), swings, strict=True)
        )
        return to_deepen(STEP, [before, after], ["b1b2"], white_first=True)

    assert wanted(0.02, 0.02) == {0, 1}
    assert wanted(0.3, 0.0) == {0}
    assert wanted(0.0, 0.3) == {1}


def test_both_sides_of_a_move_in_doubt_are_deepened() -> None:
    scores = [0, 0, -112, -112, 300]
    evaluations = [at(Centipawns(cp), "a1a2") for cp in scores]
    played = ["b1b2"] * 4
    assert to_deepen(STEP, evaluations, played, white_first=False) == {1, 2}
    # As White's moves they lose at 1 → 2 too for Black's turn: the loss is the mover's only.
    assert to_deepen(STEP, evaluations, played, white_first=True) == set()


def test_what_has_cost_much_already_is_not_deepened() -> None:
    def wanted(nodes: int) -> set[int]:
        evaluations = [at(Centipawns(cp), "a1a2", nodes=nodes) for cp in (0, -110)]
        return to_deepen(STEP, evaluations, ["b1b2"], white_first=True)

    assert wanted(1_000) == {0, 1}
    assert wanted(100_000) == set()
