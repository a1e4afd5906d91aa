"""Analyzers that are faster than the database do not fill the memory."""

from __future__ import annotations

import asyncio
from uuid import UUID

import psycopg
import pytest

from orchestrator.analyzers.base import AnalyzedGame, GameOutcome, GameToAnalyze
from orchestrator.sync import analyzing
from tests.support import samples
from tests.support.hand_worker import hand_worker
from tests.support.postgres import Database

GAMES = 300
# One batch that is being written, and what may wait behind it.
MOST = analyzing._BATCH + analyzing._UNWRITTEN


class Instant:
    """Analyzers that have analyzed a game as soon as it is handed in."""

    def __init__(self) -> None:
        self.games: list[UUID] = []
        self.changed = asyncio.Condition()

    async def submit(self, game: GameToAnalyze) -> asyncio.Future[GameOutcome]:
        self.games.append(game.game_id)
        async with self.changed:
            self.changed.notify_all()
        outcome: asyncio.Future[GameOutcome] = asyncio.get_running_loop().create_future()
        columns = samples.analysis(game.game_id)
        del columns["game_id"]
        outcome.set_result(AnalyzedGame(game.game_id, columns))
        return outcome

    def cancel(self, job_id: UUID) -> None:
        pass

    async def until(self, games: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.games) >= games)


async def test_no_game_is_handed_in_while_many_wait_to_be_written(database: Database) -> None:
    analyzers = Instant()
    async with (
        hand_worker(database, games=GAMES) as worker,
        await psycopg.AsyncConnection.connect(database.superuser_conninfo) as holding,
        asyncio.TaskGroup() as tasks,
    ):
        # Nothing can be written into the job while somebody else has its row.
        await holding.execute("select from sync_jobs where id = %s for update", (worker.job_id,))
        tasks.create_task(analyzing.analyze_games(worker.store, analyzers, worker.claim, write_interval=0.01))
        await asyncio.wait_for(analyzers.until(MOST), 10)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(analyzers.until(MOST + analyzing._BATCH), 0.5)
        await holding.rollback()
        await asyncio.wait_for(analyzers.until(GAMES), 20)
    assert len(analyzers.games) == len(set(analyzers.games)) == GAMES


async def test_what_had_ended_when_the_job_was_given_back_is_written(database: Database) -> None:
    analyzers = Instant()
    async with (
        hand_worker(database, games=GAMES) as worker,
        await psycopg.AsyncConnection.connect(database.superuser_conninfo) as holding,
    ):
        await holding.execute("select from sync_jobs where id = %s for update", (worker.job_id,))
        working = asyncio.create_task(
            analyzing.analyze_games(worker.store, analyzers, worker.claim, write_interval=0.01)
        )
        await asyncio.wait_for(analyzers.until(MOST), 10)
        working.cancel()
        await holding.rollback()
        with pytest.raises(asyncio.CancelledError):
            await working
        (job,) = await worker.store.get_sync_jobs([worker.job_id])
        assert job.games_analyzed == len(analyzers.games)
