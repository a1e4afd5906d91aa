"""`rookify admin`: for operators; needs a token of the service role, or of an administrator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from orchestrator.cli.arguments import parse_since, parse_span, parse_uuid
from orchestrator.cli.client import PAGE_SIZE, Client, full_id, pages, run
from orchestrator.cli.options import JobArgument
from orchestrator.cli.output import note, say, show_grid, stdout_console
from orchestrator.cli.render import job_errors, job_summary, jobs_grid
from orchestrator.cli.render_admin import finding_line, saved_line, usage_grid
from orchestrator.cli.words import count
from rookify.sync.v1 import sync_pb2

admin = typer.Typer(
    name="admin",
    help="For operators; needs the service role or an administrator.",
    no_args_is_help=True,
)


@admin.command()
def active(
    user: Annotated[
        str | None,
        typer.Option(metavar="UUID", parser=parse_uuid, help="Only this user's syncs.", show_default=False),
    ] = None,
) -> None:
    """List the syncs of all users that are not over."""

    async def work(client: Client) -> list[sync_pb2.SyncJob]:
        return await _active_jobs(client, user or "")

    found = run(work)
    if not found:
        note("No sync is running.")
        return
    _show_jobs(found)


@admin.command()
def cleanup(
    older_than: Annotated[
        timedelta | None,
        typer.Option(
            metavar="SPAN",
            parser=parse_span,
            help="Stuck is without progress for so long: 90m, 2h, 1d; by default the server's"
            " ROOKIFY_STUCK_AFTER.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show which would be ended.")] = False,
) -> None:
    """End syncs that are stuck, as failed."""
    request = sync_pb2.CleanupStuckSyncJobsRequest(dry_run=dry_run)
    if older_than is not None:
        span = Duration()
        span.FromTimedelta(older_than)
        request.older_than.CopyFrom(span)

    async def work(client: Client) -> sync_pb2.CleanupStuckSyncJobsResponse:
        return await client.call_safely(client.admin.CleanupStuckSyncJobs, request)

    answer = run(work)
    if answer.stuck_jobs:
        _show_jobs(answer.stuck_jobs)
    found = len(answer.stuck_jobs)
    say(
        f"{count(found, 'sync')} would be ended." if dry_run else f"{count(answer.cleaned_up, 'sync')} ended."
    )


@admin.command()
def fail(
    job: JobArgument,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="A sentence that the player will read as the sync's error.")
    ],
) -> None:
    """End one sync as failed; its worker can write nothing more."""

    async def work(client: Client) -> sync_pb2.SyncJob:
        async def known() -> AsyncIterator[str]:
            for each in await _active_jobs(client, ""):
                yield each.id

        request = sync_pb2.FailSyncJobRequest(
            sync_job_id=await full_id(job, "running sync", known()), reason=reason
        )
        return (await client.call_safely(client.admin.FailSyncJob, request)).sync_job

    say(job_summary(run(work), datetime.now(UTC)))


@admin.command()
def audit() -> None:
    """List breaches of the compliance rules; exit code 1 if any."""

    async def work(client: Client) -> sync_pb2.AuditSyncJobsResponse:
        return await client.call_safely(client.admin.AuditSyncJobs, sync_pb2.AuditSyncJobsRequest())

    findings = run(work).findings
    if not findings:
        say("No breach of the rules.")
        return
    say(*(finding_line(each) for each in findings))
    note(f"{count(len(findings), 'breach', 'breaches')} of the rules.")
    raise typer.Exit(1)


@admin.command()
def usage(
    since: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="From a day (YYYY-MM-DD, UTC), or so long ago (24h, 7d); by default from the start.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Count syncs, games, engine nodes, language model calls."""
    request = sync_pb2.GetUsageRequest()
    if since is not None:
        stamp = Timestamp()
        stamp.FromDatetime(parse_since(since, datetime.now(UTC)))
        request.since.CopyFrom(stamp)

    async def work(client: Client) -> sync_pb2.GetUsageResponse:
        return await client.call_safely(client.admin.GetUsage, request)

    answer = run(work)
    show_grid(usage_grid(answer))
    if saved := saved_line(answer):
        note(saved)


async def _active_jobs(client: Client, user_id: str) -> list[sync_pb2.SyncJob]:
    async def fetch(token: str) -> sync_pb2.ListActiveSyncJobsResponse:
        request = sync_pb2.ListActiveSyncJobsRequest(user_id=user_id, page_size=PAGE_SIZE, page_token=token)
        return await client.call_safely(client.admin.ListActiveSyncJobs, request)

    return [job async for page in pages(fetch) for job in page.sync_jobs]


def _show_jobs(found: Sequence[sync_pb2.SyncJob]) -> None:
    console = stdout_console()
    grid = jobs_grid(found, datetime.now(UTC), whole_ids=not console.is_terminal, users=True)
    show_grid(grid, console=console)
    note(*job_errors(found))
