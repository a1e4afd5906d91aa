"""TLS in the embedded mode: the analyzer, on loopback, needs none; the orchestrator may have it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import grpc.aio

from orchestrator.client_settings import ClientSettings
from orchestrator.settings import Settings, load_settings
from servicekit.certificates import read_identity
from servicekit.errors import ConfigurationError
from servicekit.tls import ClientSecurity, Options

# Wherever the certificate is set, see servicekit/grpc_environment.py.
HANDSHAKES_TOLD = {"GRPC_VERBOSITY": ""}

OpenChannel = Callable[[str, Options], Awaitable[grpc.aio.Channel]]

# Settings for analyzers elsewhere, emptied for the one of `rookify up`: the environment wins over .env.
ANALYZER_IN_THE_CLEAR = {
    f"ROOKIFY_ANALYZER_TLS_{name}": ""
    for name in ("CERT", "KEY", "CLIENT_CA", "CA", "CLIENT_CERT", "CLIENT_KEY", "NAME")
}


def towards_orchestrator(settings: Settings) -> ClientSecurity | None:
    """How `rookify up` and its gateway reach an orchestrator with TLS; None where it has none.

    Raises ConfigurationError.
    """
    if not (settings.tls_cert and settings.tls_key):
        return None
    identity = read_identity(settings.tls_cert, settings.tls_key)
    if identity.not_after < datetime.now(UTC):
        raise ConfigurationError(
            f"ROOKIFY_TLS_CERT: {identity.path} has expired on {identity.not_after:%Y-%m-%d}"
        )
    client = load_settings(ClientSettings)
    return settings.security().towards_itself(client.tls_client_cert, client.tls_client_key)


def health_channel(security: ClientSecurity) -> OpenChannel:
    """How it is asked for its health."""

    async def open_channel(address: str, options: Options) -> grpc.aio.Channel:
        return await security.channel(address, security.name, options)

    return open_channel
