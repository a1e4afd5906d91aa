"""Defenders that have too much to do, and defenders that are taken, lured or driven away."""

from __future__ import annotations

import chess

from analyzer.themes.line import Line
from analyzer.themes.material import capture_gain, value_at


def is_overloaded_defender(line: Line) -> bool:
    """A piece takes back on one square, and what it defended on another falls."""
    return any(_overloads(line, ply) for ply in line.key_plies() if ply + 2 < len(line.moves))


def _overloads(line: Line, ply: int) -> bool:
    first, reply, _ = line.moves[ply : ply + 3]
    return (
        line.boards[ply].is_capture(first)
        and reply.to_square == first.to_square
        and _falls_without(line, ply, reply.from_square)
    )


def is_removed_defender(line: Line) -> bool:
    """A defender is taken, lured or driven away; then what it defended falls. No overloaded one."""
    return any(_removes(line, ply) for ply in line.key_plies() if ply + 2 < len(line.moves))


def _removes(line: Line, ply: int) -> bool:
    first, reply, _ = line.moves[ply : ply + 3]
    if line.boards[ply].is_capture(first):
        return (
            reply.to_square == first.to_square
            and not _overloads(line, ply)
            and _falls_without(line, ply, first.to_square)
        )
    lured = reply.to_square == first.to_square
    driven = line.boards[ply + 1].attacks_mask(first.to_square) & chess.BB_SQUARES[reply.from_square]
    return (lured or bool(driven)) and _falls_without(line, ply, reply.from_square)


def _falls_without(line: Line, ply: int, defender: chess.Square) -> bool:
    """Whether the attacker's second move takes where the piece on `defender` had kept it from taking when the
    first one was made."""
    before, after = line.boards[ply], line.boards[ply + 2]
    second = line.moves[ply + 2]
    target = second.to_square
    if target in (line.moves[ply].to_square, line.moves[ply + 1].to_square):
        return False
    if not before.attackers_mask(not line.attacker, target) & chess.BB_SQUARES[defender]:
        return False
    return (
        value_at(before, target) > 0
        and bool(before.attackers_mask(line.attacker, target) & chess.BB_SQUARES[second.from_square])
        and capture_gain(before, second.from_square, target) <= 0
        and capture_gain(after, second.from_square, target) > 0
    )
