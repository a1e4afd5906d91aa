"""`rookify doctor`: is everything there that a sync needs?"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc.aio
import typer

from orchestrator.cli.client import open_channel, speaks_tls
from orchestrator.cli.failures import as_failure
from orchestrator.cli.output import say
from orchestrator.cli.up import DataOption, settings_for
from orchestrator.client_settings import ClientSettings
from orchestrator.local.doctor import Check, Verdict, examine
from orchestrator.settings import Settings, load_settings
from servicekit import health
from servicekit.errors import RookifyError, Unavailable

_ANSWER_SECONDS = 5.0  # it answers from memory; a handshake over the world takes one


def doctor(data: DataOption = None) -> None:
    """Check the database, its migrations and grants, Stockfish, the analyzers and the orchestrator.

    One line each, with the fix for what fails; exit code 1 then.
    """
    if not asyncio.run(_examine(settings_for(data))):
        raise typer.Exit(1)


async def _examine(settings: Settings) -> bool:
    """Whether nothing failed."""
    sound = True
    async for check in _checks(settings):
        say(str(check))
        sound = sound and check.verdict is not Verdict.FAIL
    return sound


async def _checks(settings: Settings) -> AsyncIterator[Check]:
    running = False
    async for check in examine(settings):
        running = running or check.running
        yield check
    yield await orchestrator(running=running)


async def orchestrator(*, running: bool) -> Check:
    """Its health, asked as every command calls it. `running` says whether other parts of the system run."""
    try:
        client = load_settings(ClientSettings)
        security, target = client.security(), client.orchestrator
        async with open_channel(target, security) as channel:
            serving = await health.serving(channel, _ANSWER_SECONDS)
    except RookifyError as error:
        return Check("orchestrator", Verdict.FAIL, error.message)
    except grpc.aio.AioRpcError as error:
        failure = as_failure(error, target, tls=speaks_tls(target, security))
        # Where no other part runs and no address is set, nothing says that one should be there now.
        expected = (
            running or "orchestrator" in client.model_fields_set or not isinstance(failure, Unavailable)
        )
        return Check("orchestrator", Verdict.FAIL if expected else Verdict.NOTE, failure.message)
    if not serving:
        found = f"{target} answers that it does not serve"
        return Check("orchestrator", Verdict.FAIL, found, "it starts or stops: ask again, then see its log")
    return Check("orchestrator", Verdict.OK, f"{target} serves")
