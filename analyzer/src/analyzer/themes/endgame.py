"""Pawns that run, and kings that face each other."""

from __future__ import annotations

import chess

from analyzer.themes.line import Line

_KEY_MOVES = 5  # plies: the attacker's first three moves


def is_promotion(line: Line) -> bool:
    """A pawn promotes with one of the first three moves."""
    return any(move.promotion for move in line.moves[:_KEY_MOVES:2])


def is_passed_pawn(line: Line) -> bool:
    """The first move makes the pawn that it moves a passed one, or is such a pawn's, and it runs on."""
    square = line.moves[0].to_square
    if not _is_passed(line.boards[1], square, line.attacker):
        return False
    return any(line.moves[ply].from_square == square for ply in range(2, len(line.moves), 2))


def _is_passed(board: chess.Board, square: chess.Square, side: chess.Color) -> bool:
    """Whether a pawn of `side` stands there that no pawn of the other side stands before or can take."""
    if not board.pieces_mask(chess.PAWN, side) & chess.BB_SQUARES[square]:
        return False
    file, rank = chess.square_file(square), chess.square_rank(square)
    return not any(
        abs(chess.square_file(other) - file) <= 1
        and (chess.square_rank(other) > rank if side else chess.square_rank(other) < rank)
        for other in chess.scan_forward(board.pieces_mask(chess.PAWN, not side))
    )


def is_opposition(line: Line) -> bool:
    """In a pawn ending the king steps opposite the other one, one square between them."""
    board = line.boards[1]
    white, black = board.king(chess.WHITE), board.king(chess.BLACK)
    if white is None or black is None or not board.pawns or board.occupied != board.pawns | board.kings:
        return False
    if line.moves[0].to_square != (white if line.attacker else black):
        return False
    files = abs(chess.square_file(white) - chess.square_file(black))
    ranks = abs(chess.square_rank(white) - chess.square_rank(black))
    return (files, ranks) in ((0, 2), (2, 0))
