"""The real `rookify` process against a real server of the contract: every command but the sync itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import grpc.aio
import jwt
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from orchestrator.cli import client as client_module
from orchestrator.cli.client import connect
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2
from servicekit.errors import FieldViolation, InvalidInput, NotFound, PermissionDenied, QuotaExceeded
from tests.support.cli_bench import JOB, TOKEN, USER, Bench, a_job, cli_bench
from tests.support.rookify_cli import Finished, on_terminal


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with cli_bench(tmp_path) as made:
        yield made


async def test_jobs_shows_a_screenful_and_all_where_asked(bench: Bench) -> None:
    bench.server.max_page = 10  # a server that gives less than was asked for
    bench.server.jobs = [a_job(number) for number in range(1, 46)]
    first = await bench.rookify("jobs", "--active")
    assert first.code == 0
    assert len(first.out.splitlines()) == 1 + 10
    assert "--all" in first.err
    request = bench.server.requests("ListSyncJobs")[0]
    assert (request.user_id, request.active_only, request.page_size) == (USER, True, 20)

    every = await bench.rookify("jobs", "--all", "--user", JOB)
    assert [line.split()[0] for line in every.out.splitlines()[1:]] == [job.id for job in bench.server.jobs]
    assert every.err == ""
    assert bench.server.requests("ListSyncJobs")[-1].user_id == JOB


async def test_lists_without_rows_say_so_and_print_none(bench: Bench) -> None:
    for command in (["jobs"], ["games"], ["admin", "active"]):
        ended = await bench.rookify(*command)
        assert (ended.code, ended.out) == (0, "")
        assert ended.err


async def test_games_come_over_several_pages_up_to_the_limit(bench: Bench) -> None:
    bench.give_games(250)
    ended = await bench.rookify("games", "--limit", "220", "--platform", "lichess", "--job", JOB)
    rows = ended.out.splitlines()[1:]
    assert [row.split()[0] for row in rows] == [game.id for game in bench.server.games[:220]]
    assert rows[7].split()[1:] == [
        "thibault", "–", "rival7", "–", "1-0", "90.5", "70.0", "0", "2", "C20", "King's", "Pawn", "Game",
    ]  # fmt: skip
    requests = bench.server.requests("ListGameAnalyses")
    assert [request.page_token for request in requests] == ["", "100", "200"]
    assert {(each.platform, each.sync_job_id) for each in requests} == {(sync_pb2.PLATFORM_LICHESS, JOB)}


async def test_show_draws_the_game_that_begins_as_typed(bench: Bench) -> None:
    bench.give_games(3)
    detail = bench.server.details[bench.server.games[2].id]
    detail.analysis.moves.add(
        ply=1,
        san="f3",
        uci="f2f3",
        best_san="e4",
        best_uci="e2e4",
        fen_before="rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1",
        score_before=analysis_pb2.Score(centipawns=30),
        score_after=analysis_pb2.Score(centipawns=-90),
        win_percent_before=52.8,
        win_percent_after=41.8,
        judgement=analysis_pb2.JUDGEMENT_INACCURACY,
    )
    ended = await bench.rookify("show", "00000002")
    assert ended.code == 0
    assert "thibault – rival2   1-0" in ended.out
    assert "⁈ inaccuracy" in ended.out
    assert "100 ┤" in ended.out
    assert "      1. f3 inaccuracy, win chance 53 → 42 %, best was e4 (+0.30)" in ended.out.splitlines()
    assert "\x1b" not in ended.out


async def test_a_game_without_moves_has_a_page_too(bench: Bench) -> None:
    bench.give_games(1)
    ended = await bench.rookify("show", bench.server.games[0].id)
    assert ended.code == 0
    assert ended.out.endswith("No moves were analyzed.\n")


async def test_a_terminal_gets_color_and_lines_that_fit(bench: Bench) -> None:
    bench.give_games(3)
    async with on_terminal("games", settings=bench.settings, folder=bench.folder, columns=64) as terminal:
        assert await terminal.end() == 0
    assert "\x1b[" in terminal.screen
    rows = [line for line in terminal.screen.splitlines() if "rival" in line]
    assert len(rows) == 3
    assert rows[0].startswith("\x1b[36m00000000\x1b[0m")


async def test_export_writes_every_game_in_order(bench: Bench) -> None:
    bench.give_games(20)
    target = bench.folder / "games.pgn"
    ended = await bench.rookify("export", JOB, "--pgn", str(target))
    assert (ended.code, ended.out) == (0, "")
    assert "20 games written" in ended.err
    assert target.read_text() == "\n".join(
        f'[White "thibault"]\n[Black "rival{number}"]\n\n1. e4 {{[%eval 0.3]}} 1-0\n' for number in range(20)
    )
    assert target.stat().st_mode & 0o777 == 0o644
    assert [each.name for each in bench.folder.iterdir()] == ["games.pgn"]

    printed = await bench.rookify("export", JOB, "--pgn", "-")
    assert printed.out == target.read_text()


async def test_an_export_that_fails_leaves_what_was_there(bench: Bench) -> None:
    bench.give_games(20)
    bench.server.failures["GetGameAnalysis"] = [NotFound("gone")]
    target = bench.folder / "games.pgn"
    target.write_text("the last export\n")
    ended = await bench.rookify("export", JOB, "--pgn", str(target))
    assert (ended.code, ended.err) == (1, "rookify: gone\n")
    assert target.read_text() == "the last export\n"
    assert [each.name for each in bench.folder.iterdir()] == ["games.pgn"]


async def test_an_export_of_nothing_or_to_nowhere_is_a_failure(bench: Bench) -> None:
    empty = await bench.rookify("export", JOB, "--pgn", "games.pgn")
    assert empty.code == 1
    assert "no analyzed games" in empty.err
    assert list(bench.folder.iterdir()) == []
    nowhere = await bench.rookify("export", JOB, "--pgn", "no/such/folder/games.pgn")
    assert nowhere.code == 2
    assert "--pgn: cannot write no/such/folder/games.pgn: No such file or directory" in nowhere.err


async def test_cancel_and_quota(bench: Bench) -> None:
    cancelled = a_job(status=sync_pb2.SYNC_STATUS_CANCELLED, complete_time=Timestamp(seconds=1_700_000_061))
    bench.server.answers["CancelSync"] = sync_pb2.CancelSyncResponse(sync_job=cancelled)
    bench.server.jobs = [a_job()]
    ended = await bench.rookify("cancel", JOB[:6])
    assert ended.out == "The sync of thibault on lichess was cancelled after 1:01 (no games found).\n"
    assert bench.server.requests("CancelSync")[0].sync_job_id == JOB

    quota = sync_pb2.Quota(name="games_per_day", limit=5000, used=12)
    bench.server.answers["GetQuota"] = sync_pb2.GetQuotaResponse(quotas=[quota])
    ended = await bench.rookify("quota")
    assert ended.out.splitlines()[1].split() == ["games", "per", "day", "12", "5,000", "–"]
    assert bench.server.requests("GetQuota")[0].user_id == USER


async def test_admin_commands(bench: Bench) -> None:
    bench.server.jobs = [a_job(1), a_job(2)]
    active = await bench.rookify("admin", "active", "--user", USER)
    assert [line.split()[-1] for line in active.out.splitlines()] == ["user", USER, USER]

    stuck = sync_pb2.CleanupStuckSyncJobsResponse(
        cleaned_up=1, stuck_jobs=[a_job(1)], message="one was stuck"
    )
    bench.server.answers["CleanupStuckSyncJobs"] = stuck
    cleanup = await bench.rookify("admin", "cleanup", "--older-than", "1h30m", "--dry-run")
    assert cleanup.out.endswith("1 sync would be ended.\n")
    request = bench.server.requests("CleanupStuckSyncJobs")[0]
    assert request.dry_run
    assert request.older_than.ToTimedelta() == timedelta(minutes=90)
    assert (await bench.rookify("admin", "cleanup")).out.endswith("1 sync ended.\n")
    assert not bench.server.requests("CleanupStuckSyncJobs")[1].HasField("older_than")

    failed = a_job(2, status=sync_pb2.SYNC_STATUS_FAILED, error="The disk was full.")
    bench.server.answers["FailSyncJob"] = sync_pb2.FailSyncJobResponse(sync_job=failed)
    fail = await bench.rookify("admin", "fail", "00000002", "--reason", "The disk was full.")
    assert fail.out.endswith("The disk was full.\n")
    sent = bench.server.requests("FailSyncJob")[0]
    assert (sent.sync_job_id, sent.reason) == (a_job(2).id, "The disk was full.")

    bench.server.answers["GetUsage"] = sync_pb2.GetUsageResponse(games_analyzed=12345)
    usage = await bench.rookify("admin", "usage", "--since", "2024-03-01")
    assert "12,345" in usage.out
    assert bench.server.requests("GetUsage")[0].since.seconds == 1_709_251_200


async def test_an_audit_with_findings_exits_1(bench: Bench) -> None:
    bench.server.answers["AuditSyncJobs"] = sync_pb2.AuditSyncJobsResponse()
    clean = await bench.rookify("admin", "audit")
    assert (clean.code, clean.out) == (0, "No breach of the rules.\n")
    finding = sync_pb2.ComplianceFinding(
        rule="counter", sync_job_id=JOB, detail="games_analyzed is 3, rows are 2"
    )
    bench.server.answers["AuditSyncJobs"] = sync_pb2.AuditSyncJobsResponse(findings=[finding])
    found = await bench.rookify("admin", "audit")
    assert (found.code, found.out) == (1, f"counter: games_analyzed is 3, rows are 2 (job {JOB})\n")


async def test_errors_are_one_line_on_stderr(bench: Bench) -> None:
    quota = QuotaExceeded("5 syncs per 10 min", quota="starts", subject="u", retry_after=timedelta(seconds=5))
    violations = InvalidInput(FieldViolation("user_id", "is no UUID"), FieldViolation("page_size", "is 0"))
    for error, code, line in (
        (violations, 2, "rookify: --user: is no UUID; page_size: is 0\n"),
        (quota, 1, "rookify: 5 syncs per 10 min (try again in 0:05)\n"),
        (PermissionDenied("that is not yours"), 1, "rookify: that is not yours\n"),
    ):
        bench.server.failures["GetQuota"] = [error]
        assert await bench.rookify("quota") == Finished(code, "", line)


async def test_nobody_at_the_address(bench: Bench) -> None:
    await bench.stop()
    ended = await bench.rookify("quota")
    assert ended.code == 1
    assert ended.err.startswith(f"rookify: no orchestrator answers at 127.0.0.1:{bench.port}. `rookify up`")


async def test_settings_that_cannot_work_are_named(bench: Bench) -> None:
    for name, value, part in (
        ("ROOKIFY_TOKEN", "", "rookify token --user UUID"),
        ("ROOKIFY_TOKEN", "hunter2-nonsense", "does not hold a token"),
        ("ROOKIFY_ORCHESTRATOR", "somewhere", "write host:port"),
    ):
        bench.settings |= {"ROOKIFY_TOKEN": TOKEN, name: value}
        ended = await bench.rookify("quota")
        assert (ended.code, ended.out) == (2, "")
        assert part in ended.err
        assert "hunter2" not in ended.err
    assert bench.server.calls == []


async def test_a_token_without_user_needs_one_named(bench: Bench) -> None:
    token = jwt.encode({"role": "service_role"}, "a signing secret of thirty-two bytes")
    bench.settings["ROOKIFY_TOKEN"] = bench.server.token = token
    ended = await bench.rookify("jobs")
    assert (ended.code, ended.err) == (2, "rookify: the token names no user: say which by --user UUID.\n")
    assert (await bench.rookify("jobs", "--user", USER)).code == 0


async def test_a_server_that_is_slow_is_not_waited_for_forever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.server.silent = True
    monkeypatch.setattr(client_module, "CALL_SECONDS", 0.05)
    async with connect(f"127.0.0.1:{bench.port}", TOKEN) as client:
        with pytest.raises(grpc.aio.AioRpcError, match="DEADLINE_EXCEEDED"):
            await client.call(client.sync.GetQuota, sync_pb2.GetQuotaRequest())
