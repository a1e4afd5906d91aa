"""Tasks that run beside something, and end with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def beside(*work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Runs `work` beside the body, and cancels it at the body's end.

    What the work raises ends the body: nothing goes on half alive, with what it relies on gone. It is raised
    here as it is, as is what the body raises, not as an ExceptionGroup.
    """
    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(one) for one in work]
            try:
                yield
            finally:
                for task in running:
                    task.cancel()
    except BaseExceptionGroup as group:
        error = group.exceptions[0]  # the first; the others were cancelled for it
    else:
        return
    raise error
