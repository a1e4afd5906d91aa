"""The gate: one at a time, in order, held for all."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.platforms.gate import Gate, HeldTooLong, Waiter


def waiter(patience: float = 60, said: list[str | None] | None = None) -> Waiter:
    return Waiter(patience, (lambda _: None) if said is None else said.append)


async def test_one_at_a_time_in_the_order_of_asking() -> None:
    gate, inside, order = Gate(), 0, []

    async def use(number: int) -> None:
        nonlocal inside
        async with gate.turn(waiter()):
            inside += 1
            assert inside == 1
            order.append(number)
            await asyncio.sleep(0)
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(use(number))
    assert order == list(range(20))


async def test_a_hold_is_waited_out_and_a_shorter_one_does_not_cut_it() -> None:
    gate = Gate()
    gate.hold(0.05)
    gate.hold(0.001)
    began = asyncio.get_running_loop().time()
    async with gate.turn(waiter()):
        assert asyncio.get_running_loop().time() - began >= 0.05


async def test_a_hold_set_while_another_waits_holds_it_too() -> None:
    now = 0.0
    gate = Gate(clock=lambda: now)
    async with gate.turn(waiter()):
        waiting = asyncio.create_task(gate.turn(waiter(100)).__aenter__())
        await asyncio.sleep(0)
        gate.hold(200, "held")
    with pytest.raises(HeldTooLong) as caught:
        await waiting
    assert caught.value.seconds == 200
    with pytest.raises(HeldTooLong):  # who comes later has no more patience
        await gate.turn(waiter(100)).__aenter__()
    now = 250.0
    async with gate.turn(waiter(100)):
        pass


async def test_all_in_line_are_told_why_and_when_it_is_over() -> None:
    gate = Gate()
    said: dict[str, list[str | None]] = {"inside": [], "first": [], "second": [], "late": []}
    async with asyncio.TaskGroup() as group:

        async def use(name: str) -> None:
            async with gate.turn(waiter(said=said[name])):
                gate.clear()

        async with gate.turn(waiter(said=said["inside"])):
            for name in ("first", "second"):
                group.create_task(use(name))
            await asyncio.sleep(0)
            gate.hold(0.01, "down until 12:00 UTC")
            gate.hold(0.02, "down until 12:01 UTC")
            gate.hold(0.001, "shorter, so no news")
        group.create_task(use("late"))
    assert said["inside"] == ["down until 12:00 UTC", "down until 12:01 UTC"]  # it left before `clear`
    assert said["first"] == said["second"] == [*said["inside"], None]
    assert said["late"] == ["down until 12:01 UTC", None]


async def test_a_hold_of_a_moment_is_no_news() -> None:
    gate, said = Gate(), list[str | None]()
    gate.hold(0.01)
    async with gate.turn(waiter(said=said)):
        gate.clear()
    assert said == []


async def test_patience_runs_only_while_a_notice_stands_and_over_all_waits_together() -> None:
    now = 0.0
    gate, one = Gate(clock=lambda: now), waiter(100)
    async with gate.turn(waiter()):
        waiting = asyncio.create_task(gate.turn(one).__aenter__())
        await asyncio.sleep(0)
        now = 1000.0  # only waiting for its turn
        assert one.left(now) == 100
        gate.hold(60, "held")
        now = 1060.0
        assert one.left(now) == 40
        gate.clear()
    await waiting
    now = 2000.0
    gate.hold(60, "held again")
    assert one.left(2000.0) == 40
    with pytest.raises(HeldTooLong):
        async with gate.turn(waiter(30)):
            pass


async def test_patience_ends_in_the_middle_of_the_line() -> None:
    """Each rest is bearable, but the line moves on by one try in a rest."""
    gate = Gate()
    gate.hold(0.02, "held")
    async with gate.turn(waiter()):
        waiting = asyncio.create_task(gate.turn(waiter(0.05)).__aenter__())
        await asyncio.sleep(0)
        gate.hold(0.03, "held again")
        with pytest.raises(HeldTooLong):
            await asyncio.wait_for(waiting, 5)


async def test_a_waiter_that_leaves_makes_room() -> None:
    gate = Gate()
    gate.hold(5)
    waiting = asyncio.create_task(gate.turn(waiter()).__aenter__())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not gate._lock.locked()


async def test_an_error_inside_gives_the_turn_back() -> None:
    gate = Gate()
    with pytest.raises(RuntimeError):
        async with gate.turn(waiter()):
            raise RuntimeError
    async with asyncio.timeout(1), gate.turn(waiter()):
        pass
