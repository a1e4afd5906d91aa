"""The settings' limits as the database takes them."""

from __future__ import annotations

from orchestrator.settings import Settings
from orchestrator.store.moment_rows import LlmBudget
from orchestrator.store.rows import Limits


def limits(settings: Settings) -> Limits:
    return Limits(
        starts=settings.max_starts_per_window,
        window_seconds=settings.start_window_seconds,
        games_per_day=settings.max_games_per_day,
        queued_jobs=settings.max_queued_jobs,
        stuck_after_seconds=settings.stuck_after,
    )


def llm_budget(settings: Settings) -> LlmBudget:
    return LlmBudget(
        calls_per_job=settings.llm_calls_per_sync,
        tokens_per_job=settings.llm_tokens_per_sync,
        calls_per_day=settings.llm_calls_per_day,
        tokens_per_day=settings.llm_tokens_per_day,
    )
