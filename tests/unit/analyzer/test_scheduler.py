"""Whose turn it is: priority, turns between jobs, the longest first."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.scheduler import FairQueue, Scheduler


@dataclass(eq=False)
class Item:
    job_id: str
    size: int = 0
    priority: int = 0


def drained(*items: Item) -> list[tuple[str, int]]:
    queue: FairQueue[Item] = FairQueue()
    for item in items:
        queue.push(item)
    order = []
    while (taken := queue.pop()) is not None:
        order.append((taken.job_id, taken.size))
    assert len(queue) == 0
    return order


def test_jobs_take_turns_and_the_longest_comes_first() -> None:
    assert drained(Item("a", 10), Item("a", 30), Item("a", 20), Item("b", 5), Item("b", 50)) == [
        ("a", 30),
        ("b", 50),
        ("a", 20),
        ("b", 5),
        ("a", 10),
    ]


def test_a_small_job_waits_for_one_game_of_a_large_one() -> None:
    order = drained(*(Item("large", 80) for _ in range(100)), Item("small", 10))
    assert order.index(("small", 10)) == 1


def test_priority_goes_before_everything() -> None:
    order = drained(
        Item("a", 90), Item("b", 10, priority=5), Item("c", 20, priority=-1), Item("d", 5, priority=5)
    )
    assert [job for job, _ in order] == ["b", "d", "a", "c"]


def test_removal() -> None:
    queue: FairQueue[Item] = FairQueue()
    one, other = Item("a", 1), Item("a", 2)
    queue.push(one)
    queue.push(other)
    assert queue.remove(other)
    assert not queue.remove(other)
    assert queue.pop() is one
    assert not queue.remove(one)
    assert queue.pop() is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 2)), max_size=40))
def test_everything_comes_out_once_and_in_the_order_of_priority(made: list[tuple[str, int, int]]) -> None:
    items = [Item(job, size, priority) for job, size, priority in made]
    queue: FairQueue[Item] = FairQueue()
    for item in items:
        queue.push(item)
    out: list[Item] = []
    while (popped := queue.pop()) is not None:
        out.append(popped)
    assert sorted(map(id, out)) == sorted(map(id, items))
    assert [item.priority for item in out] == sorted((item.priority for item in items), reverse=True)
    for priority in {item.priority for item in items}:
        taken = [item.job_id for item in out if item.priority == priority]
        for job in set(taken):
            # While a job has games left, no other one has two turns between two of its turns.
            at = [index for index, name in enumerate(taken) if name == job]
            for before, after in itertools.pairwise(at):
                between = taken[before + 1 : after]
                assert len(between) == len(set(between))


async def test_work_runs_one_at_a_time_on_a_lane_and_gives_its_result() -> None:
    scheduler: Scheduler[str] = Scheduler()
    serving = asyncio.create_task(scheduler.serve("lane"))
    running = 0

    async def work(lane: str) -> str:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        running -= 1
        return lane

    results = await asyncio.gather(
        *(scheduler.submit(work, job_id=str(number), priority=0, size=1) for number in range(5))
    )
    assert results == ["lane"] * 5
    serving.cancel()


async def test_errors_reach_the_one_who_asked_and_the_lane_goes_on() -> None:
    scheduler: Scheduler[str] = Scheduler()
    serving = asyncio.create_task(scheduler.serve("lane"))

    async def fails(_lane: str) -> None:
        raise LookupError("no such square")

    async def works(_lane: str) -> int:
        return 7

    with pytest.raises(LookupError, match="square"):
        await scheduler.submit(fails, job_id="a", priority=0, size=1)
    assert await scheduler.submit(works, job_id="a", priority=0, size=1) == 7
    serving.cancel()


async def test_cancelling_takes_work_out_of_the_queue_or_stops_it() -> None:
    scheduler: Scheduler[str] = Scheduler()
    serving = asyncio.create_task(scheduler.serve("lane"))
    started, stopped = asyncio.Event(), asyncio.Event()

    async def endless(_lane: str) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async def never(_lane: str) -> None:
        raise AssertionError("was withdrawn")

    first = asyncio.create_task(scheduler.submit(endless, job_id="a", priority=0, size=1))
    await started.wait()
    second = asyncio.create_task(scheduler.submit(never, job_id="a", priority=0, size=1))
    await asyncio.sleep(0)  # it submits in its first step
    assert scheduler.waiting == 1
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert scheduler.waiting == 0
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await stopped.wait()

    async def works(_lane: str) -> str:
        return "fine"

    assert await scheduler.submit(works, job_id="a", priority=0, size=1) == "fine"
    serving.cancel()


async def test_a_lane_that_ends_cancels_its_work() -> None:
    scheduler: Scheduler[str] = Scheduler()
    serving = asyncio.create_task(scheduler.serve("lane"))
    started, stopped = asyncio.Event(), asyncio.Event()

    async def endless(_lane: str) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    asked = asyncio.create_task(scheduler.submit(endless, job_id="a", priority=0, size=1))
    await started.wait()
    serving.cancel()
    await stopped.wait()
    with pytest.raises(asyncio.CancelledError):
        await asked
