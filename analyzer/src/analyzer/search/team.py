"""The lanes that search one game: the one it runs on, and those that help while they have nothing to do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from analyzer.engine.errors import EngineFailed
from analyzer.search.shares import Shares

log = structlog.get_logger()

Lane = TypeVar("Lane")
# Searches one position on a lane. The last argument: the lane is new to the game, its hash empty.
Search = Callable[[Lane, int, bool], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Round(Generic[Lane]):
    """Positions under way, and what is to be done with each."""

    shares: Shares
    search: Search[Lane]


class Team(Generic[Lane]):
    """`enter` has a lane take up the game; True where the lane had to forget another one for it.

    A helper's engines that fail are the lane's trouble: what it had goes to others, and where the position is
    to blame, the owner's own search raises. Any other error of a helper's is a defect, and `search_all`'s.
    """

    def __init__(self, enter: Callable[[Lane], Awaitable[bool]]) -> None:
        self._enter = enter
        self._round: _Round[Lane] | None = None
        self._helpers: set[asyncio.Task[None]] = set()
        self._helper_left = asyncio.Event()
        self._failure: Exception | None = None
        self._over = False

    @property
    def spare(self) -> int:
        """Positions that one lane more would take over now; none once it is disbanded."""
        return self._round.shares.spare if self._round else 0

    async def search_all(
        self, lane: Lane, positions: Iterable[int], search: Search[Lane], call: Callable[[], None]
    ) -> None:
        """All the positions, last to first, with whoever comes to help when `call` is called."""
        work = self._round = _Round(Shares(positions), search)
        call()
        await _take_all(lane, work)
        while work.shares.left or self._failure:
            if self._failure:
                raise self._failure
            self._helper_left.clear()
            await self._helper_left.wait()
            await _take_all(lane, work)

    async def help(self, lane: Lane, leave: Callable[[], bool]) -> bool:
        """Take a share of the positions under way: until there is no more to take, or `leave` says so.

        False where the lane's engines failed.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  what a coroutine runs in
        self._helpers.add(task)
        try:
            return await self._help(lane, leave)
        finally:
            self._helpers.discard(task)

    def disband(self) -> None:
        """The game is over, or given up: those who help stop, and who is just on the way turns back."""
        self._over, self._round = True, None
        for helper in self._helpers:
            helper.cancel()

    async def _help(self, lane: Lane, leave: Callable[[], bool]) -> bool:
        if self._over:  # since the lane was called: its task begins a turn of the loop later
            return True
        try:
            new = await self._enter(lane)
        except EngineFailed as error:
            log.warning("a lane cannot help", detail=str(error))
            return False
        work = self._round
        if work is None:  # over
            return True
        try:
            await _take_all(lane, work, leave, new=new)
        except EngineFailed as error:
            log.warning("a lane failed while it helped", detail=str(error))
            return False
        except Exception as error:  # noqa: BLE001  whatever it is, search_all raises it
            self._failure = error
        finally:
            work.shares.leave(lane)
            self._helper_left.set()
        return True


async def _take_all(
    lane: Lane, work: _Round[Lane], leave: Callable[[], bool] = lambda: False, *, new: bool = False
) -> None:
    while (position := work.shares.take(lane)) is not None:
        await work.search(lane, position, new)
        work.shares.done(lane)
        new = False
        if leave():
            return
