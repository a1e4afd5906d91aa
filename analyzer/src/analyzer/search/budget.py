"""How much searching a position is worth: a cheap pass over all, then more where a verdict is in doubt. Pure.

The presets come from a measurement over 16 real games (1,228 plies) against a search of 1,000,000 nodes a
position, Stockfish 15.1, where a depth limit spent nodes better than an equal share of nodes did, and where
searching again on both sides of a doubtful move paid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from analyzer.engine.request import Limit
from analyzer.evaluation import Evaluation
from analyzer.scores import Centipawns
from analyzer.verdicts import THRESHOLDS, chance_lost

# Losing less winning chance than this is no candidate for a verdict: the least threshold is .1.
_LEAST_LOSS = 0.04


class Preset(Enum):
    FAST = "fast"
    STANDARD = "standard"
    DEEP = "deep"


@dataclass(frozen=True, slots=True)
class Pass:
    """A search of some positions. The first pass of a plan takes all; a later one both sides of every move
    whose loss of winning chance is within `margin` of a threshold, widened by `swing_weight` times how much
    the two scores moved over the last iterations.
    """

    limit: Limit
    margin: float = 0.0
    swing_weight: float = 0.0


Plan = tuple[Pass, ...]

# The nodes cap a depth at about ten times what it takes on average, so that no single position eats a game's
# budget: depth 8 takes about 4,000 nodes, 9 6,000, 11 20,000, 12 35,000, 13 60,000, 15 150,000.
PRESETS: dict[Preset, Plan] = {
    Preset.FAST: (
        Pass(Limit(depth=8, nodes=40_000)),
        Pass(Limit(depth=11, nodes=200_000), margin=0.03, swing_weight=0.25),
    ),
    Preset.STANDARD: (
        Pass(Limit(depth=9, nodes=60_000)),
        Pass(Limit(depth=13, nodes=600_000), margin=0.05, swing_weight=0.5),
    ),
    Preset.DEEP: (
        Pass(Limit(depth=8, nodes=40_000)),
        Pass(Limit(depth=12, nodes=350_000), margin=0.1, swing_weight=0.5),
        Pass(Limit(depth=15, nodes=1_500_000), margin=0.05, swing_weight=0.5),
    ),
}

LEAST_NODES = 1_000  # below this Stockfish may stop before its first iteration, without any score


def plan(preset: Preset, nodes_per_position: int = 0) -> Plan:
    """The preset's passes, or one uniform pass where `nodes_per_position` is above 0."""
    if nodes_per_position > 0:
        return (Pass(Limit(nodes=max(nodes_per_position, LEAST_NODES))),)
    return PRESETS[preset]


def doubtful(step: Pass, before: Evaluation, after: Evaluation, *, white: bool, first_choice: bool) -> bool:
    """Whether the verdict on a move may change when both its positions are searched deeper."""
    mates = [not isinstance(evaluation.score, Centipawns) for evaluation in (before, after)]
    if all(mates):
        return False
    if any(mates):
        return not first_choice  # a mate found on one side only: the other may hide it behind its horizon
    lost = chance_lost(before.score, after.score, white=white)
    margin = step.margin + step.swing_weight * (before.swing + after.swing)
    if first_choice:
        # It loses nothing by definition; where the next score says otherwise, the choice is in doubt.
        return lost > THRESHOLDS[-1][0] - margin
    return lost > _LEAST_LOSS and min(abs(lost - threshold) for threshold, _ in THRESHOLDS) <= margin


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
