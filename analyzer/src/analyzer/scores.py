"""What a position is worth, and what that means for winning.

Scores are from White's point of view throughout; `mover` figures are from the side's that made the move.
Formulas as lichess defines them (scalachess `eval.scala`, lila pull request 11148).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

CEILING = 1000  # centipawns beyond which more is no more: what lichess calls Cp.CEILING
_FLAT = 100_000  # centipawns beyond which the chance is 1 to the last bit, and exp may overflow
_STEEPNESS = 0.00368208  # fitted by lichess to 75,000 rapid games of players rated 2300


@dataclass(frozen=True, slots=True)
class Centipawns:
    """Hundredths of a pawn; above 0 is good for White. A drawn end is 0."""

    value: int


@dataclass(frozen=True, slots=True)
class MateIn:
    """Moves (not plies) to mate: above 0 White mates, below 0 Black does. Never 0."""

    moves: int

    def __post_init__(self) -> None:
        if self.moves == 0:
            raise ValueError("a mate in 0 stands on the board: use Checkmate")


@dataclass(frozen=True, slots=True)
class Checkmate:
    """Mate stands on the board."""

    white_wins: bool


Score = Centipawns | MateIn | Checkmate


def held_centipawns(score: Score) -> int:
    """Centipawns held to ±1000; a mate counts as ±1000."""
    match score:
        case Centipawns(value):
            return max(-CEILING, min(CEILING, value))
        case MateIn(moves):
            return CEILING if moves > 0 else -CEILING
        case Checkmate(white_wins):
            return CEILING if white_wins else -CEILING


def winning_chance(score: Score) -> float:
    """White's winning chance, -1..1, of the score held to ±1000 centipawns."""
    return unheld_chance(held_centipawns(score))


def unheld_chance(centipawns: int) -> float:
    """White's winning chance, -1..1, of any centipawns."""
    return 2 / (1 + math.exp(-_STEEPNESS * max(-_FLAT, min(_FLAT, centipawns)))) - 1


def win_percent(score: Score) -> float:
    """White's win percent, 0..100."""
    return 50 + 50 * winning_chance(score)


def mover_chance(score: Score, *, white: bool) -> float:
    """Winning chance of the side that moved, -1..1."""
    return winning_chance(score) if white else -winning_chance(score)


def mover_win_percent(score: Score, *, white: bool) -> float:
    """Win percent of the side that moved, 0..100."""
    return 50 + 50 * mover_chance(score, white=white)


def flipped(score: Score) -> Score:
    """The same score with the colors exchanged."""
    match score:
        case Centipawns(value):
            return Centipawns(-value)
        case MateIn(moves):
            return MateIn(-moves)
        case Checkmate(white_wins):
            return Checkmate(not white_wins)


def before_only_move(after: Score, *, white: bool) -> Score:
    """The score of a position with one legal move, from the score after that move.

    Exact: best play is that move. A mate by the mover takes one move more; one by the other side does not.
    """
    match after:
        case Centipawns():
            return after
        case MateIn(moves):
            return MateIn(moves + (1 if white else -1)) if (moves > 0) == white else after
        case Checkmate(white_wins):
            return MateIn(1 if white_wins else -1)
