"""Jobs, games, quotas and findings as rows and sentences."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from orchestrator.cli import render, render_admin, render_games
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2

STARTED = datetime(2024, 3, 10, 12, 0, tzinfo=UTC)
NOW = STARTED + timedelta(seconds=92)
JOB_ID = "3f2a1b9c-0d9e-4c7b-8a65-1f2e3d4c5b6a"


def stamp(moment: datetime) -> Timestamp:
    result = Timestamp()
    result.FromDatetime(moment)
    return result


def job(status: sync_pb2.SyncStatus.ValueType, **more: object) -> sync_pb2.SyncJob:
    fields: dict[str, object] = {
        "id": JOB_ID,
        "platform": sync_pb2.PLATFORM_CHESS_COM,
        "username": "hikaru",
        "months_requested": 1,
        "create_time": stamp(STARTED),
        **more,
    }
    return sync_pb2.SyncJob(status=status, **fields)  # type: ignore[arg-type]  # keywords of the message


COUNTED = {"games_found": 60, "games_analyzed": 57, "games_skipped": 2, "games_failed": 1}


def test_a_completed_job_adds_up() -> None:
    done = job(sync_pb2.SYNC_STATUS_COMPLETED, complete_time=stamp(NOW), error="1 game is broken.", **COUNTED)
    assert render.job_summary(done, NOW + timedelta(days=3)).plain == (
        "Synced hikaru on chess.com in 1:32: 60 games found, 57 analyzed, 2 skipped (analyzed before), "
        "1 failed. 1 game is broken."
    )
    assert render.games_done(done) == 60


@pytest.mark.parametrize(
    ("status", "how"),
    [
        (sync_pb2.SYNC_STATUS_FAILED, "failed after 1:32 (no games found)"),
        (sync_pb2.SYNC_STATUS_CANCELLED, "was cancelled after 1:32 (no games found)"),
        (sync_pb2.SYNC_STATUS_PENDING, "is waiting, 1:32 in"),
    ],
)
def test_other_ends_say_why(status: sync_pb2.SyncStatus.ValueType, how: str) -> None:
    text = render.job_summary(job(status, error="No such\nplayer."), NOW).plain
    assert text == f"The sync of hikaru on chess.com {how}. No such player."


def test_a_job_under_way_says_how_far_it_is() -> None:
    running = job(sync_pb2.SYNC_STATUS_ANALYZING, games_found=9, games_analyzed=4)
    assert render.job_summary(running, NOW).plain == (
        "The sync of hikaru on chess.com is analyzing, 1:32 in: 4 of 9 games."
    )


def test_progress_counts_by_phase() -> None:
    assert render.progress_counts(job(sync_pb2.SYNC_STATUS_PENDING)) == ""
    assert render.progress_counts(job(sync_pb2.SYNC_STATUS_FETCHING, games_found=1)) == "1 game found"
    assert (
        render.progress_counts(job(sync_pb2.SYNC_STATUS_ANALYZING, **COUNTED))
        == "60 of 60 games, 2 skipped, 1 failed"
    )
    assert render.progress_counts(job(sync_pb2.SYNC_STATUS_ANALYZING, games_found=9)) == "0 of 9 games"


def test_time_left_is_known_only_where_the_server_says_it() -> None:
    assert render.time_left(job(sync_pb2.SYNC_STATUS_FETCHING)) is None
    known = job(sync_pb2.SYNC_STATUS_ANALYZING, estimated_time_left=Duration(seconds=75))
    assert render.time_left(known) == timedelta(seconds=75)


def test_ids_are_shortened_as_far_as_they_stay_apart() -> None:
    assert render.short_ids([]) == []
    assert render.short_ids([JOB_ID, "aaaa" + JOB_ID[4:]]) == ["3f2a1b9c", "aaaa1b9c"]
    twins = ["3f2a1b9c-0d9e-4c7b-8a65-1f2e3d4c5b6a", "3f2a1b9c-0d9e-4c7b-8a65-1f2e3d4c5b6b"]
    assert render.short_ids(twins) == twins
    near = ["3f2a1b9c-0d9e-4c7b-8a65-1f2e3d4c5b6a", "3f2a1b9c-1d9e-4c7b-8a65-1f2e3d4c5b6b"]
    assert render.short_ids(near) == ["3f2a1b9c-0d9", "3f2a1b9c-1d9"]


def test_jobs_have_a_row_each() -> None:
    rows = list(
        render.jobs_grid(
            [job(sync_pb2.SYNC_STATUS_ANALYZING, user_id="u-1", **{**COUNTED, "games_analyzed": 20})],
            NOW,
            whole_ids=True,
            users=True,
        ).to_lines()
    )
    cells = rows[1].split("  ")
    assert [cell.strip() for cell in cells if cell.strip()][:6] == [
        JOB_ID,
        "hikaru chess.com",
        "1 month",
        "analyzing",
        "23/60",
        "1",
    ]
    assert rows[1].endswith("1:32  u-1")


def test_errors_of_jobs_are_lines_of_their_own() -> None:
    lines = render.job_errors(
        [job(sync_pb2.SYNC_STATUS_FAILED, error="No such player."), job(sync_pb2.SYNC_STATUS_PENDING)]
    )
    assert [line.plain for line in lines] == ["3f2a1b9c No such player."]


def summary(**more: object) -> sync_pb2.GameSummary:
    fields: dict[str, object] = {
        "id": JOB_ID,
        "white": "hikaru",
        "black": "magnus",
        "white_rating": 3200,
        "result": "1/2-1/2",
        "user_color": sync_pb2.COLOR_WHITE,
        "white_summary": analysis_pb2.SideSummary(accuracy=95.25, blunder_count=1),
        "black_summary": analysis_pb2.SideSummary(accuracy=100),
        "opening": analysis_pb2.Opening(eco="C65", name="Ruy Lopez: Berlin Defense"),
        **more,
    }
    return sync_pb2.GameSummary(**fields)  # type: ignore[arg-type]  # keywords of the message


def test_games_have_a_row_each_and_the_users_side_is_bold() -> None:
    grid = render_games.games_grid([summary()], whole_ids=False)
    assert list(grid.to_lines())[1] == (
        "3f2a1b9c  hikaru  3200  magnus    –  ½-½      95.2 100.0      1  0  C65 Ruy Lopez: Berlin Defense"
    )
    _, white, _, black, _, _, accuracy, *_ = grid.rows[0]
    assert not isinstance(white, str)
    assert not isinstance(black, str)
    assert not isinstance(accuracy, str)
    assert (white.style, black.style) == ("bold", "")
    assert [accuracy.plain[span.start : span.end].strip() for span in accuracy.spans] == ["95.2"]


def test_what_is_not_known_of_a_game_is_a_dash() -> None:
    bare = sync_pb2.GameSummary(id="x")
    assert list(render_games.games_grid([bare], whole_ids=True).to_lines())[1].split() == [
        "x", "?", "–", "?", "–", "–", "–", "–", "0", "0", "–",
    ]  # fmt: skip


def test_a_finished_game_is_one_line() -> None:
    game = sync_pb2.GameFinished(
        game_analysis_id=JOB_ID,
        white="hikaru",
        black="magnus",
        result="1-0",
        user_accuracy=95.24,
        blunder_count=1,
    )
    assert render_games.finished_game(game).plain.split() == [
        "✓", "hikaru", "–", "magnus", "1-0", "accuracy", "95.2", "1", "blunder",
    ]  # fmt: skip


def test_a_failed_game_says_why_and_where() -> None:
    game = sync_pb2.GameFinished(
        game_url="https://lichess.org/TJxUmbWK", white="hikaru", error="illegal move at 12.\x1b[2J Qh9"
    )
    assert render_games.finished_game(game).plain == (
        "✗ hikaru – ? (https://lichess.org/TJxUmbWK): illegal move at 12.�[2J Qh9"
    )


def test_a_game_is_headed_by_who_when_what_where() -> None:
    lines = render_games.game_heading(
        summary(
            time_class=sync_pb2.TIME_CLASS_BLITZ,
            time_control="180+2",
            platform=sync_pb2.PLATFORM_LICHESS,
            game_url="https://lichess.org/TJxUmbWK",
        )
    )
    assert [line.plain for line in lines] == [
        "hikaru 3200 – magnus   ½-½",
        "blitz, 180+2, lichess",
        "C65 Ruy Lopez: Berlin Defense",
        "https://lichess.org/TJxUmbWK",
    ]


def test_quotas_say_when_there_is_room_again() -> None:
    grid = render_admin.quotas_grid(
        [
            sync_pb2.Quota(
                name="syncs_per_window", limit=5, used=5, reset_time=stamp(NOW + timedelta(minutes=7))
            ),
            sync_pb2.Quota(name="games_per_day", limit=5000, used=12, reset_time=stamp(NOW)),
            sync_pb2.Quota(name="active_syncs_per_platform", limit=1),
        ],
        NOW,
    )
    full, free, never = list(grid.to_lines())[1:]
    assert full.startswith("syncs per window              5      5  in 7:00 (2024-03-")
    assert free.split()[-3:] == ["12", "5,000", "now"]
    assert never.endswith("–")
    assert getattr(grid.rows[0][1], "style", None) == "red"


def test_a_finding_names_its_rows() -> None:
    finding = sync_pb2.ComplianceFinding(
        rule="orphan", sync_job_id="j", game_analysis_id="g", detail="no job"
    )
    assert render_admin.finding_line(finding).plain == "orphan: no job (job j, game analysis g)"
    assert render_admin.finding_line(sync_pb2.ComplianceFinding(rule="r", detail="d")).plain == "r: d"


def test_usage_has_every_figure() -> None:
    usage = sync_pb2.GetUsageResponse(jobs_started=1234, llm_output_tokens=5)
    lines = list(render_admin.usage_grid(usage).to_lines())
    assert len(lines) == 1 + len(usage.DESCRIPTOR.fields)
    assert lines[1].split() == ["jobs", "started", "1,234"]
    assert lines[-1].split() == ["LLM", "output", "tokens", "5"]


def test_usage_is_compared_with_one_call_for_each_move() -> None:
    usage = sync_pb2.GetUsageResponse(
        llm_calls=20, llm_calls_saved=7980, llm_input_tokens=20_000, llm_output_tokens=18_400
    )
    assert render_admin.saved_line(usage) == (
        "One LLM call for each analyzed move would have been 8,000 calls and some 3,840,000 tokens: "
        "99.8 % of the calls and 99.0 % of the tokens were saved."
    )
    assert render_admin.saved_line(sync_pb2.GetUsageResponse()) == ""
