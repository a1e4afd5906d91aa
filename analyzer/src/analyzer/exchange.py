"""Material on the board: what captures on one square come to, and whether a move gives material up. Pure."""

from __future__ import annotations

import chess

# In pawns. The king is worth more than all else, so that he takes last.
VALUES: dict[chess.PieceType, int] = {
    chess.PAWN: 1,
    chess.KNIGHT: 3,
    chess.BISHOP: 3,
    chess.ROOK: 5,
    chess.QUEEN: 9,
    chess.KING: 100,
}
# Giving up this many pawns less would be another move's merit: a desperado's pawn is not.
_AVOIDED = 2


def exchange(board: chess.Board, square: chess.Square) -> int:
    """What the side to move wins by captures on `square`, in pawns, at least 0: nobody has to go on.

    Static exchange evaluation with the least valuable piece first, in legal moves: pinned pieces do not take.
    """
    captures = list(board.generate_legal_captures(to_mask=chess.BB_SQUARES[square]))
    if not captures:
        return 0
    capture = min(captures, key=lambda move: (_moved(board, move), -(move.promotion or 0)))  # a queen first
    gain = gain_of(board, capture)
    board.push(capture)
    gain -= exchange(board, square)
    board.pop()
    return max(0, gain)


def en_prise(board: chess.Board) -> int:
    """The most that the side to move wins by taking a piece, in pawns; not counted by taking a pawn."""
    pieces = board.occupied_co[not board.turn] & ~board.pawns
    squares = {move.to_square for move in board.generate_legal_captures(to_mask=pieces)}
    return max((exchange(board, square) for square in squares), default=0)


def is_sacrifice(board: chess.Board, move: chess.Move) -> bool:
    """Whether a legal move leaves the opponent a piece to take, for more than it takes itself, and need not.

    A trade or a recapture gives nothing up; neither does who saves the better of two pieces that both hang,
    and a pawn is a gambit. Looked at on the board alone: whether taking is wise does not matter.
    """
    board = board.copy(stack=False)
    net = _net(board, move)
    if net >= 0:
        return False
    # A check only puts the loss off, so no check counts as a way to avoid it.
    others = [other for other in board.legal_moves if other != move and not board.gives_check(other)]
    return any(_net(board, other) >= min(0, net + _AVOIDED) for other in others)


def _net(board: chess.Board, move: chess.Move) -> int:
    """What a move wins at once, less what the opponent can then take; in pawns."""
    gain = gain_of(board, move)
    board.push(move)
    gain -= en_prise(board)
    board.pop()
    return gain


def gain_of(board: chess.Board, move: chess.Move) -> int:
    """What a move brings its side at once, in pawns: what it takes, and what a pawn becomes."""
    gain = VALUES[move.promotion] - VALUES[chess.PAWN] if move.promotion else 0
    if board.is_en_passant(move):
        return gain + VALUES[chess.PAWN]
    captured = board.piece_type_at(move.to_square) if board.is_capture(move) else None
    return gain + (VALUES[captured] if captured else 0)


def _moved(board: chess.Board, move: chess.Move) -> int:
    return VALUES[board.piece_type_at(move.from_square) or chess.PAWN]
