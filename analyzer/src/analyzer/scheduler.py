"""Which game is searched next: by priority, then by turns between jobs, then the longest first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
L_contra = TypeVar("L_contra", contravariant=True)


class Sized(Protocol):
    """What the queue looks at."""

    @property
    def job_id(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def size(self) -> int: ...


S = TypeVar("S", bound=Sized)


class FairQueue(Generic[S]):
    """Higher priority first. Within a priority the jobs take turns, one game each; within a job the longest
    game comes first, so that no long one is left for the end, when other workers are already idle.
    """

    def __init__(self) -> None:
        self._levels: dict[int, deque[str]] = {}  # job ids in the order of their turns
        self._jobs: dict[tuple[int, str], list[S]] = {}

    def __len__(self) -> int:
        return sum(len(held) for held in self._jobs.values())

    def push(self, item: S) -> None:
        """A job that is new at its priority has its turn after those that wait there already."""
        held = self._jobs.setdefault((item.priority, item.job_id), [])
        if not held:
            self._levels.setdefault(item.priority, deque()).append(item.job_id)
        held.append(item)

    def pop(self) -> S | None:
        """The next item; None where nothing waits."""
        if not self._levels:
            return None
        priority = max(self._levels)
        job_id = self._levels[priority][0]
        item = max(self._jobs[priority, job_id], key=lambda held: held.size)
        self._levels[priority].rotate(-1)
        self.remove(item)
        return item

    def remove(self, item: S) -> bool:
        """False where it is not here (any more)."""
        key = item.priority, item.job_id
        held = self._jobs.get(key, [])
        if not any(other is item for other in held):
            return False
        held[:] = [other for other in held if other is not item]
        if not held:
            del self._jobs[key]
            self._levels[item.priority].remove(item.job_id)
            if not self._levels[item.priority]:
                del self._levels[item.priority]
        return True


@dataclass(eq=False, slots=True)
class _Work(Generic[L_contra, T]):
    job_id: str
    priority: int
    size: int
    run: Callable[[L_contra], Awaitable[T]]
    done: asyncio.Future[T] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    task: asyncio.Future[T] | None = None


Lane = TypeVar("Lane")


class Scheduler(Generic[Lane]):
    """Runs work on lanes, one piece at a time on each. `serve` must run once for each lane."""

    def __init__(self) -> None:
        self._queue: FairQueue[_Work[Lane, object]] = FairQueue()
        self._arrived = asyncio.Event()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    async def submit(
        self, run: Callable[[Lane], Awaitable[T]], *, job_id: str, priority: int, size: int
    ) -> T:
        """Waits for its turn, runs on a lane, gives the result or raises what `run` raised.

        Cancelling the caller takes the work out of the queue, or cancels it where it runs.
        """
        work: _Work[Lane, T] = _Work(job_id, priority, size, run)
        queued: _Work[Lane, object] = work  # type: ignore[assignment]  # the queue does not look at the result
        self._queue.push(queued)
        self._arrived.set()
        try:
            return await work.done
        finally:
            self._queue.remove(queued)
            if work.task is not None:
                work.task.cancel()

    async def serve(self, lane: Lane) -> None:
        """Until cancelled; the work under way is cancelled with it."""
        while True:
            work = await self._next()
            work.task = task = asyncio.ensure_future(work.run(lane))
            try:
                await asyncio.wait({task})
            finally:
                if not task.done():
                    task.cancel()
                    await asyncio.wait({task})
                _hand_over(task, work.done)

    async def _next(self) -> _Work[Lane, object]:
        while (work := self._queue.pop()) is None:
            self._arrived.clear()
            await self._arrived.wait()
        return work


def _hand_over(task: asyncio.Future[object], done: asyncio.Future[object]) -> None:
    if task.cancelled():
        done.cancel()
    elif (error := task.exception()) is not None:
        if not done.done():
            done.set_exception(error)
    elif not done.done():
        done.set_result(task.result())
