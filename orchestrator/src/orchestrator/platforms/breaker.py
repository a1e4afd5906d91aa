"""When to leave a platform alone, and for how long: a circuit breaker. Pure but for its jitter."""

from __future__ import annotations

import random
from collections.abc import Callable

_MOST_DOUBLINGS = 30  # no float overflows, and every bound is reached long before


class Breaker:
    """One for a platform and process, told of every attempt, whosoever it was.

    Closed while attempts succeed now and then. After `failures_in_a_row` without one between, each failure
    opens it for a while that doubles from `first_rest` to `longest_rest` (seconds); the one attempt that
    follows (the gate lets no second one through) finds out whether it closes.
    """

    def __init__(
        self,
        failures_in_a_row: int,
        first_rest: float,
        longest_rest: float,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._threshold = failures_in_a_row
        self._first = first_rest
        self._longest = longest_rest
        self._jitter = jitter
        self._failures = 0

    @property
    def is_open(self) -> bool:
        return self._failures >= self._threshold

    def failed(self) -> float:
        """Seconds for which the platform is to be left alone from now on; 0 while the breaker is closed."""
        self._failures += 1
        if not self.is_open:
            return 0.0
        doublings = min(self._failures - self._threshold, _MOST_DOUBLINGS)
        # Up to a quarter more, so that the replicas of a system do not come back all at once.
        return min(self._longest, self._first * 2.0**doublings) * self._jitter(1, 1.25)

    def succeeded(self) -> None:
        """The platform answered, be it with a refusal: what it says of one request is no outage."""
        self._failures = 0
