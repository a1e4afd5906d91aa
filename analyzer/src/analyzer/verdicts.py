"""The verdict on a move: inaccuracy, mistake, blunder; or best, great, brilliant; or nothing to say.

The rules for errors are lichess's (lila `Advice.scala`). lichess has none for praise: ours ask what the
engine's second choice would have cost.
"""

from __future__ import annotations

from enum import Enum

from analyzer.scores import Centipawns, Checkmate, MateIn, Score, unheld_chance, winning_chance


class Judgement(Enum):
    NONE = "none"
    INACCURACY = "inaccuracy"
    MISTAKE = "mistake"
    BLUNDER = "blunder"
    BEST = "best"
    GREAT = "great"
    BRILLIANT = "brilliant"


# Winning chance lost, on the scale -1..1, from which a verdict is passed.
THRESHOLDS: tuple[tuple[float, Judgement], ...] = (
    (0.3, Judgement.BLUNDER),
    (0.2, Judgement.MISTAKE),
    (0.1, Judgement.INACCURACY),
)
ERRORS = frozenset(judgement for _, judgement in THRESHOLDS)
# Winning chance that the second choice must lose for the first to be the only move that holds: a mistake's.
GREAT_LOSS = 0.2
# Centipawns, the mover's, on the other side of a mate: beyond the first it decided little, beyond the second
# nothing.
_MATE_LITTLE = 700
_MATE_NOTHING = 999


def judge(before: Score, after: Score, *, white: bool, first_choice: bool) -> Judgement:
    """The verdict on a move of White's (`white`) or Black's from the scores before and after it.

    `first_choice`: it is the engine's first choice, and so never an error. A slower mate is no error either.
    """
    if first_choice:
        return Judgement.NONE
    mate_before, mate_after = _mate(before, white=white), _mate(after, white=white)
    if mate_before == 0 and mate_after == 0:
        return _by_chance(chance_lost(before, after, white=white))
    if mate_before == 0 and mate_after < 0:
        return _by_mate(-_centipawns(before, white=white))  # a mate walked into
    if mate_before > 0 and mate_after <= 0:
        return _by_mate(_centipawns(after, white=white))  # a mate given away
    return Judgement.NONE


def is_only_move(best: Score, second: Score, *, white: bool) -> bool:
    """Whether the engine's first choice is the only move that holds.

    `best`, `second`: the scores of the position under best play, and without the best move. Mates count as
    ±1000 centipawns, as in `chance_lost`: of two ways to win, or to lose, none is the only one.
    """
    return chance_lost(best, second, white=white) >= GREAT_LOSS


def chance_lost(before: Score, after: Score, *, white: bool) -> float:
    """Winning chance that the mover lost, -2..2; below 0 is a gain.

    As in lichess's verdicts, and unlike win percent and accuracy, centipawns are not held to ±1000: from +16
    back to +7 is an inaccuracy. A mate counts as ±1000.
    """
    lost = _chance(before) - _chance(after)
    return lost if white else -lost


def _chance(score: Score) -> float:
    return unheld_chance(score.value) if isinstance(score, Centipawns) else winning_chance(score)


def _by_chance(lost: float) -> Judgement:
    return next((judgement for least, judgement in THRESHOLDS if lost >= least), Judgement.NONE)


def _by_mate(beyond: int) -> Judgement:
    if beyond > _MATE_NOTHING:
        return Judgement.INACCURACY
    if beyond > _MATE_LITTLE:
        return Judgement.MISTAKE
    return Judgement.BLUNDER


def _mate(score: Score, *, white: bool) -> int:
    """1 where the mover mates or has mated, -1 where the other side does, 0 where nobody does."""
    match score:
        case MateIn(moves):
            return 1 if (moves > 0) == white else -1
        case Checkmate(white_wins):
            return 1 if white_wins == white else -1
        case Centipawns():
            return 0


def _centipawns(score: Score, *, white: bool) -> int:
    """The mover's, not held; 0 where the score is a mate."""
    match score:
        case Centipawns(value):
            return value if white else -value
        case _:
            return 0
