"""How a line mates."""

from __future__ import annotations

import chess

from analyzer.themes.line import Line

_OPEN = 1  # of the squares before a king on his back rank; three, or two in the corner


def is_back_rank_mate(line: Line) -> bool:
    """Ends in mate by a rook or queen along the king's back rank, his own men before him.

    One of the squares before him may be shut by the attacker's pieces instead.
    """
    board = line.boards[-1]
    if board.turn == line.attacker or not board.is_checkmate():
        return False
    king = board.king(board.turn)
    rank = chess.BB_RANK_1 if board.turn else chess.BB_RANK_8
    if king is None or not rank & chess.BB_SQUARES[king]:
        return False
    if not board.checkers_mask() & (board.rooks | board.queens) & rank:
        return False
    before_him = chess.BB_KING_ATTACKS[king] & ~rank
    return chess.popcount(before_him & ~board.occupied_co[board.turn]) <= _OPEN
