"""How much searching a position is worth: a cheap pass over all, then more where it may put a verdict right.

A verdict may be wrong where the loss of winning chance is near a threshold, as measured by the errors that
its two scores may have. Depth, and how much a score still moves, foretell those. A deeper look is taken where
what it is likely to put right is worth what it costs, at one price for each preset. Pure. docs/budgets.md
shows how the figures here were found, and what they buy.
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

# How often two plies more put a verdict right, for a loss just above a threshold and just below one. Most
# moves lose little, so a loss that shows is more often too large than too small: the errors that a search
# finds are to be confirmed, those that it misses it would mostly miss again. That wears off as scores get
# better: `deep` looks on both sides alike.
_ABOVE = 0.3
_BELOW = 0.09
# In 1/e of the cases for each so many expected errors that the loss is off the threshold.
_ABOVE_FALLS_BY = 0.8
_BELOW_FALLS_BY = 0.2
# The same where only one side of a move is a mate, by the chance that it loses: below an inaccuracy, where
# the rules for mates decide, the other side mostly hides the same mate. Above a blunder they change nothing.
_ONE_MATE = ((THRESHOLDS[-1][0], 0.45), (THRESHOLDS[0][0], 0.06))
# A mistake is what players are shown; an inaccuracy more or less changes little.
_WEIGHTS = {Judgement.MISTAKE: 2.0}
# Of a move's two positions one that errs by less than this share of what the other may is left as it is.
_SMALL_SHARE = 1 / 3


class Preset(Enum):
    FAST = "fast"
    STANDARD = "standard"
    DEEP = "deep"


@dataclass(frozen=True, slots=True)
class Pass:
    """A search of some positions. The first pass of a plan takes all; a later one both sides of every move
    whose `gain` is at least `price` times the thousands of nodes spent on them so far, but for sides that
    err little beside the other. `below`: how often that puts a verdict right just below a threshold.
    """

    limit: Limit
    price: float = 0.0
    below: float = _BELOW


Plan = tuple[Pass, ...]

# What a search to a depth takes on average over the reference games: two plies more take about three times
# the nodes, so that each pass is cheap beside the next.
_TYPICAL_NODES = {
    7: 1_500, 9: 7_000, 11: 22_000, 13: 64_000, 15: 165_000, 17: 400_000, 19: 1_000_000,
}  # fmt: skip
_QUICK_DEPTH = 9  # at which scores err by .05 of winning chance on average
_CAP = 10  # times that no single position may take, lest it eat a game's budget


def _deepening(first: int, last: int, price: float, below: float = _BELOW) -> Plan:
    """All positions to depth `first`, then passes each two plies deeper."""
    return tuple(
        Pass(Limit(nodes=_CAP * _TYPICAL_NODES[depth], depth=depth), price if depth > first else 0.0, below)
        for depth in range(first, last + 1, 2)
    )


PRESETS: dict[Preset, Plan] = {
    Preset.FAST: _deepening(7, 15, 0.0078),
    Preset.STANDARD: _deepening(11, 17, 0.0011),
    Preset.DEEP: _deepening(13, 19, 0.00018, below=_ABOVE),
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


def gain(
    before: Evaluation, after: Evaluation, *, white: bool, first_choice: bool, below: float = _BELOW
) -> float:
    """How likely two plies more put the verdict on a move right, 0..1; twice that where it may be a mistake.

    A first choice loses nothing by definition, and a deeper search makes 1 in 100 an error.
    """
    mates = _mates(before, after)
    if first_choice or mates == 2:
        return 0.0
    lost = chance_lost(before.score, after.score, white=white)
    if mates:
        return next((found for up_to, found in _ONE_MATE if lost < up_to), 0.0)
    error = expected_error(before) + expected_error(after)
    if error == 0:
        return 0.0
    return max(
        _WEIGHTS.get(judgement, 1.0) * _put_right((lost - least) / error, below)
        for least, judgement in THRESHOLDS
    )


def _put_right(distance: float, below: float) -> float:
    """`distance`: of a loss above a threshold, in expected errors."""
    if distance >= 0:
        return _ABOVE * math.exp(-distance / _ABOVE_FALLS_BY)
    return below * math.exp(distance / _BELOW_FALLS_BY)


def _mates(before: Evaluation, after: Evaluation) -> int:
    """How many of the two scores are mates."""
    return sum(not isinstance(evaluation.score, Centipawns) for evaluation in (before, after))


def to_deepen(
    step: Pass, evaluations: Sequence[Evaluation], played: Sequence[str], *, white_first: bool
) -> set[int]:
    """The positions, by index, beside moves where a deeper look is worth the price. `played` in UCI."""
    wanted: set[int] = set()
    for index, uci in enumerate(played):
        before, after = evaluations[index], evaluations[index + 1]
        white = (index % 2 == 0) == white_first
        found = gain(before, after, white=white, first_choice=before.best == uci, below=step.below)
        if found and found >= step.price * (before.nodes + after.nodes) / 1000:
            wanted.update(index + side for side in _sides(before, after))
    return wanted


def _sides(before: Evaluation, after: Evaluation) -> list[int]:
    """Which of a move's positions to deepen: 0 that before it, 1 that after it."""
    if _mates(before, after):
        return [0, 1]
    errors = expected_error(before), expected_error(after)
    return [side for side, error in enumerate(errors) if error >= _SMALL_SHARE * max(errors)]
