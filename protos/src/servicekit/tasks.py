"""Work that runs beside other work, and ends with it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
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
