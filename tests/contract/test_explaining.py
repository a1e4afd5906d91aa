"""Explaining beside a job: real Postgres, a local LLM server over HTTP, jobs worked by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from itertools import product
from typing import Any
from uuid import UUID

import psycopg
import pytest

from orchestrator.domain import PlatformGame, SyncStatus
from orchestrator.explain.openai_client import LlmSettings, OpenAiClient
from orchestrator.explain.policy import Policy
from orchestrator.explain.run import Explainer, JobExplainer
from orchestrator.store.moment_rows import LlmBudget
from orchestrator.store.postgres import PostgresTransport
from orchestrator.store.rows import Claim, Moment
from orchestrator.store.store import Store
from servicekit.errors import StaleLease
from tests.contract.test_moments_store import LEASE
from tests.support import openai_server, samples
from tests.support.moves import played
from tests.support.openai_server import KEY, MODEL, OpenAiServer
from tests.support.postgres import Database

POLICY = Policy(
    budget=LlmBudget(calls_per_job=60, tokens_per_job=200_000, calls_per_day=200, tokens_per_day=600_000),
    calls_per_game=2,
    tokens_per_game=5000,
    tokens_per_request=3000,
    tokens_per_answer=160,
    concurrency=4,
    grace=20,
)
SCORES = [30, 30, 30, 30, 35, -40, 30, -900, -900, -920, -910]
BLUNDER = {"judgement": "JUDGEMENT_BLUNDER", "best": "Nf3 Nf6", "themes": ["bad_trade"]}
SLIP = {"judgement": "JUDGEMENT_INACCURACY", "best": "Nf3 Nc6"}
# Openings that lead to as many positions in which White gives the queen away.
STARTS = list(product(("a3", "b3", "c3", "d3", "h3", "a4", "h4"), ("a6", "b6", "d6", "h6", "a5", "b5")))


def game_moves(number: int) -> list[dict[str, Any]]:
    """Of the shipped player's as White: a slip at ply 5, the queen at ply 7."""
    first, second = STARTS[number - 1]
    sans = f"{first} {second} e4 e5 Qh5 Nc6 Qxf7+ Kxf7 Nf3 Nf6"
    return played(sans, SCORES, {5: SLIP, 7: BLUNDER})


class TellingStore(Store):
    """Sets `told` when answers of the LLM are written."""

    told: asyncio.Event

    async def record_moments(self, claim: Claim, moments: Any, usage: Any = (), **options: Any) -> None:
        await super().record_moments(claim, moments, usage, **options)
        if usage:
            self.told.set()


@dataclass
class Desk:
    """A store, and the server that the explainer asks."""

    store: TellingStore
    server: OpenAiServer
    database: Database
    open_clients: AsyncExitStack

    def explainer(self, *, llm: bool = True, timeout: float = 5, **changes: Any) -> Explainer:
        policy = replace(POLICY, **changes)
        if not llm:
            return Explainer(self.store, None, policy)
        client = OpenAiClient(LlmSettings(KEY, MODEL, self.server.url, timeout=timeout))
        self.open_clients.push_async_callback(client.aclose)
        return Explainer(self.store, client, policy)

    async def job(
        self, games: int, *, found: Sequence[PlatformGame] | None = None, user_id: UUID | None = None
    ) -> Claim:
        """A job that is analyzing."""
        user_id = user_id or await samples.new_user(self.store)
        await self.store.start_sync_job(samples.new_sync(user_id), samples.LIMITS)
        claim = await self.store.claim_sync_job("worker", LEASE, 5)
        assert claim is not None
        await self.store.advance_sync_job(claim, SyncStatus.FETCHING)
        page = found or [replace(game, white_rating=850) for game in samples.games(games)]
        job = await self.store.record_games(claim, page, {}, {}, samples.PER_DAY)
        await self.store.advance_sync_job(claim, SyncStatus.ANALYZING)
        return replace(claim, job=job)

    async def analyze(
        self, claim: Claim, explaining: JobExplainer, games: int = 1000, **columns: Any
    ) -> None:
        """The next so many games, in one write."""
        queued = await self.store.take_games(claim, 0, games)
        results = [
            samples.analysis(game.game_id, moves=game_moves(game.ordinal), **columns) for game in queued
        ]
        explaining.progress(await self.store.record_analyses(claim, results))

    async def explained(self, claim: Claim, explainer: Explainer) -> list[Moment]:
        """The moments of the job when all its games were analyzed beside the explainer."""
        async with explainer.beside(claim) as explaining:
            await self.analyze(claim, explaining)
            await explaining.finish()
        return await self.moments(claim)

    async def moments(self, claim: Claim) -> list[Moment]:
        games = await self.store.list_moment_candidates(claim.job.id, 0, 1000)
        return [
            moment
            for game in games
            for moment in (
                await self.store.get_game_analysis(claim.job.user_id, game.game_analysis_id)
            ).moments
        ]

    async def usage(self) -> list[tuple[Any, ...]]:
        """(outcome, moments, explained, calls) of every row, oldest first."""
        async with await psycopg.AsyncConnection.connect(self.database.owner_conninfo) as connection:
            cursor = await connection.execute(
                "select outcome, moments, explained, calls from llm_usage order by created_at, outcome"
            )
            return await cursor.fetchall()


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with (
        PostgresTransport(database.app_conninfo) as transport,
        OpenAiServer() as server,
        AsyncExitStack() as stack,
    ):
        store = TellingStore(transport)
        store.told = asyncio.Event()
        yield Desk(store, server, database, stack)


def by(moments: Sequence[Moment], who: str) -> list[Moment]:
    return [moment for moment in moments if moment.explained_by == who]


class TestWithAnLlm:
    async def test_the_moments_that_teach_are_explained_by_the_model(self, desk: Desk) -> None:
        moments = await desk.explained(await desk.job(4), desk.explainer())
        blunders = [moment for moment in moments if moment.judgement == "JUDGEMENT_BLUNDER"]
        slips = [moment for moment in moments if moment.judgement == "JUDGEMENT_INACCURACY"]
        assert len(blunders) == len(slips) == 4
        assert by(blunders, MODEL) == blunders
        assert by(slips, "template") == slips
        assert all("You played Qxf7+" in moment.explanation for moment in blunders)
        assert blunders[0].why[0] == "number 1 of 4 that the LLM might have explained"
        assert slips[0].why[0].startswith("the second costliest move of the game")
        assert len(desk.server.requests) == 1
        assert await desk.usage() == [("answered", 4, 4, 1)]

    async def test_it_is_asked_for_the_players_rating(self, desk: Desk) -> None:
        await desk.explained(await desk.job(1), desk.explainer())
        (moment,) = desk.server.requests[0].moments
        assert moment["player"] == "white, rated about 800"

    async def test_the_same_moment_is_explained_once_for_all_users_of_like_rating(self, desk: Desk) -> None:
        first = await desk.explained(await desk.job(3), desk.explainer())
        again = await desk.explained(await desk.job(3), desk.explainer())
        assert [m.explanation for m in again] == [m.explanation for m in first]
        assert len(desk.server.requests) == 1
        assert (await desk.usage())[-1] == ("cached", 3, 3, 0)
        stronger = [replace(game, white_rating=1900) for game in samples.games(3)]
        await desk.explained(await desk.job(3, found=stronger), desk.explainer())
        assert len(desk.server.requests) == 2

    async def test_what_the_cache_knows_is_told_beyond_every_budget(self, desk: Desk) -> None:
        await desk.explained(await desk.job(3), desk.explainer())
        spent = replace(POLICY.budget, calls_per_day=0)
        moments = await desk.explained(await desk.job(3), desk.explainer(budget=spent))
        assert len(by(moments, MODEL)) == 3

    async def test_it_goes_on_beside_the_analysis(self, desk: Desk) -> None:
        claim = await desk.job(40)
        async with desk.explainer().beside(claim) as explaining:
            await desk.analyze(claim, explaining, 20)
            await asyncio.wait_for(desk.server.seen(1), 10)
            await desk.analyze(claim, explaining, 20)
            await explaining.finish()
        moments = await desk.moments(claim)
        assert len(by(moments, MODEL)) == 40
        asked = [moment["fen"] for seen in desk.server.requests for moment in seen.moments]
        assert len(asked) == len(set(asked)) == 40
        assert len(desk.server.requests) < 8

    async def test_a_worker_that_takes_over_goes_on_where_it_was(self, desk: Desk) -> None:
        claim = await desk.job(40)
        explainer = desk.explainer()
        async with explainer.beside(claim) as explaining:
            await desk.analyze(claim, explaining, 20)
            await asyncio.wait_for(desk.store.told.wait(), 10)
        # The lease is lost here; another worker holds the job.
        asked = {moment["fen"] for seen in desk.server.requests for moment in seen.moments}
        done = {moment.fen_before for moment in by(await desk.moments(claim), MODEL)}
        before = len(desk.server.requests)
        moments = await desk.explained(claim, explainer)
        assert len(by(moments, MODEL)) == 40
        assert len(moments) == len({(m.fen_before, m.ply) for m in moments})
        again = {moment["fen"] for seen in desk.server.requests[before:] for moment in seen.moments}
        assert again & done == set()
        assert asked | again >= {moment.fen_before for moment in by(moments, MODEL)}


class TestLeftOver:
    @pytest.mark.parametrize("llm", [False, True])
    async def test_games_of_a_job_that_was_cut_off_get_their_moments_from_the_next(
        self, desk: Desk, *, llm: bool
    ) -> None:
        cut_off = await desk.job(40)
        async with desk.explainer(llm=llm).beside(cut_off) as explaining:
            await desk.analyze(cut_off, explaining, 15)  # a round is due after 20
            await desk.store.cancel_sync_job(cut_off.job.id, None)
        assert await desk.moments(cut_off) == []
        again = await desk.job(40, user_id=cut_off.job.user_id)
        await desk.explained(again, desk.explainer(llm=llm))
        job = await desk.store.advance_sync_job(again, SyncStatus.COMPLETED)
        assert (job.games_skipped, job.games_analyzed) == (15, 25)
        moments = await desk.moments(cut_off) + await desk.moments(again)
        assert len(moments) == 80  # a slip and a blunder of each game
        assert len(by(moments, MODEL)) == (40 if llm else 0)

    async def test_what_has_moments_is_not_explained_anew(self, desk: Desk) -> None:
        claim = await desk.job(3)
        before = await desk.explained(claim, desk.explainer(llm=False))
        await desk.store.advance_sync_job(claim, SyncStatus.COMPLETED)
        again = await desk.job(3, user_id=claim.job.user_id)
        async with desk.explainer().beside(again) as explaining:
            await explaining.finish()
        assert await desk.moments(claim) == before
        assert desk.server.requests == []

    async def test_they_are_asked_about_within_the_jobs_budget(self, desk: Desk) -> None:
        cut_off = await desk.job(30)
        await desk.analyze(cut_off, desk.explainer().beside(cut_off))
        await desk.store.cancel_sync_job(cut_off.job.id, None)
        again = await desk.job(30, user_id=cut_off.job.user_id)
        spent = replace(POLICY.budget, calls_per_job=1)
        async with desk.explainer(budget=spent).beside(again) as explaining:
            await explaining.finish()
        assert len(desk.server.requests) == 1
        moments = await desk.moments(cut_off)
        assert len(moments) == 60
        assert 0 < len(by(moments, MODEL)) < 30


class TestBudgets:
    async def test_a_jobs_calls_are_bounded_and_the_costliest_moves_come_first(self, desk: Desk) -> None:
        moments = await desk.explained(await desk.job(30), desk.explainer(calls_per_game=0.05))
        assert len(desk.server.requests) == 2
        assert 10 <= len(by(moments, MODEL)) < 30
        assert len(by(moments, "template")) == 60 - len(by(moments, MODEL))

    async def test_what_is_over_the_days_budget_says_so(self, desk: Desk) -> None:
        spent = replace(POLICY.budget, tokens_per_day=100)
        moments = await desk.explained(await desk.job(2), desk.explainer(budget=spent))
        assert by(moments, "template") == moments
        assert desk.server.requests == []
        reasons = {moment.why[-1] for moment in moments if moment.judgement == "JUDGEMENT_BLUNDER"}
        assert reasons == {"the LLM's budget was used up (tokens per day)"}

    async def test_what_is_asked_once_more_is_so_beyond_the_games_share(self, desk: Desk) -> None:
        desk.server.script = [desk.server.says('{"explanations": []}')]
        moments = await desk.explained(await desk.job(1), desk.explainer(calls_per_game=0.1))
        assert len(by(moments, MODEL)) == 1
        assert len(desk.server.requests) == 2

    async def test_a_game_has_its_share(self, desk: Desk) -> None:
        explainer = desk.explainer(tokens_per_game=300)
        moments = await desk.explained(await desk.job(2), explainer)
        assert len(by(moments, MODEL)) == 2


class TestTrouble:
    async def test_an_answer_that_is_wrong_on_the_board_is_asked_once_more(self, desk: Desk) -> None:
        desk.server.script = [desk.server.explains("The rook simply takes on a8 with Rxa8 here.")]
        moments = await desk.explained(await desk.job(1), desk.explainer())
        (blunder,) = by(moments, MODEL)
        assert "Rxa8" not in blunder.explanation
        assert [row[0] for row in await desk.usage()] == ["answered", "answered"]

    async def test_and_replaced_by_the_template_if_it_is_wrong_again(self, desk: Desk) -> None:
        desk.server.always = desk.server.explains("The rook simply takes on a8 with Rxa8 here.")
        moments = await desk.explained(await desk.job(2), desk.explainer())
        assert by(moments, "template") == moments
        assert len(desk.server.requests) == 2
        blunder = next(moment for moment in moments if moment.judgement == "JUDGEMENT_BLUNDER")
        assert blunder.explanation.startswith("4.Qxf7+ grabs a pawn, but 4…Kxf7 takes back")
        assert blunder.why[-1] == "the LLM's answer could not be used: 'Rxa8' cannot be played"
        async with await psycopg.AsyncConnection.connect(desk.database.owner_conninfo) as connection:
            cursor = await connection.execute("select count(*) from explanations")
            assert await cursor.fetchone() == (0,)  # what is wrong is for nobody

    async def test_what_was_cut_off_is_asked_in_smaller_requests(self, desk: Desk) -> None:
        desk.server.script = [desk.server.cuts_off]
        moments = await desk.explained(await desk.job(6), desk.explainer())
        assert len(by(moments, MODEL)) == 6
        sizes = [len(seen.moments) for seen in desk.server.requests]
        assert sizes[0] == 6 == sum(sizes[1:])
        assert max(sizes[1:]) < 6

    @pytest.mark.parametrize(
        ("trouble", "outcome", "requests"),
        [
            ("refuses", "refused", 1),
            ("filters", "refused", 1),
            ("wrong shape", "wrong_shape", 2),
            ("no json", "wrong_shape", 2),
            ("limits", "rate_limited", 1),
            ("breaks", "unavailable", 3),
        ],
    )
    async def test_templates_stand_in_for_a_service_that_fails(
        self, desk: Desk, trouble: str, outcome: str, requests: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("orchestrator.explain.openai_client._FIRST_WAIT", 0.01)
        server = desk.server
        server.always = {
            "refuses": server.refuses,
            "filters": server.filters,
            "wrong shape": server.says('{"moments": []}'),
            "no json": openai_server.is_no_json,
            "limits": openai_server.limits("3600"),
            "breaks": openai_server.breaks(502),
        }[trouble]
        moments = await desk.explained(await desk.job(1), desk.explainer())
        assert by(moments, "template") == moments
        assert len(moments) == 2
        assert {row[0] for row in await desk.usage()} == {outcome}
        assert len(server.requests) == requests

    async def test_silence_delays_a_job_by_its_grace_and_no_longer(self, desk: Desk) -> None:
        desk.server.always = desk.server.hangs
        loop = asyncio.get_running_loop()
        claim = await desk.job(30)
        explainer = desk.explainer(grace=2, timeout=60, concurrency=2)
        async with explainer.beside(claim) as explaining:
            await desk.analyze(claim, explaining)
            began = loop.time()
            await explaining.finish()
            assert loop.time() - began < 8
        moments = await desk.moments(claim)
        assert len(moments) == 60
        assert by(moments, "template") == moments
        outcomes = await desk.usage()
        assert {row[0] for row in outcomes} == {"abandoned"}
        assert len(outcomes) == len(desk.server.requests) == 2  # the third never went out

    async def test_a_job_that_is_lost_is_told(self, desk: Desk) -> None:
        claim = await desk.job(1)
        async with desk.explainer().beside(claim) as explaining:
            await desk.analyze(claim, explaining)
            await desk.store.cancel_sync_job(claim.job.id, claim.job.user_id)
            with pytest.raises(StaleLease):
                await explaining.finish()

    async def test_a_defect_is_no_reason_to_fail_a_sync(
        self, desk: Desk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("orchestrator.explain.answer.check", lambda content, asked: 1 / 0)
        moments = await desk.explained(await desk.job(1), desk.explainer())
        assert by(moments, "template") == moments
        assert len(moments) == 2


class TestWithoutAnLlm:
    async def test_templates_explain_all(self, desk: Desk) -> None:
        moments = await desk.explained(await desk.job(3), desk.explainer(llm=False))
        assert len(moments) == 6
        assert by(moments, "template") == moments
        assert all(moment.explanation for moment in moments)
        assert await desk.usage() == []
