"""One request at a time per platform and process: the gate all jobs go through, and wait at."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class HeldTooLong(Exception):
    """The gate is held for longer than the waiter's patience; `seconds` are left of the hold."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"held for {seconds:.0f} more seconds")
        self.seconds = seconds


class Waiter:
    """One fetch at the gate: how long it still waits for the platform, and whom it tells.

    Its patience (seconds, of all waits together) runs while a notice stands, and not while it only waits for
    its turn. `on_notice` gets each new notice, and None when the last one is over.
    """

    def __init__(self, patience: float, on_notice: Callable[[str | None], None]) -> None:
        self._patience = patience
        self._on_notice = on_notice
        self._notice: str | None = None
        self._since = 0.0

    def left(self, now: float) -> float:
        """Of its patience, in seconds."""
        return self._patience - (now - self._since if self._notice is not None else 0)

    def tell(self, notice: str | None, now: float) -> None:
        if notice == self._notice:
            return
        if self._notice is None:
            self._since = now
        elif notice is None:
            self._patience = self.left(now)
        self._notice = notice
        self._on_notice(notice)


class Gate:
    """Turns are given in the order in which they were asked for, so that jobs alternate request by request.

    While the gate is held nobody's next request goes out. Who waits is told why, and gives up when its
    patience is used up, or would be before the hold is over.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = asyncio.Lock()  # asyncio's wakes its waiters in order
        self._held_until = clock()
        self._notice: str | None = None
        self._in_line: dict[Waiter, asyncio.Timeout] = {}
        self._inside: Waiter | None = None

    def hold(self, seconds: float, notice: str | None = None) -> None:
        """No request for so long; a shorter hold never cuts a longer one.

        `notice` says why, to all that wait and all that come until `clear`; without one nobody is told, so
        that a hold of a moment is no news.
        """
        until = self._clock() + seconds
        if until <= self._held_until:
            return
        self._held_until = until
        if notice is not None:
            self._notice = notice
            self._tell_all()

    def clear(self) -> None:
        """The platform answers again: the notice is taken back. A hold still lasts its time."""
        if self._notice is not None:
            self._notice = None
            self._tell_all()

    @asynccontextmanager
    async def turn(self, waiter: Waiter) -> AsyncIterator[None]:
        """The only request of this process to this platform, while inside. Raises `HeldTooLong`."""
        await self._wait(waiter)
        self._inside = waiter
        try:
            yield
        finally:
            self._inside = None
            self._lock.release()

    async def _wait(self, waiter: Waiter) -> None:
        """Returns with the lock held."""
        try:
            async with asyncio.timeout(None) as limit:
                self._in_line[waiter] = limit
                self._tell(waiter, limit)
                await self._lock.acquire()
                try:
                    # A hold can grow meanwhile, and never ends before its time: there is no event for it.
                    while (left := self._held_until - self._clock()) > 0:  # noqa: ASYNC110
                        await asyncio.sleep(left)
                except asyncio.CancelledError:
                    self._lock.release()
                    raise
        except TimeoutError:
            raise HeldTooLong(max(self._held_until - self._clock(), 0)) from None
        finally:
            del self._in_line[waiter]

    def _tell_all(self) -> None:
        for waiter, limit in self._in_line.items():
            self._tell(waiter, limit)
        if self._inside is not None:
            self._inside.tell(self._notice, self._clock())

    def _tell(self, waiter: Waiter, limit: asyncio.Timeout) -> None:
        """Tells a waiter in line how things stand, and sets the time at which it gives up."""
        now = self._clock()
        waiter.tell(self._notice, now)
        if limit.expired():
            return
        if self._notice is None:
            limit.reschedule(None)
        else:
            patience = waiter.left(now)
            in_vain = patience < self._held_until - now
            limit.reschedule(asyncio.get_running_loop().time() + (0 if in_vain else patience))
