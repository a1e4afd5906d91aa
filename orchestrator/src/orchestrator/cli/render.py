"""Messages of the contract as rows and sentences for people. Pure: what goes in decides what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from rich.text import Text

from orchestrator.cli.grid import Cell, Column, Grid
from orchestrator.cli.words import (
    NOTHING,
    TERMINAL_STATUSES,
    clean,
    count,
    moment_of,
    platform_word,
    span_text,
    status_word,
    time_text,
    window_text,
)
from rookify.sync.v1 import sync_pb2

SHORT_ID = 8  # characters: among a thousand random ids two begin alike once in 8,600 tables

_STATUS_STYLE = {
    sync_pb2.SYNC_STATUS_COMPLETED: "green",
    sync_pb2.SYNC_STATUS_FAILED: "red",
    sync_pb2.SYNC_STATUS_CANCELLED: "yellow",
}


def status_cell(job: sync_pb2.SyncJob) -> Text:
    return Text(status_word(job.status), style=_STATUS_STYLE.get(job.status, "cyan"))


def job_title(job: sync_pb2.SyncJob) -> str:
    """Whose games: "hikaru on chess.com"."""
    return f"{clean(job.username) or NOTHING} on {platform_word(job.platform)}"


def games_done(job: sync_pb2.SyncJob) -> int:
    """Games of the job that are over, one way or another; equals games_found when it is completed."""
    return job.games_analyzed + job.games_skipped + job.games_failed


def progress_counts(job: sync_pb2.SyncJob) -> str:
    """What stands beside the bar: "23 of 60 games, 2 skipped, 1 failed"."""
    if job.status in (sync_pb2.SYNC_STATUS_PENDING, sync_pb2.SYNC_STATUS_FETCHING):
        return f"{count(job.games_found, 'game')} found" if job.games_found else ""
    parts = [f"{games_done(job):,} of {count(job.games_found, 'game')}"]
    if job.games_skipped:
        parts.append(f"{job.games_skipped:,} skipped")
    if job.games_failed:
        parts.append(f"{job.games_failed:,} failed")
    return ", ".join(parts)


def phase_text(job: sync_pb2.SyncJob) -> str:
    """What the job is doing, in a word or two."""
    if job.status == sync_pb2.SYNC_STATUS_PENDING:
        return "waiting"
    return status_word(job.status)


def time_left(job: sync_pb2.SyncJob) -> timedelta | None:
    return job.estimated_time_left.ToTimedelta() if job.HasField("estimated_time_left") else None


def duration_of(job: sync_pb2.SyncJob, now: datetime) -> timedelta:
    """From its creation to its end, or to now."""
    end = moment_of(job.complete_time) if job.HasField("complete_time") else now
    return max(timedelta(), end - moment_of(job.create_time))


def job_summary(job: sync_pb2.SyncJob, now: datetime) -> Text:
    """How a job ended, or how far it is, in one or two sentences; its error included."""
    took = span_text(duration_of(job, now))
    counts = _counts(job)
    title = job_title(job)
    if job.status == sync_pb2.SYNC_STATUS_COMPLETED:
        text = Text(f"Synced {title} in {took}: {counts}.", style="green")
    elif job.status == sync_pb2.SYNC_STATUS_FAILED:
        text = Text(f"The sync of {title} failed after {took} ({counts}).", style="red")
    elif job.status == sync_pb2.SYNC_STATUS_CANCELLED:
        text = Text(f"The sync of {title} was cancelled after {took} ({counts}).", style="yellow")
    else:
        far = progress_counts(job)
        text = Text(f"The sync of {title} is {phase_text(job)}, {took} in{f': {far}' if far else ''}.")
    if job.error:
        text.append(f" {clean(job.error)}", style="not bold default")
    return text


def _counts(job: sync_pb2.SyncJob) -> str:
    if not job.games_found:
        return "no games found"
    parts = [f"{count(job.games_found, 'game')} found", f"{job.games_analyzed:,} analyzed"]
    if job.games_skipped:
        parts.append(f"{job.games_skipped:,} skipped (analyzed before)")
    if job.games_failed:
        parts.append(f"{job.games_failed:,} failed")
    return ", ".join(parts)


def short_ids(ids: Sequence[str]) -> list[str]:
    """The first characters of each, as many as tell them apart, never fewer than eight."""
    length = SHORT_ID
    while length < 36 and len({each[:length] for each in ids}) < len(set(ids)):
        length += 4
    return [each[:length].rstrip("-") for each in ids]


def jobs_grid(
    jobs: Sequence[sync_pb2.SyncJob], now: datetime, *, whole_ids: bool, users: bool = False
) -> Grid:
    """One row a job; `users` adds whose it is, for administrators."""
    columns = [
        Column("job"),
        Column("player", shrinks=2, least=10),
        Column("games of", shrinks=1, least=0),
        Column("status"),
        Column("games", right=True),
        Column("failed", right=True),
        Column("started"),
        Column("took", right=True, shrinks=1, least=0),
    ]
    grid = Grid([*columns, Column("user")] if users else columns)
    ids = [job.id for job in jobs]
    for job, shown in zip(jobs, ids if whole_ids else short_ids(ids), strict=True):
        cells: list[Cell] = [
            Text(shown, style="cyan"),
            f"{clean(job.username)} {platform_word(job.platform)}",
            window_text(job),
            status_cell(job),
            f"{games_done(job)}/{job.games_found}",
            Text(str(job.games_failed), style="red" if job.games_failed else ""),
            time_text(job.create_time),
            span_text(duration_of(job, now)),
        ]
        grid.add(*cells, *([job.user_id if whole_ids else job.user_id[:SHORT_ID]] if users else []))
    return grid


def job_errors(jobs: Iterable[sync_pb2.SyncJob]) -> list[Text]:
    """A line for each job that has something to say about what went wrong."""
    return [
        Text.assemble((job.id[:SHORT_ID], "cyan"), f" {clean(job.error)}", style="")
        for job in jobs
        if job.error
    ]


def is_over(job: sync_pb2.SyncJob) -> bool:
    return job.status in TERMINAL_STATUSES
