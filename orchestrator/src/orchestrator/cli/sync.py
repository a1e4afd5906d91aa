"""`rookify sync`: start a sync and watch it."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import Annotated
from uuid import uuid4

import typer
from google.type.date_pb2 import Date

from orchestrator.cli import words
from orchestrator.cli.arguments import check_window, parse_day
from orchestrator.cli.client import Client, run
from orchestrator.cli.options import UserOption
from orchestrator.cli.output import note, say
from orchestrator.cli.render import job_title
from orchestrator.cli.watch import Ended, finish, watch_to_end
from orchestrator.client_settings import ClientSettings
from orchestrator.domain import Color, GameResult, Platform, TimeClass
from orchestrator.settings import load_settings
from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2


def sync(
    platform: Annotated[Platform, typer.Argument(metavar="PLATFORM", help="chess.com or lichess.")],
    username: Annotated[
        str,
        typer.Argument(
            metavar="USERNAME",
            help="The player there; without it, the one in your profile.",
            show_default=False,
        ),
    ] = "",
    months: Annotated[
        int | None,
        typer.Option(
            min=1, max=12, help="The latest N months, this one included; 1 by default.", metavar="N"
        ),
    ] = None,
    from_day: Annotated[
        date | None,
        typer.Option("--from", metavar="DAY", parser=parse_day, help="First day (UTC), as YYYY-MM-DD."),
    ] = None,
    to_day: Annotated[
        date | None,
        typer.Option("--to", metavar="DAY", parser=parse_day, help="Last day, included; today by default."),
    ] = None,
    time_class: Annotated[
        list[TimeClass] | None, typer.Option(help="Only games of this speed; may be repeated.")
    ] = None,
    result: Annotated[
        list[GameResult] | None, typer.Option(help="Only games the player ended so; may be repeated.")
    ] = None,
    color: Annotated[
        list[Color] | None, typer.Option(help="Only games the player had this color in.")
    ] = None,
    rated: Annotated[bool, typer.Option("--rated", help="Only rated games.")] = False,
    max_games: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="At most the newest N games; by default the server's limit.",
            show_default=False,
        ),
    ] = 0,
    preset: Annotated[
        words.Preset | None, typer.Option(help="How thoroughly to analyze; standard by default.")
    ] = None,
    user: UserOption = None,
    no_watch: Annotated[
        bool, typer.Option("--no-watch", help="Start it, print the job's id, and return at once.")
    ] = False,
) -> None:
    """Fetch and analyze a player's games, and watch it happen."""
    check_window(months, from_day, to_day)
    if from_day and not to_day:
        to_day = datetime.now(UTC).date()
        check_window(None, from_day, to_day)
    request = sync_pb2.StartSyncRequest(
        platform=words.platform_number(platform),
        username=username,
        months=months or 0,
        from_date=_date(from_day),
        to_date=_date(to_day),
        filter=words.filter_message(time_class or (), result or (), color or (), rated),
        max_games=max_games,
        preset=words.preset_number(preset) if preset else analysis_pb2.SearchBudget.PRESET_UNSPECIFIED,
        lichess_token=_lichess_token() if platform is Platform.LICHESS else "",
        request_id=str(uuid4()),  # a try repeated after a lost answer finds the job of the first
    )

    async def work(client: Client) -> Ended | None:
        request.user_id = client.user(user)
        try:
            answer = await client.call_safely(client.sync.StartSync, request)
        except asyncio.CancelledError:
            note("Stopped before the answer came; `rookify jobs --active` tells whether the sync started.")
            raise
        job = answer.sync_job
        if no_watch:
            say(job.id)
            note(words.clean(answer.message), f"`rookify watch {job.id}` shows its progress.")
            return None
        say(f"Syncing {job_title(job)}, {words.window_text(job)}", f"Job {job.id}")
        return await watch_to_end(client, job)

    ended = run(work)
    if ended is not None:
        finish(ended)


def _lichess_token() -> str:
    """From the environment: what stands in a command is for every process to see."""
    token = load_settings(ClientSettings).lichess_token
    return token.get_secret_value() if token else ""


def _date(day: date | None) -> Date | None:
    return Date(year=day.year, month=day.month, day=day.day) if day else None
