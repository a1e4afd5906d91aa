"""A scripted server with jobs and games in it, and `rookify` set up to call it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import jwt
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
    with capture_logs():  # the server's lines would mix with the command's
        yield Bench(scripted, port, settings, folder, stop)
        await stop()
