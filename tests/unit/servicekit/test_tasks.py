"""What runs beside something ends with it, and is not lost where it fails."""

from __future__ import annotations

import asyncio

import pytest

from servicekit.tasks import alongside, cancellable


class Work:
    """Runs until it is cancelled, or given an end."""

    def __init__(self) -> None:
        self.begun, self.ended = asyncio.Event(), asyncio.Event()
        self.end: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self) -> str:
        self.begun.set()
        try:
            return await self.end
        finally:
            self.ended.set()


async def test_helpers_end_with_the_work() -> None:
    work, helpers = Work(), [Work(), Work()]
    running = asyncio.create_task(alongside(work.run(), *(helper.run() for helper in helpers)))
    for helper in helpers:
        await helper.begun.wait()
    work.end.set_result("done")
    assert await running == "done"
    assert all(helper.ended.is_set() for helper in helpers)


async def test_the_work_goes_on_without_helpers_that_have_ended() -> None:
    work, ending, cancelled = Work(), Work(), Work()
    running = asyncio.create_task(alongside(work.run(), ending.run(), cancelled.run()))
    await cancelled.begun.wait()
    ending.end.set_result("")
    cancelled.end.cancel()
    await ending.ended.wait()
    await cancelled.ended.wait()
    work.end.set_result("done")
    assert await running == "done"


async def test_a_helpers_failure_ends_the_work_and_the_others() -> None:
    work, failing, other = Work(), Work(), Work()
    running = asyncio.create_task(alongside(work.run(), failing.run(), other.run()))
    await other.begun.wait()
    failing.end.set_exception(LookupError("a defect"))
    with pytest.raises(LookupError, match="a defect"):
        await running
    assert work.ended.is_set()
    assert other.ended.is_set()


async def test_what_the_work_raises_stays_what_it_is() -> None:
    helper = Work()

    async def work() -> None:
        await helper.begun.wait()
        raise LookupError("of the work") from KeyError("why")

    with pytest.raises(LookupError, match="of the work") as raised:
        await alongside(work(), helper.run())
    assert isinstance(raised.value.__cause__, KeyError)
    assert helper.ended.is_set()


async def test_cancelled_from_outside_it_ends_all() -> None:
    work, helper = Work(), Work()
    running = asyncio.create_task(alongside(work.run(), helper.run()))
    await helper.begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert work.ended.is_set()
    assert helper.ended.is_set()


async def test_a_cancellation_is_not_lost_behind_an_error() -> None:
    """A lost one would let the caller go on for ever."""
    failing = Work()
    ending, may_end = asyncio.Event(), asyncio.Event()

    async def slow_to_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ending.set()
            await may_end.wait()

    running = asyncio.create_task(alongside(failing.run(), slow_to_end()))
    await failing.begun.wait()
    failing.end.set_exception(LookupError("of the work"))
    await ending.wait()
    running.cancel()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_cancellation_that_comes_with_the_answer_is_not_swallowed() -> None:
    """Python 3.11's wait_for returns the answer, and the task goes on."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    asked = asyncio.Event()

    async def ask() -> str:
        asked.set()
        with cancellable():
            return await asyncio.wait_for(answer, 60)

    asking = asyncio.create_task(ask())
    await asked.wait()
    await asyncio.sleep(0)
    answer.set_result("")
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_what_is_awaited_while_a_task_is_cancelled_comes_through() -> None:
    """Work is given back after a cancellation."""

    async def give_back() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            with cancellable():
                await asyncio.sleep(0)
            return "given back"
        raise AssertionError

    giving = asyncio.create_task(give_back())
    await asyncio.sleep(0)
    giving.cancel()
    assert await giving == "given back"
