"""`rookify up`: the whole system on one machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from orchestrator.local import folder, stack
from orchestrator.settings import Settings, load_settings
from orchestrator.store.choice import describe
from servicekit import logs

DataOption = Annotated[
    Path | None,
    typer.Option(help="Folder for the database, the secrets and the logs.", show_default="ROOKIFY_DATA"),
]


def up(
    data: DataOption = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Port of the orchestrator; 0: a free one.", show_default="50051"),
    ] = None,
    engine_workers: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Engines, one thread each.", show_default="one per core"),
    ] = None,
    gateway: Annotated[
        int | None,
        typer.Option(
            min=0, max=65535, help="Port of Envoy as the front door: REST, gRPC-Web; 0: a free one."
        ),
    ] = None,
) -> None:
    """Start the database, an analyzer and the orchestrator, and keep them running.

    With DATABASE_URL set, or SUPABASE_URL and its key, that database is used instead of the embedded one.
    """
    settings = settings_for(data)
    if port is not None:
        host = settings.listen.rpartition(":")[0] or "127.0.0.1"
        settings = settings.model_copy(update={"listen": f"{host}:{port}"})
    # People read this one's stderr: what went well is in the log files.
    logs.configure(
        "up", "warning" if settings.log_level == "info" else settings.log_level, settings.log_format
    )
    asyncio.run(_run(settings, engine_workers, gateway))


def settings_for(data: Path | None) -> Settings:
    """The settings, with --data before ROOKIFY_DATA."""
    settings = load_settings(Settings)
    return settings if data is None else settings.model_copy(update={"data": data})


async def _run(settings: Settings, engine_workers: int | None, gateway: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # Once asked is enough: stopping takes 10 s at most, and asking again must not cut it short.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            loop.add_signal_handler(number, stop.set)
    say(f"the database is {describe(settings)}")
    say(f"logs are in {settings.data / folder.LOGS}")
    await stack.run(
        settings, engine_workers=engine_workers, gateway_port=gateway, stop=stop, ready=_ready, notify=say
    )


def _ready(address: str, gateway: str | None) -> None:
    print(f"rookify is up at {address}", flush=True)  # noqa: T201  programs wait for these lines
    if gateway is not None:
        print(f"the gateway is at http://{gateway}", flush=True)  # noqa: T201


def say(line: str) -> None:
    """A line for people, on stderr."""
    typer.echo(f"rookify: {line}", err=True)
