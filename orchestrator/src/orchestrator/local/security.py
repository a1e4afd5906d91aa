"""TLS in the embedded mode: the analyzer, on loopback, needs none; the orchestrator may have it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import grpc.aio

from orchestrator.settings import ClientSettings, Settings, load_settings
from servicekit.certificates import read_identity
from servicekit.errors import ConfigurationError
from servicekit.tls import ClientSecurity, Options

# Wherever the certificate is set, see orchestrator/__init__.py.
HANDSHAKES_TOLD = {"GRPC_VERBOSITY": ""}

OpenChannel = Callable[[str, Options], Awaitable[grpc.aio.Channel]]

# Settings for analyzers elsewhere, emptied for the one of `rookify up`: the environment wins over .env.
ANALYZER_IN_THE_CLEAR = {
    f"ROOKIFY_ANALYZER_TLS_{name}": ""
    for name in ("CERT", "KEY", "CLIENT_CA", "CA", "CLIENT_CERT", "CLIENT_KEY", "NAME")
}


def health_channel(settings: Settings) -> OpenChannel | None:
    """How this machine asks an orchestrator with TLS for its health; None where it has none.

    It knows the certificate, and so trusts that one and no other. Raises ConfigurationError.
    """
    if not (settings.tls_cert and settings.tls_key):
        return None
    identity = read_identity(settings.tls_cert.expanduser(), settings.tls_key.expanduser())
    if identity.not_after < datetime.now(UTC):
        raise ConfigurationError(
            f"ROOKIFY_TLS_CERT: {identity.path} has expired on {identity.not_after:%Y-%m-%d}"
        )
    if not identity.names:
        raise ConfigurationError(f"ROOKIFY_TLS_CERT: {identity.path} is for no name (subjectAltName)")
    own = load_settings(ClientSettings)
    if settings.tls_client_ca and not own.tls_client_cert:
        raise ConfigurationError(
            "ROOKIFY_TLS_CLIENT_CA: `rookify up` looks after the orchestrator as a client, and so needs a "
            "certificate too: set ROOKIFY_TLS_CLIENT_CERT and ROOKIFY_TLS_CLIENT_KEY"
        )
    security = ClientSecurity(
        "ROOKIFY_TLS",
        ca=identity.path,
        cert=own.tls_client_cert,
        key=own.tls_client_key,
        name=identity.names[0].replace("*", "health"),
    )

    async def open_channel(address: str, options: Options) -> grpc.aio.Channel:
        return await security.channel(address, security.name, options)

    return open_channel
