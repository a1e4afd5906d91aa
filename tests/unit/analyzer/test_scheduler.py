"""Whose turn it is: priority, turns between jobs, the longest first; and who helps when nothing waits."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer.scheduler import FairQueue, Scheduler

T = TypeVar("T")


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


@dataclass(eq=False)
class Job(Item, Generic[T]):
    """Work that runs `does`; helpers run `helps`, for as long as there is something to spare."""

    does: Callable[[str], Awaitable[T]] = None  # type: ignore[assignment]  # always given
    helps: Callable[[str], Awaitable[None]] | None = None
    spare: int = 0
    unfit: bool = False  # whoever helps fails
    call: Callable[[], None] = lambda: None

    async def run(self, lane: str, call: Callable[[], None]) -> T:
        self.call = call
        return await self.does(lane)

    async def help(self, lane: str, leave: Callable[[], bool]) -> bool:
        assert self.helps is not None
        while self.spare and not leave():
            self.spare -= 1
            await self.helps(lane)
            if self.unfit:
                return False
        return True


@pytest.fixture
async def scheduler() -> AsyncIterator[Scheduler[str]]:
    """With one lane."""
    made: Scheduler[str] = Scheduler()
    serving = asyncio.create_task(made.serve("lane"))
    yield made
    serving.cancel()
    await asyncio.wait([serving])


class Endless:
    """`does` or `helps` of a job: until it is cancelled, or `end` is set."""

    def __init__(self) -> None:
        self.started, self.end, self.stopped = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def __call__(self, _lane: str) -> None:
        self.started.set()
        try:
            await self.end.wait()
        finally:
            self.stopped.set()


async def seven(_lane: str) -> int:
    return 7


async def test_work_runs_one_at_a_time_on_a_lane_and_gives_its_result(scheduler: Scheduler[str]) -> None:
    running = 0

    async def work(lane: str) -> str:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        running -= 1
        return lane

    results = await asyncio.gather(*(scheduler.submit(Job(str(number), does=work)) for number in range(5)))
    assert results == ["lane"] * 5


async def test_errors_reach_the_one_who_asked_and_the_lane_goes_on(scheduler: Scheduler[str]) -> None:
    async def fails(_lane: str) -> None:
        raise LookupError("no such square")

    with pytest.raises(LookupError, match="square"):
        await scheduler.submit(Job("a", does=fails))
    assert await scheduler.submit(Job("a", does=seven)) == 7


async def test_cancelling_takes_work_out_of_the_queue_or_stops_it(scheduler: Scheduler[str]) -> None:
    async def never(_lane: str) -> None:
        raise AssertionError("was withdrawn")

    endless = Endless()
    first = asyncio.create_task(scheduler.submit(Job("a", does=endless)))
    await endless.started.wait()
    second = asyncio.create_task(scheduler.submit(Job("a", does=never)))
    await asyncio.sleep(0)  # it submits in its first step
    assert scheduler.waiting == 1
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert scheduler.waiting == 0
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await endless.stopped.wait()
    assert await scheduler.submit(Job("a", does=seven)) == 7


async def test_a_lane_that_ends_cancels_its_work() -> None:
    scheduler: Scheduler[str] = Scheduler()
    serving = asyncio.create_task(scheduler.serve("lane"))
    endless = Endless()
    asked = asyncio.create_task(scheduler.submit(Job("a", does=endless)))
    await endless.started.wait()
    serving.cancel()
    await endless.stopped.wait()
    with pytest.raises(asyncio.CancelledError):
        await asked


# Idle lanes help


@asynccontextmanager
async def helped(*spares: int) -> AsyncIterator[tuple[Scheduler[str], list[Job[None]], asyncio.Queue[str]]]:
    """Jobs that run without end on a lane each, and an idle lane; the queue gets who was helped, each time.

    `spares`: of each job, how often it can be helped.
    """
    scheduler: Scheduler[str] = Scheduler()
    told: asyncio.Queue[str] = asyncio.Queue()
    jobs: list[Job[None]] = []
    async with asyncio.TaskGroup() as tasks:
        serving = [tasks.create_task(scheduler.serve(f"lane {number}")) for number in range(len(spares) + 1)]
        for number, spare in enumerate(spares):
            job = Job(f"job {number}", does=Endless(), spare=spare)

            async def helps(_lane: str, name: str = job.job_id) -> None:
                told.put_nowait(name)
                await asyncio.sleep(0)

            job.helps = helps
            serving.append(tasks.create_task(scheduler.submit(job)))
            jobs.append(job)
        yield scheduler, jobs, told
        for task in serving:
            task.cancel()


async def test_a_lane_for_which_nothing_waits_helps_where_most_is_left() -> None:
    async with helped(2, 5) as (_, jobs, told):
        assert [await told.get() for _ in range(7)] == ["job 1"] * 5 + ["job 0"] * 2
        # Later there is more to share: the lane is called.
        jobs[0].spare = 1
        jobs[0].call()
        assert await told.get() == "job 0"


async def test_a_helper_goes_when_a_game_comes() -> None:
    async with helped(1_000_000) as (scheduler, jobs, told):
        await told.get()
        assert await scheduler.submit(Job("other", does=seven)) == 7
        assert jobs[0].spare > 0
        await told.get()  # and comes back


async def test_a_helper_that_fails_comes_back_when_there_is_news() -> None:
    async with helped(0) as (scheduler, jobs, told):
        jobs[0].unfit, jobs[0].spare = True, 100
        jobs[0].call()
        await told.get()
        for _ in range(10):  # turns of the loop in which it could come back
            await asyncio.sleep(0)
        assert told.empty()
        jobs[0].call()
        await told.get()
        assert await scheduler.submit(Job("other", does=seven)) == 7
        await told.get()


async def test_a_helper_that_its_game_sends_away_serves_on() -> None:
    async with helped(1) as (scheduler, jobs, told):
        helper: list[asyncio.Task[None] | None] = []

        async def helps(_lane: str) -> None:
            helper.append(asyncio.current_task())
            told.put_nowait("helps")
            await asyncio.Event().wait()

        await told.get()
        jobs[0].helps, jobs[0].spare = helps, 1
        jobs[0].call()
        await told.get()
        assert helper[0] is not None
        helper[0].cancel()
        assert await scheduler.submit(Job("other", does=seven)) == 7
