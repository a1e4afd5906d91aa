"""The gauges of the whole system: how often the audit is asked for, and what they show meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from orchestrator import metrics
from orchestrator.figures import keep_figures
from orchestrator.store.rows import Finding, Limits
from servicekit.errors import Unavailable
from servicekit.tasks import alongside

LIMITS = Limits(starts=1, window_seconds=1, games_per_day=1, queued_jobs=1)
FIGURES = dict.fromkeys(
    ("pending", "fetching", "analyzing", "queue_age_seconds", "stuck", "backlog_games"), 0.0
)


class Audited:
    """A store whose audits answer what they are told to, one after the other."""

    def __init__(self) -> None:
        self.reads = 0
        self.audits: list[timedelta | None] = []
        self.answers: asyncio.Queue[list[Finding]] = asyncio.Queue()
        self.asked = asyncio.Event()
        self.fails = False
        self.read = asyncio.Condition()

    async def get_figures(self) -> dict[str, float]:
        async with self.read:
            self.reads += 1
            self.read.notify_all()
        return FIGURES

    async def audit_sync_jobs(self, limits: Limits, within: timedelta | None = None) -> list[Finding]:
        self.audits.append(within)
        self.asked.set()
        if self.fails:
            raise Unavailable("the database does not answer; try again")
        return await self.answers.get()

    async def reads_reach(self, count: int) -> None:
        async with asyncio.timeout(30), self.read:
            await self.read.wait_for(lambda: self.reads >= count)


def shown() -> dict[str, float]:
    (family,) = metrics.AUDIT_FINDINGS.collect()
    return {sample.labels["rule"]: sample.value for sample in family.samples}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("orchestrator.figures._INTERVAL", 0.001)
    metrics.AUDIT_FINDINGS.clear()
    yield
    metrics.AUDIT_FINDINGS.clear()


async def test_an_audit_that_fails_is_not_begun_again_at_once() -> None:
    store: Any = Audited()
    store.fails = True
    await alongside(store.reads_reach(20), keep_figures(store, LIMITS))
    assert len(store.audits) == 1
    assert store.audits[0] is not None, "every job there is would be read"


async def test_findings_are_shown_until_the_next_audit_has_been_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.figures._AUDIT_INTERVAL", 0.0)
    store: Any = Audited()

    async def watching() -> None:
        for findings in ([Finding("no_progress", "x")] * 2, [Finding("completed_at", "x")], []):
            before = shown()
            async with asyncio.timeout(30):
                await store.asked.wait()
            store.asked.clear()
            assert shown() == before
            reads = store.reads
            store.answers.put_nowait(findings)
            await store.reads_reach(reads + 1)
            assert shown() == {found.rule: float(len(findings)) for found in findings}

    await alongside(watching(), keep_figures(store, LIMITS))
