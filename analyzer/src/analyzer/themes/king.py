"""Moves that open the mover's own king to an attack."""

from __future__ import annotations

import chess

from analyzer.themes.line import Line
from analyzer.themes.material import sliders

_ATTACK = 2  # of the first three moves that give check or take beside the king


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
            opened = _shelters(move.from_square, king, mover) or _opens_line(reply, king, move.from_square)
        case _:
            opened = False
    return opened and _attacks(reply, mover) >= _ATTACK


def _shelters(pawn: chess.Square, king: chess.Square, side: chess.Color) -> bool:
    """Whether a pawn stands on one of the two ranks before the king, on his file or beside it.

    Before a king in the center only the f-pawn shelters: the others have to go.
    """
    ahead = chess.square_rank(pawn) - chess.square_rank(king)
    beside = abs(chess.square_file(pawn) - chess.square_file(king))
    in_center = chess.BB_SQUARES[king] & (chess.BB_FILE_D | chess.BB_FILE_E)
    may_go = in_center and chess.square_file(pawn) != chess.square_file(chess.F2)
    return (ahead if side else -ahead) in (1, 2) and beside <= 1 and not may_go


def _opens_line(reply: Line, king: chess.Square, left: chess.Square) -> bool:
    """Whether the first move gives a check through the square that was left."""
    board = reply.boards[1]
    checkers = board.checkers_mask() & sliders(board, reply.attacker)
    return any(
        chess.between(checker, king) & chess.BB_SQUARES[left] for checker in chess.scan_forward(checkers)
    )


def _attacks(reply: Line, side: chess.Color) -> int:
    count = 0
    for ply in range(0, min(len(reply.moves), 5), 2):
        king = reply.boards[ply + 1].king(side)
        beside = king is not None and chess.square_distance(king, reply.moves[ply].to_square) <= 1
        takes_beside = beside and reply.boards[ply].is_capture(reply.moves[ply])
        count += reply.boards[ply + 1].is_check() or takes_beside
    return _ATTACK if reply.boards[-1].is_checkmate() else count
