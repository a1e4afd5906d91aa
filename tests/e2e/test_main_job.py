"""The main job with the real processes: `rookify up`, a platform's server, Stockfish, Postgres, the CLI."""

from __future__ import annotations

import asyncio
import io
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import chess.pgn
import psutil
import pytest
from google.type import date_pb2

from orchestrator.local.processes import alive
from orchestrator.service import explained_pgn
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2 as pb
from tests.support import real_games
from tests.support.openai_server import MODEL, OpenAiServer
from tests.support.orchestrator import PLAYER, Client
from tests.support.postgres import reachable_folder
from tests.support.system import STOP_SECONDS, Platforms, System, platforms, rookify_up

pytestmark = pytest.mark.timeout(300)

FAST = analysis_pb2.SearchBudget.PRESET_FAST
REAL = real_games.real_games()


@pytest.fixture
async def servers() -> AsyncIterator[Platforms]:
    """Over the real games where they are at hand, else over those that ship with the project."""
    arguments = ("--games", str(REAL / "chesscom")) if REAL else ()
    async with platforms(*arguments) as served:
        yield served


@pytest.fixture
def data() -> Iterator[Path]:
    folder = reachable_folder("rookify-e2e-")
    yield folder / "data"
    shutil.rmtree(folder)


def request(client: Client, **changes: object) -> pb.StartSyncRequest:
    """One month of the real games, or all of the shipped ones."""
    if REAL:
        changes = {
            "username": real_games.PLAYER.lower(),
            "from_date": date_pb2.Date(year=2022, month=3, day=1),
            "to_date": date_pb2.Date(year=2022, month=3, day=31),
        } | changes
    return client.request(**{"preset": FAST, "max_games": 20, **changes})


async def summaries(client: Client) -> list[pb.GameSummary]:
    games: list[pb.GameSummary] = []
    token = ""
    while True:
        page = await client.call(
            "ListGameAnalyses",
            pb.ListGameAnalysesRequest(user_id=str(client.user_id), page_size=100, page_token=token),
        )
        games += page.games
        token = page.next_page_token
        if not token:
            return games


async def audit(system: System) -> list[pb.ComplianceFinding]:
    async with system.client("service_role") as service:
        return list((await service.call("AuditSyncJobs", pb.AuditSyncJobsRequest())).findings)


async def test_a_players_games_are_synced_analyzed_and_shown(
    servers: Platforms, data: Path, tmp_path: Path
) -> None:
    async with (
        OpenAiServer() as llm,
        rookify_up(data, servers.settings | llm.settings) as system,
        system.client() as user,
    ):
        job = (await user.call("StartSync", request(user))).sync_job
        async with asyncio.timeout(240):
            messages = [message async for message in user.watch(job.id, include_games=True)]
        job = messages[-1].sync_job
        assert job.status == pb.SYNC_STATUS_COMPLETED, job.error
        assert job.games_found == job.games_analyzed + job.games_skipped + job.games_failed >= 20
        assert job.games_failed <= 1  # the broken one of the shipped games

        games = await summaries(user)
        assert len(games) == job.games_analyzed
        told = [message.game for message in messages if message.HasField("game")]
        assert sorted(g.game_analysis_id for g in told if not g.error) == sorted(g.id for g in games)
        assert [bool(g.error) for g in told].count(True) == job.games_failed

        by_llm = 0
        for summary in games[:5]:
            detail = (
                await user.call(
                    "GetGameAnalysis",
                    pb.GetGameAnalysisRequest(user_id=str(user.user_id), game_analysis_id=summary.id),
                )
            ).game
            original = chess.pgn.read_game(io.StringIO(detail.pgn))
            annotated = chess.pgn.read_game(io.StringIO(detail.analysis.annotated_pgn))
            assert original is not None
            assert annotated is not None
            assert not annotated.errors
            played = [move.uci() for move in original.mainline_moves()]
            assert [move.uci for move in detail.analysis.moves] == played
            assert [move.uci() for move in annotated.mainline_moves()] == played
            assert 0 <= summary.white_summary.accuracy <= 100
            assert detail.analysis.engine.nodes > 0
            assert all(moment.explanation for moment in detail.moments)
            nodes = list(annotated.mainline())
            for moment in detail.moments:
                comment = " ".join(nodes[moment.ply - 1].comment.split())
                assert explained_pgn.plain(moment.explanation) in comment
            by_llm += sum(moment.explained_by == MODEL for moment in detail.moments)
        assert by_llm > 0

        # Every command that reads works on it.
        token, user_id = user.token, str(user.user_id)
        for command in (
            ("jobs",),
            ("games", "--limit", "5"),
            ("show", games[0].id, "--why"),
            ("watch", job.id),
            ("quota",),
        ):
            assert await system.rookify(*command, token=token), command
        exported = tmp_path / "games.pgn"
        await system.rookify("export", job.id, "--pgn", str(exported), token=token)
        with exported.open() as file:
            count = 0
            while chess.pgn.read_game(file) is not None:
                count += 1
        assert count == len(games)
        history = await system.rookify("jobs", "--history", job.id)
        assert [line.split()[3] for line in history.splitlines()[1:]] == [
            "pending",
            "fetching",
            "analyzing",
            "completed",
        ]
        service = await system.token(user_id, "service_role")
        for command in (
            ("admin", "active"),
            ("admin", "usage"),
            ("admin", "audit"),
            ("admin", "cleanup", "--dry-run"),
        ):
            await system.rookify(*command, token=service)
        assert await audit(system) == []


async def test_a_lichess_player_is_synced(data: Path) -> None:
    async with platforms() as servers, rookify_up(data, servers.settings) as system, system.client() as user:
        started = await user.call(
            "StartSync",
            user.request(platform=pb.PLATFORM_LICHESS, username=PLAYER.lower(), preset=FAST, max_games=5),
        )
        job = await user.ended(started.sync_job.id)
        assert job.status == pb.SYNC_STATUS_COMPLETED, job.error
        assert job.games_found == job.games_analyzed + job.games_failed == 5
        assert all(game.game_url.startswith("https://lichess.org/") for game in await summaries(user))
        assert await audit(system) == []


async def test_sigterm_in_the_middle_loses_nothing_and_does_nothing_twice(
    servers: Platforms, data: Path
) -> None:
    async with rookify_up(data, servers.settings) as system, system.client() as user:
        job = (await user.call("StartSync", request(user, max_games=16))).sync_job
        async for message in user.watch(job.id):
            if message.sync_job.games_analyzed >= 4:
                break
        children = psutil.Process(system.process.pid).children(recursive=True)
        assert len(children) >= 4  # Postgres, analyzer with an engine, orchestrator
        assert await system.stop(signal.SIGTERM) < STOP_SECONDS
        assert system.process.returncode == 0
        assert not [child for child in children if alive(child.pid)]
        before = message.sync_job

    async with rookify_up(data, servers.settings) as system, system.client() as other:
        user = Client(other.channel, user.user_id, user.token)
        async with asyncio.timeout(200):
            job = await user.ended(job.id)
        assert job.status == pb.SYNC_STATUS_COMPLETED, job.error
        assert job.games_found == 16
        assert job.games_analyzed + job.games_failed == 16
        games = await summaries(user)
        assert len(games) == len({game.game_url for game in games}) == job.games_analyzed
        assert job.games_analyzed >= before.games_analyzed
        assert await audit(system) == []
