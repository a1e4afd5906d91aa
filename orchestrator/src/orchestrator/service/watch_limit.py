"""How many WatchSync streams an orchestrator keeps open, of one user and in all: each is memory for hours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID

from orchestrator.auth import Caller
from servicekit.errors import QuotaExceeded, Unavailable

# A stream whose client is gone without a word counts until keepalive finds it, 40 s at most; most end sooner.
_RETRY_AFTER = timedelta(seconds=10)


class WatchLimit:
    """Of this process. The service itself watches for many users, and is bounded by the whole alone."""

    def __init__(self, per_user: int, in_all: int) -> None:
        self._per_user = per_user
        self._in_all = in_all
        self._open: Counter[UUID | None] = Counter()

    @contextmanager
    def one_more(self, caller: Caller) -> Iterator[None]:
        """For as long as a watch is open. QuotaExceeded, or Unavailable: another replica may have room."""
        user = caller.scope
        if user is not None and self._open[user] >= self._per_user:
            raise QuotaExceeded(
                f"you watch {self._per_user} times at once already; end one of these first",
                quota="watches_at_once",
                subject=f"user:{user}",
                retry_after=_RETRY_AFTER,
            )
        if self._open.total() >= self._in_all:
            raise Unavailable(
                "this server has as many watchers as it takes; try again",
                reason="TOO_MANY_WATCHERS",
                retry_after=_RETRY_AFTER,
            )
        self._open[user] += 1
        try:
            yield
        finally:
            self._open[user] -= 1
            if not self._open[user]:
                del self._open[user]
