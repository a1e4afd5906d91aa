"""Which game is searched next: by priority, then by turns between jobs, then the longest first.

Where no game waits, idle lanes help with the games that run.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Lane = TypeVar("Lane")
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


class Work(Sized, Protocol[L_contra, T_co]):
    """What runs on a lane, and may be helped by others."""

    @property
    def spare(self) -> int:
        """What one lane more would take over now; 0: nothing."""
        ...

    async def run(self, lane: L_contra, call: Callable[[], None]) -> T_co:
        """All of it. Calls `call` whenever there is something to share."""
        ...

    async def help(self, lane: L_contra, leave: Callable[[], bool]) -> bool:
        """Take over a share, until there is none left or `leave` says so. Raises nothing.

        False where the lane failed: it would fail again if it came back at once.
        """
        ...


@dataclass(eq=False, slots=True)
class _Ticket(Generic[Lane, T]):
    work: Work[Lane, T]
    done: asyncio.Future[T] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    task: asyncio.Future[T] | None = None

    @property
    def job_id(self) -> str:
        return self.work.job_id

    @property
    def priority(self) -> int:
        return self.work.priority

    @property
    def size(self) -> int:
        return self.work.size


class Scheduler(Generic[Lane]):
    """Runs work on lanes, one piece at a time on each. `serve` must run once for each lane.

    Only a lane that nothing waits for helps with what runs on others, and it goes when something comes.
    """

    def __init__(self) -> None:
        self._queue: FairQueue[_Ticket[Lane, object]] = FairQueue()
        self._running: set[_Ticket[Lane, object]] = set()
        self._news = asyncio.Event()  # work has come, or can be shared

    @property
    def waiting(self) -> int:
        return len(self._queue)

    async def submit(self, work: Work[Lane, T]) -> T:
        """Waits for its turn, runs on a lane, gives the result or raises what `run` raised.

        Cancelling the caller takes the work out of the queue, or cancels it where it runs.
        """
        ticket: _Ticket[Lane, T] = _Ticket(work)
        queued: _Ticket[Lane, object] = ticket  # type: ignore[assignment]  # the queue does not look at the result
        self._queue.push(queued)
        self._news.set()
        try:
            return await ticket.done
        finally:
            self._queue.remove(queued)
            if ticket.task is not None:
                ticket.task.cancel()

    async def serve(self, lane: Lane) -> None:
        """Until cancelled; the work under way is cancelled with it."""
        fit = True  # to help. After a failure not before there is news: else it would fail again and again
        while True:
            if (ticket := self._queue.pop()) is not None:
                await self._run(ticket, lane)
                fit = True
            elif fit and (shared := max(self._running, key=_spare, default=None)) and _spare(shared):
                fit = await self._help(shared, lane)
            else:
                self._news.clear()
                await self._news.wait()
                fit = True

    async def _help(self, ticket: _Ticket[Lane, object], lane: Lane) -> bool:
        helping = asyncio.ensure_future(ticket.work.help(lane, lambda: self.waiting > 0))
        await _to_its_end(helping)
        return helping.cancelled() or helping.result()  # cancelled with the work

    async def _run(self, ticket: _Ticket[Lane, object], lane: Lane) -> None:
        ticket.task = task = asyncio.ensure_future(ticket.work.run(lane, self._news.set))
        self._running.add(ticket)
        try:
            await _to_its_end(task)
        finally:
            self._running.discard(ticket)
            _hand_over(task, ticket.done)


def _spare(ticket: _Ticket[Lane, object]) -> int:
    return ticket.work.spare


async def _to_its_end(task: asyncio.Future[Any]) -> None:
    """Cancelled, it cancels the task, and sees it end."""
    try:
        await asyncio.wait({task})
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


def _hand_over(task: asyncio.Future[object], done: asyncio.Future[object]) -> None:
    if task.cancelled():
        done.cancel()
    elif (error := task.exception()) is not None:
        if not done.done():
            done.set_exception(error)
    elif not done.done():
        done.set_result(task.result())
