"""What the work on a job sees of the analyzers: games go in, each comes back exactly once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class KnownPly:
    """The position after `ply` moves, evaluated in earlier work; good enough for the game's preset."""

    ply: int
    score: Mapping[str, Any]  # rookify.analysis.v1.Score as proto JSON
    best_line: Sequence[str]  # UCI, at least one move
    depth: int
    nodes: int


@dataclass(frozen=True, slots=True)
class GameToAnalyze:
    """One game of a job; `preset` is fast, standard or deep. `known`: by the name of the engine."""

    job_id: UUID
    game_id: UUID
    pgn: str = field(repr=False)
    preset: str
    known: Mapping[str, Sequence[KnownPly]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class AnalyzedGame:
    """`columns` are those of `game_analyses`, as JSON values."""

    game_id: UUID
    columns: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class FailedGame:
    """Given up for good: `reason` as in the analysis contract (INVALID_PGN, ENGINE, …), and a sentence."""

    game_id: UUID
    reason: str
    message: str


GameOutcome = AnalyzedGame | FailedGame
