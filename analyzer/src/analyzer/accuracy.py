"""Accuracy of moves and games, and average centipawn loss, as lichess has them.

Sources: lila `AccuracyPercent.scala`, `AccuracyCP.scala`, scalalib `Maths.scala`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analyzer.scores import Centipawns, Checkmate, Score, held_centipawns, win_percent

INITIAL = Centipawns(15)  # lichess's score of every game's first position

# lichess fitted a * exp(-k * x) + b to points it chose: losing nothing is 100, 40 points of win percent 20.
_A, _K, _B = 103.1668100711649, 0.04354415386753951, -3.166924740191411
_UNCERTAINTY_BONUS = 1  # the analysis is not perfect either


@dataclass(frozen=True, slots=True)
class SideFigures:
    """One side's play over a game: accuracy 0..100, average loss in centipawns, at least 0."""

    accuracy: float
    average_centipawn_loss: float


def move_accuracy(before: float, after: float) -> float:
    """0..100 from the mover's win percent before and after the move."""
    if after >= before:
        return 100.0
    raw = _A * math.exp(-_K * (before - after)) + _B + _UNCERTAINTY_BONUS
    return max(0.0, min(100.0, raw))


def game_figures(
    scores_after: Sequence[Score], *, white_first: bool
) -> tuple[SideFigures | None, SideFigures | None]:
    """White's and Black's figures from the score after each ply; None for a side without a counted move.

    As on lichess the first move is measured from +15, and a move that mates is not counted (it has no score)
    unless it is the side's only one.
    """
    counted = list(scores_after)
    if len(counted) > 2 and isinstance(counted[-1], Checkmate):
        counted.pop()
    scores: list[Score] = [INITIAL, *counted]
    percents = [win_percent(score) for score in scores]
    weights = _volatilities(percents)
    sides: dict[bool, list[tuple[float, float, float]]] = {True: [], False: []}
    for ply, weight in enumerate(weights):
        white = (ply % 2 == 0) == white_first
        sign = 1 if white else -1
        before, after = percents[ply], percents[ply + 1]
        # Losing is White's percent falling, or for Black rising.
        accuracy = move_accuracy(sign * before, sign * after)
        lost = sign * (held_centipawns(scores[ply]) - held_centipawns(scores[ply + 1]))
        sides[white].append((accuracy, weight, max(0, lost)))
    return _figures(sides[True]), _figures(sides[False])


def _figures(moves: Sequence[tuple[float, float, float]]) -> SideFigures | None:
    """From each move's accuracy, weight and centipawns lost."""
    if not moves:
        return None
    weighted = sum(accuracy * weight for accuracy, weight, _ in moves) / sum(weight for _, weight, _ in moves)
    harmonic = len(moves) / sum(1 / max(1.0, accuracy) for accuracy, _, _ in moves)
    return SideFigures(
        accuracy=(weighted + harmonic) / 2,
        average_centipawn_loss=sum(lost for _, _, lost in moves) / len(moves),
    )


def _volatilities(percents: Sequence[float]) -> list[float]:
    """A weight for each move: the standard deviation of win percent in its window, held to 0.5..12.

    The first moves share the first window, so that there is one for each move.
    """
    plies = len(percents) - 1
    window = max(2, min(8, plies // 10))
    starts = [0] * (window - 2) + list(range(plies + 2 - window))
    return [max(0.5, min(12.0, _deviation(percents[start : start + window]))) for start in starts[:plies]]


def _deviation(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
