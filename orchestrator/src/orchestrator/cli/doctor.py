"""`rookify doctor`: is everything there that a sync needs?"""

from __future__ import annotations

import asyncio

import typer

from orchestrator.cli.output import say
from orchestrator.cli.up import DataOption, settings_for
from orchestrator.local.doctor import Verdict, examine
from orchestrator.settings import Settings


def doctor(data: DataOption = None) -> None:
    """Check the database, its migrations and grants, Stockfish and the analyzers.

    One line each, with the fix for what fails; exit code 1 then.
    """
    if not asyncio.run(_examine(settings_for(data))):
        raise typer.Exit(1)


async def _examine(settings: Settings) -> bool:
    """Whether nothing failed."""
    sound = True
    async for check in examine(settings):
        say(str(check))
        sound = sound and check.verdict is not Verdict.FAIL
    return sound
