"""What runs beside something ends with it, and is not lost where it fails."""

from __future__ import annotations

import asyncio

import pytest

from servicekit.tasks import beside


class Work:
    """Runs until it is cancelled or `fail`s."""

    def __init__(self) -> None:
        self.begun, self.ended = asyncio.Event(), asyncio.Event()
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        self.begun.set()
        try:
            await self._failure
        finally:
            self.ended.set()

    def fail(self, error: Exception) -> None:
        self._failure.set_exception(error)


async def test_it_ends_with_the_body() -> None:
    works = [Work(), Work()]
    async with beside(*(work.run() for work in works)):
        for work in works:
            await work.begun.wait()
    assert all(work.ended.is_set() for work in works)


async def test_its_failure_ends_the_body_and_the_others() -> None:
    failing, other = Work(), Work()

    async def body() -> None:
        async with beside(failing.run(), other.run()):
            await other.begun.wait()
            failing.fail(LookupError("a defect"))
            await asyncio.Event().wait()

    with pytest.raises(LookupError, match="a defect"):
        await body()
    assert other.ended.is_set()


async def test_what_the_body_raises_stays_what_it_is() -> None:
    work = Work()
    cause = KeyError("why")

    async def body() -> None:
        async with beside(work.run()):
            await work.begun.wait()
            raise LookupError("of the body") from cause

    with pytest.raises(LookupError, match="of the body") as raised:
        await body()
    assert raised.value.__cause__ is cause
    assert work.ended.is_set()


async def test_cancelling_the_body_stays_a_cancellation() -> None:
    work = Work()

    async def body() -> None:
        async with beside(work.run()):
            await asyncio.Event().wait()

    task = asyncio.create_task(body())
    await work.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert work.ended.is_set()
