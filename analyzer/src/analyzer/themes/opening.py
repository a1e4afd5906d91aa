"""What beginners are told: develop, castle, take the center; no early queen, no piece twice, no edge pawn."""

from __future__ import annotations

import chess

from analyzer.themes.material import best_capture

_HOME = {
    chess.WHITE: chess.BB_B1 | chess.BB_C1 | chess.BB_F1 | chess.BB_G1,
    chess.BLACK: chess.BB_B8 | chess.BB_C8 | chess.BB_F8 | chess.BB_G8,
}
_CENTER = chess.BB_FILE_D | chess.BB_FILE_E
_EDGE = chess.BB_FILE_A | chess.BB_FILE_H
_EARLY = 3  # minor pieces at home, of four: too early for the queen


def breaks_principle(board: chess.Board, move: chess.Move, best: chess.Move) -> bool:
    """The best move develops, castles or takes the center; the move neglects all that without a reason.

    It moves the queen early, a piece that is out while another is at home, the king who could still castle,
    or a pawn of the edge. Reasons are to take, to give check, and to save something.
    """
    if not _develops(board, best) or _develops(board, move):
        return False
    if board.is_capture(move) or board.is_check() or board.gives_check(move):
        return False
    at_home = chess.popcount(_minors_at_home(board))
    match board.piece_type_at(move.from_square):
        case chess.QUEEN:
            neglects = at_home >= _EARLY
        case chess.KNIGHT | chess.BISHOP:
            neglects = at_home > 0
        case chess.KING:
            neglects = board.has_castling_rights(board.turn)
        case chess.PAWN:
            neglects = bool(chess.BB_SQUARES[move.from_square] & _EDGE)
        case _:
            neglects = False
    return neglects and best_capture(board, not board.turn) == 0


def _minors_at_home(board: chess.Board) -> chess.Bitboard:
    return (board.knights | board.bishops) & board.occupied_co[board.turn] & _HOME[board.turn]


def _develops(board: chess.Board, move: chess.Move) -> bool:
    origin = chess.BB_SQUARES[move.from_square]
    return board.is_castling(move) or bool(origin & (_minors_at_home(board) | board.pawns & _CENTER))
