"""`rookify gateway-config`: Envoy's configuration, for where it runs by itself."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from orchestrator.client_settings import ClientSettings
from orchestrator.gateway import config
from orchestrator.settings import Settings, load_settings


def gateway_config(
    out: Annotated[Path, typer.Option(help="Folder to write envoy.yaml and rookify.binpb to.")],
    listen: Annotated[str, typer.Option(help="Where Envoy listens, host:port.")] = "0.0.0.0:8080",
    upstream: Annotated[
        list[str] | None,
        typer.Option(help="An orchestrator, host:port; a name stands for all its addresses. Repeatable."),
    ] = None,
    folder: Annotated[str, typer.Option(help="Where Envoy will find the two files.")] = "/etc/envoy",
    admin_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Envoy's own port, on loopback alone.")
    ] = config.DEFAULT_ADMIN_PORT,
) -> None:
    """Write the configuration of Envoy as the front door: gRPC, REST, gRPC-Web, server-sent events.

    ROOKIFY_CORS_ORIGINS and ROOKIFY_GATEWAY_* go into it; so do ROOKIFY_TLS_CA, _CLIENT_CERT, _CLIENT_KEY
    and _NAME, with any of which it reaches the orchestrators by TLS.
    """
    gateway = config.from_settings(
        load_settings(Settings),
        listen,
        upstream or ["orchestrator:50051"],
        PurePosixPath(folder),
        admin_port,
        load_settings(ClientSettings).security(),
    )
    typer.echo(config.write(gateway, out))
