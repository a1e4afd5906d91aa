"""`rookify games` and `show`: what was analyzed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from orchestrator.cli import lookup, words
from orchestrator.cli.client import Client, run
from orchestrator.cli.graph import evaluation_graph, legend
from orchestrator.cli.moments import moment_lines
from orchestrator.cli.moves import graph_points, move_lines, sides_grid
from orchestrator.cli.options import GameArgument, PlatformOption, UserOption
from orchestrator.cli.output import note, say, show_grid, stdout_console
from orchestrator.cli.render_games import game_heading, games_grid
from orchestrator.local.access import read_reasons
from orchestrator.settings import Settings, load_settings
from rookify.sync.v1 import sync_pb2

_GRAPH_WIDTH = 120  # wider says no more, and is hard to take in
_PLAIN_WIDTH = 100  # where nobody's terminal sets a width


def games(
    job: Annotated[
        str,
        typer.Option(metavar="JOB", help="Only games of this sync: its id or beginning.", show_default=False),
    ] = "",
    platform: PlatformOption = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most the newest N games.")] = 20,
    user: UserOption = None,
) -> None:
    """List analyzed games, the latest first."""

    async def work(client: Client) -> list[sync_pb2.GameSummary]:
        listed = lookup.games(
            client,
            client.user(user),
            job_id=await lookup.whole_job_id(client, job, user) if job else "",
            platform=words.platform_number(platform) if platform else sync_pb2.PLATFORM_UNSPECIFIED,
            limit=limit,
        )
        return [game async for game in listed]

    found = run(work)
    if not found:
        note("No analyzed games.")
        return
    console = stdout_console()
    show_grid(games_grid(found, whole_ids=not console.is_terminal), console=console)


def show(
    game: GameArgument,
    why: Annotated[
        bool,
        typer.Option("--why", help="Also why each moment was chosen. Reads the database itself."),
    ] = False,
    user: UserOption = None,
) -> None:
    """Show a game: accuracy, evaluation graph, moves with verdicts, the moments to learn from."""

    async def work(client: Client) -> tuple[sync_pb2.GameDetail, Mapping[int, Sequence[str]]]:
        user_id = client.user(user)
        request = sync_pb2.GetGameAnalysisRequest(
            user_id=user_id, game_analysis_id=await lookup.whole_game_id(client, game, user)
        )
        detail = (await client.call_safely(client.sync.GetGameAnalysis, request)).game
        reasons: Mapping[int, Sequence[str]] = {}
        if why:
            reasons = await read_reasons(load_settings(Settings), UUID(user_id), UUID(detail.summary.id))
        return detail, reasons

    detail, reasons = run(work)
    print_game(detail, stdout_console(), reasons)


def print_game(
    detail: sync_pb2.GameDetail, console: Console, why: Mapping[int, Sequence[str]] | None = None
) -> None:
    """The whole page about a game."""
    say(*game_heading(detail.summary), "", console=console)
    show_grid(sides_grid(detail.summary), console=console)
    points = graph_points(detail.analysis)
    if not points:
        say("", "No moves were analyzed.", console=console)
        return
    width = min(console.width, _GRAPH_WIDTH) if console.is_terminal else _PLAIN_WIDTH
    say("", "White's win percent after each move", console=console)
    say(evaluation_graph(points, width=width), console=console)
    if marks := legend(points):
        say(marks, console=console)
    say("", *move_lines(detail), console=console)
    say(*moment_lines(detail, width=width, why=why), console=console)
