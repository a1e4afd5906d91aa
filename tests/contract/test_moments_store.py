"""What the store promises for explanations: candidates, budget, the account of calls, moments, the cache."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from orchestrator.domain import Color, Platform, SyncStatus
from orchestrator.store.moment_rows import (
    CandidateGame,
    KnownExplanation,
    LlmBudget,
    LlmCall,
    LlmRequest,
    NewMoment,
)
from orchestrator.store.rows import Claim
from orchestrator.store.store import Store
from servicekit.errors import StaleLease
from tests.support import samples
from tests.support.moves import played
from tests.support.postgres import Database
from tests.support.stores import store

__all__ = ["store"]  # a fixture: over each transport

LEASE = timedelta(minutes=10)
BUDGET = LlmBudget(calls_per_job=5, tokens_per_job=10_000, calls_per_day=8, tokens_per_day=20_000)
MODEL, BAND = "coach-1", "1200-1799"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
# White, the user, drops the queen on move 3 and Black lets her go on move 4.
SANS = "e4 e5 Qh5 Nc6 Qxf7+ Kxf7 Nf3 Nf6"
SCORES = [30, 30, 35, -40, 30, -900, -900, -920, -910]
MOVES = played(
    SANS, SCORES, {5: {"judgement": "JUDGEMENT_BLUNDER", "best": "Nf3 Nf6", "themes": ["bad_trade"]}}
)


async def analyzed(
    store: Store,
    games: int = 1,
    user_id: UUID | None = None,
    platform: Platform = Platform.CHESS_COM,
    *,
    side: Color = Color.WHITE,
    preset: str = "standard",
    **changes: Any,
) -> Claim:
    """A job that is analyzing, its games all analyzed but for the second, which failed."""
    user_id = user_id or await samples.new_user(store)
    new = samples.new_sync(user_id, platform=platform, preset=preset)
    await store.start_sync_job(new, samples.LIMITS)
    claim = await store.claim_sync_job("worker", LEASE, 5)
    assert claim is not None
    await store.advance_sync_job(claim, SyncStatus.FETCHING)
    page = [replace(game, user_color=side) for game in samples.games(games, platform=platform)]
    await store.record_games(claim, page, {}, {}, samples.PER_DAY)
    await store.advance_sync_job(claim, SyncStatus.ANALYZING)
    results = [
        samples.failure(game.game_id)
        if game.ordinal == 2
        else samples.analysis(game.game_id, **{"moves": MOVES, **changes})
        for game in await store.take_games(claim, 0, games)
    ]
    await store.record_analyses(claim, results)
    return claim


async def candidates(store: Store, claim: Claim) -> list[CandidateGame]:
    return await store.list_moment_candidates(claim.job.id, 0, 100)


def moment(game: CandidateGame, **changes: object) -> NewMoment:
    row = NewMoment(
        game_analysis_id=game.game_analysis_id,
        ply=5,
        judgement="JUDGEMENT_BLUNDER",
        fen_before=MOVES[4]["fen_before"],
        move_san="Qxf7+",
        best_san="Nf3",
        win_percent_lost=49.1,
        themes=["bad_trade"],
        explanation="Qxf7+ gives up the queen.",
        explained_by="template",
        why=["one of the three worst moves of the game"],
    )
    return replace(row, **changes)  # type: ignore[arg-type]


async def rows(database: Database, query: str) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(database.owner_conninfo) as connection:
        cursor = await connection.execute(query)
        found: list[tuple[object, ...]] = await cursor.fetchall()
        return found


class TestCandidates:
    async def test_the_users_worst_moves_come_with_the_moves_around_them(self, store: Store) -> None:
        claim = await analyzed(store)
        (game,) = await candidates(store, claim)
        assert (game.user_color, game.rating, game.opening_eco) == ("white", 2000, "C20")
        assert [move["san"] for move in game.moves] == ["Qxf7+"]  # the others are the engine's own
        blunder = game.moves[0]
        assert blunder["themes"] == ["bad_trade"]
        assert blunder["previous_uci"] == "b8c6"
        assert blunder["reply_line_uci"] == ["e8f7"]
        assert "accuracy" not in blunder
        assert game.explained == {}

    async def test_they_are_those_of_the_player_whom_the_sync_is_about(self, store: Store) -> None:
        """Of two players of one user who met: the game is known as the other's."""
        white = await analyzed(store)
        await store.advance_sync_job(white, SyncStatus.COMPLETED)
        errors = {4: {"judgement": "JUDGEMENT_MISTAKE", "best": "Nf6"}}
        black = await analyzed(
            store,
            user_id=white.job.user_id,
            side=Color.BLACK,
            moves=played(SANS, [0, 0, 0, 0, 300, 0, 0, 0, 0], errors),
        )
        (game,) = await candidates(store, black)
        assert (game.user_color, game.rating) == ("black", None)
        assert {move["ply"] % 2 for move in game.moves} == {0}

    async def test_they_come_in_pages_without_the_games_that_failed(self, store: Store) -> None:
        claim = await analyzed(store, games=4)
        first = await store.list_moment_candidates(claim.job.id, 0, 2)
        rest = await store.list_moment_candidates(claim.job.id, first[-1].finished_ordinal, 2)
        assert [game.finished_ordinal for game in [*first, *rest]] == [1, 3, 4]

    async def test_verdicts_and_great_moves_are_there_beside_the_three_worst(self, store: Store) -> None:
        mistakes = {ply: {"judgement": "JUDGEMENT_MISTAKE"} for ply in (1, 3, 5)}
        great = {7: {"judgement": "JUDGEMENT_GREAT"}}
        scores = [0, -200, -200, -400, -400, -600, -600, -600, -600]
        claim = await analyzed(store, moves=played(SANS, scores, mistakes | great))
        (game,) = await candidates(store, claim)
        assert [move["ply"] for move in game.moves] == [1, 3, 5, 7]

    async def test_the_engines_own_choice_takes_no_place_among_the_worst(self, store: Store) -> None:
        """It may seem to cost: the next position was searched deeper."""
        errors = {ply: {"best": best} for ply, best in ((1, "d4"), (3, "Nf3"), (7, "d4"))}
        scores = [0, -100, -100, -200, -200, -600, -600, -700, -700]
        claim = await analyzed(store, moves=played(SANS, scores, errors))
        (game,) = await candidates(store, claim)
        assert [move["ply"] for move in game.moves] == [1, 3, 7]

    async def test_an_analysis_that_says_nothing_of_positions_has_none(self, store: Store) -> None:
        """What an older analyzer wrote."""
        claim = await analyzed(store, moves=[{"ply": 1, "san": "e4", "uci": "e2e4"}])
        assert [game.moves for game in await candidates(store, claim)] == [[]]


class TestLeftOver:
    """Games analyzed by a job that ended before it came to their moments; later jobs skip them."""

    async def cut_off(self, store: Store, games: int, **changes: Any) -> Claim:
        claim = await analyzed(store, games, **changes)
        await store.cancel_sync_job(claim.job.id, None)
        return claim

    async def test_the_next_job_gives_them_moments_once(self, store: Store) -> None:
        user_id = (await self.cut_off(store, 4)).job.user_id
        claim = await analyzed(store, 4, user_id)
        first = await store.list_left_over_candidates(claim.job.id, 0, 2)
        rest = await store.list_left_over_candidates(claim.job.id, -first[-1].finished_ordinal, 2)
        listed = [*first, *rest]
        assert [game.finished_ordinal for game in listed] == [-1, -3, -4]  # the second had failed
        assert {(game.user_color, game.rating) for game in listed} == {("white", 2000)}
        assert [move["san"] for move in listed[0].moves] == ["Qxf7+"]
        await store.record_moments(claim, [moment(game) for game in listed[:2]])
        (left,) = await store.list_left_over_candidates(claim.job.id, 0, 10)
        assert left == listed[2]
        kept = await store.get_game_analysis(user_id, listed[0].game_analysis_id)
        assert [each.ply for each in kept.moments] == [5]

    async def test_what_can_have_no_moment_is_not_listed(self, store: Store) -> None:
        """No error of the user's: of the other side, below a point, or the engine's own choice."""
        theirs = played(
            SANS, [0, 0, 0, 0, 300, 0, 0, 0, 0], {4: {"judgement": "JUDGEMENT_MISTAKE", "best": "d6"}}
        )
        slight = played(SANS, [30, 25, 25, 25, 25, 25, 25, 25, 25], {1: {"best": "d4"}})
        choice = played(SANS, [30, -300, -300, -300, -300, -300, -300, -300, -300])
        for moves in (theirs, slight, choice):
            user_id = (await self.cut_off(store, 1, moves=moves)).job.user_id
            claim = await analyzed(store, 1, user_id)
            assert (await store.get_sync_jobs([claim.job.id]))[0].games_skipped == 1
            assert await store.list_left_over_candidates(claim.job.id, 0, 10) == []

    async def test_only_the_latest_analysis_for_the_player_counts(self, store: Store) -> None:
        user_id = (await self.cut_off(store, 1, preset="fast")).job.user_id
        deep = await analyzed(store, 1, user_id, preset="deep")
        await store.record_moments(deep, [moment(game) for game in await candidates(store, deep)])
        await store.advance_sync_job(deep, SyncStatus.COMPLETED)
        claim = await analyzed(store, 1, user_id)
        assert await store.list_left_over_candidates(claim.job.id, 0, 10) == []
        await store.cancel_sync_job(claim.job.id, None)
        other = await self.cut_off(store, 1, user_id=user_id, side=Color.BLACK)
        claim = await analyzed(store, 1, user_id)
        assert await store.list_left_over_candidates(claim.job.id, 0, 10) == []
        assert other.job.id != claim.job.id

    async def test_moments_of_a_game_that_the_job_did_not_skip_are_not_its_own(self, store: Store) -> None:
        before = await self.cut_off(store, 1)
        (game,) = await candidates(store, before)
        await store.start_sync_job(samples.new_sync(before.job.user_id), samples.LIMITS)
        claim = await store.claim_sync_job("worker", LEASE, 5)
        assert claim is not None
        await store.record_moments(claim, [moment(game)])
        assert (await store.get_game_analysis(before.job.user_id, game.game_analysis_id)).moments == []


class TestMoments:
    async def test_they_are_kept_with_their_reasons_and_marked_as_explained(self, store: Store) -> None:
        claim = await analyzed(store)
        (game,) = await candidates(store, claim)
        await store.record_moments(claim, [moment(game)])
        detail = await store.get_game_analysis(claim.job.user_id, game.game_analysis_id)
        (kept,) = detail.moments
        assert (kept.ply, kept.explanation, kept.explained_by) == (5, "Qxf7+ gives up the queen.", "template")
        assert list(kept.why) == ["one of the three worst moves of the game"]
        assert (await candidates(store, claim))[0].explained == {5: "template"}

    async def test_a_models_words_replace_a_template_and_never_the_other_way(self, store: Store) -> None:
        claim = await analyzed(store)
        (game,) = await candidates(store, claim)
        better = moment(game, explanation="Your queen is lost.", explained_by=MODEL, why=["asked"])
        for each in (moment(game), better, better, moment(game)):
            await store.record_moments(claim, [each])
        (kept,) = (await store.get_game_analysis(claim.job.user_id, game.game_analysis_id)).moments
        assert (kept.explanation, kept.explained_by, list(kept.why)) == (
            "Your queen is lost.",
            MODEL,
            ["asked"],
        )

    async def test_only_the_holder_of_the_lease_writes_and_only_of_its_job(self, store: Store) -> None:
        claim, other = await analyzed(store), await analyzed(store)
        (game,) = await candidates(store, claim)
        with pytest.raises(StaleLease):
            await store.record_moments(replace(claim, lease_token=uuid4()), [moment(game)])
        await store.record_moments(other, [moment(game)])  # another job's game: passed over
        assert (await store.get_game_analysis(claim.job.user_id, game.game_analysis_id)).moments == []


def request(tokens: int = 1000) -> LlmRequest:
    return LlmRequest(uuid4(), moments=4, tokens=tokens)


async def granted(store: Store, claim: Claim, *requests: LlmRequest, budget: LlmBudget = BUDGET) -> list[int]:
    """Which of the requests may go out, by number."""
    plan = await store.plan_explanations(claim, MODEL, BAND, [], requests, budget)
    return [index for index, each in enumerate(requests) if each.id in plan.granted]


class TestTheBudget:
    async def test_calls_of_a_job_are_bounded(self, store: Store) -> None:
        claim = await analyzed(store)
        assert await granted(store, claim, *(request() for _ in range(4))) == [0, 1, 2, 3]
        assert await granted(store, claim, *(request() for _ in range(4))) == [0]
        plan = await store.plan_explanations(claim, MODEL, BAND, [], [request()], BUDGET)
        assert (plan.granted, plan.over) == (frozenset(), "calls_per_job")

    async def test_tokens_of_a_job_are_bounded_by_what_calls_may_cost(self, store: Store) -> None:
        claim = await analyzed(store)
        assert await granted(store, claim, request(9_000), request(2_000), request(500)) == [0]
        assert await granted(store, claim, request(1_000)) == [0]

    async def test_what_a_call_did_cost_replaces_what_it_might_have(self, store: Store) -> None:
        claim = await analyzed(store)
        dear = request(10_000)
        assert await granted(store, claim, dear) == [0]
        assert await granted(store, claim, request()) == []
        call = LlmCall(dear.id, MODEL, "answered", 4, 3, calls=1, input_tokens=800, output_tokens=300)
        for _ in range(2):  # a call whose answer was lost is made again
            await store.record_moments(claim, [], [call])
        assert await granted(store, claim, request(8_900)) == [0]

    async def test_what_was_not_sent_costs_nothing(self, store: Store) -> None:
        claim = await analyzed(store)
        unused = [request() for _ in range(5)]
        await granted(store, claim, *unused)
        await store.record_moments(claim, [], [LlmCall(each.id, MODEL, "not_sent", 4) for each in unused])
        assert await granted(store, claim, *(request() for _ in range(5))) == [0, 1, 2, 3, 4]

    async def test_the_same_plan_again_is_the_same_grant(self, store: Store) -> None:
        claim = await analyzed(store)
        same = [request(6_000), request(6_000)]
        assert await granted(store, claim, *same) == [0]
        assert await granted(store, claim, *same) == [0]

    async def test_jobs_of_one_user_share_the_day_exactly(self, store: Store) -> None:
        user_id = await samples.new_user(store)
        claims = [await analyzed(store, 1, user_id, platform) for platform in Platform]
        plans = [
            store.plan_explanations(claim, MODEL, BAND, [], [request()], BUDGET)
            for claim in claims
            for _ in range(5)
        ]
        answers = await asyncio.gather(*plans)
        assert sum(len(plan.granted) for plan in answers) == BUDGET.calls_per_day
        assert "calls_per_day" in {plan.over for plan in answers}
        assert await granted(store, await analyzed(store), request()) == [0]  # another user's day

    async def test_the_quota_shows_the_day(self, store: Store) -> None:
        claim = await analyzed(store)
        await granted(store, claim, request(700), request(300))
        quotas = await store.get_quota(claim.job.user_id, samples.LIMITS, BUDGET)
        used = {quota.name: (quota.used, quota.limit) for quota in quotas}
        assert used["llm_calls_per_day"] == (2, 8)
        assert used["llm_tokens_per_day"] == (1000, 20_000)
        without = await store.get_quota(claim.job.user_id, samples.LIMITS)
        assert not any(quota.name.startswith("llm") for quota in without)

    async def test_usage_counts_calls_tokens_and_the_moves_analyzed(self, store: Store) -> None:
        claim = await analyzed(store, games=3)
        cached = LlmCall(uuid4(), MODEL, "cached", 2, 2)
        refused = LlmCall(uuid4(), MODEL, "refused", 4, calls=2, input_tokens=900, output_tokens=20)
        await store.record_moments(claim, [], [cached, refused])
        usage = await store.get_usage(LONG_AGO)
        assert (usage.moves_analyzed, usage.llm_calls) == (2 * len(MOVES), 2)
        assert (usage.llm_input_tokens, usage.llm_output_tokens) == (900, 20)


class TestTheCache:
    KEY = ("r1bqkbnr/pppp1ppp/2n5/4p2Q/4P3/8/PPPP1PPP/RNB1KBNR w KQkq -", "h5f7")

    async def learn(self, store: Store, claim: Claim, text: str = "The queen is lost.") -> None:
        call = LlmCall(uuid4(), MODEL, "answered", 1, 1, calls=1)
        known = KnownExplanation(*self.KEY, text)
        await store.record_moments(claim, [], [call], band=BAND, learned=[known])

    async def known(self, store: Store, claim: Claim, model: str = MODEL, band: str = BAND) -> list[str]:
        wanted = [self.KEY, (self.KEY[0], "e2e4")]
        plan = await store.plan_explanations(claim, model, band, wanted, [], BUDGET)
        return [each.explanation for each in plan.known]

    async def test_one_users_explanation_serves_all_of_like_rating(self, store: Store) -> None:
        await self.learn(store, await analyzed(store))
        other = await analyzed(store)
        assert await self.known(store, other) == ["The queen is lost."]
        assert await self.known(store, other, band="1800+") == []
        assert await self.known(store, other, model="coach-2") == []

    async def test_the_first_explanation_stays(self, store: Store) -> None:
        claim = await analyzed(store)
        await self.learn(store, claim)
        await self.learn(store, claim, "Something else.")
        assert await self.known(store, claim) == ["The queen is lost."]

    async def test_what_nobody_asks_for_is_forgotten_and_what_is_used_stays(
        self, store: Store, database: Database
    ) -> None:
        claim = await analyzed(store)
        await self.learn(store, claim)
        await rows(database, "update explanations set used_at = now() - interval '100 days' returning 1")
        await self.known(store, claim)
        assert await rows(database, "select used_at > now() - interval '1 minute' from explanations") == [
            (True,)
        ]
        await rows(database, "update explanations set used_at = now() - interval '181 days' returning 1")
        await store.record_moments(
            claim,
            [],
            [LlmCall(uuid4(), MODEL, "answered", 1, 1, calls=1)],
            band=BAND,
            learned=[KnownExplanation(self.KEY[0], "e2e4", "Fine.")],
        )
        assert await rows(database, "select move_uci from explanations") == [("e2e4",)]

    async def test_it_is_bounded(self, store: Store, database: Database) -> None:
        """The least lately used go first."""
        await rows(
            database,
            "insert into explanations (position, move_uci, band, explained_by, explanation, used_at) "
            "select n::text, 'e2e4', 'b', 'm', 'x', now() - n * interval '1 minute' "
            "from generate_series(1, 300) n returning 1",
        )
        async with await psycopg.AsyncConnection.connect(database.owner_conninfo) as connection:
            await connection.execute("analyze public.explanations")
        for most, left in ((300, 300), (299, 280)):
            await rows(database, f"select public.prune_explanations(interval '180 days', {most})")
            assert await rows(database, "select count(*), max(position::int) from explanations") == [
                (left, left)
            ]
