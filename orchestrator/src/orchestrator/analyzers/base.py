"""What the work on a job sees of the analyzers: games go in, each comes back exactly once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class GameToAnalyze:
    """One game of a job; `preset` is fast, standard or deep."""

    job_id: UUID
    game_id: UUID
    pgn: str = field(repr=False)
    preset: str


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
