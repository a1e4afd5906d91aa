"""Keeps the gauges of the whole system current, by reading the database now and then."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import timedelta

import structlog

from orchestrator import metrics
from orchestrator.store.rows import Limits
from orchestrator.store.store import Store
from servicekit.errors import RookifyError

log = structlog.get_logger()

_INTERVAL = 15.0  # seconds; Prometheus asks as often
_AUDIT_INTERVAL = 3600.0
# Every change is looked at by two audits, so that one may fail. The whole is `rookify admin audit`'s.
_AUDITED_WITHIN = timedelta(seconds=2 * _AUDIT_INTERVAL)


async def keep_figures(store: Store, limits: Limits) -> None:
    """Until cancelled. While the database is away the gauges stay as they are."""
    audited = float("-inf")
    while True:
        try:
            figures = await store.get_figures()
            for status in ("pending", "fetching", "analyzing"):
                metrics.JOBS.labels(status).set(figures[status])
            metrics.QUEUE_AGE.set(figures["queue_age_seconds"])
            metrics.STUCK_JOBS.set(figures["stuck"])
            metrics.BACKLOG.set(figures["backlog_games"])
            if time.monotonic() - audited >= _AUDIT_INTERVAL:
                audited = time.monotonic()  # whatever comes of it: what took too long once is not begun again
                await _audit(store, limits)
        except RookifyError as error:
            log.warning("figures could not be read", error=error.message)
        await asyncio.sleep(_INTERVAL * random.uniform(0.9, 1.1))  # noqa: S311  jitter


async def _audit(store: Store, limits: Limits) -> None:
    findings = await store.audit_sync_jobs(limits, _AUDITED_WITHIN)
    metrics.AUDIT_FINDINGS.clear()
    for finding in findings:
        log.error(
            "against the compliance rules",
            rule=finding.rule,
            detail=finding.detail,
            sync_job_id=str(finding.sync_job_id),
            game_analysis_id=str(finding.game_analysis_id),
        )
        metrics.AUDIT_FINDINGS.labels(finding.rule).inc()
