"""Fork, skewer, discovered attack, pin: what one piece does to two.

Every detector here says yes only where the line cashes the motif in, that is, takes what was attacked: an
attack that the other side simply answers is none.
"""

from __future__ import annotations

import chess

from analyzer.themes.line import Line
from analyzer.themes.material import PIECE, capture_gain, sliders, value_at


def is_fork(line: Line) -> bool:
    """One piece newly attacks two that are worth it, the king counted, and takes one of them."""
    return any(_forks(line, ply) for ply in line.key_plies())


def _forks(line: Line, ply: int) -> bool:
    move, board = line.moves[ply], line.boards[ply + 1]
    targets = [
        target
        for target in chess.scan_forward(board.attacks_mask(move.to_square) & board.occupied_co[board.turn])
        if _is_target(board, move.to_square, target)
    ]
    before = line.boards[ply].attacks_mask(move.from_square)
    return (
        len(targets) >= 2
        and not all(before & chess.BB_SQUARES[target] for target in targets)
        and any(line.takes(move.to_square, target, after=ply) for target in targets)
    )


def _is_target(board: chess.Board, attacker: chess.Square, target: chess.Square) -> bool:
    """Whether a piece that is attacked has to mind: the king, or a piece that would be lost."""
    if board.piece_type_at(target) == chess.KING:
        return True
    return value_at(board, target) >= PIECE and capture_gain(board, attacker, target) > 0


def is_skewer(line: Line) -> bool:
    """A line piece attacks one worth no less than the one behind it; it goes, and that one is taken."""
    return any(_skewers(line, ply) for ply in line.key_plies() if ply + 2 < len(line.moves))


def _skewers(line: Line, ply: int) -> bool:
    move, reply, capture = line.moves[ply : ply + 3]
    board = line.boards[ply + 1]
    slider, front, back = move.to_square, reply.from_square, capture.to_square
    return (
        capture.from_square == slider
        and bool(sliders(board, line.attacker) & chess.BB_SQUARES[slider])
        and bool(board.attacks_mask(slider) & chess.BB_SQUARES[front])
        and bool(chess.between(slider, back) & chess.BB_SQUARES[front])
        and value_at(board, front) >= value_at(board, back) >= PIECE
        and _is_target(board, slider, front)
    )


def is_discovered_attack(line: Line) -> bool:
    """A piece steps aside so that the one behind it attacks; either takes, thanks to that."""
    return any(
        _discovers(line, ply) for ply in line.key_plies() if not line.boards[ply].is_castling(line.moves[ply])
    )


def _discovers(line: Line, ply: int) -> bool:
    before, board = line.boards[ply], line.boards[ply + 1]
    left = chess.BB_SQUARES[line.moves[ply].from_square]
    for slider in chess.scan_forward(sliders(before, line.attacker) & ~left):
        opened = board.attacks_mask(slider) & ~before.attacks_mask(slider) & board.occupied_co[board.turn]
        for target in chess.scan_forward(opened):
            if _is_target(board, slider, target):
                return line.takes(slider, target, after=ply) or _uses_the_tempo(line, ply, target)
    return False


def _uses_the_tempo(line: Line, ply: int, target: chess.Square) -> bool:
    """Whether the piece that stepped aside has just taken what it could not else, or takes a piece next."""
    before, move = line.boards[ply], line.moves[ply]
    if before.is_capture(move) and capture_gain(before, move.from_square, move.to_square) <= 0:
        return True
    if ply + 2 >= len(line.moves):
        return False
    following = line.moves[ply + 2]
    return (
        following.from_square == move.to_square
        and following.to_square != target
        and value_at(line.boards[ply + 2], following.to_square) >= PIECE
    )


def is_pin(line: Line) -> bool:
    """Takes what only a pinned piece defends, or takes a pinned piece that would have gone."""
    return any(_takes_past_a_pin(line, ply) or _takes_pinned(line, ply) for ply in line.key_plies())


def _takes_past_a_pin(line: Line, ply: int) -> bool:
    board, move = line.boards[ply], line.moves[ply]
    if not board.is_capture(move) or board.is_en_passant(move):
        return False
    return (
        capture_gain(board, move.from_square, move.to_square) > 0
        and capture_gain(board, move.from_square, move.to_square, pins=False) <= 0
    )


def _takes_pinned(line: Line, ply: int) -> bool:
    """Whether the attacker's next move takes a piece that stands pinned now, the other side to move."""
    if ply + 2 >= len(line.moves):
        return False
    capture, board = line.moves[ply + 2], line.boards[ply + 1]
    square = capture.to_square
    return (
        value_at(board, square) >= PIECE
        and board.piece_type_at(square) != chess.QUEEN  # nothing is worth more, bar the king
        and _is_pinned(board, square)
        and capture_gain(line.boards[ply + 2], capture.from_square, square) > 0
    )


def _is_pinned(board: chess.Board, square: chess.Square) -> bool:
    """Whether a piece of the side to move is pinned to its king, or to a piece worth more."""
    if board.is_pinned(board.turn, square):
        return True
    pinned = chess.BB_SQUARES[square]
    pinners = sliders(board, not board.turn) & board.attackers_mask(not board.turn, square)
    for slider in chess.scan_forward(pinners):
        better = board.occupied_co[board.turn] & chess.ray(slider, square)
        for behind in chess.scan_forward(better & ~pinned):
            if chess.between(slider, behind) & board.occupied == pinned:
                return value_at(board, behind) > value_at(board, square)
    return False
