"""Rounds between jobs, a short queue for each, and games that avoid the analyzer that failed them."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

from orchestrator.analyzers.base import GameToAnalyze
from orchestrator.analyzers.queue import AHEAD, FairQueue, Ticket

A, B, C = (UUID(int=n) for n in (1, 2, 3))


def ticket(job_id: UUID, *, avoid: str | None = None) -> Ticket:
    future = asyncio.get_running_loop().create_future()
    return Ticket(GameToAnalyze(job_id, uuid4(), "1. e4", "fast"), future, avoid=avoid)


def take(queue: FairQueue, address: str = "node", *, alone: bool = True) -> Ticket:
    taken = queue.take(address, alone=alone)
    assert taken is not None
    return taken


async def test_jobs_take_turns() -> None:
    queue = FairQueue()
    for job_id in (A, A, A, B, C, C):
        queue.put(ticket(job_id))
    assert [take(queue).game.job_id for _ in range(6)] == [A, B, C, A, C, A]
    assert queue.take("node", alone=True) is None
    assert len(queue) == 0


async def test_a_game_that_was_out_goes_first() -> None:
    queue = FairQueue()
    queue.put(ticket(A))
    again = ticket(A)
    queue.put(again, first=True)
    assert take(queue) is again


async def test_a_game_avoids_the_analyzer_that_failed_it_while_there_is_another() -> None:
    queue = FairQueue()
    failed, other = ticket(A, avoid="node"), ticket(A)
    queue.put(failed)
    queue.put(other)
    assert take(queue, "node", alone=False) is other
    assert queue.take("node", alone=False) is None
    assert take(queue, "node 2", alone=False) is failed
    queue.put(failed)
    assert take(queue, "node", alone=True) is failed


async def test_room_holds_a_job_back_until_one_of_its_games_is_taken() -> None:
    queue = FairQueue()
    for _ in range(AHEAD):
        await queue.room(A)
        queue.put(ticket(A))
    await queue.room(B)
    waiting = asyncio.create_task(queue.room(A))
    queue.put(ticket(B))
    await asyncio.sleep(0)
    assert not waiting.done()
    while take(queue).game.job_id != A:
        pass
    await waiting


async def test_dropping_a_job_forgets_its_games_and_wakes_its_feeder() -> None:
    queue = FairQueue()
    for _ in range(AHEAD):
        queue.put(ticket(A))
    queue.put(ticket(B))
    waiting = asyncio.create_task(queue.room(A))
    await asyncio.sleep(0)
    queue.drop(A)
    await waiting
    assert take(queue).game.job_id == B
    assert len(queue) == 0
