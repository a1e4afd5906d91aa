"""How a sync ends, as pure rules and sentences."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.domain import SyncStatus
from orchestrator.store.rows import SyncJob

# What a player reads for each reason of the analysis contract, and of the analyzers' pool.
_REASONS = {
    "INVALID_PGN": "could not be read",
    "ILLEGAL_MOVE": "contained an illegal move",
    "UNSUPPORTED_VARIANT": "were of a variant that the engine does not play",
    "EMPTY_GAME": "had no moves",
    "TOO_LARGE": "were too large",
    "ENGINE": "made the engine fail again and again",
    "ANALYZER_LOST": "were lost with their analyzer again and again",
    "NOT_SENT": "could not be sent to an analyzer",
    "BAD_ANSWER": "got an analysis that could not be used",
}


def ending(job: SyncJob, failures: Mapping[str, int]) -> tuple[SyncStatus, str | None]:
    """The terminal status of a job whose games have all ended, and its `error`.

    Failed only when nothing came of it; else completed, with the games that could not be analyzed summed up.
    """
    if not job.games_failed:
        return SyncStatus.COMPLETED, None
    parts = ", ".join(
        f"{count} {_REASONS.get(reason, 'failed: ' + reason)}" for reason, count in sorted(failures.items())
    )
    if job.games_failed == job.games_found:
        return SyncStatus.FAILED, f"None of the {job.games_found} games could be analyzed: {parts}."
    return (
        SyncStatus.COMPLETED,
        f"{job.games_failed} of {job.games_found} games could not be analyzed: {parts}.",
    )
