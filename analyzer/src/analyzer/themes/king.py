"""Moves that open the mover's own king to an attack."""

from __future__ import annotations

import chess

from analyzer.themes.line import Line

_ATTACK = 2  # checks


def opens_king(board: chess.Board, move: chess.Move, reply: Line) -> bool:
    """A pawn leaves its king's shelter, or the king his, and the opponent, with a queen, goes for him.

    `board`: before the move; `reply`: the line after it, the opponent first.
    """
    mover = board.turn
    after = reply.boards[0]
    king = after.king(mover)
    if king is None or not reply.moves or not after.pieces_mask(chess.QUEEN, not mover):
        return False
    match board.piece_type_at(move.from_square):
        case chess.KING:
            opened = not board.is_check() and not board.is_castling(move)
        case chess.PAWN:
            opened = _shelters(move.from_square, king, mover)
        case _:
            opened = False
    return opened and _checks(reply) >= _ATTACK


def _shelters(pawn: chess.Square, king: chess.Square, side: chess.Color) -> bool:
    """Whether a pawn stands on one of the two ranks before the king, on his file or beside it.

    Before a king in the center only the f-pawn shelters: the others have to go.
    """
    ahead = chess.square_rank(pawn) - chess.square_rank(king)
    beside = abs(chess.square_file(pawn) - chess.square_file(king))
    in_center = chess.BB_SQUARES[king] & (chess.BB_FILE_D | chess.BB_FILE_E)
    may_go = in_center and chess.square_file(pawn) != chess.square_file(chess.F2)
    return (ahead if side else -ahead) in (1, 2) and beside <= 1 and not may_go


def _checks(reply: Line) -> int:
    """How many of the attacker's first three moves give check; mate is enough."""
    if reply.boards[-1].is_checkmate():
        return _ATTACK
    return sum(board.is_check() for board in reply.boards[1:6:2])
