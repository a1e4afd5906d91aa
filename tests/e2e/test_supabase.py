"""A real sync whose database is a Supabase project: `rookify up` with Stockfish, its store over the API.

The API is the tests' stand-in for it, over the tests' Postgres.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2 as pb
from tests.support.postgres import Database, reachable_folder
from tests.support.postgrest import SECRET_KEY, PostgrestStandIn
from tests.support.system import platforms, rookify_up

pytestmark = pytest.mark.timeout(200)

GAMES = 5


@pytest.fixture
def data() -> Iterator[Path]:
    folder = reachable_folder("rookify-e2e-")
    yield folder / "data"
    shutil.rmtree(folder)


async def test_a_sync_over_supabases_api(database: Database, data: Path) -> None:
    async with PostgrestStandIn(database.app_conninfo) as project, platforms() as servers:
        settings = servers.settings | {
            "SUPABASE_URL": project.url,
            "SUPABASE_SERVICE_ROLE_KEY": SECRET_KEY,
        }
        async with rookify_up(data, settings) as system, system.client() as user:
            assert not (data / "postgres").exists(), "the embedded Postgres is started all the same"
            started = await user.call(
                "StartSync",
                user.request(preset=analysis_pb2.SearchBudget.PRESET_FAST, max_games=GAMES),
            )
            async with asyncio.timeout(150):
                watched = user.watch(started.sync_job.id, include_games=True)
                messages = [message async for message in watched]
            job = messages[-1].sync_job
            assert job.status == pb.SYNC_STATUS_COMPLETED, job.error
            assert job.games_found == job.games_analyzed + job.games_failed == GAMES
            games = [message.game.game_url for message in messages if message.HasField("game")]
            assert len(games) == len(set(games)) == GAMES

            doctor = await system.rookify("doctor")
            assert "FAIL" not in doctor
            assert f"the Supabase project {project.url}" in doctor
            history = await system.rookify("jobs", "--history", job.id)
            assert [line.split()[3] for line in history.splitlines()[1:]] == [
                "pending",
                "fetching",
                "analyzing",
                "completed",
            ]
            async with system.client("service_role") as service:
                audit = await service.call("AuditSyncJobs", pb.AuditSyncJobsRequest())
            assert list(audit.findings) == []
            logs = "".join(path.read_text() for path in (data / "logs").glob("*.log"))
    assert SECRET_KEY not in logs + "".join(system.said)
