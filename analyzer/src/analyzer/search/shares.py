"""Who searches which positions of one pass: one lane all of them, or several lanes a window each. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

# A window with fewer positions to come is not split. Of n to come n/2 would be left to the other lane, which
# must search one more to warm up: with 2 that ends later than the owner alone, with 3 earlier.
_LEAST_TO_SPLIT = 3


class Shares:
    """Positions, by index, each taken once; every lane takes those of its window last to first.

    A lane that has none left takes over the earlier half of the longest window, so all of them end at about
    the same time. Windows are only split, never dealt out before: one lane alone takes everything in order.
    """

    def __init__(self, positions: Iterable[int]) -> None:
        self._free = sorted(positions)  # nobody's: all at first, then what a lane left behind
        self._windows: dict[Hashable, list[int]] = {}
        self._at_work: dict[Hashable, int] = {}

    @property
    def left(self) -> int:
        """Positions that are not done."""
        return len(self._free) + sum(map(len, self._windows.values())) + len(self._at_work)

    @property
    def spare(self) -> int:
        """Positions that a lane would get which has no window yet."""
        if self._free:
            return len(self._free)
        longest = max(map(len, self._windows.values()), default=0)
        return longest // 2 if longest >= _LEAST_TO_SPLIT else 0

    def take(self, lane: Hashable) -> int | None:
        """The next position for the lane; None where there is none for it."""
        window = self._windows.get(lane) or self._new_window()
        if not window:
            self._windows.pop(lane, None)
            return None
        self._windows[lane] = window
        self._at_work[lane] = window.pop()
        return self._at_work[lane]

    def done(self, lane: Hashable) -> None:
        """The lane has searched the position that it took."""
        del self._at_work[lane]

    def leave(self, lane: Hashable) -> None:
        """The lane does no more: what it had and has not done is free for others."""
        left = self._windows.pop(lane, [])
        if lane in self._at_work:
            left.append(self._at_work.pop(lane))
        self._free = sorted(self._free + left)

    def _new_window(self) -> list[int]:
        if self._free:
            window, self._free = self._free, []
            return window
        longest = max(self._windows.values(), key=len, default=[])
        if len(longest) < _LEAST_TO_SPLIT:
            return []
        window = longest[: len(longest) // 2]
        del longest[: len(longest) // 2]
        return window
