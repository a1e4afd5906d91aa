"""Addresses as people write them: host:port."""

from __future__ import annotations

from servicekit.errors import ConfigurationError


def host_port(address: str, what: str, *, example: str, free_port: bool = False) -> tuple[str, int]:
    """ "analyzer:50061" → ("analyzer", 50061); an IPv6 host without its brackets.

    `what` the address is of, as in "listen address", or its setting. `free_port`: 0 is taken too, for any
    port that is free. Raises ConfigurationError.
    """
    host, _, port = address.rpartition(":")
    least = 0 if free_port else 1
    if not host or not (port.isascii() and port.isdecimal()) or not least <= int(port) < 65536:
        raise ConfigurationError(
            f"{what} {address!r}: write host:port, as in {example}", reason="BAD_ADDRESS"
        )
    return host.strip("[]"), int(port)
