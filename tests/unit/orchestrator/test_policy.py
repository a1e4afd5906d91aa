"""How a sync ends."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from orchestrator.domain import Platform, SyncStatus
from orchestrator.store.rows import SyncJob
from orchestrator.sync.policy import ending


def job(found: int, analyzed: int, skipped: int = 0, failed: int = 0) -> SyncJob:
    now = datetime(2024, 3, 1, tzinfo=UTC)
    return SyncJob(
        id=uuid4(),
        user_id=uuid4(),
        platform=Platform.CHESS_COM,
        username="PaulMorphy",
        status=SyncStatus.ANALYZING,
        games_found=found,
        games_analyzed=analyzed,
        games_skipped=skipped,
        games_failed=failed,
        created_at=now,
        updated_at=now,
        revision=1,
    )


@pytest.mark.parametrize("ended", [job(0, 0), job(3, 3), job(3, 1, skipped=2), job(2, 0, skipped=2)])
def test_a_job_without_failures_completes_silently(ended: SyncJob) -> None:
    assert ending(ended, {}) == (SyncStatus.COMPLETED, None)


def test_failed_games_are_summed_up() -> None:
    status, error = ending(job(9, 5, skipped=1, failed=3), {"ILLEGAL_MOVE": 2, "TOO_LARGE": 1})
    assert status == SyncStatus.COMPLETED
    assert error == "3 of 9 games could not be analyzed: 2 contained an illegal move, 1 were too large."


def test_a_job_whose_every_game_failed_has_failed() -> None:
    status, error = ending(job(2, 0, failed=2), {"ENGINE": 2})
    assert status == SyncStatus.FAILED
    assert error == "None of the 2 games could be analyzed: 2 made the engine fail again and again."


def test_skipped_games_keep_a_job_from_failing() -> None:
    assert ending(job(2, 0, skipped=1, failed=1), {"ENGINE": 1})[0] == SyncStatus.COMPLETED


def test_a_reason_of_a_newer_analyzer_is_shown_as_it_is() -> None:
    assert "failed: BRAND_NEW" in (ending(job(2, 1, failed=1), {"BRAND_NEW": 1})[1] or "")
