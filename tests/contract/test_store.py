"""What the store promises, over each transport: the life of a job, leases and fences, counters, quotas."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
import structlog

from orchestrator.domain import Color, Platform, SyncStatus
from orchestrator.platforms.usernames import validate_username
from orchestrator.store.postgres import PostgresTransport
from orchestrator.store.rows import Claim, Limits, PageKey, SyncJob
from orchestrator.store.store import Store
from orchestrator.store.transport import WORK_WAITS, Change
from servicekit.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidInput,
    NotFound,
    QuotaExceeded,
    StaleLease,
)
from tests.support.postgres import Database
from tests.support.samples import LIMITS, PER_DAY, analysis, failure, games, new_sync, new_user
from tests.support.stores import store

__all__ = ["store"]  # a fixture: over each transport

LEASE = timedelta(seconds=30)
NO_LEASE = timedelta(seconds=-1)  # run out already

# Around each bound of both platforms' rules for names; and what people paste into a profile.
NAMES = [
    "https://www.chess.com/member/hikaru", "hikaru@chess.example", "  Paul ", "Pa ul", "Pàul", "Paul\n",
    "   ", "_Paul", "Paul_", "Pa-_ul", "P", "Pa", "Pau", *("P" * length for length in (25, 26, 30, 31)),
]  # fmt: skip


async def start(store: Store, user_id: UUID | None = None, **changes: object) -> SyncJob:
    user_id = user_id or await new_user(store)
    return await store.start_sync_job(new_sync(user_id, **changes), LIMITS)


async def claim(store: Store, lease: timedelta = LEASE) -> Claim:
    taken = await store.claim_sync_job("worker", lease, max_takeovers=5)
    assert taken is not None
    return taken


async def analyzing(
    store: Store,
    count: int,
    user_id: UUID | None = None,
    *,
    of: Color = Color.WHITE,
    **changes: object,
) -> tuple[Claim, list[UUID]]:
    """A claimed job in the analyzing phase, and the ids of its queued games.

    `of` is the side of its player.
    """
    await start(store, user_id, **changes)
    taken = await claim(store)
    await store.advance_sync_job(taken, SyncStatus.FETCHING)
    page = [replace(game, user_color=of) for game in games(count)]
    await store.record_games(taken, page, {}, {"page": 1}, PER_DAY)
    await store.advance_sync_job(taken, SyncStatus.ANALYZING)
    return taken, [game.game_id for game in await store.take_games(taken, 0, 1000)]


async def state(store: Store, job_id: UUID) -> SyncJob:
    return (await store.get_sync_jobs([job_id]))[0]


class TestStarting:
    async def test_a_job_starts_pending_with_what_was_asked(self, store: Store) -> None:
        job = await start(store, filter={"colors": ["white"]}, max_games=7, preset="fast")
        assert (job.status, job.username, job.months_requested) == (SyncStatus.PENDING, "PaulMorphy", 3)
        assert (job.filter, job.max_games, job.preset) == ({"colors": ["white"]}, 7, "fast")
        assert (job.games_found, job.games_analyzed, job.revision) == (0, 0, 1)
        assert job.completed_at is None

    async def test_one_active_sync_per_user_and_platform(self, store: Store) -> None:
        first = await start(store)
        with pytest.raises(AlreadyExists) as refused:
            await start(store, first.user_id)
        assert refused.value.metadata == {"sync_job_id": str(first.id)}
        await start(store, first.user_id, platform=Platform.LICHESS)
        await start(store)  # another user

    async def test_the_same_request_returns_the_same_job_concurrently(self, store: Store) -> None:
        new = new_sync(await new_user(store))
        jobs = await asyncio.gather(*(store.start_sync_job(new, LIMITS) for _ in range(20)))
        assert len({job.id for job in jobs}) == 1

    async def test_a_request_id_with_other_fields_is_refused(self, store: Store) -> None:
        job = await start(store, request_id=(request_id := uuid4()))
        with pytest.raises(InvalidInput, match="request_id"):
            await start(store, job.user_id, request_id=request_id, request={"username": "Other"})

    async def test_the_profile_names_the_player(self, store: Store, database: Database) -> None:
        user_id = await new_user(store)
        with pytest.raises(InvalidInput, match="username"):
            await start(store, user_id, username="")
        await execute(database, "update users set chess_com_username = 'Paul' where id = %s", user_id)
        assert (await start(store, user_id, username="")).username == "Paul"

    @pytest.mark.parametrize("platform", Platform)
    async def test_the_profiles_name_is_held_to_the_rule_of_every_name(
        self, store: Store, database: Database, platform: Platform
    ) -> None:
        user_id = await new_user(store)
        column = "chess_com_username" if platform is Platform.CHESS_COM else "lichess_username"
        for name in NAMES:
            await execute(database, f"update users set {column} = %s where id = %s", name, user_id)
            try:
                rule: str | None = validate_username(platform, name)
            except InvalidInput:
                rule = None
            if rule is None:
                with pytest.raises(InvalidInput, match="profile") as refused:
                    await start(store, user_id, platform=platform, username="")
                assert [violation.field for violation in refused.value.violations] == ["username"]
            else:
                job = await start(store, user_id, platform=platform, username="")
                assert job.username == rule
                await store.cancel_sync_job(job.id, None)

    async def test_an_unknown_user_is_not_found(self, store: Store) -> None:
        with pytest.raises(NotFound):
            await start(store, uuid4())

    async def test_quotas_are_exact_however_many_come_at_once(self, store: Store) -> None:
        user_id = await new_user(store)
        limits = Limits(starts=3, window_seconds=600, games_per_day=10, queued_jobs=100)

        async def one() -> bool:
            try:
                job = await store.start_sync_job(new_sync(user_id), limits)
                await store.cancel_sync_job(job.id, user_id)
            except (QuotaExceeded, AlreadyExists):
                return False
            return True

        while sum(await asyncio.gather(*(one() for _ in range(30)))):
            pass
        with pytest.raises(QuotaExceeded) as refused:
            await store.start_sync_job(new_sync(user_id), limits)
        assert refused.value.quota == "syncs_per_window"
        assert timedelta(0) < refused.value.retry_after <= timedelta(seconds=600)
        used = {use.name: use.used for use in await store.get_quota(user_id, limits)}
        assert used == {
            "active_syncs_per_platform": 0,
            "syncs_per_window": 3,
            "games_per_day": 0,
            "queued_jobs": 0,
        }

    async def test_the_queue_of_the_whole_system_is_bounded_exactly(self, store: Store) -> None:
        limits = Limits(starts=10, window_seconds=600, games_per_day=10, queued_jobs=3)
        users = [await new_user(store) for _ in range(20)]

        starts = [store.start_sync_job(new_sync(user_id), limits) for user_id in users]
        outcomes = await asyncio.gather(*starts, return_exceptions=True)
        refused = [outcome for outcome in outcomes if isinstance(outcome, QuotaExceeded)]
        assert len(refused) == 17
        assert {outcome.quota for outcome in refused} == {"queued_jobs"}
        await claim(store)
        await store.start_sync_job(new_sync(await new_user(store)), limits)

    async def test_games_of_the_day_bound_and_then_refuse(self, store: Store) -> None:
        taken, ids = await analyzing(store, 3)
        await store.record_analyses(taken, [analysis(game) for game in ids])
        await store.advance_sync_job(taken, SyncStatus.COMPLETED)
        limits = Limits(starts=10, window_seconds=600, games_per_day=5, queued_jobs=100)
        job = await store.start_sync_job(new_sync(taken.job.user_id), limits)
        assert job.max_games == 2
        await store.cancel_sync_job(job.id, None)
        limits = Limits(starts=10, window_seconds=600, games_per_day=3, queued_jobs=100)
        with pytest.raises(QuotaExceeded) as refused:
            await store.start_sync_job(new_sync(taken.job.user_id), limits)
        assert refused.value.quota == "games_per_day"


class TestLeases:
    async def test_a_job_is_claimed_once(self, store: Store) -> None:
        jobs = {(await start(store)).id for _ in range(5)}
        claims = await asyncio.gather(*(store.claim_sync_job("w", LEASE, 5) for _ in range(20)))
        assert sorted(c.job.id for c in claims if c) == sorted(jobs)

    async def test_a_user_with_many_jobs_does_not_hold_up_another(self, store: Store) -> None:
        many = await new_user(store)
        await start(store, many)
        await start(store, many, platform=Platform.LICHESS)
        single = await start(store)
        first, second = await claim(store), await claim(store)
        assert (first.job.user_id, second.job.id) == (many, single.id)

    async def test_a_lost_worker_is_replaced_and_fenced_off(self, store: Store) -> None:
        await start(store)
        lost = await claim(store, NO_LEASE)
        taken = await claim(store)
        assert (taken.job.id, taken.takeovers) == (lost.job.id, 1)
        assert await store.renew_leases([lost], LEASE) == set()
        for write in (
            store.advance_sync_job(lost, SyncStatus.FETCHING),
            store.record_games(lost, games(1), {}, {}, PER_DAY),
            store.take_games(lost, 0, 1),
            store.record_analyses(lost, []),
        ):
            with pytest.raises(StaleLease):
                await write
        await store.release_sync_job(lost)
        assert await store.renew_leases([taken], LEASE) == {taken.job.id}
        await store.advance_sync_job(taken, SyncStatus.FETCHING)

    async def test_a_worker_does_not_take_its_own_job_over(self, store: Store) -> None:
        await start(store)
        taken = await claim(store, NO_LEASE)
        assert await store.claim_sync_job("worker", LEASE, 5, held=[taken.job.id]) is None
        assert await store.renew_leases([taken], LEASE) == {taken.job.id}

    async def test_a_job_given_back_is_claimed_at_once_and_is_no_takeover(self, store: Store) -> None:
        await start(store)
        await store.release_sync_job(await claim(store))
        assert (await claim(store)).takeovers == 0

    async def test_a_job_taken_over_too_often_is_given_up(self, store: Store) -> None:
        job = await start(store)
        for _ in range(3):
            await claim(store, NO_LEASE)
        assert await store.claim_sync_job("w", LEASE, max_takeovers=2) is None
        (failed,) = await store.fail_abandoned_sync_jobs(max_takeovers=2)
        assert (failed.id, failed.status) == (job.id, SyncStatus.FAILED)
        assert "interrupted 2 times" in (failed.error or "")

    async def test_a_job_says_what_it_waits_for_until_it_goes_on(self, store: Store) -> None:
        await start(store)
        taken = await claim(store)
        noted = await store.note_sync_job(taken, "chess.com does not answer; trying again at 19:05 UTC")
        assert noted.error == "chess.com does not answer; trying again at 19:05 UTC"
        assert noted.revision == 2
        assert (await store.note_sync_job(taken, "")).error is None
        await store.note_sync_job(taken, "waiting")
        assert (await store.advance_sync_job(taken, SyncStatus.FETCHING)).error is None

    async def test_the_end_takes_the_lease_away(self, store: Store) -> None:
        await start(store)
        taken = await claim(store)
        await store.cancel_sync_job(taken.job.id, None)
        with pytest.raises(StaleLease):
            await store.advance_sync_job(taken, SyncStatus.FETCHING)
        assert await store.claim_sync_job("w", LEASE, 5) is None


class TestFetching:
    async def test_pages_are_stored_in_order_with_their_cursor(self, store: Store) -> None:
        await start(store)
        taken = await claim(store)
        await store.advance_sync_job(taken, SyncStatus.FETCHING)
        await store.record_games(taken, games(3), {"no_moves": 1}, {"page": 1}, PER_DAY)
        job = await store.record_games(
            taken, games(2, first=4), {"no_moves": 2, "aborted": 1}, {"page": 2}, PER_DAY
        )
        assert (job.games_found, job.games_excluded) == (5, {"no_moves": 3, "aborted": 1})
        await store.release_sync_job(taken)
        again = await claim(store)
        assert again.fetch_cursor == {"page": 2}
        queued = await store.take_games(again, 0, 10)
        assert [game.url.rsplit("/", 1)[1] for game in queued] == ["1", "2", "3", "4", "5"]
        assert [game.ordinal for game in await store.take_games(again, 3, 10)] == [4, 5]

    async def test_a_page_sent_again_changes_nothing(self, store: Store) -> None:
        await start(store)
        taken = await claim(store)
        await store.advance_sync_job(taken, SyncStatus.FETCHING)
        first = await store.record_games(taken, games(3), {"aborted": 1}, {"page": 1}, PER_DAY)
        again = await store.record_games(taken, games(3), {"aborted": 1}, {"page": 1}, PER_DAY)
        overlapping = await store.record_games(taken, games(4), {}, {"page": 2}, PER_DAY)
        assert again == first
        assert (overlapping.games_found, overlapping.games_excluded) == (4, {"aborted": 1})

    async def test_an_empty_page_is_progress(self, store: Store) -> None:
        await start(store)
        taken = await claim(store)
        before = await store.advance_sync_job(taken, SyncStatus.FETCHING)
        after = await store.record_games(taken, [], {}, {"page": 1}, PER_DAY)
        assert after.updated_at > before.updated_at
        assert after.revision > before.revision

    async def test_the_days_games_are_shared_exactly_by_a_users_jobs(self, store: Store) -> None:
        user_id = await new_user(store)
        claims = []
        for platform in Platform:
            await start(store, user_id, platform=platform)
            claims.append(await claim(store))
            await store.advance_sync_job(claims[-1], SyncStatus.FETCHING)
        pages = [
            store.record_games(
                taken, games(4, first=first, platform=taken.job.platform), {}, {"page": first}, 10
            )
            for taken in claims
            for first in (1, 5)
        ]
        await asyncio.gather(*pages)
        jobs = [await state(store, taken.job.id) for taken in claims]
        assert sum(job.games_found for job in jobs) == 10
        assert sum(job.games_excluded.get("games_per_day", 0) for job in jobs) == 6

    @pytest.mark.parametrize(
        ("first", "second", "skipped"),
        [("standard", "standard", 2), ("deep", "fast", 2), ("fast", "deep", 0)],
    )
    async def test_games_analyzed_as_deep_before_are_skipped(
        self, store: Store, first: str, second: str, skipped: int
    ) -> None:
        taken, ids = await analyzing(store, 2, preset=first)
        await store.record_analyses(taken, [analysis(game) for game in ids])
        await store.advance_sync_job(taken, SyncStatus.COMPLETED)
        again, queued = await analyzing(store, 3, taken.job.user_id, preset=second)
        job = await state(store, again.job.id)
        assert (job.games_found, job.games_skipped, len(queued)) == (3, skipped, 3 - skipped)

    async def test_a_game_of_two_players_of_one_user_is_analyzed_for_each_of_them(self, store: Store) -> None:
        user_id = await new_user(store)
        figures = {"white_accuracy": 95, "black_accuracy": 40, "white_blunders": 0, "black_blunders": 5}
        jobs = []
        for color in Color:
            taken, (game_id,) = await analyzing(store, 1, user_id, of=color)
            await store.record_analyses(taken, [analysis(game_id, **figures)])
            jobs.append((await store.advance_sync_job(taken, SyncStatus.COMPLETED)).id)
            again, queued = await analyzing(store, 1, user_id, of=color)
            assert queued == []  # analyzed for this player already
            await store.advance_sync_job(again, SyncStatus.COMPLETED)
        listed = [(await store.list_finished_games(job, 0, 10))[0] for job in jobs]
        assert [(game.user_accuracy, game.user_blunders) for game in listed] == [(95, 0), (40, 5)]
        for job, color in zip(jobs, Color, strict=True):
            (row,) = await store.list_game_analyses(user_id, job, None, limit=5, after=None)
            whole = await store.get_game_analysis(user_id, row.id)
            (compat,) = await store.list_games_by_offset(user_id, game_analysis_id=row.id)
            assert {row.user_color, whole.user_color, compat.user_color} == {color}

    async def test_a_game_found_before_sides_were_kept_has_the_games(
        self, store: Store, database: Database
    ) -> None:
        taken, ids = await analyzing(store, 1)
        await execute(database, "update sync_job_games set user_color = null where game_id = %s", ids[0])
        await store.record_analyses(taken, [analysis(ids[0])])
        assert (await store.list_finished_games(taken.job.id, 0, 10))[0].user_accuracy == 91.5
        await store.advance_sync_job(taken, SyncStatus.COMPLETED)
        assert (await analyzing(store, 1, taken.job.user_id))[1] == []

    async def test_games_of_another_user_are_not_shared(self, store: Store) -> None:
        taken, ids = await analyzing(store, 2)
        await store.record_analyses(taken, [analysis(game) for game in ids])
        await store.advance_sync_job(taken, SyncStatus.COMPLETED)
        _, queued = await analyzing(store, 2)
        assert len(queued) == 2


class TestAnalyzing:
    async def test_every_game_is_accounted_for(self, store: Store) -> None:
        taken, ids = await analyzing(store, 4)
        job = await store.record_analyses(taken, [analysis(ids[2]), failure(ids[0])])
        assert (job.games_analyzed, job.games_failed) == (1, 1)
        with pytest.raises(FailedPrecondition):  # two games are open
            await store.advance_sync_job(taken, SyncStatus.COMPLETED)
        await store.record_analyses(taken, [analysis(ids[1]), analysis(ids[3])])
        job = await store.advance_sync_job(taken, SyncStatus.COMPLETED, "1 game failed")
        assert (job.games_found, job.games_analyzed, job.games_failed) == (4, 3, 1)
        assert (job.status, job.error) == (SyncStatus.COMPLETED, "1 game failed")
        assert job.completed_at is not None
        assert await store.sync_job_failures(job.id) == {"ILLEGAL_MOVE": 1}
        assert await store.audit_sync_jobs(LIMITS) == []

    async def test_finished_games_come_in_the_order_of_ending_without_a_gap(self, store: Store) -> None:
        taken, ids = await analyzing(store, 4)
        await store.record_analyses(taken, [analysis(ids[2]), failure(ids[0])])
        await store.record_analyses(taken, [analysis(ids[3])])
        finished = await store.list_finished_games(taken.job.id, 0, 10)
        assert [(g.finished_ordinal, g.game_url[-1]) for g in finished] == [(1, "3"), (2, "1"), (3, "4")]
        assert (finished[0].user_accuracy, finished[0].user_blunders) == (91.5, 2)
        assert finished[1].failure_message == "ply 3: Ke3 is not legal"
        assert await store.list_finished_games(taken.job.id, 2, 10) == finished[2:]

    async def test_results_sent_again_count_once(self, store: Store) -> None:
        taken, ids = await analyzing(store, 2)
        once = await store.record_analyses(taken, [analysis(ids[0]), failure(ids[1])])
        again = await store.record_analyses(taken, [failure(ids[0]), analysis(ids[1]), analysis(ids[1])])
        assert again == once

    async def test_a_taken_over_job_goes_on_with_what_is_left(self, store: Store) -> None:
        taken, ids = await analyzing(store, 3)
        await store.record_analyses(taken, [analysis(ids[1])])
        await store.renew_leases([taken], NO_LEASE)
        again = await claim(store)
        assert [game.game_id for game in await store.take_games(again, 0, 10)] == [ids[0], ids[2]]

    async def test_an_analysis_is_read_back_whole(self, store: Store) -> None:
        taken, ids = await analyzing(store, 1)
        await store.record_analyses(taken, [analysis(ids[0])])
        user_id = taken.job.user_id
        (listed,) = await store.list_game_analyses(user_id, None, None, limit=10, after=None)
        read = await store.get_game_analysis(user_id, listed.id)
        assert (listed.moves, listed.pgn) == ((), "")
        assert read.moves == [{"ply": 1, "san": "e4", "uci": "e2e4"}]
        assert (read.annotated_pgn, read.pgn) == ("1. e4 *", '[Event "1"]\n\n1. e4 e5 *')
        assert (read.url, read.white_rating, read.black_rating) == (
            "https://www.chess.com/game/live/1",
            2000,
            None,
        )
        with pytest.raises(NotFound):
            await store.get_game_analysis(await new_user(store), listed.id)

    async def test_numbers_come_back_to_the_last_digit(self, store: Store) -> None:
        """Beyond 2^53, and beyond 64 bits where they are added up."""
        taken, ids = await analyzing(store, 2)
        exact = {"engine_nodes": 2**63 - 1, "white_accuracy": 100 / 3, "engine_seconds": 5e-324}
        await store.record_analyses(taken, [analysis(game, **exact) for game in ids])
        user_id = taken.job.user_id
        rows = await store.list_game_analyses(user_id, None, None, limit=10, after=None)
        assert [(row.engine_nodes, row.white_accuracy, row.engine_seconds) for row in rows] == [
            (2**63 - 1, 100 / 3, 5e-324)
        ] * 2
        assert (await store.get_usage(datetime(2020, 1, 1, tzinfo=UTC))).engine_nodes == 2**64 - 2

    async def test_lists_go_on_behind_a_row(self, store: Store) -> None:
        taken, ids = await analyzing(store, 5)
        await store.record_analyses(taken, [analysis(game) for game in ids])
        user_id = taken.job.user_id
        first = await store.list_game_analyses(user_id, taken.job.id, Platform.CHESS_COM, limit=2, after=None)
        rest = await store.list_game_analyses(
            user_id, None, None, limit=10, after=PageKey(first[-1].played_at, first[-1].id)
        )
        assert [row.url[-1] for row in first + rest] == ["1", "2", "3", "4", "5"]
        assert await store.list_game_analyses(user_id, None, Platform.LICHESS, limit=2, after=None) == []


class TestEnding:
    async def test_cancelling_is_idempotent_and_only_for_active_jobs(self, store: Store) -> None:
        job = await start(store)
        cancelled = await store.cancel_sync_job(job.id, job.user_id)
        assert cancelled.status == SyncStatus.CANCELLED
        assert await store.cancel_sync_job(job.id, job.user_id) == cancelled
        with pytest.raises(FailedPrecondition):
            await store.fail_sync_job(job.id, "too late")
        with pytest.raises(NotFound):
            await store.cancel_sync_job(job.id, await new_user(store))
        failed = await start(store)
        await store.fail_sync_job(failed.id, "by hand")
        with pytest.raises(FailedPrecondition):
            await store.cancel_sync_job(failed.id, None)

    async def test_stuck_jobs_are_cleaned_up(self, store: Store) -> None:
        job = await start(store)
        taken = await claim(store)
        assert await store.cleanup_stuck_sync_jobs(timedelta(hours=2), dry_run=False) == []
        (stuck,) = await store.cleanup_stuck_sync_jobs(timedelta(seconds=-1), dry_run=True)
        assert stuck == job
        (cleaned,) = await store.cleanup_stuck_sync_jobs(timedelta(seconds=-1), dry_run=False)
        assert (cleaned.id, cleaned.status) == (job.id, SyncStatus.FAILED)
        with pytest.raises(StaleLease):
            await store.advance_sync_job(taken, SyncStatus.FETCHING)

    async def test_usage_adds_up(self, store: Store) -> None:
        taken, ids = await analyzing(store, 2)
        await store.record_analyses(taken, [analysis(game) for game in ids])
        await store.advance_sync_job(taken, SyncStatus.COMPLETED)
        usage = await store.get_usage(datetime(2020, 1, 1, tzinfo=UTC))
        assert (usage.jobs_started, usage.jobs_completed, usage.jobs_failed) == (1, 1, 0)
        assert (usage.games_analyzed, usage.engine_nodes) == (2, 2000)
        assert (await store.get_usage(datetime(2999, 1, 1, tzinfo=UTC))).games_analyzed == 0

    async def test_a_user_leaves_with_everything(self, store: Store, database: Database) -> None:
        taken, ids = await analyzing(store, 2)
        await store.record_analyses(taken, [analysis(game) for game in ids])
        await store.advance_sync_job(taken, SyncStatus.COMPLETED)
        await analyzing(store, 1, taken.job.user_id)
        await execute(database, "delete from users where id = %s", taken.job.user_id)
        for table in ("sync_jobs", "sync_queue", "games", "sync_job_games", "game_analyses"):
            assert await fetch(database, f"select count(*) from {table}") == [(0,)]


class TestHistory:
    async def test_every_step_is_kept_with_its_cause(self, store: Store) -> None:
        taken, ids = await analyzing(store, 1)
        await store.renew_leases([taken], NO_LEASE)
        again = await claim(store)
        await store.record_analyses(again, [analysis(ids[0])])
        await store.advance_sync_job(again, SyncStatus.COMPLETED)
        events = await store.list_sync_job_events(taken.job.id)
        assert [(e.from_status, e.to_status) for e in events] == [
            (None, "pending"),
            ("pending", "fetching"),
            ("fetching", "analyzing"),
            ("analyzing", "analyzing"),
            ("analyzing", "completed"),
        ]
        assert [e.cause for e in events] == [
            "started for PaulMorphy on chess.com, 2024-01-01 to 2024-03-31",
            "claimed by worker",
            "1 games found, 0 of them analyzed before",
            "taken over by worker: worker was lost",
            "1 games analyzed",
        ]
        assert [e.at for e in events] == sorted(e.at for e in events)

    async def test_a_failure_is_kept_with_its_reason(self, store: Store) -> None:
        job = await start(store)
        await store.fail_sync_job(job.id, "by hand")
        assert (await store.list_sync_job_events(job.id))[-1].cause == "by hand"

    async def test_it_is_only_added_to(self, store: Store, database: Database) -> None:
        await start(store)
        for statement in ("update sync_job_events set cause = 'x'", "delete from sync_job_events"):
            with pytest.raises(psycopg.DatabaseError, match="only added to"):
                await execute(database, statement)


class TestChanges:
    async def test_every_change_is_told(self, store: Store) -> None:
        changes = told(store)
        assert await anext(changes) == Change(None)  # from now on
        job = await start(store)
        assert await anext(changes) == Change(job.id, "pending")
        await store.cancel_sync_job(job.id, None)
        assert await anext(changes) == Change(job.id, "cancelled")

    async def test_a_change_that_began_first_and_ends_last_is_told(
        self, store: Store, database: Database
    ) -> None:
        slow, quick = await start(store), await start(store)
        store.set_watched([slow.id, quick.id])
        changes = told(store)
        await anext(changes)
        late, soon = [await psycopg.AsyncConnection.connect(database.owner_conninfo) for _ in range(2)]
        async with late, soon:
            for connection, job in ((late, slow), (soon, quick)):
                await connection.execute("update sync_jobs set error = 'waits' where id = %s", (job.id,))
            await soon.commit()
            assert await anext(changes) == Change(quick.id, "pending")
            await late.commit()
            assert await anext(changes) == Change(slow.id, "pending")

    async def test_work_of_a_lost_worker_is_told_or_looked_for(self, store: Store) -> None:
        """Within two leases somebody claims it."""
        await start(store)
        await claim(store, NO_LEASE)
        if store.pace.look_interval > LEASE.total_seconds() / 10:
            async for change in store.changes():
                if change is WORK_WAITS:
                    break
        assert await store.claim_sync_job("another", LEASE, 5) is not None


@pytest.mark.parametrize("payload", ["", "x", "x pending", "hello world " * 600])
async def test_a_notification_of_somebody_else_ends_nothing(database: Database, payload: str) -> None:
    """Whoever may log in may NOTIFY."""
    async with (
        PostgresTransport(database.app_conninfo) as transport,
        contextlib.aclosing(told(store := Store(transport))) as changes,
    ):
        await anext(changes)
        await execute(database, "select pg_notify('sync_jobs', %s)", payload)
        with structlog.testing.capture_logs() as logs:
            assert await anext(changes) == Change(None)
        job = await start(store)
        assert await anext(changes) == Change(job.id, "pending")
    (line,) = [line for line in logs if line["log_level"] == "warning"]
    assert payload.startswith(line["payload"])
    assert len(line["payload"]) <= 100


async def told(store: Store) -> AsyncGenerator[Change, None]:
    """What changed, without the news that there is work."""
    async with asyncio.timeout(20), contextlib.aclosing(store.changes()) as changes:
        async for change in changes:
            if change is not WORK_WAITS:
                yield change


async def execute(database: Database, statement: str, *values: object) -> None:
    async with await psycopg.AsyncConnection.connect(database.owner_conninfo, autocommit=True) as connection:
        await connection.execute(statement, values)


async def fetch(database: Database, statement: str) -> list[tuple[object, ...]]:
    async with await psycopg.AsyncConnection.connect(database.owner_conninfo) as connection:
        return await (await connection.execute(statement)).fetchall()
