"""`rookify jobs`, `cancel` and `quota`: the user's syncs, and what more may be started."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from orchestrator.cli import lookup
from orchestrator.cli.client import Client, run
from orchestrator.cli.history import show_history
from orchestrator.cli.options import JobArgument, UserOption
from orchestrator.cli.output import note, say, show_grid, stdout_console
from orchestrator.cli.render import job_errors, job_summary, jobs_grid
from orchestrator.cli.render_admin import quotas_grid
from rookify.sync.v1 import sync_pb2

_FIRST_PAGE = 20  # what fits on a screen


def jobs(
    active: Annotated[bool, typer.Option("--active", help="Only those that are not over.")] = False,
    all_pages: Annotated[bool, typer.Option("--all", help="All of them, not only the latest 20.")] = False,
    history: Annotated[
        str | None,
        typer.Option(
            metavar="JOB",
            help="Instead: what became of this sync, its id or the first characters of it, step by step. "
            "Reads the database itself.",
            show_default=False,
        ),
    ] = None,
    user: UserOption = None,
) -> None:
    """List syncs, the latest first."""
    if history is not None:
        show_history(history)
        return

    async def work(client: Client) -> tuple[list[sync_pb2.SyncJob], bool]:
        found: list[sync_pb2.SyncJob] = []
        more = False
        listed = lookup.sync_jobs(
            client, client.user(user), active_only=active, **({} if all_pages else {"page_size": _FIRST_PAGE})
        )
        async for page in listed:
            found += page.sync_jobs
            more = bool(page.next_page_token)
            if not all_pages:
                break
        return found, more

    found, more = run(work)
    if not found:
        note("No sync is running." if active else "No syncs yet; `rookify sync` starts one.")
        return
    console = stdout_console()
    show_grid(jobs_grid(found, datetime.now(UTC), whole_ids=not console.is_terminal), console=console)
    note(*job_errors(found))
    if more and not all_pages:
        note("There are more: --all lists them.")


def cancel(job: JobArgument) -> None:
    """Cancel a sync; the games analyzed so far are kept."""

    async def work(client: Client) -> sync_pb2.SyncJob:
        request = sync_pb2.CancelSyncRequest(sync_job_id=await lookup.whole_job_id(client, job))
        return (await client.call_safely(client.sync.CancelSync, request)).sync_job

    say(job_summary(run(work), datetime.now(UTC)))


def quota(user: UserOption = None) -> None:
    """Show the limits: how much is used, when there is room again."""

    async def work(client: Client) -> sync_pb2.GetQuotaResponse:
        request = sync_pb2.GetQuotaRequest(user_id=client.user(user))
        return await client.call_safely(client.sync.GetQuota, request)

    show_grid(quotas_grid(run(work).quotas, datetime.now(UTC)))
