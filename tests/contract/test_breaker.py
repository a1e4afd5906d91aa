"""A platform that keeps failing is left alone for a while; the jobs that wait for it say so, and go on."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from orchestrator.domain import Platform, PlatformGame
from orchestrator.platforms.errors import PlatformUnavailable, UnknownPlayer
from tests.support.platforms import faults
from tests.support.platforms.bench import QUICK, Bench, many, serving

pytestmark = pytest.mark.parametrize("platform", list(Platform))

REST = 0.1
POLICY = replace(QUICK, attempts=5, failures_in_a_row=3, first_rest=REST, longest_rest=REST, patience=30)
OUTAGES: dict[str, Callable[[], faults.Fault]] = {
    "500": lambda: faults.status(500),
    "a dropped connection": faults.drop,
    "garbage": faults.garbage,
}


class Fetching:
    """A job's fetch and what it says of its waits."""

    def __init__(self, bench: Bench, **request: Any) -> None:
        self.said: list[str | None] = []
        self.changed = asyncio.Event()
        self._request = {"on_notice": self._hear} | request
        self._bench = bench

    def _hear(self, notice: str | None) -> None:
        self.said.append(notice)
        self.changed.set()

    async def games(self) -> list[PlatformGame]:
        return await self._bench.games(**self._request)

    async def waits(self) -> str:
        """Until it says why it waits; the sentence."""
        async with asyncio.timeout(10):
            while not self.said or self.said[-1] is None:
                self.changed.clear()
                await self.changed.wait()
        return self.said[-1]


@pytest.fixture
async def bench(platform: Platform) -> AsyncIterator[Bench]:
    async with serving(platform, many(20), policy=POLICY) as made:
        yield made


@pytest.mark.parametrize("outage", OUTAGES)
async def test_an_outage_longer_than_all_tries_costs_time_not_the_job(bench: Bench, outage: str) -> None:
    failing = POLICY.attempts + 3  # more than one thing is tried otherwise
    bench.server.faults.add(OUTAGES[outage](), times=failing)
    job = Fetching(bench)
    with structlog.testing.capture_logs() as logs:
        assert len(await job.games()) == 20
    assert bench.server.faults.left == 0
    told = [line["event"] for line in logs if line["event"] in ("left alone", "answers again")]
    # At least: on a busy machine a good answer may come too late as well.
    assert told.count("left alone") >= failing - POLICY.failures_in_a_row + 1
    assert told[-1] == "answers again"
    assert job.said[-1] is None


async def test_while_it_rests_nobody_asks_and_then_one_alone(bench: Bench) -> None:
    bench.server.faults.add(faults.status(503), times=6)
    jobs = [Fetching(bench) for _ in range(5)]
    async with asyncio.TaskGroup() as group:
        fetches = [group.create_task(job.games()) for job in jobs]
        sentences = [await job.waits() for job in jobs]
    assert all(len(fetch.result()) == 20 for fetch in fetches)
    # All of them have said so, those too that had no try of their own.
    assert all("503 Service Unavailable" in sentence for sentence in sentences)
    assert all(job.said[-1] is None for job in jobs)
    # Three tries, then one in each rest until it answers.
    times = [seen.at for seen in bench.server.requests[2:7]]
    assert all(later - earlier >= REST for earlier, later in itertools.pairwise(times))
    assert bench.server.overlaps == 0


async def test_the_sentence_says_who_why_and_until_when(bench: Bench, platform: Platform) -> None:
    bench.server.faults.add(faults.status(500), times=3)
    job = Fetching(bench)
    before = datetime.now(UTC)
    await job.games()
    match = re.fullmatch(
        rf"{re.escape(platform)} does not answer \(500 Internal Server Error\); "
        r"trying again at (\d\d):(\d\d) UTC",
        job.said[0] or "",
    )
    assert match
    said = before.replace(hour=int(match[1]), minute=int(match[2]), second=0, microsecond=0)
    if said < before - timedelta(hours=12):  # past midnight
        said += timedelta(days=1)
    assert before < said <= datetime.now(UTC) + timedelta(minutes=1, seconds=REST * 1.25)
    assert job.said[1:] == [None]


async def test_a_newcomer_is_told_at_once_and_does_not_ask(platform: Platform) -> None:
    long = replace(POLICY, first_rest=0.5, longest_rest=0.5)
    async with serving(platform, many(20), policy=long) as bench, asyncio.TaskGroup() as group:
        bench.server.faults.add(faults.status(500), times=3)
        first, second = Fetching(bench), Fetching(bench)
        group.create_task(first.games())
        sentence = await first.waits()
        group.create_task(second.games())
        assert await second.waits() == sentence
        assert len(bench.server.requests) == 3


async def test_patience_ends_it_with_the_reason(platform: Platform) -> None:
    async with serving(platform, many(3), policy=replace(POLICY, patience=2.5 * REST)) as bench:
        bench.server.faults.add(faults.status(502), times=1000)
        jobs = [Fetching(bench) for _ in range(4)]
        began = asyncio.get_running_loop().time()
        results = await asyncio.gather(*(job.games() for job in jobs), return_exceptions=True)
        took = asyncio.get_running_loop().time() - began
        asked = len(bench.server.requests)
    assert took < 20 * REST, "a job at the end of the line waited for those before it"
    for result in results:
        assert isinstance(result, PlatformUnavailable)
        assert result.message.startswith(f"{platform} did not give the ")
        assert "it has not answered for as long as a sync waits (502 Bad Gateway" in result.message
        assert result.retry_after >= timedelta(minutes=1)
    assert asked <= POLICY.failures_in_a_row + 3


async def test_one_thing_that_cannot_be_had_is_no_outage(platform: Platform) -> None:
    """Others get their answers: the breaker stays closed, and tries are counted."""
    every = many(20)
    others = [replace(game, player="Carol_C", number=game.number + 100) for game in every]
    async with serving(platform, [*every, *others], policy=POLICY) as bench:
        bench.server.faults.add(faults.status(500), on="alice", times=1000)
        going_on = True

        async def others_sync() -> None:
            while going_on:
                assert len(await bench.games(username="Carol_C")) == 20

        job = Fetching(bench)
        async with asyncio.TaskGroup() as group:
            group.create_task(others_sync())
            with pytest.raises(PlatformUnavailable, match=rf"\(500 .*; {POLICY.attempts} tries\)"):
                await job.games()
            going_on = False


async def test_a_refusal_is_an_answer(bench: Bench) -> None:
    for _ in range(2 * POLICY.failures_in_a_row):
        with pytest.raises(UnknownPlayer):
            await bench.fetch(username="Nobody-Here")
    job = Fetching(bench)
    assert len(await job.games()) == 20
    assert job.said == []


async def test_a_long_pause_that_the_platform_asks_for_is_said_too(
    bench: Bench, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.platforms.http.NOTICE_SECONDS", 0.9)
    bench.server.faults.add(faults.status(429, headers={"Retry-After": "1"}))
    job = Fetching(bench)
    assert len(await job.games()) == 20
    assert len(job.said) == 2
    assert (job.said[0] or "").startswith(f"{platform} asks for a pause; going on at ")


async def test_a_job_that_leaves_makes_room_for_the_next_probe(bench: Bench) -> None:
    bench.server.faults.add(faults.status(500), times=3)
    first, second = Fetching(bench), Fetching(bench)
    async with asyncio.TaskGroup() as group:
        leaving = group.create_task(first.games())
        await first.waits()
        staying = group.create_task(second.games())
        await second.waits()
        leaving.cancel()
    assert len(staying.result()) == 20
