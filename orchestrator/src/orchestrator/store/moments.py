"""What explaining needs of the database: what there is to explain, the LLM's budget, the moments."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from orchestrator.store.caller import Caller, leased
from orchestrator.store.rows import Claim
from orchestrator.store.transport import AsJson


@dataclass(frozen=True, slots=True)
class CandidateGame:
    """An analyzed game with the moves of its user that may be worth a moment (see the function's comment).

    `moves` are MoveAnalysis as proto JSON, with the moves around them. `explained` maps plies to who did it.
    """

    finished_ordinal: int
    game_analysis_id: UUID
    user_color: str
    rating: int | None
    chess960: bool
    opening_eco: str | None
    moves: Sequence[Mapping[str, Any]] = field(repr=False)
    explained: Mapping[int, str]


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


class MomentCalls(Caller):
    async def list_moment_candidates(self, sync_job_id: UUID, after: int, limit: int) -> list[CandidateGame]:
        """The job's analyzed games behind the `after`-th that ended, in the order of their ending."""
        return await self._all(
            CandidateGame, "list_moment_candidates", p_sync_job_id=sync_job_id, p_after=after, p_limit=limit
        )

    async def plan_explanations(
        self,
        claim: Claim,
        model: str,
        band: str,
        wanted: Sequence[tuple[str, str]],
        requests: Sequence[LlmRequest],
        budget: LlmBudget,
    ) -> ExplanationPlan:
        """What the cache knows of the `wanted` (position, move), and which requests may go out."""
        return await self._one(
            ExplanationPlan,
            "plan_explanations",
            **leased(claim),
            p_model=model,
            p_band=band,
            p_wanted=AsJson([{"position": position, "move_uci": move} for position, move in wanted]),
            p_requests=AsJson([_json(request) for request in requests]),
            p_limits=AsJson(dataclasses.asdict(budget)),
        )

    async def record_moments(
        self,
        claim: Claim,
        moments: Sequence[NewMoment],
        usage: Sequence[LlmCall] = (),
        *,
        band: str = "",
        learned: Sequence[KnownExplanation] = (),
    ) -> None:
        """`learned` by the model of `usage` serves users of the rating `band` from now on."""
        await self._call(
            "record_moments",
            **leased(claim),
            p_moments=AsJson([_json(moment) for moment in moments]),
            p_usage=AsJson([_json(call) for call in usage]),
            p_explanations=AsJson(
                [_json(each) | {"band": band, "explained_by": usage[0].model} for each in learned]
            ),
        )


def _json(row: Any) -> dict[str, Any]:
    return {
        key: str(value) if isinstance(value, UUID) else value
        for key, value in dataclasses.asdict(row).items()
    }
