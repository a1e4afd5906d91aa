"""Arguments and options that several commands share, each with its one line of help."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestrator.cli.arguments import parse_uuid
from orchestrator.domain import Platform

JobArgument = Annotated[
    str, typer.Argument(metavar="JOB", help="The sync job: its id, or the first characters of it.")
]
GameArgument = Annotated[
    str, typer.Argument(metavar="GAME", help="The analyzed game: its id, or the first characters of it.")
]
UserOption = Annotated[
    str | None,
    typer.Option(
        "--user",
        metavar="UUID",
        parser=parse_uuid,
        help="Whose it is; by default the user of ROOKIFY_TOKEN.",
        show_default=False,
    ),
]
PlatformOption = Annotated[
    Platform | None, typer.Option("--platform", help="Only games of this platform.", show_default=False)
]
