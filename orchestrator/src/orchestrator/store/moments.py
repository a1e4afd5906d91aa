"""What explaining needs of the database: what there is to explain, the LLM's budget, the moments."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from orchestrator.store.caller import Caller, leased
from orchestrator.store.moment_rows import (
    CandidateGame,
    ExplanationPlan,
    KnownExplanation,
    LlmBudget,
    LlmCall,
    LlmRequest,
    NewMoment,
)
from orchestrator.store.rows import Claim
from orchestrator.store.transport import AsJson


class MomentCalls(Caller):
    async def list_moment_candidates(self, sync_job_id: UUID, after: int, limit: int) -> list[CandidateGame]:
        """The job's analyzed games behind the `after`-th that ended, in the order of their ending."""
        return await self._all(
            CandidateGame, "list_moment_candidates", p_sync_job_id=sync_job_id, p_after=after, p_limit=limit
        )

    async def list_left_over_candidates(
        self, sync_job_id: UUID, after: int, limit: int
    ) -> list[CandidateGame]:
        """The job's skipped games behind the `after`-th that it found, whose analysis never got its moments.

        Their `finished_ordinal` is their place in the job, negative.
        """
        return await self._all(
            CandidateGame,
            "list_left_over_candidates",
            p_sync_job_id=sync_job_id,
            p_after=after,
            p_limit=limit,
        )

    async def plan_explanations(
        self,
        claim: Claim,
        model: str,
        band: str,
        wanted: Sequence[tuple[str, str]],
        requests: Sequence[LlmRequest],
        budget: LlmBudget,
        moments: Sequence[NewMoment] = (),
    ) -> ExplanationPlan:
        """What the cache knows of the `wanted` (position, move), and which requests may go out.

        `moments` are written first, as `record_moments` writes them.
        """
        return await self._one(
            ExplanationPlan,
            "plan_explanations_v2",
            **leased(claim),
            p_moments=AsJson([_json(moment) for moment in moments]),
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
