"""How much may be asked of the LLM, and how long it may take. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from orchestrator.explain.rating import Band
from orchestrator.store.moment_rows import LlmBudget

# What a moment comes to in a request, its answer included: measured over the shipped and some 200 real games,
# 240 to 280 by the estimate of `request.py`.
_MOMENT_TOKENS = 280


@dataclass(frozen=True, slots=True)
class Policy:
    """`budget` bounds jobs and days; a job of few games has less: so much for each game, at least one call.

    `grace` is for how many seconds at most a job waits for the LLM when its games are analyzed.
    """

    budget: LlmBudget
    calls_per_game: float
    tokens_per_game: int
    tokens_per_request: int
    tokens_per_answer: int
    concurrency: int
    grace: float

    def job_budget(self, games: int) -> LlmBudget:
        """What a job may use when so many of its games are known; the whole of it when all are."""
        return replace(
            self.budget,
            calls_per_job=min(self.budget.calls_per_job, math.ceil(self.calls_per_game * games)),
            tokens_per_job=min(
                self.budget.tokens_per_job, max(self.tokens_per_game * games, self.tokens_per_request)
            ),
        )

    @property
    def moments_per_request(self) -> int:
        """At most; how many fit depends on what there is to say of them."""
        return max(1, self.tokens_per_request // self.tokens_per_answer)

    def moments_per_game(self, band: Band) -> int:
        """At most so many of a game are asked about."""
        return min(band.moments_per_game, max(1, self.tokens_per_game // _MOMENT_TOKENS))
