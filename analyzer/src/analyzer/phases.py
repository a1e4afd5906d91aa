"""Opening, middlegame, endgame: where lichess divides a game (scalachess `Divider.scala`)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import chess


class Phase(Enum):
    OPENING = "opening"
    MIDDLEGAME = "middlegame"
    ENDGAME = "endgame"


_MIDDLEGAME_PIECES = 10  # majors and minors of both sides, at most
_ENDGAME_PIECES = 6
_SPARSE_BACK_RANK = 4  # fewer own pieces on the back rank: development is over
_MIXED = 150  # more mixedness than this: the armies have met

_REGIONS: tuple[tuple[int, int], ...] = tuple(
    (0x0303 << (x + 8 * y), y) for y in range(7) for x in range(7)
)  # every square of 2 × 2, with its lower rank, 0..6

# lichess's table: by pieces of White and Black in a square, then by its rank. Nothing for a camp at home,
# more for pieces far out, most for both colors side by side. Counts that are missing score nothing.
_SCORES: dict[tuple[int, int], tuple[int, ...]] = {
    (1, 0): (8, 7, 6, 5, 4, 3, 2),
    (2, 0): (0, 0, 3, 4, 5, 6, 7),
    (3, 0): (0, 4, 5, 6, 7, 8, 9),
    (4, 0): (0, 4, 5, 6, 7, 8, 9),
    (0, 1): (2, 3, 4, 5, 6, 7, 8),
    (1, 1): (7, 6, 5, 6, 7, 8, 9),
    (2, 1): (5, 6, 7, 8, 9, 10, 11),
    (3, 1): (6, 7, 8, 9, 10, 11, 12),
    (0, 2): (7, 6, 5, 4, 3, 0, 0),
    (1, 2): (9, 8, 7, 6, 5, 4, 3),
    (2, 2): (7, 7, 7, 7, 7, 7, 7),
    (0, 3): (9, 8, 7, 6, 5, 4, 0),
    (1, 3): (10, 9, 8, 7, 6, 5, 4),
    (0, 4): (9, 8, 7, 6, 5, 4, 0),
}


def divide(boards: Sequence[chess.Board]) -> tuple[int | None, int | None]:
    """The first positions of middlegame and endgame, by index; None where the game has none."""
    middle = next((ply for ply, board in enumerate(boards) if _is_middlegame(board)), None)
    if middle is None:
        return None, None
    end = next((ply for ply, board in enumerate(boards) if _pieces(board) <= _ENDGAME_PIECES), None)
    return (None if end is not None and end <= middle else middle), end


def phases(boards: Sequence[chess.Board]) -> list[Phase]:
    """The phase of each position."""
    middle, end = divide(boards)
    return [
        Phase.ENDGAME
        if end is not None and ply >= end
        else Phase.MIDDLEGAME
        if middle is not None and ply >= middle
        else Phase.OPENING
        for ply in range(len(boards))
    ]


def _is_middlegame(board: chess.Board) -> bool:
    return (
        _pieces(board) <= _MIDDLEGAME_PIECES
        or (board.occupied_co[chess.WHITE] & chess.BB_RANK_1).bit_count() < _SPARSE_BACK_RANK
        or (board.occupied_co[chess.BLACK] & chess.BB_RANK_8).bit_count() < _SPARSE_BACK_RANK
        or _mixedness(board) > _MIXED
    )


def _pieces(board: chess.Board) -> int:
    """Knights, bishops, rooks and queens of both sides."""
    return (board.occupied & ~(board.kings | board.pawns)).bit_count()


def _mixedness(board: chess.Board) -> int:
    white, black = board.occupied_co[chess.WHITE], board.occupied_co[chess.BLACK]
    return sum(
        scores[y]
        for region, y in _REGIONS
        if (scores := _SCORES.get(((white & region).bit_count(), (black & region).bit_count())))
    )
