"""Engines that hang, talk nonsense, fall silent; and a game that kills every engine that touches it."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.support import faults
from tests.support.faults_engine import Trouble, TroubledEngine
from tests.support.faults_table import Table
from tests.support.platforms.chesscom_server import ChessComServer

pytestmark = pytest.mark.timeout(120)

GAMES = faults.some_games(6, 3, 0)
ONE_ENGINE = ("--engine-workers", "1")  # so that the job feels what happens to it
POISON = "e2e4 e7e5 g1f3 d7d6 d2d4 c8g4"  # only the Opera Game goes there
ENGINES_PER_TRY, TRIES = 3, 3
# What each trouble is, and what the analyzer's log calls it.
TROUBLES: dict[Trouble, tuple[str, str]] = {
    "garbage": ("prints garbage", "EngineNonsense"),
    "close": ("closes its pipe", "EngineDied"),
    "no_score": ("answers with no score", "EngineNonsense"),
    "stop": ("is stopped (SIGSTOP)", "EngineHung"),
}


async def test_engines_that_cannot_be_trusted(table: Table, tmp_path: Path) -> None:
    """All in one job, one after the other."""
    engine = TroubledEngine.make(tmp_path / "engine")
    async with (
        ChessComServer(GAMES) as chesscom,
        faults.running(chesscom.url, arguments=ONE_ENGINE, ROOKIFY_STOCKFISH=str(engine.path)) as site,
    ):
        user = await site.user()
        job = await user.start(preset=faults.FAST)
        pauses = []
        async with faults.following(user, job.id) as seen:
            await seen.until(lambda job: job.games_analyzed >= 1)
            for trouble in TROUBLES:
                engine.arm(trouble)
                await faults.appears(lambda: not engine.armed, f"a search with {trouble}")
                at, before = faults.now(), seen.job.games_analyzed
                await seen.until(lambda job, before=before: job.games_analyzed > before)  # type: ignore[misc]
                pauses.append(seen.pause(at))
            job = await seen.end()
        repeated = await site.whole(user, job, games=len(GAMES), seen=seen)
        discarded = [event["error"] for event in site.log_events("analyzer", "engine discarded")]
        assert discarded == [error for _, error in TROUBLES.values()]
        assert not any(map(psutil.pid_exists, engine.troubled()))
        for (what, error), pause in zip(TROUBLES.values(), pauses, strict=True):
            table.add(
                f"a Stockfish {what}", "analyzing", f"{error}: the position on a fresh one", pause, repeated
            )


async def test_a_game_that_kills_engines(table: Table, tmp_path: Path) -> None:
    engine = TroubledEngine.make(tmp_path / "engine", poison=POISON)
    async with (
        ChessComServer(GAMES) as chesscom,
        faults.running(chesscom.url, ROOKIFY_STOCKFISH=str(engine.path)) as site,
    ):
        user = await site.user()
        began = faults.now()
        job = await user.start(preset=faults.FAST)
        async with faults.following(user, job.id) as seen:
            job = await seen.end()
        repeated = await site.whole(user, job, games=len(GAMES), failed=1, seen=seen)
        assert engine.poisoned == ENGINES_PER_TRY * TRIES
        assert (
            job.error
            == f"1 of {len(GAMES)} games could not be analyzed: 1 made the engine fail again and again."
        )
        rows = await site.rows(
            "select k.failure, g.white from sync_job_games k join games g on g.id = k.game_id"
            " where k.sync_job_id = %s and k.outcome = 'failed'",
            job.id,
        )
        assert rows == [("ENGINE", "PaulMorphy")]
        assert len(site.log_events("orchestrator", "game failed on an analyzer")) == TRIES
        table.add(
            "a game that kills engines", "analyzing", "failed after 3 tries", seen.pause(began), repeated
        )
