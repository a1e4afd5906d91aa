"""Pieces that can simply be taken, and pieces that cannot get away."""

from __future__ import annotations

import chess

from analyzer.exchange import VALUES, gain_of
from analyzer.themes.line import Line
from analyzer.themes.material import PIECE, capture_gain, most_taken, value_at

_LOST = 2  # pawns: a piece for a pawn, a rook for a minor piece


def wins_piece(line: Line) -> bool:
    """Takes a piece at once that is not defended, or not well enough."""
    return value_at(line.boards[0], line.moves[0].to_square) >= PIECE and won_at_once(line) >= _LOST


def wins_pawn(line: Line) -> bool:
    """Takes a pawn at once that is not defended, or not well enough."""
    board, move = line.boards[0], line.moves[0]
    pawn = board.is_en_passant(move) or board.piece_type_at(move.to_square) == chess.PAWN
    return pawn and won_at_once(line) == VALUES[chess.PAWN]


def wins_by_capture(line: Line) -> bool:
    """Takes something at once that is not defended, or not well enough."""
    return won_at_once(line) > 0


def won_at_once(line: Line) -> int:
    """Pawns that the first move wins by a capture, what can follow on its square counted; no promotions."""
    board, move = line.boards[0], line.moves[0]
    if move.promotion or not board.is_capture(move):
        return 0
    return capture_gain(board, move.from_square, move.to_square)


def is_trapped_piece(line: Line) -> bool:
    """Attacks a piece, or shuts it in, that is lost wherever it goes, and takes it within two moves."""
    return any(_traps(line, ply) for ply in line.key_plies())


def _traps(line: Line, ply: int) -> bool:
    board = line.boards[ply + 1]
    square = _taken_later(line, ply)
    return (
        square is not None
        and value_at(board, square) >= PIECE
        and not board.is_check()  # what a check keeps from moving is forked, not trapped
        and not board.is_pinned(board.turn, square)
        and most_taken(line.boards[ply], line.attacker, square) < _LOST  # it did not hang already
        and not _has_safe_move(board, square)
        and (most_taken(board, line.attacker, square) >= _LOST or _had_safe_move(line.boards[ply], square))
    )


def _had_safe_move(board: chess.Board, square: chess.Square) -> bool:
    """The same, had it been the other side's turn."""
    passed = board.copy(stack=False)
    passed.turn = not board.turn
    return _has_safe_move(passed, square)


def _has_safe_move(board: chess.Board, square: chess.Square) -> bool:
    return not all(_loses(board, move) for move in board.generate_legal_moves(chess.BB_SQUARES[square]))


def _taken_later(line: Line, ply: int) -> chess.Square | None:
    """Where the piece stands after `ply` that the attacker wins first, with one of his next two moves."""
    for taking in range(ply + 2, min(len(line.moves), ply + 5), 2):
        move = line.moves[taking]
        if not line.boards[taking].is_capture(move):
            continue
        if capture_gain(line.boards[taking], move.from_square, move.to_square) < _LOST:
            return None
        square = move.to_square
        for reply in range(taking - 1, ply, -2):
            if line.moves[reply].to_square == square:
                square = line.moves[reply].from_square
        return square
    return None


def _loses(board: chess.Board, move: chess.Move) -> bool:
    """Whether a move of an attacked piece loses it, less what it takes with it."""
    after = board.copy(stack=False)
    after.push(move)
    return most_taken(after, after.turn, move.to_square) - gain_of(board, move) >= _LOST
