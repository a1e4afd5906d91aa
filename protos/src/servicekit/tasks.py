"""Work that runs beside other work, and ends with it; cancellations that are not lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


async def alongside(work: Coroutine[Any, Any, T], *helpers: Coroutine[Any, Any, object]) -> T:
    """The work's result. Its helpers run beside it, and are cancelled at its end; they may end before.

    What a helper raises ends the work, and is raised here as it is: nothing goes on half alive, with what it
    relies on gone. No TaskGroup: it wraps errors, and until Python 3.13 swallows a cancellation that comes
    while it ends for an error.
    """
    main = asyncio.create_task(work)
    beside = [asyncio.create_task(helper) for helper in helpers]
    tasks = {main, *beside}
    try:
        running = tasks
        while not main.done() and not any(map(_failed, beside)):
            _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for helper in filter(_failed, beside):
        helper.result()
    return main.result()


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is not None


@contextmanager
def cancellable() -> Iterator[Callable[[], None]]:
    """Around awaits of a library that may swallow a cancellation: it is raised at the block's end, and by
    calling what the block is given.

    asyncio.wait_for, by which psycopg waits, does so until Python 3.12, where it comes with the answer. A
    loop of calls then goes on for ever, and a service that is told to stop does not.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0

    def check() -> None:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError

    try:
        yield check
    except Exception:
        check()
        raise
    check()
