"""What the store gives and takes for explanations: candidates, the LLM's budget, its account, moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID


@dataclass(frozen=True, slots=True)
class CandidateGame:
    """An analyzed game with the moves of its user that may be worth a moment (see the function's comment).

    `moves` are MoveAnalysis as proto JSON, with the moves around them. `explained` maps plies to who did it.
    """

    finished_ordinal: int  # below 0: skipped, its analysis is an earlier job's
    game_analysis_id: UUID
    user_color: str
    rating: int | None
    chess960: bool
    opening_eco: str | None
    moves: Sequence[Mapping[str, Any]] = field(repr=False)
    explained: Mapping[int, str]
    profile_rating: int | None = None  # the user's own, of all games


@dataclass(frozen=True, slots=True)
class NewMoment:
    """A row of `moments` to be written."""

    game_analysis_id: UUID
    ply: int
    judgement: str
    fen_before: str
    move_san: str
    best_san: str
    win_percent_lost: float
    themes: Sequence[str]
    explanation: str
    explained_by: str
    why: Sequence[str]


@dataclass(frozen=True, slots=True)
class LlmBudget:
    """What may be asked of the LLM: for one job, and for one user in a day (UTC)."""

    calls_per_job: int
    tokens_per_job: int
    calls_per_day: int
    tokens_per_day: int


@dataclass(frozen=True, slots=True)
class LlmRequest:
    """A request to come; `tokens` is the most that it may cost, answer included."""

    id: UUID
    moments: int
    tokens: int


@dataclass(frozen=True, slots=True)
class KnownExplanation:
    """What the cache has of a move; `position` is the FEN without its counters."""

    position: str
    move_uci: str
    explanation: str


@dataclass(frozen=True, slots=True)
class ExplanationPlan:
    """`granted` are the requests that may go out; `over` names the budget that stopped the rest."""

    known: Sequence[KnownExplanation]
    granted: frozenset[UUID]
    over: str | None


@dataclass(frozen=True, slots=True)
class LlmCall:
    """A row of `llm_usage`: a request and what came of it. `outcome` "not_sent" takes the row back."""

    id: UUID
    model: str
    outcome: str
    moments: int
    explained: int = 0
    calls: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    latency_seconds: float = 0.0
