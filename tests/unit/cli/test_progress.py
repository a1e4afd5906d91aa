"""The two views of a running sync, on consoles that are not there."""

from __future__ import annotations

import io

from google.protobuf.duration_pb2 import Duration
from rich.console import Console

from orchestrator.cli.progress import BarView, LineView, left_text, view_for
from rookify.sync.v1 import sync_pb2


def job(status: sync_pb2.SyncStatus.ValueType, **more: object) -> sync_pb2.SyncJob:
    return sync_pb2.SyncJob(status=status, **more)  # type: ignore[arg-type]  # keywords of the message


GAME = sync_pb2.GameFinished(white="hikaru", black="magnus", result="1-0", user_accuracy=90)


def test_lines_come_once_a_phase_and_once_a_game() -> None:
    out = io.StringIO()
    view = LineView(Console(file=out))
    with view:
        view.job(job(sync_pb2.SYNC_STATUS_PENDING))
        for found in range(5):
            view.job(job(sync_pb2.SYNC_STATUS_FETCHING, games_found=found))
        view.job(job(sync_pb2.SYNC_STATUS_ANALYZING, games_found=4))
        view.game(GAME)
        view.job(job(sync_pb2.SYNC_STATUS_ANALYZING, games_found=4, games_analyzed=1))
        view.broken(False)
        view.broken(True)
        view.job(job(sync_pb2.SYNC_STATUS_COMPLETED, games_found=4))
    lines = out.getvalue().splitlines()
    assert lines[:3] == ["waiting", "fetching", "analyzing: 0 of 4 games"]
    assert lines[3].startswith("✓ hikaru – magnus")
    assert lines[4:] == ["connection lost, trying again"]
    assert "\x1b" not in out.getvalue()


AWAY = "chess.com does not answer (it cannot be reached); trying again at 01:52 UTC"


def test_a_line_says_what_the_job_waits_for_whenever_that_changes() -> None:
    out = io.StringIO()
    view = LineView(Console(file=out, width=200))
    for error in ("", AWAY, AWAY, "", AWAY, AWAY.replace("52", "53")):
        view.job(job(sync_pb2.SYNC_STATUS_FETCHING, error=error))
    view.job(job(sync_pb2.SYNC_STATUS_FAILED, error="chess.com did not answer"))
    assert out.getvalue().splitlines() == ["fetching", AWAY, AWAY, AWAY.replace("52", "53")]


def shown(*jobs: sync_pb2.SyncJob, width: int = 80) -> str:
    """What the bar's line says at last."""
    console = Console(file=io.StringIO(), force_terminal=True, color_system=None, width=width)
    view = BarView(console)
    for each in jobs:
        view.job(each)
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(view.renderable())
    return out.getvalue()


def test_the_bar_tells_phase_counts_and_time_left() -> None:
    line = shown(
        job(
            sync_pb2.SYNC_STATUS_ANALYZING,
            games_found=60,
            games_analyzed=20,
            games_skipped=2,
            games_failed=1,
            estimated_time_left=Duration(seconds=75, nanos=900_000_000),
        )
    )
    assert "analyzing" in line
    assert "23 of 60 games, 2 skipped, 1 failed" in line
    assert "1:15 left" in line or "1:16 left" in line
    assert len(line.splitlines()) == 1


def test_the_bar_forgets_an_estimate_that_the_server_took_back() -> None:
    line = shown(
        job(sync_pb2.SYNC_STATUS_ANALYZING, games_found=2, estimated_time_left=Duration(seconds=75)),
        job(sync_pb2.SYNC_STATUS_ANALYZING, games_found=2),
    )
    assert "left" not in line


def test_the_bar_fits_a_narrow_terminal() -> None:
    line = shown(job(sync_pb2.SYNC_STATUS_ANALYZING, games_found=5000, games_analyzed=20), width=40)
    assert len(line.splitlines()) == 1


def test_the_bar_says_below_what_the_job_waits_for_as_long_as_it_does() -> None:
    away = job(sync_pb2.SYNC_STATUS_FETCHING, error=f"\x1b{AWAY}")
    bar, *below = shown(away, width=60).splitlines()
    assert "fetching" in bar
    assert " ".join(line.strip() for line in below) == f"\ufffd{AWAY}", "no sign of it moves the cursor"
    assert len(shown(away, job(sync_pb2.SYNC_STATUS_FETCHING)).splitlines()) == 1
    over = job(sync_pb2.SYNC_STATUS_FAILED, error="chess.com did not answer")
    assert len(shown(away, over).splitlines()) == 1, "how it ended is told after the watch"


def test_games_go_above_the_bar() -> None:
    out = io.StringIO()
    with BarView(Console(file=out, force_terminal=True, width=80)) as view:
        view.job(job(sync_pb2.SYNC_STATUS_ANALYZING, games_found=2))
        view.game(GAME)
    assert "hikaru – magnus" in out.getvalue()


def test_an_estimate_that_ran_out_is_not_counted_below_zero() -> None:
    assert left_text(61) == "1:01"
    assert left_text(-5) == "a moment"


def test_only_a_real_terminal_gets_a_bar() -> None:
    assert isinstance(view_for(Console(file=io.StringIO())), LineView)
    assert isinstance(view_for(Console(file=io.StringIO(), force_terminal=True)), BarView)
