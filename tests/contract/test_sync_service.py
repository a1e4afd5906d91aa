"""SyncService and SyncAdminService over a socket: real Postgres and platform server, scripted analyzer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import chess
import grpc
import grpc.aio
import psycopg
import pytest
from google.protobuf import duration_pb2

from orchestrator import metrics
from orchestrator.sync.openings import opening_of
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2 as pb
from servicekit.status import RpcFailure, from_rpc_error
from tests.support.orchestrator import PLAYER, Client, Orchestrator, running_orchestrator
from tests.support.platforms import faults
from tests.support.platforms.__main__ import SHIPPED
from tests.support.platforms.chesscom_server import ChessComServer, read_months
from tests.support.platforms.lichess_server import LichessServer, read_export
from tests.support.postgres import Database
from tests.support.scripted_analyzer import ScriptedAnalyzer, analyzed, failed

Running = Callable[..., Any]


@pytest.fixture
async def platform() -> AsyncIterator[ChessComServer]:
    async with ChessComServer(read_months(SHIPPED / "chesscom")) as server:
        yield server


@pytest.fixture
def run(database: Database, platform: ChessComServer) -> Running:
    """`async with run(script) as (orchestrator, analyzer)`."""

    @asynccontextmanager
    async def start(
        script: Any = analyzed, slots: int = 4, **settings: Any
    ) -> AsyncIterator[tuple[Orchestrator, ScriptedAnalyzer]]:
        async with ScriptedAnalyzer(script=script, credits=slots) as analyzer:
            fields = {"chesscom_url": platform.url, "analyzers": analyzer.address} | settings
            async with running_orchestrator(database, **fields) as orchestrator:
                yield orchestrator, analyzer

    return start


async def refused(call: Any) -> RpcFailure:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return from_rpc_error(error.value)


def watchers() -> float:
    """Streams open at the orchestrator that was started last."""
    (gauge,) = metrics.WATCHERS.collect()
    return float(gauge.samples[0].value)


async def audit(orchestrator: Orchestrator) -> list[pb.ComplianceFinding]:
    answer = await orchestrator.service().call("AuditSyncJobs", pb.AuditSyncJobsRequest())
    return list(answer.findings)


class TestTheMainJob:
    async def test_a_sync_runs_to_its_end(self, run: Running) -> None:
        def script(game: analysis_pb2.Game) -> analysis_pb2.AnalyzeGamesResponse:
            if "1849" in game.pgn and "Broken" in game.pgn:
                return failed(game, analysis_pb2.GameFailure.REASON_ILLEGAL_MOVE, retryable=False)
            return analyzed(game)

        async with run(script) as (orchestrator, _):
            user = await orchestrator.user()
            response = await user.call("StartSync", user.request())
            assert response.message == "Sync started for chess.com"
            assert response.sync_job.status == pb.SYNC_STATUS_PENDING
            job = await user.ended(response.sync_job.id)
            assert job.status == pb.SYNC_STATUS_COMPLETED, job.error
            assert job.games_found == job.games_analyzed + job.games_skipped + job.games_failed >= 20
            assert job.HasField("complete_time")
            games = await user.call(
                "ListGameAnalyses", pb.ListGameAnalysesRequest(user_id=str(user.user_id), page_size=100)
            )
            assert len(games.games) == job.games_analyzed
            detail = await user.call(
                "GetGameAnalysis",
                pb.GetGameAnalysisRequest(user_id=str(user.user_id), game_analysis_id=games.games[0].id),
            )
            assert detail.game.pgn
            assert detail.game.analysis.moves[0].san == "e4"
            assert detail.game.summary == games.games[0]
            assert await audit(orchestrator) == []

    async def test_the_second_sync_of_the_same_games_skips_them(self, run: Running) -> None:
        async with run() as (orchestrator, analyzer):
            user = await orchestrator.user()
            first = await user.ended((await user.start()).id)
            sent = len(analyzer.games)
            second = await user.ended((await user.start()).id)
            assert (second.games_found, second.games_skipped) == (first.games_found, first.games_found)
            assert second.status == pb.SYNC_STATUS_COMPLETED
            assert len(analyzer.games) == sent

    async def test_what_one_sync_found_goes_out_with_the_games_of_the_next(self, run: Running) -> None:
        def script(game: analysis_pb2.Game) -> analysis_pb2.AnalyzeGamesResponse:
            moves = [
                analysis_pb2.MoveAnalysis(
                    san=san, score_before=analysis_pb2.Score(centipawns=20), best_line_uci=["e2e4"], depth=9
                )
                for san in (opening_of(game.pgn) or "e4").split()
            ]
            return analysis_pb2.AnalyzeGamesResponse(
                analysis=analysis_pb2.GameAnalysis(
                    game_id=game.game_id,
                    start_fen=chess.STARTING_FEN,
                    moves=moves,
                    engine=analysis_pb2.EngineReport(engine="script"),
                )
            )

        async with run(script) as (orchestrator, analyzer):
            first, second = await orchestrator.user(), await orchestrator.user()
            await first.ended((await first.start()).id)
            sent = len(analyzer.games)
            await second.ended((await second.start()).id)
            again = [game for game in analyzer.games[sent:] if opening_of(game.pgn)]
            assert all(game.known[0].ply == 0 for game in again)
            assert sum(len(game.known) for game in again) > 2 * len(again)
            assert all(known.score.centipawns == 20 for game in again for known in game.known)

    async def test_every_game_failing_fails_the_sync(self, run: Running) -> None:
        def script(game: analysis_pb2.Game) -> analysis_pb2.AnalyzeGamesResponse:
            return failed(game, analysis_pb2.GameFailure.REASON_INVALID_PGN, retryable=False)

        async with run(script) as (orchestrator, _):
            user = await orchestrator.user()
            job = await user.ended((await user.start(max_games=3)).id)
            assert job.status == pb.SYNC_STATUS_FAILED
            assert job.error == "None of the 3 games could be analyzed: 3 could not be read."
            assert await audit(orchestrator) == []

    async def test_an_unknown_player_fails_the_sync_with_a_sentence(self, run: Running) -> None:
        async with run() as (orchestrator, _):
            user = await orchestrator.user()
            job = await user.ended((await user.start(username="Nobody99")).id)
            assert job.status == pb.SYNC_STATUS_FAILED
            assert "nobody99" in job.error

    async def test_an_empty_window_completes(self, run: Running) -> None:
        async with run() as (orchestrator, _):
            user = await orchestrator.user()
            job = await user.ended((await user.start(from_date=None, to_date=None, months=1)).id)
            assert (job.status, job.games_found) == (pb.SYNC_STATUS_COMPLETED, 0)

    async def test_a_platform_that_is_down_is_waited_for_and_the_job_says_so(
        self, run: Running, platform: ChessComServer
    ) -> None:
        platform.faults.add(faults.status(503), times=3)
        async with run() as (orchestrator, _):
            user = await orchestrator.user()
            job = await user.start(max_games=1)
            async with asyncio.timeout(60):
                states = [message.sync_job async for message in user.watch(job.id)]
            assert any("chess.com does not answer" in state.error for state in states)
            assert (states[-1].status, states[-1].error) == (pb.SYNC_STATUS_COMPLETED, "")

    async def test_jobs_that_wait_for_a_platform_leave_their_place_to_others(
        self, run: Running, platform: ChessComServer
    ) -> None:
        platform.faults.add(faults.status(503), times=1000)
        async with (
            LichessServer(read_export(SHIPPED / "lichess" / "games.ndjson")) as lichess,
            run(jobs_per_replica=1, lichess_url=lichess.url) as (orchestrator, _),
        ):
            waiting, other = await orchestrator.user(), await orchestrator.user()
            job = await waiting.start(max_games=1)
            async for message in waiting.watch(job.id):
                if message.sync_job.error:
                    break
            ended = await other.ended((await other.start(platform=pb.PLATFORM_LICHESS, max_games=1)).id)
            assert ended.status == pb.SYNC_STATUS_COMPLETED, ended.error
            request = pb.CancelSyncRequest(sync_job_id=job.id)
            cancelled = (await waiting.call("CancelSync", request)).sync_job
            assert (cancelled.status, cancelled.error) == (pb.SYNC_STATUS_CANCELLED, "")

    async def test_max_games_takes_the_newest(self, run: Running) -> None:
        async with run() as (orchestrator, _):
            user = await orchestrator.user()
            await user.ended((await user.start(max_games=2)).id)
            few = await user.call("ListGameAnalyses", pb.ListGameAnalysesRequest(user_id=str(user.user_id)))
            await user.ended((await user.start()).id)
            every = await user.call("ListGameAnalyses", pb.ListGameAnalysesRequest(user_id=str(user.user_id)))
            assert [g.id for g in few.games] == [g.id for g in every.games[:2]]


class TestWatching:
    async def test_a_watcher_sees_now_each_change_the_end_then_ok(self, run: Running) -> None:
        async with run(script=lambda _: "hold") as (orchestrator, analyzer):
            user = await orchestrator.user()
            job = await user.start(max_games=6)

            async def release_all() -> None:
                await analyzer.until(lambda: len(analyzer.games) == 4)
                analyzer.release()
                await analyzer.until(lambda: len(analyzer.games) == 6)
                analyzer.release()

            async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
                tasks.create_task(release_all())
                states = [message.sync_job async for message in user.watch(job.id)]
            revisions = [state.revision for state in states]
            assert revisions == sorted(set(revisions))
            assert states[-1].status == pb.SYNC_STATUS_COMPLETED
            analyzed_counts = [state.games_analyzed for state in states]
            assert analyzed_counts == sorted(analyzed_counts)

    async def test_two_hundred_watchers_all_see_the_end(self, run: Running) -> None:
        async with run(script=lambda _: "hold") as (orchestrator, analyzer):
            user = await orchestrator.user()
            job = await user.start(max_games=4)
            seen = 0
            all_there = asyncio.Event()

            async def watch() -> pb.SyncStatus.ValueType:
                nonlocal seen
                last: pb.SyncJob | None = None
                async for message in user.watch(job.id):
                    if last is None:
                        seen += 1
                        if seen == 200:
                            all_there.set()
                    last = message.sync_job
                assert last is not None
                return last.status

            async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
                watchers = [tasks.create_task(watch()) for _ in range(200)]
                await all_there.wait()
                await analyzer.until(lambda: len(analyzer.held) == 4)
                analyzer.release()
            assert {w.result() for w in watchers} == {pb.SYNC_STATUS_COMPLETED}

    async def test_games_come_once_and_a_broken_watch_goes_on(self, run: Running) -> None:
        async with run() as (orchestrator, _):
            user = await orchestrator.user()
            job = await user.start()
            await user.ended(job.id)
            whole = [m async for m in user.watch(job.id, include_games=True)]
            urls = [m.game.game_url for m in whole if m.HasField("game")]
            assert len(urls) == len(set(urls)) == whole[-1].sync_job.games_analyzed
            assert not whole[-1].HasField("game")
            rest = [
                m.game.game_url
                async for m in user.watch(job.id, include_games=True, resume_token=whole[4].resume_token)
                if m.HasField("game")
            ]
            assert urls[:5] + rest == urls

    async def test_watching_a_job_that_is_over_gives_its_end(self, run: Running) -> None:
        async with run() as (orchestrator, _):
            user = await orchestrator.user()
            job = await user.ended((await user.start(max_games=1)).id)
            (message,) = [m async for m in user.watch(job.id)]
            assert message.sync_job == job

    async def test_a_stop_sends_watchers_on_at_once(self, run: Running) -> None:
        loop = asyncio.get_running_loop()
        async with run(script=lambda _: "hold", shutdown_grace=30) as (orchestrator, analyzer):
            user = await orchestrator.user()
            job = await user.start(max_games=1)
            await analyzer.until(lambda: len(analyzer.held) == 1)
            channel = grpc.aio.insecure_channel(f"127.0.0.1:{orchestrator.port}")  # outlives the server
            watching = Client(channel, user.user_id, user.token).watch(job.id)
            while (await anext(watching)).sync_job.status != pb.SYNC_STATUS_ANALYZING:
                pass
            following = asyncio.ensure_future(anext(watching))
            began = loop.time()
        failure = await refused(following)
        assert (failure.code, failure.reason) == (grpc.StatusCode.UNAVAILABLE, "STOPPING")
        assert loop.time() - began < 10, "the stop waited for its watchers"
        await channel.close()

    async def test_a_watcher_that_leaves_is_forgotten(self, run: Running) -> None:
        async with run(script=lambda _: "hold") as (orchestrator, _):
            user = await orchestrator.user()
            job = await user.start(max_games=1)
            watching = user.watch(job.id)
            await anext(watching)
            assert watchers() == 1
            await watching.aclose()
            async with asyncio.timeout(30):
                while watchers():  # noqa: ASYNC110  a gauge cannot ring
                    await asyncio.sleep(0.01)
            await user.call("CancelSync", pb.CancelSyncRequest(sync_job_id=job.id))

    async def test_a_user_watches_so_many_times_at_once_and_no_more(self, run: Running) -> None:
        async with run(script=lambda _: "hold", max_watches_per_user=2) as (orchestrator, _):
            user, other = await orchestrator.user(), await orchestrator.user()
            service = orchestrator.service()
            job, others = await user.start(max_games=1), await other.start(max_games=1)
            watching = [user.watch(job.id) for _ in range(2)]
            for each in watching:
                await anext(each)
            failure = await refused(anext(user.watch(job.id)))
            assert (failure.code, failure.metadata) == (
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                {"quota": "watches_at_once"},
            )
            assert [v.subject for v in failure.quota_violations] == [f"user:{user.user_id}"]
            assert failure.retry_delay
            # Others are not kept from it, nor is who watches for all users.
            await anext(other.watch(others.id))
            for each in [service.watch(job.id) for _ in range(3)]:
                await anext(each)
            # One that ends makes room, however it ends.
            for leaves in watching:
                await leaves.aclose()
                assert await self.once_there_is_room(user, job.id)

    async def test_a_server_has_so_many_watchers_and_no_more(self, run: Running) -> None:
        async with run(script=lambda _: "hold", max_watches=1) as (orchestrator, _):
            user, service = await orchestrator.user(), orchestrator.service()
            job = await user.start(max_games=1)
            watching = service.watch(job.id)
            await anext(watching)
            failure = await refused(anext(user.watch(job.id)))
            assert (failure.code, failure.reason) == (grpc.StatusCode.UNAVAILABLE, "TOO_MANY_WATCHERS")
            await watching.aclose()
            assert await self.once_there_is_room(user, job.id)

    async def once_there_is_room(self, user: Client, job_id: str) -> pb.SyncJob:
        """The server hears of a watcher's leaving a little after it."""
        async with asyncio.timeout(10):
            while True:
                with suppress(grpc.aio.AioRpcError):
                    return (await anext(user.watch(job_id))).sync_job

    async def test_a_watch_of_nothing_takes_no_room(self, run: Running) -> None:
        async with run(max_watches_per_user=1) as (orchestrator, _):
            user = await orchestrator.user()
            for _ in range(3):
                failure = await refused(anext(user.watch(str(user.user_id))))
                assert failure.code is grpc.StatusCode.NOT_FOUND
            job = await user.ended((await user.start(max_games=1)).id)
            for _ in range(3):
                assert await user.ended(job.id) == job


class TestStartingAndCancelling:
    async def test_start_answers_while_other_jobs_run(self, run: Running) -> None:
        async with run(script=lambda _: "hold", jobs_per_replica=2) as (orchestrator, analyzer):
            users = [await orchestrator.user() for _ in range(5)]
            jobs = [await user.start(max_games=1) for user in users]
            await analyzer.until(lambda: len(analyzer.held) == 2)  # two at once, three wait
            active = [
                (await user.call("GetSyncJob", pb.GetSyncJobRequest(sync_job_id=job.id))).sync_job.status
                for user, job in zip(users, jobs, strict=True)
            ]
            assert active.count(pb.SYNC_STATUS_PENDING) == 3
            while any(job.status != pb.SYNC_STATUS_COMPLETED for job in jobs):
                analyzer.release()
                jobs = [
                    (await user.call("GetSyncJob", pb.GetSyncJobRequest(sync_job_id=job.id))).sync_job
                    for user, job in zip(users, jobs, strict=True)
                ]

    async def test_a_running_sync_is_named(self, run: Running) -> None:
        async with run(script=lambda _: "hold") as (orchestrator, _):
            user = await orchestrator.user()
            job = await user.start()
            failure = await refused(user.call("StartSync", user.request()))
            assert (failure.code, failure.reason) == (grpc.StatusCode.ALREADY_EXISTS, "SYNC_ALREADY_RUNNING")
            assert failure.metadata["sync_job_id"] == job.id

    async def test_a_quota_says_when_to_come_back(self, run: Running) -> None:
        async with run(max_starts_per_window=1) as (orchestrator, _):
            user = await orchestrator.user()
            await user.ended((await user.start(max_games=1)).id)
            failure = await refused(user.call("StartSync", user.request()))
            assert failure.code == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert failure.quota_violations[0].subject == "syncs_per_window"
            assert failure.retry_delay is not None
            assert 500 < failure.retry_delay.total_seconds() <= 600

    async def test_two_hundred_starts_at_once_start_one(self, run: Running) -> None:
        async with run(script=lambda _: "hold", max_starts_per_window=5) as (orchestrator, _):
            user = await orchestrator.user()

            async def one() -> grpc.StatusCode:
                try:
                    await user.call("StartSync", user.request())
                except grpc.aio.AioRpcError as error:
                    return error.code()
                return grpc.StatusCode.OK

            codes = await asyncio.gather(*(one() for _ in range(200)))
            assert codes.count(grpc.StatusCode.OK) == 1
            assert codes.count(grpc.StatusCode.ALREADY_EXISTS) == 199
            quotas = (await user.call("GetQuota", pb.GetQuotaRequest(user_id=str(user.user_id)))).quotas
            used = {quota.name: (quota.used, quota.limit) for quota in quotas}
            assert used == {
                "active_syncs_per_platform": (1, 1),
                "syncs_per_window": (1, 5),
                "games_per_day": (0, 5000),
                "queued_jobs": (0, 10_000),
                "months_per_sync": (0, 12),
            }

    async def test_cancelling_stops_the_analyzers(self, run: Running) -> None:
        async with run(script=lambda _: "hold") as (orchestrator, analyzer):
            user = await orchestrator.user()
            job = await user.start()
            await analyzer.until(lambda: len(analyzer.held) == 4)
            request = pb.CancelSyncRequest(sync_job_id=job.id)
            assert (await user.call("CancelSync", request)).sync_job.status == pb.SYNC_STATUS_CANCELLED
            await analyzer.until(lambda: not analyzer.held)
            assert (await user.call("CancelSync", request)).sync_job.status == pb.SYNC_STATUS_CANCELLED
            assert await audit(orchestrator) == []

    async def test_bad_fields_are_all_named(self, run: Running) -> None:
        async with run() as (orchestrator, _):
            user = await orchestrator.user()
            failure = await refused(
                user.call("StartSync", user.request(platform=0, username="!", max_games=-1))
            )
            assert failure.code == grpc.StatusCode.INVALID_ARGUMENT
            assert {v.field for v in failure.field_violations} == {"platform", "max_games"}

    @pytest.mark.parametrize(
        ("method", "request_", "field"),
        [
            ("GetSyncJob", pb.GetSyncJobRequest(sync_job_id="x"), "sync_job_id"),
            ("CancelSync", pb.CancelSyncRequest(sync_job_id=""), "sync_job_id"),
            ("ListSyncJobs", pb.ListSyncJobsRequest(user_id="USER", page_size=101), "page_size"),
            ("ListSyncJobs", pb.ListSyncJobsRequest(user_id="USER", page_token="x"), "page_token"),
            (
                "ListGameAnalyses",
                pb.ListGameAnalysesRequest(user_id="USER", platform=cast("Any", 9)),
                "platform",
            ),
            (
                "GetGameAnalysis",
                pb.GetGameAnalysisRequest(user_id="USER", game_analysis_id="1"),
                "game_analysis_id",
            ),
        ],
    )
    async def test_malformed_requests(self, run: Running, method: str, request_: Any, field: str) -> None:
        async with run() as (orchestrator, _):
            user = await orchestrator.user()
            if getattr(request_, "user_id", "") == "USER":
                request_.user_id = str(user.user_id)
            failure = await refused(user.call(method, request_))
            assert failure.code == grpc.StatusCode.INVALID_ARGUMENT
            assert failure.field_violations[0].field == field

    @pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
    async def test_large_requests_are_refused_unread(
        self, run: Running, compression: grpc.Compression
    ) -> None:
        """Compressed, a few kilobytes on the wire hold millions of values."""
        async with run() as (orchestrator, _):
            user = await orchestrator.user()
            large = user.request(filter=pb.GameFilter(time_classes=[pb.TIME_CLASS_BLITZ] * 70_000))
            failure = await refused(user.call("StartSync", large, compression=compression))
            assert failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "larger than max" in failure.message
            small = user.request(filter=pb.GameFilter(time_classes=[pb.TIME_CLASS_BLITZ] * 60_000))
            failure = await refused(user.call("StartSync", small, compression=compression))
            assert [violation.field for violation in failure.field_violations] == ["filter.time_classes"]
            started = await user.call("StartSync", user.request(), compression=compression)
            assert started.sync_job.id

    async def test_pages_of_jobs(self, run: Running) -> None:
        async with run() as (orchestrator, _):
            user = await orchestrator.user()
            ids = [(await user.ended((await user.start(max_games=1)).id)).id for _ in range(5)]
            listed: list[str] = []
            token = ""
            while True:
                page = await user.call(
                    "ListSyncJobs",
                    pb.ListSyncJobsRequest(user_id=str(user.user_id), page_size=2, page_token=token),
                )
                listed += [job.id for job in page.sync_jobs]
                token = page.next_page_token
                if not token:
                    break
            assert listed == ids[::-1]


class TestOperators:
    async def test_admin_calls_need_the_role_or_the_flag(self, run: Running, database: Database) -> None:
        async with run(script=lambda _: "hold") as (orchestrator, _):
            user = await orchestrator.user()
            job = await user.start()
            fail = pb.FailSyncJobRequest(sync_job_id=job.id, reason="by hand")
            for method, message in (
                ("ListActiveSyncJobs", pb.ListActiveSyncJobsRequest()),
                ("CleanupStuckSyncJobs", pb.CleanupStuckSyncJobsRequest()),
                ("FailSyncJob", fail),
                ("AuditSyncJobs", pb.AuditSyncJobsRequest()),
                ("GetUsage", pb.GetUsageRequest()),
            ):
                assert (await refused(user.call(method, message))).code == grpc.StatusCode.PERMISSION_DENIED
            async with await psycopg.AsyncConnection.connect(database.owner_conninfo) as connection:
                await connection.execute("update users set is_admin = true where id = %s", (user.user_id,))
            active = await user.call("ListActiveSyncJobs", pb.ListActiveSyncJobsRequest())
            assert [j.id for j in active.sync_jobs] == [job.id]
            stuck = await user.call(
                "CleanupStuckSyncJobs",
                pb.CleanupStuckSyncJobsRequest(older_than=duration_pb2.Duration(seconds=3600), dry_run=True),
            )
            assert (stuck.cleaned_up, len(stuck.stuck_jobs)) == (0, 0)
            assert (await user.call("FailSyncJob", fail)).sync_job.error == "by hand"
            assert (await refused(user.call("FailSyncJob", fail))).code == grpc.StatusCode.FAILED_PRECONDITION
            assert (await user.call("GetUsage", pb.GetUsageRequest())).jobs_failed == 1


async def test_stuck_jobs_are_cleaned_up_without_being_asked(run: Running, database: Database) -> None:
    async with run(script=lambda _: "hold", lease_seconds=9) as (orchestrator, analyzer):
        user = await orchestrator.user()
        job = await user.start()
        await analyzer.until(lambda: len(analyzer.held) == 4)
        async with await psycopg.AsyncConnection.connect(database.superuser_conninfo) as connection:
            await connection.execute("set session_replication_role = replica")  # the trigger would say: now
            await connection.execute("update sync_jobs set updated_at = now() - interval '121 minutes'")
        async with run() as (cleaner, _):  # the first cleaning is at the start, then one a minute
            ended = await Client(cleaner.channel, user.user_id, user.token).ended(job.id)
            assert ended.status == pb.SYNC_STATUS_FAILED
            assert "made no progress since" in ended.error
            await analyzer.until(lambda: not analyzer.held)  # its worker has let go of it
            assert await audit(cleaner) == []


async def test_a_restart_goes_on_where_the_job_was(run: Running) -> None:
    async with run(script=lambda _: "hold") as (orchestrator, analyzer):
        user = await orchestrator.user()
        job = await user.start()
        await analyzer.until(lambda: len(analyzer.held) == 4)
        analyzer.release()
        async for message in user.watch(job.id):
            if message.sync_job.games_analyzed >= 4:
                break
    async with run() as (orchestrator, analyzer):
        again = Client(orchestrator.channel, user.user_id, user.token)
        ended = await again.ended(job.id)
        assert ended.status == pb.SYNC_STATUS_COMPLETED
        assert len(analyzer.games) == ended.games_found - message.sync_job.games_analyzed
        assert ended.username == PLAYER
        assert await audit(orchestrator) == []
