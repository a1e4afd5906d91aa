"""What single captures win, for either side, without making moves.

`analyzer.exchange` is exact, for the side to move; detectors ask a hundred times a move, about threats too.
"""

from __future__ import annotations

import chess

from analyzer.exchange import VALUES

PIECE = VALUES[chess.KNIGHT]  # worth this or more: no pawn
_PROMOTION_GAIN = VALUES[chess.QUEEN] - VALUES[chess.PAWN]


def value_at(board: chess.Board, square: chess.Square) -> int:
    """In pawns; 0 where the square is empty."""
    return VALUES.get(board.piece_type_at(square) or 0, 0)


def sliders(board: chess.Board, side: chess.Color) -> chess.Bitboard:
    """The bishops, rooks and queens of a side."""
    return (board.bishops | board.rooks | board.queens) & board.occupied_co[side]


def capture_gain(board: chess.Board, origin: chess.Square, square: chess.Square, *, pins: bool = True) -> int:
    """What the side of the piece on `origin` wins, in pawns, by moving it to `square`; below 0 is a loss.

    Both sides then take with their least valuable pieces for as long as that pays. `pins`: pieces pinned to
    their king take along the line of the pin only.
    """
    side = bool(board.occupied_co[chess.WHITE] & chess.BB_SQUARES[origin])
    occupied = board.occupied & ~chess.BB_SQUARES[origin]
    on_square = value_at(board, origin)
    gains = [value_at(board, square)]
    if on_square == VALUES[chess.PAWN] and square == board.ep_square:
        occupied &= ~chess.BB_SQUARES[square + (-8 if side else 8)]
        gains = [VALUES[chess.PAWN]]
    elif on_square == VALUES[chess.PAWN] and chess.BB_SQUARES[square] & chess.BB_BACKRANKS:
        gains, on_square = [gains[0] + _PROMOTION_GAIN], VALUES[chess.QUEEN]
    while True:
        side = not side
        taker = _least_taker(board, side, square, occupied, pins=pins)
        if taker is None:
            break
        gains.append(on_square - gains[-1])
        on_square = value_at(board, taker)
        occupied &= ~chess.BB_SQUARES[taker]
    while len(gains) > 1:
        last = gains.pop()
        gains[-1] = min(gains[-1], -last)
    return gains[0]


def _least_taker(
    board: chess.Board, side: chess.Color, square: chess.Square, occupied: chess.Bitboard, *, pins: bool
) -> chess.Square | None:
    takers = board.attackers_mask(side, square, occupied) & occupied
    if not takers:
        return None
    for piece_type in chess.PIECE_TYPES:
        for taker in chess.scan_forward(takers & board.pieces_mask(piece_type, side)):
            if piece_type == chess.KING:
                return None if board.attackers_mask(not side, square, occupied) & occupied else taker
            if not pins or _may_go(board, side, taker, square, occupied):
                return taker
    return None


def _may_go(
    board: chess.Board, side: chess.Color, taker: chess.Square, square: chess.Square, occupied: chess.Bitboard
) -> bool:
    """Whether no pin keeps a piece from a square. A pin ends when the piece that pins has moved itself."""
    line = board.pin_mask(side, taker)
    return bool(line & chess.BB_SQUARES[square]) or bool(line & board.occupied_co[not side] & ~occupied)


def best_capture(board: chess.Board, side: chess.Color) -> int:
    """The most that `side` would win by captures on one square, were it to move; in pawns, at least 0."""
    best = 0
    for square in chess.scan_forward(board.occupied_co[not side] & ~board.kings):
        if value_at(board, square) > best:
            taker = _least_taker(board, side, square, board.occupied, pins=True)
            if taker is not None:
                best = max(best, capture_gain(board, taker, square))
    return best


def most_taken(board: chess.Board, side: chess.Color, square: chess.Square) -> int:
    """The most that `side` wins by taking on a square with any piece, in pawns; 0 where none gains."""
    takers = board.attackers_mask(side, square)
    return max((capture_gain(board, taker, square) for taker in chess.scan_forward(takers)), default=0)
