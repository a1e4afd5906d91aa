"""What is known of one position of a game."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from analyzer.scores import Score

LINE_PLIES = 12  # of a principal variation that are kept; as many as lichess keeps


class Source(Enum):
    SEARCHED = "searched"
    KNOWN = "known"  # came with the game, from an earlier search
    FORCED = "forced"  # one legal move: the score is that of the position after it
    OVER = "over"  # the game is over on the board


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`score` from White's point of view under best play; `line` in UCI, its first move the best one.

    `line` is empty only where the game is over. `nodes` over all searches of the position.
    `swing`: how far White's winning chance moved over the search's last iterations, 0..2.
    `second`: White's point of view, best play without the best move; None where it was not searched.
    """

    score: Score
    line: tuple[str, ...]
    source: Source
    depth: int = 0
    nodes: int = 0
    swing: float = 0.0
    second: Score | None = None

    @property
    def best(self) -> str:
        """The engine's first choice in UCI; empty where the game is over."""
        return self.line[0] if self.line else ""
