"""One request at a time per platform and process: the gate all jobs go through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class HeldTooLong(Exception):
    """The platform asked for a pause longer than a job may wait; `seconds` are left of it."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"held for {seconds:.0f} more seconds")
        self.seconds = seconds


class Gate:
    """Turns are given in the order in which they were asked for, so that jobs alternate request by request.

    After a 429 the gate is held: nobody's next request goes out before the platform wants it.
    """

    def __init__(self, longest_hold: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest_hold = longest_hold  # seconds
        self._clock = clock
        self._lock = asyncio.Lock()  # asyncio's wakes its waiters in order
        self._held_until = clock()

    def hold(self, seconds: float) -> None:
        """No request for so long; a shorter hold never cuts a longer one."""
        self._held_until = max(self._held_until, self._clock() + seconds)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """The only request of this process to this platform, while inside.

        Raises `HeldTooLong` at once where the hold is longer than anyone should wait.
        """
        async with self._lock:
            while (left := self._held_until - self._clock()) > 0:
                if left > self._longest_hold:
                    raise HeldTooLong(left)
                await asyncio.sleep(left)
            yield
