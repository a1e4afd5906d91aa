"""Lanes that search one game together: who joins, who leaves, and what happens when one fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from analyzer.engine.errors import EngineFailed
from analyzer.search.team import Team


class Game:
    """Positions searched at the test's word: `begun` says which lane is at which, `finish` ends a search."""

    def __init__(self) -> None:
        self.team: Team[str] = Team(self._enter)
        self.begun: asyncio.Queue[tuple[str, int, bool]] = asyncio.Queue()
        self.called = 0
        self.done: list[int] = []
        self.has_engine = True
        self._ends: dict[int, asyncio.Future[None]] = {}

    async def _enter(self, lane: str) -> bool:
        if not self.has_engine:
            raise EngineFailed("none can be started")
        return lane != "old friend"

    async def search(self, lane: str, position: int, new: bool) -> None:
        self.begun.put_nowait((lane, position, new))
        end = self._ends[position] = asyncio.get_running_loop().create_future()
        await end
        self.done.append(position)

    def finish(self, position: int, error: Exception | None = None) -> None:
        if error is None:
            self._ends.pop(position).set_result(None)
        else:
            self._ends.pop(position).set_exception(error)

    def run(self, positions: int) -> asyncio.Task[None]:
        return asyncio.create_task(self.team.search_all("owner", range(positions), self.search, self._call))

    def help(self, lane: str = "helper", leave: Callable[[], bool] = lambda: False) -> asyncio.Task[bool]:
        return asyncio.create_task(self.team.help(lane, leave))

    async def shared(self) -> tuple[asyncio.Task[None], asyncio.Task[bool]]:
        """Five positions, the owner at 4 and a helper at 1; their tasks."""
        running = self.run(5)
        assert await self.begun.get() == ("owner", 4, False)
        helping = self.help()
        assert await self.begun.get() == ("helper", 1, True)
        return running, helping

    def _call(self) -> None:
        self.called += 1


async def test_the_owner_calls_for_help_and_does_what_nobody_takes() -> None:
    game = Game()
    running = game.run(3)
    for position in (2, 1, 0):
        assert await game.begun.get() == ("owner", position, False)
        game.finish(position)
    await running
    assert game.called == 1
    assert game.team.spare == 0


async def test_a_helper_takes_the_earlier_half_and_the_owner_waits_for_it() -> None:
    game = Game()
    running = game.run(5)
    await game.begun.get()
    helping = game.help()
    assert await game.begun.get() == ("helper", 1, True)
    for position in (4, 3):
        game.finish(position)
        await game.begun.get()
    game.finish(1)
    assert await game.begun.get() == ("helper", 0, False)
    game.finish(2)
    done, _ = await asyncio.wait([running], timeout=0.01)
    assert not done
    game.finish(0)
    await asyncio.gather(running, helping)
    assert sorted(game.done) == [0, 1, 2, 3, 4]


async def test_a_helper_that_leaves_gives_its_share_back() -> None:
    game = Game()
    running = game.run(5)
    await game.begun.get()
    helping = game.help("old friend", leave=lambda: True)
    assert await game.begun.get() == ("old friend", 1, False)
    game.finish(1)
    await helping
    for position in (4, 3, 2):
        game.finish(position)
        await game.begun.get()
    game.finish(0)
    await running


async def test_a_helper_that_is_stopped_in_the_middle_leaves_its_position_to_others() -> None:
    game = Game()
    running, helping = await game.shared()
    helping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await helping
    for position in (4, 3, 2, 1):
        game.finish(position)
        await game.begun.get()
    game.finish(0)
    await running


async def test_a_helper_whose_engines_fail_leaves_its_positions_to_the_owner() -> None:
    game = Game()
    running, helping = await game.shared()
    game.finish(1, EngineFailed("three times"))
    assert await helping is False
    for position in (4, 3, 2, 1, 0):
        game.finish(position)
        if position:
            assert await game.begun.get() == ("owner", position - 1, False)
    await running
    assert game.done == [4, 3, 2, 1, 0]


async def test_a_position_that_kills_engines_fails_the_game_by_its_owner() -> None:
    game = Game()
    running, helping = await game.shared()
    game.finish(1, EngineFailed("three times"))
    await helping
    for position in (4, 3, 2):
        game.finish(position)
        await game.begun.get()
    game.finish(1, EngineFailed("three times more"))
    with pytest.raises(EngineFailed, match="three times more"):
        await running


async def test_a_helpers_defect_is_the_games() -> None:
    game = Game()
    running, helping = await game.shared()
    game.finish(1, LookupError("a defect"))
    assert await helping
    for position in (4, 3, 2, 1, 0):
        game.finish(position)
        if position:
            await game.begun.get()
    with pytest.raises(LookupError, match="a defect"):
        await running


async def test_a_lane_without_an_engine_cannot_help_and_does_no_harm() -> None:
    game = Game()
    running = game.run(5)
    await game.begun.get()
    game.has_engine = False
    assert await game.help() is False
    running.cancel()


async def test_helpers_stop_with_the_game() -> None:
    game = Game()
    running, helping = await game.shared()
    running.cancel()
    game.team.disband()
    with pytest.raises(asyncio.CancelledError):
        await helping


async def test_a_helper_that_comes_as_its_game_ends_turns_back() -> None:
    game = Game()
    running = game.run(5)
    await game.begun.get()
    helping = game.help()  # begins a turn of the loop later
    running.cancel()
    game.team.disband()
    assert game.team.spare == 0
    await helping
    assert game.begun.empty()
