"""How much searching a position is worth: a cheap pass over all, then more where a verdict is in doubt. Pure.

A verdict is in doubt where the loss of winning chance is near a threshold, as measured by the errors that its
two scores may have. Depth, and how much a score still moves, foretell those. docs/budgets.md shows how the
figures here were found, and what they buy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import count

from analyzer.engine.request import Limit
from analyzer.evaluation import Evaluation
from analyzer.scores import Centipawns, winning_chance
from analyzer.verdicts import THRESHOLDS, chance_lost

# The mean error of a position's winning chance c (-1..1), fitted by least squares to searches of 7 to 17
# plies against ones of 1,000,000 nodes: _CALM * (1 - c²), halved every _HALVED_BY plies from _CALM_DEPTH on,
# plus _OF_SWING of how far the score moved over its last iterations. 1 - c² is how steep the chance is there.
# How often the best move changed told nothing beyond that.
_CALM = 0.09
_CALM_DEPTH = 7
_HALVED_BY = 2.5
_OF_SWING = 0.4


class Preset(Enum):
    FAST = "fast"
    STANDARD = "standard"
    DEEP = "deep"


@dataclass(frozen=True, slots=True)
class Pass:
    """A search of some positions. The first pass of a plan takes all; a later one both sides of every move
    whose loss of winning chance is within `doubt` times the expected errors of its scores from a threshold.
    """

    limit: Limit
    doubt: float = 0.0


Plan = tuple[Pass, ...]

# What a search to a depth takes on average over the reference games: two plies more take about three times
# the nodes, so that each pass is cheap beside the next.
_TYPICAL_NODES = {
    7: 1_500, 9: 7_000, 11: 22_000, 13: 64_000, 15: 165_000, 17: 400_000, 19: 1_000_000,
}  # fmt: skip
_QUICK_DEPTH = 9  # at which scores err by .05 of winning chance on average
_CAP = 10  # times that no single position may take, lest it eat a game's budget


def _deepening(first: int, *doubts: float) -> Plan:
    """All positions to depth `first`, then one more pass for each of the doubts, each two plies deeper."""
    return tuple(
        Pass(Limit(nodes=_CAP * _TYPICAL_NODES[depth], depth=depth), doubt)
        for depth, doubt in zip(count(first, 2), (0.0, *doubts), strict=False)
    )


# The doubt that pays: of verdicts within .2 expected errors of a threshold half are wrong, within .4 a third,
# within .8 a tenth, whatever the depth. Two plies more put a third of the wrong ones right at three times the
# nodes, so the deeper a pass, the nearer to the threshold a move must be to be worth it.
PRESETS: dict[Preset, Plan] = {
    Preset.FAST: _deepening(7, 0.3, 0.15, 0.1),
    Preset.STANDARD: _deepening(11, 0.4, 0.2),
    Preset.DEEP: _deepening(13, 1.0, 0.7, 0.5),
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


def doubtful(step: Pass, before: Evaluation, after: Evaluation, *, white: bool, first_choice: bool) -> bool:
    """Whether the verdict on a move may change when both its positions are searched deeper."""
    mates = [not isinstance(evaluation.score, Centipawns) for evaluation in (before, after)]
    if all(mates):
        return False
    if any(mates):
        return not first_choice  # a mate found on one side only: the other may hide it behind its horizon
    lost = chance_lost(before.score, after.score, white=white)
    near = step.doubt * (expected_error(before) + expected_error(after))
    if first_choice:
        # It loses nothing by definition; where the next score says otherwise, the choice is in doubt. Of the
        # others a deep search makes 1 in 100 an error.
        return lost > THRESHOLDS[-1][0] - near
    return min(abs(lost - threshold) for threshold, _ in THRESHOLDS) <= near


def to_deepen(
    step: Pass, evaluations: Sequence[Evaluation], played: Sequence[str], *, white_first: bool
) -> set[int]:
    """The positions, by index, on both sides of every doubtful move. `played` in UCI."""
    wanted: set[int] = set()
    for index, uci in enumerate(played):
        before, after = evaluations[index], evaluations[index + 1]
        white = (index % 2 == 0) == white_first
        if doubtful(step, before, after, white=white, first_choice=before.best == uci):
            wanted.update((index, index + 1))
    return wanted
