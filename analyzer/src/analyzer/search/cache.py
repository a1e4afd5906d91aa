"""Evaluations of positions searched before, for whatever game they come up in again. Bounded.

Two searches of the same position may differ only by what came before it. Of that the engine goes by the
half-move clock, which is part of the key, and by repetitions: to Stockfish a position reached in its search
is a draw where it repeats one of that search, or one that had stood on the board twice already. So a position
is left out where any has stood on the board twice since the last capture or pawn move; of all others the key
says everything.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from collections import OrderedDict
from dataclasses import dataclass, replace

import chess

from analyzer.evaluation import Evaluation
from analyzer.pgn import ParsedGame
from analyzer.search.budget import Plan

# Bytes of an entry: key, evaluation, line of 12 moves, its place in the table. By tracemalloc 540, a second
# score 50 more, and what the allocator rounds up.
ENTRY_BYTES = 640

Key = bytes


@dataclass(frozen=True, slots=True)
class Kept:
    evaluation: Evaluation
    step: int  # the pass of its plan that it comes from


class PositionCache:
    """At most `megabytes` of evaluations, least recently used ones go first. 0: holds nothing.

    `hits` and `misses` are positions, counted by those who look.
    """

    def __init__(self, megabytes: float) -> None:
        self.capacity = int(megabytes * 1024 * 1024 / ENTRY_BYTES)
        self.hits = 0
        self.misses = 0
        self._entries: OrderedDict[Key, Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key | None, step: int) -> Kept | None:
        """What is there from that pass of the plan or a later one. A key of None finds nothing."""
        kept = self._entries.get(key) if key is not None else None
        if key is None or kept is None or kept.step < step:
            return None
        self._entries.move_to_end(key)
        return kept

    def put(self, key: Key | None, step: int, evaluation: Evaluation) -> None:
        if key is None or not self.capacity:
            return
        # The same few moves again and again: one string for each is enough.
        shared = replace(evaluation, line=tuple(map(sys.intern, evaluation.line)))
        self._entries[key] = Kept(shared, step)
        self._entries.move_to_end(key)
        if len(self._entries) > self.capacity:
            self._entries.popitem(last=False)


def position_keys(game: ParsedGame, engine: str, plan: Plan) -> list[Key | None]:
    """One for each position, the start first; None where what came before may change its evaluation.

    16 bytes: of 10^12 positions two would share one by a chance of 10^-15.
    """
    namespace = hashlib.blake2b(repr((engine, plan, game.chess960)).encode(), digest_size=32).digest()
    keys: list[Key | None] = []
    since_irreversible: set[bytes] = set()
    repeated = False
    for board in game.boards:
        position = _packed(board)
        if board.halfmove_clock == 0:
            since_irreversible.clear()
            repeated = False
        repeated = repeated or position in since_irreversible
        since_irreversible.add(position)
        if repeated:
            keys.append(None)
        else:
            clock = bytes((min(board.halfmove_clock, 255),))  # a draw from 100 on
            keys.append(hashlib.blake2b(position + clock, digest_size=16, key=namespace).digest())
    return keys


def _packed(board: chess.Board) -> bytes:
    """Pieces, side to move, castling rights, and en passant where it is legal."""
    return struct.pack(
        "<9Q?b",
        board.pawns,
        board.knights,
        board.bishops,
        board.rooks,
        board.queens,
        board.kings,
        board.occupied_co[chess.WHITE],
        board.occupied_co[chess.BLACK],
        board.clean_castling_rights(),
        board.turn,
        board.ep_square if board.ep_square is not None and board.has_legal_en_passant() else -1,
    )
