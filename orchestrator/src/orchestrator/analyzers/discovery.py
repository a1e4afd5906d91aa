"""Which analyzers there are: a static list, or DNS names that are resolved again and again."""

from __future__ import annotations

import asyncio
import socket

import structlog

from servicekit.address import host_port
from servicekit.errors import ConfigurationError

log = structlog.get_logger()


def parse_targets(setting: str) -> list[tuple[str, int]]:
    """ "a:50061, b:50061" → [("a", 50061), ("b", 50061)]. Raises ConfigurationError."""
    targets = [
        host_port(part.strip(), "ROOKIFY_ANALYZERS", example="127.0.0.1:50061 or analyzer:50061")
        for part in setting.split(",")
        if part.strip()
    ]
    if not targets:
        raise ConfigurationError("ROOKIFY_ANALYZERS is empty: name at least one analyzer as host:port")
    return targets


async def resolve(targets: list[tuple[str, int]]) -> dict[str, str]:
    """Every address behind the targets, as "ip:port", and the host that it stands for.

    A name that does not resolve now stands for none.
    """
    loop = asyncio.get_running_loop()
    addresses: dict[str, str] = {}
    for host, port in targets:
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            log.debug("analyzer name does not resolve", host=host, error=str(error))
            continue
        for _family, _type, _proto, _name, address in found:
            ip = str(address[0])
            addresses.setdefault(f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}", host)
    return addresses
