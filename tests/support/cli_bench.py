"""A scripted server with jobs and games in it, and `rookify` set up to call it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from structlog.testing import capture_logs

from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2
from tests.support.rookify_cli import Finished, answered
from tests.support.scripted_sync import ScriptedSync, serve

USER = "0b8e4f3c-2b1a-4d9e-8c7b-65a41f2e3d4c"
JOB = "3f2a1b9c-0d9e-4c7b-8a65-1f2e3d4c5b6a"
TOKEN = jwt.encode({"sub": USER, "role": "authenticated"}, "a signing secret of thirty-two bytes")


def a_job(number: int = 0, **more: object) -> sync_pb2.SyncJob:
    fields: dict[str, object] = {
        "id": f"{number:08x}{JOB[8:]}" if number else JOB,
        "user_id": USER,
        "platform": sync_pb2.PLATFORM_LICHESS,
        "username": "thibault",
        "months_requested": 1,
        "status": sync_pb2.SYNC_STATUS_ANALYZING,
        "create_time": Timestamp(seconds=1_700_000_000),
        **more,
    }
    return sync_pb2.SyncJob(**fields)  # type: ignore[arg-type]  # keywords of the message


def a_game(number: int) -> sync_pb2.GameSummary:
    return sync_pb2.GameSummary(
        id=f"{number:08x}-0000-4000-8000-000000000000",
        sync_job_id=JOB,
        white="thibault",
        black=f"rival{number}",
        result="1-0",
        user_color=sync_pb2.COLOR_WHITE,
        white_summary=analysis_pb2.SideSummary(accuracy=90.5),
        black_summary=analysis_pb2.SideSummary(accuracy=70, blunder_count=2),
        opening=analysis_pb2.Opening(eco="C20", name="King's Pawn Game"),
    )


DONE: dict[str, Any] = {
    "status": sync_pb2.SYNC_STATUS_COMPLETED,
    "complete_time": Timestamp(seconds=1_700_000_061),
}


def state(token: str, **more: Any) -> sync_pb2.WatchSyncResponse:
    return sync_pb2.WatchSyncResponse(sync_job=a_job(**more), resume_token=token)


def game(number: int, found: int = 3) -> sync_pb2.WatchSyncResponse:
    """Game `number` (from 1) is done, and so are those before it."""
    finished = sync_pb2.GameFinished(
        game_analysis_id=f"{number:08x}-0000-4000-8000-000000000000",
        white="thibault",
        black=f"rival{number}",
        result="1-0",
        user_accuracy=90.5,
    )
    return sync_pb2.WatchSyncResponse(
        sync_job=a_job(games_found=found, games_analyzed=number, estimated_time_left=Duration(seconds=30)),
        game=finished,
        resume_token=f"after-{number}",
    )


def end(analyzed: int = 3) -> sync_pb2.WatchSyncResponse:
    return state("end", games_found=analyzed, games_analyzed=analyzed, **DONE)


def told(out: str) -> list[str]:
    """The rivals of the games told as they finished, in order."""
    return re.findall(r"✓ thibault – (\w+)", out)


@dataclass
class Bench:
    """A scripted server, and `rookify` set up to call it."""

    server: ScriptedSync
    port: int
    settings: dict[str, str]
    folder: Path
    stop: Callable[[], Awaitable[None]]

    async def rookify(self, *arguments: str) -> Finished:
        return await answered(*arguments, settings=self.settings, folder=self.folder)

    def give_games(self, number: int) -> None:
        self.server.games = [a_game(each) for each in range(number)]
        self.server.details = {
            game.id: sync_pb2.GameDetail(
                summary=game,
                analysis=analysis_pb2.GameAnalysis(
                    annotated_pgn=f'[White "thibault"]\n[Black "{game.black}"]\n\n1. e4 {{[%eval 0.3]}} 1-0\n'
                ),
            )
            for game in self.server.games
        }


@asynccontextmanager
async def cli_bench(folder: Path) -> AsyncIterator[Bench]:
    """Served while the context lasts."""
    scripted = ScriptedSync(TOKEN)
    server, port = await serve(scripted)

    async def stop() -> None:
        await server.stop(0)

    settings = {"ROOKIFY_ORCHESTRATOR": f"127.0.0.1:{port}", "ROOKIFY_TOKEN": TOKEN}
    scripted.answers["StartSync"] = sync_pb2.StartSyncResponse(
        sync_job=a_job(status=sync_pb2.SYNC_STATUS_PENDING), message="Queued."
    )
    scripted.answers["GetSyncJob"] = sync_pb2.GetSyncJobResponse(sync_job=a_job(games_found=3))
    with capture_logs():  # the server's lines would mix with the command's
        yield Bench(scripted, port, settings, folder, stop)
        await stop()
