"""The gate: one at a time, in order, held for all."""

from __future__ import annotations

import asyncio

import pytest

from orchestrator.platforms.gate import Gate, HeldTooLong


async def test_one_at_a_time_in_the_order_of_asking() -> None:
    gate, inside, order = Gate(longest_hold=1), 0, []

    async def use(number: int) -> None:
        nonlocal inside
        async with gate.turn():
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
    gate = Gate(longest_hold=1)
    gate.hold(0.05)
    gate.hold(0.001)
    began = asyncio.get_running_loop().time()
    async with gate.turn():
        assert asyncio.get_running_loop().time() - began >= 0.05


async def test_a_hold_set_while_another_waits_holds_it_too() -> None:
    now = 0.0
    gate = Gate(longest_hold=100, clock=lambda: now)
    async with gate.turn():
        waiting = asyncio.create_task(gate.turn().__aenter__())
        await asyncio.sleep(0)
        gate.hold(200)
    with pytest.raises(HeldTooLong) as caught:
        await waiting
    assert caught.value.seconds == 200
    now = 250.0
    async with gate.turn():
        pass


async def test_a_waiter_that_leaves_makes_room() -> None:
    gate = Gate(longest_hold=10)
    gate.hold(5)
    waiting = asyncio.create_task(gate.turn().__aenter__())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not gate._lock.locked()


async def test_an_error_inside_gives_the_turn_back() -> None:
    gate = Gate(longest_hold=1)
    with pytest.raises(RuntimeError):
        async with gate.turn():
            raise RuntimeError
    async with asyncio.timeout(1), gate.turn():
        pass
