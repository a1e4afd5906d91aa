"""How well verdicts agree with those of a reference: labels, F1 of "mistake or worse", error of win percent.

Both are judged by the same rules (`analyzer.verdicts.judge`), each from its own scores and its own first
choice: that is what a user is told.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analyzer.scores import Score, mover_chance, win_percent
from analyzer.verdicts import THRESHOLDS, Judgement, judge

_GRAVE = {Judgement.MISTAKE, Judgement.BLUNDER}
_RESAMPLES = 2000
_SEED = 1


@dataclass(frozen=True, slots=True)
class Judged:
    """One move: the scores before and after it, White's point of view, and whether it was the best."""

    before: Score
    after: Score
    white: bool
    first_choice: bool  # of the engine whose scores these are

    @property
    def label(self) -> Judgement:
        return judge(self.before, self.after, white=self.white, first_choice=self.first_choice)


Labels = Callable[[Judged], Judgement]


def by_rules(move: Judged) -> Judgement:
    """As users are told it."""
    return move.label


def by_chance(move: Judged) -> Judgement:
    """By the winning chance lost alone, a mate being ±1000 centipawns: without the rules for mates, which
    tell apart what is as good as won.
    """
    if move.first_choice:
        return Judgement.NONE
    lost = mover_chance(move.before, white=move.white) - mover_chance(move.after, white=move.white)
    return next((judgement for least, judgement in THRESHOLDS if lost >= least), Judgement.NONE)


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one game or several. `error`: summed over positions, in win percent."""

    moves: int = 0
    equal: int = 0
    both: int = 0  # mistake or worse in both
    one: int = 0  # in one only
    positions: int = 0
    error: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.moves + other.moves,
            self.equal + other.equal,
            self.both + other.both,
            self.one + other.one,
            self.positions + other.positions,
            self.error + other.error,
        )

    @property
    def f1(self) -> float:
        found = 2 * self.both + self.one
        return 2 * self.both / found if found else 1.0

    @property
    def share(self) -> float:
        """Of moves with the same label."""
        return self.equal / self.moves

    @property
    def mean_error(self) -> float:
        return self.error / self.positions


@dataclass(frozen=True, slots=True)
class Interval:
    """The middle 95 % over resampled games."""

    low: float
    high: float


def compare(found: Sequence[Judged], reference: Sequence[Judged], labels: Labels = by_rules) -> Counts:
    """One game. Raises ValueError where the two are not of the same game."""
    counts = Counts()
    for mine, theirs in zip(found, reference, strict=True):
        label, true = labels(mine), labels(theirs)
        grave = label in _GRAVE, true in _GRAVE
        error = abs(win_percent(mine.before) - win_percent(theirs.before))
        counts += Counts(1, label is true, all(grave), grave[0] != grave[1], 1, error)
    last = abs(win_percent(found[-1].after) - win_percent(reference[-1].after))
    return counts + Counts(positions=1, error=last)


def total(games: Sequence[Counts]) -> Counts:
    return sum(games, Counts())


def intervals(games: Sequence[Counts]) -> tuple[Interval, Interval]:
    """Of F1 and of the share of equal labels: whole games are drawn, since the moves of one hang together."""
    draw = random.Random(_SEED)
    samples = [total(draw.choices(games, k=len(games))) for _ in range(_RESAMPLES)]
    return _middle([sample.f1 for sample in samples]), _middle([sample.share for sample in samples])


def _middle(values: list[float]) -> Interval:
    ordered = sorted(values)
    return Interval(ordered[round(0.025 * len(ordered))], ordered[round(0.975 * len(ordered)) - 1])
