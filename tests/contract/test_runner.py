"""What becomes of a job in its worker's hands when something beside the games goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID

from orchestrator.analyzers.base import AnalyzedGame, GameOutcome, GameToAnalyze
from orchestrator.store.rows import KnownPosition
from orchestrator.store.store import Store
from orchestrator.store.transport import TooManyRows
from orchestrator.sync.analyzing import analyze_games
from tests.support import samples
from tests.support.hand_worker import hand_worker
from tests.support.postgres import Database


class Instant:
    """Analyzers that have analyzed a game as soon as it is handed in."""

    async def submit(self, game: GameToAnalyze) -> asyncio.Future[GameOutcome]:
        outcome: asyncio.Future[GameOutcome] = asyncio.get_running_loop().create_future()
        columns = samples.analysis(game.game_id)
        del columns["game_id"]
        outcome.set_result(AnalyzedGame(game.game_id, columns))
        return outcome

    def cancel(self, job_id: UUID) -> None:
        pass


class Forgetful(Store):
    """Its known positions cannot be had."""

    async def known_positions(self, openings: Sequence[str], preset: str) -> list[KnownPosition]:
        raise TooManyRows("1000 of 1566 rows")


async def test_known_positions_that_cannot_be_had_only_cost_time(database: Database) -> None:
    async with hand_worker(database, games=3) as worker:
        store = Forgetful(worker.store._transport)
        await analyze_games(store, Instant(), worker.claim, write_interval=0.01)
        (job,) = await store.get_sync_jobs([worker.job_id])
        assert job.games_analyzed == 3
