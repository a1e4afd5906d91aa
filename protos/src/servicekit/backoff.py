"""How long to wait before something is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds between tries: doubled with each failure in a row up to `most`, and half of it by chance."""

    first: float
    most: float

    def delay(self, failures: int) -> float:
        """After so many in a row, from 1. The jitter keeps those apart that failed together."""
        full = min(self.most, self.first * 2.0 ** min(failures - 1, 16))
        return full * random.uniform(0.5, 1)  # noqa: S311  spreading load needs no secrecy
