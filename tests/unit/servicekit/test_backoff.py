"""How long is waited between tries."""

from __future__ import annotations

from servicekit.backoff import Backoff


def test_backoff_doubles_up_to_its_bound_and_is_jittered() -> None:
    backoff = Backoff(first=1, most=30)
    for failures, full in [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (1000, 30)]:
        delays = {backoff.delay(failures) for _ in range(50)}
        assert all(full / 2 <= delay <= full for delay in delays)
        assert len(delays) > 1
