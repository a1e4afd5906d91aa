"""Explanations from StartSync to GetGameAnalysis: real Postgres, local platform and LLM servers."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any

import pytest

from orchestrator import metrics
from rookify.sync.v1 import sync_pb2 as pb
from tests.support.attacks import ATTACKS
from tests.support.openai_server import MODEL, Moment, OpenAiServer
from tests.support.orchestrator import PLAYER, Client, Orchestrator, running_orchestrator
from tests.support.platforms.__main__ import SHIPPED
from tests.support.platforms.chesscom_server import ChessComServer, read_months
from tests.support.postgres import Database
from tests.support.scripted_analyzer import ScriptedAnalyzer
from tests.support.scripted_verdicts import judged

GAMES = 6


def shipped() -> list[dict[str, Any]]:
    """Some of the player's longer games: they have moments."""
    games = [
        game
        for game in read_months(SHIPPED / "chesscom")
        if "\n1. " in game.get("pgn", "") and game["rules"] == "chess" and len(game["pgn"]) > 1500
    ]
    return games[:GAMES]


@asynccontextmanager
async def running(
    database: Database, games: list[dict[str, Any]], **settings: Any
) -> AsyncIterator[Orchestrator]:
    async with (
        ChessComServer(games) as platform,
        ScriptedAnalyzer(judged) as analyzer,
        running_orchestrator(
            database, chesscom_url=platform.url, analyzers=analyzer.address, **settings
        ) as orchestrator,
    ):
        yield orchestrator


def llm(server: OpenAiServer) -> dict[str, Any]:
    return {
        "OPENAI_API_KEY": server.settings["OPENAI_API_KEY"],
        "OPENAI_BASE_URL": server.url,
        "llm_model": MODEL,
        "llm_calls_per_game": 2,
    }


async def synced(user: Client) -> list[pb.Moment]:
    """All moments of a finished sync of the games."""
    job = await user.ended((await user.start()).id)
    assert (job.status, job.games_analyzed) == (pb.SYNC_STATUS_COMPLETED, GAMES), job.error
    listed = await user.call("ListGameAnalyses", pb.ListGameAnalysesRequest(user_id=str(user.user_id)))
    moments: list[pb.Moment] = []
    for game in listed.games:
        request = pb.GetGameAnalysisRequest(user_id=str(user.user_id), game_analysis_id=game.id)
        detail = (await user.call("GetGameAnalysis", request)).game
        check_the_three_worst(detail)
        moments += detail.moments
    return moments


def check_the_three_worst(detail: pb.GameDetail) -> None:
    """Each is explained, unless the engine itself would have played it, or it cost next to nothing."""
    turn = "w" if detail.summary.user_color == pb.COLOR_WHITE else "b"
    lost = {
        move.ply: move.win_percent_before - move.win_percent_after
        for move in detail.analysis.moves
        if move.fen_before.split()[1] == turn and move.uci != move.best_uci
    }
    worst = sorted(lost, key=lambda ply: -lost[ply])[:3]
    explained = {moment.ply for moment in detail.moments if moment.explanation and moment.explained_by}
    assert {ply for ply in worst if lost[ply] >= 1} <= explained


async def test_a_sync_is_explained_by_the_model_and_shown_with_what_it_cost(database: Database) -> None:
    async with OpenAiServer() as server, running(database, shipped(), **llm(server)) as orchestrator:
        user = await orchestrator.user()
        moments = await synced(user)
        by_model = [moment for moment in moments if moment.explained_by == MODEL]
        assert by_model
        assert {moment.explained_by for moment in moments} <= {MODEL, "template"}
        assert len(server.requests) <= len(by_model) / 5

        quotas = (await user.call("GetQuota", pb.GetQuotaRequest(user_id=str(user.user_id)))).quotas
        used = {quota.name: (quota.used, quota.limit) for quota in quotas}
        assert used["llm_calls_per_day"] == (len(server.requests), 200)
        assert used["llm_tokens_per_day"] == (server.input_tokens + server.output_tokens, 600_000)
        assert used["llm_calls_per_sync"] == (0, 60)
        assert used["llm_tokens_per_sync"] == (0, 200_000)

        usage = await orchestrator.service().call("GetUsage", pb.GetUsageRequest())
        assert usage.llm_calls == len(server.requests)
        assert (usage.llm_input_tokens, usage.llm_output_tokens) == (
            server.input_tokens,
            server.output_tokens,
        )
        assert usage.llm_calls_saved > 100  # as against one for each analyzed move
        assert usage.moments_explained == len(moments)


async def test_a_sync_ends_as_well_when_the_llm_is_dead(database: Database) -> None:
    async with OpenAiServer() as gone:
        settings = llm(gone)
    async with running(database, shipped(), **settings) as orchestrator:
        user = await orchestrator.user()
        moments = await synced(user)
        assert moments
        assert {moment.explained_by for moment in moments} == {"template"}


async def test_explanations_that_are_off_cost_nothing(database: Database) -> None:
    def calls() -> float:
        return sum(
            sample.value
            for metric in metrics.DATABASE_SECONDS.collect()
            for sample in metric.samples
            if sample.name.endswith("_count")
            and sample.labels["function"] in ("list_moment_candidates", "record_moments", "plan_explanations")
        )

    async with (
        OpenAiServer() as server,
        running(database, shipped(), **llm(server), explain=False) as orchestrator,
    ):
        user = await orchestrator.user()
        before = calls()
        job = await user.start()
        assert (await user.ended(job.id)).status == pb.SYNC_STATUS_COMPLETED
        assert calls() == before
        assert server.requests == []
        quotas = (await user.call("GetQuota", pb.GetQuotaRequest(user_id=str(user.user_id)))).quotas
        assert not [quota for quota in quotas if quota.name.startswith("llm")]


def attacked() -> list[dict[str, Any]]:
    """The games with every attack in an opponent's name, in a PGN header, and in a comment."""
    games = copy.deepcopy(shipped())
    attacks = cycle(ATTACKS)
    for game in games:
        mine = [next(attacks) for _ in range(4)]
        other = "black" if game["white"]["username"] == PLAYER else "white"
        game[other]["username"] = mine[0]
        headers = ("Event", "Site", "Opening", "ECO", "Annotator", "Variation", other.capitalize(), "Round")
        written = []
        for name, attack in zip(headers, cycle(mine), strict=False):
            escaped = attack.replace("\\", "\\\\").replace('"', '\\"')
            written.append(f'[{name} "{escaped}"]\n')
        replaced = tuple(f"[{name} " for name in headers)
        kept = [line for line in game["pgn"].splitlines(keepends=True) if not line.startswith(replaced)]
        comments = "".join(f"{{{attack.replace('}', ')')}}} " for attack in mine)
        game["pgn"] = "".join([*written, *kept]).replace("\n1. ", f"\n{comments}1. ", 1)
    return games


@pytest.mark.parametrize("gullible", [False, True], ids=["a model that is not told", "a model that obeys"])
async def test_strangers_words_reach_neither_the_model_nor_the_player(
    database: Database, gullible: bool
) -> None:
    attacks = cycle(ATTACKS)

    def obeys(moment: Moment) -> Mapping[str, Any]:
        return {"id": moment["id"], "text": next(attacks), "moves": []}

    games = attacked()
    written = " ".join(game["pgn"] for game in games)
    assert all(attack.replace("}", ")") in written for attack in ATTACKS)
    async with OpenAiServer() as server, running(database, games, **llm(server)) as orchestrator:
        if gullible:
            server.coach = obeys
        moments = await synced(await orchestrator.user())
    assert server.requests
    sent = " ".join(seen.body["messages"][1]["content"] for seen in server.requests)
    assert sent.isascii()
    said = " ".join(moment.explanation for moment in moments)
    for attack in ATTACKS:
        for words in (attack[:16], attack[-16:]):
            assert words not in sent
            assert words not in said
    assert ({moment.explained_by for moment in moments} == {"template"}) is gullible
