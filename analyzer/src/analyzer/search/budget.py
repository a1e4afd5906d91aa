"""How much searching a position is worth: a cheap pass over all, then more where a verdict is in doubt. Pure.

A verdict is in doubt where the loss of winning chance is near a threshold, as measured by the errors that its
two scores may have. Depth, and how much a score still moves, foretell those. A deeper look is taken where the
doubt is worth what it costs, at one price for each preset. docs/budgets.md shows how the figures here were
found, and what they buy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from analyzer.engine.request import Limit
from analyzer.evaluation import Evaluation
from analyzer.scores import Centipawns, winning_chance
from analyzer.verdicts import THRESHOLDS, Judgement, chance_lost

# The mean error of a position's winning chance c (-1..1), fitted by least squares to searches of 7 to 17
# plies against ones of 1,000,000 nodes: _CALM * (1 - c²), halved every _HALVED_BY plies from _CALM_DEPTH on,
# plus _OF_SWING of how far the score moved over its last iterations. 1 - c² is how steep the chance is there.
# How often the best move changed told nothing beyond that.
_CALM = 0.09
_CALM_DEPTH = 7
_HALVED_BY = 2.5
_OF_SWING = 0.4

# A verdict at a threshold is wrong in .55 of the cases, and in 1/e of them for each .15 expected errors that
# it is off. (It falls half as fast by docs/budgets.md. As steep as this, it chose better what to look at.)
_AT_THRESHOLD = 0.55
_FALLS_BY = 0.15
# A mistake is what players are shown; an inaccuracy more or less changes little.
_WEIGHTS = {Judgement.MISTAKE: 2.0}
# Wrong verdicts where only one side of a move is a mate, by the depth of the shallower search. Half as many
# are put right by two plies more as of the others.
_ONE_MATE = {7: 0.9, 9: 0.8, 11: 0.63, 13: 0.4}
_ONE_MATE_DEEPER = 0.3
_MATE_WEIGHT = 0.35


class Preset(Enum):
    FAST = "fast"
    STANDARD = "standard"
    DEEP = "deep"


@dataclass(frozen=True, slots=True)
class Pass:
    """A search of some positions. The first pass of a plan takes all; a later one both sides of every move
    whose `doubt` is at least `price` times the thousands of nodes spent on them so far.
    """

    limit: Limit
    price: float = 0.0


Plan = tuple[Pass, ...]

# What a search to a depth takes on average over the reference games: two plies more take about three times
# the nodes, so that each pass is cheap beside the next.
_TYPICAL_NODES = {
    7: 1_500, 9: 7_000, 11: 22_000, 13: 64_000, 15: 165_000, 17: 400_000, 19: 1_000_000,
}  # fmt: skip
_QUICK_DEPTH = 9  # at which scores err by .05 of winning chance on average
_CAP = 10  # times that no single position may take, lest it eat a game's budget


def _deepening(first: int, last: int, price: float) -> Plan:
    """All positions to depth `first`, then passes each two plies deeper."""
    return tuple(
        Pass(Limit(nodes=_CAP * _TYPICAL_NODES[depth], depth=depth), price if depth > first else 0.0)
        for depth in range(first, last + 1, 2)
    )


PRESETS: dict[Preset, Plan] = {
    Preset.FAST: _deepening(7, 15, 0.011),
    Preset.STANDARD: _deepening(11, 17, 0.0012),
    Preset.DEEP: _deepening(13, 19, 0.00006),
}

LEAST_NODES = 1_000  # below this Stockfish may stop before its first iteration, without any score


def plan(preset: Preset, nodes_per_position: int = 0) -> Plan:
    """The preset's passes, or one uniform pass where `nodes_per_position` is above 0."""
    if nodes_per_position > 0:
        return (Pass(Limit(nodes=max(nodes_per_position, LEAST_NODES))),)
    return PRESETS[preset]


def quick_look(steps: Plan) -> Limit:
    """What a second line is searched with at first: as the first pass does it, but no deeper than 9 plies.

    With the first pass of `standard`, second lines took a sixth as many nodes as all else.
    """
    limit = steps[0].limit
    if limit.depth is None or limit.depth <= _QUICK_DEPTH:
        return limit
    return Limit(nodes=_CAP * _TYPICAL_NODES[_QUICK_DEPTH], depth=_QUICK_DEPTH)


def expected_error(evaluation: Evaluation) -> float:
    """Of the winning chance, on its scale -1..1; 0 where nothing was searched."""
    if not evaluation.depth:
        return 0.0
    calm: float = _CALM * 0.5 ** ((evaluation.depth - _CALM_DEPTH) / _HALVED_BY)
    return calm * (1 - winning_chance(evaluation.score) ** 2) + _OF_SWING * evaluation.swing


def doubt(before: Evaluation, after: Evaluation, *, white: bool, first_choice: bool) -> float:
    """How likely the verdict on a move is wrong, 0..1; twice that where it may be a mistake or not one."""
    mates = [not isinstance(evaluation.score, Centipawns) for evaluation in (before, after)]
    if all(mates):
        return 0.0
    if any(mates):
        # The other side may hide it behind its horizon. Where the game is decided that is cheap to find out.
        shallower = min(before.depth or after.depth, after.depth or before.depth)
        return 0.0 if first_choice else _MATE_WEIGHT * _ONE_MATE.get(shallower, _ONE_MATE_DEEPER)
    lost = chance_lost(before.score, after.score, white=white)
    error = expected_error(before) + expected_error(after)
    if first_choice:
        # It loses nothing by definition; where the next score says otherwise, the choice is in doubt. Of the
        # others a deep search makes 1 in 100 an error.
        return _wrong(max(0.0, THRESHOLDS[-1][0] - lost), error)
    return max(
        _WEIGHTS.get(judgement, 1.0) * _wrong(abs(lost - least), error) for least, judgement in THRESHOLDS
    )


def _wrong(distance: float, error: float) -> float:
    """How often a verdict is, so far from a threshold, given the expected error of the loss."""
    if error == 0:
        return 0.0
    return _AT_THRESHOLD * math.exp(-distance / error / _FALLS_BY)


def to_deepen(
    step: Pass, evaluations: Sequence[Evaluation], played: Sequence[str], *, white_first: bool
) -> set[int]:
    """The positions, by index, on both sides of moves whose doubt is worth the price. `played` in UCI."""
    wanted: set[int] = set()
    for index, uci in enumerate(played):
        before, after = evaluations[index], evaluations[index + 1]
        white = (index % 2 == 0) == white_first
        found = doubt(before, after, white=white, first_choice=before.best == uci)
        if found and found >= step.price * (before.nodes + after.nodes) / 1000:
            wanted.update((index, index + 1))
    return wanted
