"""`rookify token`: a bearer token for a user, or for the service itself."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from orchestrator import tokens
from orchestrator.cli.arguments import parse_span, parse_uuid
from orchestrator.cli.up import DataOption, settings_for
from orchestrator.local import access, stack


class TokenRole(StrEnum):
    """As in the token's `role`."""

    AUTHENTICATED = "authenticated"
    SERVICE_ROLE = "service_role"


def token(
    user: Annotated[
        str, typer.Option(help="The user's id, a UUID of your choice.", metavar="UUID", parser=parse_uuid)
    ],
    role: Annotated[
        TokenRole, typer.Option(help="service_role acts for every user, and as an administrator.")
    ] = TokenRole.AUTHENTICATED,
    data: DataOption = None,
    ttl: Annotated[
        timedelta | None,
        typer.Option(
            help="How long it is good for, such as 12h.",
            metavar="SPAN",
            parser=parse_span,
            show_default="30d",
        ),
    ] = None,
) -> None:
    """Print a token for the orchestrator that `rookify up` runs; makes the user's row if there is none."""
    settings = settings_for(data)
    secret = stack.jwt_secret(settings, create=False)
    if role is TokenRole.AUTHENTICATED:
        asyncio.run(access.ensure_user(settings, user))
    minted = tokens.mint_token(secret, user, role.value, ttl or tokens.DEFAULT_TTL)
    print(minted)  # noqa: T201  alone on stdout, for $(rookify token …)
