"""Following a sync to its end: over broken connections, with the games as they finish, then the result."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import grpc
import grpc.aio
import typer

from orchestrator.cli import lookup
from orchestrator.cli.client import RETRY, Client, run
from orchestrator.cli.options import JobArgument
from orchestrator.cli.output import note, say, show_grid, stdout_console
from orchestrator.cli.progress import view_for
from orchestrator.cli.render import SHORT_ID, is_over, job_summary
from orchestrator.cli.render_games import games_grid
from orchestrator.cli.words import count
from rookify.sync.v1 import sync_pb2
from servicekit.errors import Unavailable

PATIENCE_SECONDS: Final = (
    120.0  # how long a lost connection is tried anew: a restart or a failover takes less
)
# A server that stops gives each new watch the job's state and ends it, for up to ROOKIFY_SHUTDOWN_GRACE
# (8 s): a stream that stood for less, and told no more than that, is still part of the outage.
_STEADY_SECONDS: Final = 10.0
SHOWN_GAMES: Final = 100  # rows of the closing table; `rookify games --job` has them all
FAILED: Final = 1

# How a stream ends when the server, or a proxy before it, goes away.
_BROKEN: Final = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
    }
)


def watch(job: JobArgument) -> None:
    """Watch a sync to its end, then list its games."""

    async def work(client: Client) -> Ended:
        job_id = await lookup.whole_job_id(client, job)
        request = sync_pb2.GetSyncJobRequest(sync_job_id=job_id)
        found = (await client.call_safely(client.sync.GetSyncJob, request)).sync_job
        return await watch_to_end(client, found)

    finish(run(work))


@dataclass(frozen=True, slots=True)
class Ended:
    """A job that is over, and its newest analyzed games."""

    job: sync_pb2.SyncJob
    games: list[sync_pb2.GameSummary]


async def watch_to_end(client: Client, job: sync_pb2.SyncJob) -> Ended:
    """Show the job until it is over. Ctrl-C ends the watch only, and says how to go on."""
    try:
        if not is_over(job):
            job = await _show_progress(client, job)
    except asyncio.CancelledError:
        note(
            f"Stopped watching; the sync goes on. `rookify watch {job.id}` shows it again, "
            f"`rookify cancel {job.id}` cancels it."
        )
        raise
    shown = min(job.games_analyzed, SHOWN_GAMES)
    listed = lookup.games(client, job.user_id, job_id=job.id, limit=shown) if shown else None
    return Ended(job, [game async for game in listed] if listed else [])


async def _show_progress(client: Client, job: sync_pb2.SyncJob) -> sync_pb2.SyncJob:
    """The job's last state."""
    with view_for(stdout_console()) as view:
        view.job(job)
        async with aclosing(follow(client, job.id, view.broken)) as messages:
            async for message in messages:
                if message.HasField("game"):
                    view.game(message.game)
                if message.HasField("sync_job"):
                    job = message.sync_job
                    view.job(job)
    return job


def finish(ended: Ended) -> None:
    """The table of games and how the job ended; exit code 1 unless it is completed."""
    job, games = ended.job, ended.games
    if games:
        console = stdout_console()
        say("", console=console)
        show_grid(games_grid(games, whole_ids=not console.is_terminal), console=console)
        if job.games_analyzed > len(games):
            say(
                f"… and {count(job.games_analyzed - len(games), 'game')} more: `rookify games --job {job.id}`"
            )
        say("", console=console)
    summary = job_summary(job, datetime.now(UTC))
    if job.status == sync_pb2.SYNC_STATUS_COMPLETED:
        say(summary)
        if games:
            note(f"`rookify show {games[0].id[:SHORT_ID]}` shows a game, move by move.")
        return
    note(summary)
    raise typer.Exit(FAILED)


async def follow(
    client: Client, job_id: str, on_break: Callable[[bool], None], *, patience: float = PATIENCE_SECONDS
) -> AsyncGenerator[sync_pb2.WatchSyncResponse, None]:
    """Every message up to the job's end; a broken stream goes on after the last message received.

    `on_break` is told whether the outage is the one that it knows of.
    """
    resume_token, over = "", False
    attempt, heard = 0, time.monotonic()
    while True:
        messages, opened = 0, time.monotonic()
        request = sync_pb2.WatchSyncRequest(sync_job_id=job_id, include_games=True, resume_token=resume_token)
        stream = client.sync.WatchSync(request, metadata=client.metadata)
        try:
            async for message in stream:
                messages, heard = messages + 1, time.monotonic()
                if messages > 1:
                    attempt = 0
                resume_token = message.resume_token or resume_token
                over = over or is_over(message.sync_job)
                yield message
            if over:
                return
        except grpc.aio.AioRpcError as error:
            if over:  # all is said; that the goodbye got lost does not matter
                return
            if error.code() not in _BROKEN or time.monotonic() - heard > patience:
                raise
        finally:
            stream.cancel()
        if time.monotonic() - heard > patience:
            raise Unavailable(f"the watch of {job_id} ends again and again before the job does.")
        if time.monotonic() - opened > _STEADY_SECONDS:
            attempt = 0
        on_break(attempt > 0)
        attempt += 1
        await asyncio.sleep(RETRY.delay(attempt))
