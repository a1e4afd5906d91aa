"""`python -m servicekit.probe HOST:PORT [PREFIX]`: exit code 0 where a service of this container is SERVING.

For container checks. Where the service has a certificate, by its settings PREFIX_CERT and so on (ROOKIFY_TLS,
or ROOKIFY_ANALYZER_TLS for an analyzer), it is asked by TLS. Says on stderr why it cannot be reached.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import grpc.aio

from servicekit import health
from servicekit.errors import ConfigurationError
from servicekit.tls import ServerSecurity

_SECONDS = 3.0


async def serving(address: str, prefix: str, environ: Mapping[str, str]) -> bool:
    """Whether the server there says that it is SERVING, within three seconds.

    Raises ConfigurationError, or `grpc.aio.AioRpcError` where it says nothing.
    """

    def file(name: str) -> Path | None:
        path = environ.get(f"{prefix}_{name}")
        return Path(path).expanduser() if path else None

    server = ServerSecurity(prefix, file("CERT"), file("KEY"), file("CLIENT_CA"))
    security = server.towards_itself(file("CLIENT_CERT"), file("CLIENT_KEY"))
    async with await security.channel(address, security.name, ()) as channel:
        return await health.serving(channel, _SECONDS)


def main(address: str, prefix: str = "ROOKIFY_TLS") -> int:
    try:
        return 0 if asyncio.run(serving(address, prefix, os.environ)) else 1
    except ConfigurationError as error:
        why = error.message
    except grpc.aio.AioRpcError as error:
        why = error.details() or error.code().name
    sys.stderr.write(f"probe: {why}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
