"""How long an analysis is said to take yet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from orchestrator.domain import Platform, SyncStatus
from orchestrator.service.convert import sync_job, time_left
from orchestrator.store.rows import SyncJob

NOW = datetime(2024, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(("taken", "left"), [(30.0, 90.0), (0.0, 0.0), (-3.0, 0.0)])
def test_it_is_never_below_zero(taken: float, left: float) -> None:
    """`analyzing_since` is by the database's clock, which may be ahead of this replica's."""
    began = NOW - timedelta(seconds=taken)
    job = SyncJob(
        id=uuid4(),
        user_id=uuid4(),
        platform=Platform.LICHESS,
        username="x",
        status=SyncStatus.ANALYZING,
        games_found=4,
        games_analyzed=1,
        games_skipped=0,
        games_failed=0,
        created_at=NOW,
        updated_at=NOW,
        revision=1,
        analyzing_since=began,
    )
    assert time_left(job, NOW) == timedelta(seconds=left)
    assert sync_job(job, NOW).estimated_time_left.ToTimedelta() == timedelta(seconds=left)
