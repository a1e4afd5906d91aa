"""What an engine is asked: which position, and how much."""

from __future__ import annotations

from dataclasses import dataclass

import chess


@dataclass(frozen=True, slots=True)
class Limit:
    """A search's budget: depth in plies, and nodes that cap it. Never time."""

    nodes: int
    depth: int | None = None

    @property
    def go(self) -> str:
        depth = "" if self.depth is None else f"depth {self.depth} "
        return f"go {depth}nodes {self.nodes}"


@dataclass(frozen=True, slots=True)
class Position:
    """A position with its history as a UCI command, so that the engine knows repetitions; and its board."""

    command: str  # "position fen ... moves ..."
    board: chess.Board
    among: tuple[str, ...] = ()  # the moves to choose from, UCI; empty: all that are legal

    def go(self, limit: Limit) -> str:
        """The UCI command that searches it."""
        return f"{limit.go} searchmoves {' '.join(self.among)}" if self.among else limit.go
