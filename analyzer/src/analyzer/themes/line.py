"""A line of the engine's, seen from the side that moves first in it: the attacker."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import chess

from analyzer.exchange import gain_of
from analyzer.themes.material import best_capture

# A motif begins within the attacker's first three moves and shows within two more; behind that, a line of a
# fast search is guesswork.
PLIES = 8
_LAST_KEY = 4
_ENOUGH = 2  # pawns: what was won is no preparation any more


@dataclass(frozen=True, slots=True)
class Line:
    """`boards[ply]` is the position before `moves[ply]`; the last one is after all moves.

    `balance[ply]`: material that the attacker has won until then, in pawns. `won`: at the end, with what the
    side to move can take there, unless it is in check.
    """

    boards: tuple[chess.Board, ...]
    moves: tuple[chess.Move, ...]
    balance: tuple[int, ...]
    won: int

    @property
    def attacker(self) -> chess.Color:
        return self.boards[0].turn

    def key_plies(self) -> Iterator[int]:
        """The attacker's plies at which a motif may begin: the first, and those that checks and captures lead
        to without winning much themselves."""
        for ply in range(0, min(len(self.moves), _LAST_KEY + 1), 2):
            if self.balance[ply] >= _ENOUGH:
                return
            yield ply
            if not self.boards[ply + 1].is_check() and self.balance[ply + 1] == self.balance[ply]:
                return

    def takes(self, square: chess.Square, target: chess.Square, *, after: int) -> bool:
        """Whether the attacker's piece on `square` stays there until it takes on `target`, with one of his
        next two moves."""
        for ply in range(after + 2, min(len(self.moves), after + 5), 2):
            move = self.moves[ply]
            if move.from_square == square:
                return move.to_square == target and self.boards[ply].is_capture(move)
        return False


def read(board: chess.Board, line: Sequence[str], plies: int = PLIES) -> Line:
    """As far as the line can be played: of an engine's line only the first move was checked before."""
    boards = [board]
    moves: list[chess.Move] = []
    balance = [0]
    for uci in line[:plies]:
        try:
            move = board.parse_uci(uci)
        except ValueError:
            break
        gain = gain_of(board, move)
        balance.append(balance[-1] + (gain if len(moves) % 2 == 0 else -gain))
        board = board.copy(stack=False)
        board.push(move)
        moves.append(move)
        boards.append(board)
    pending = best_capture(board, board.turn) if moves and not board.is_check() else 0
    won = balance[-1] + (pending if len(moves) % 2 == 0 else -pending)
    return Line(tuple(boards), tuple(moves), tuple(balance), won)
