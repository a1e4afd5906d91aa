"""Plaintext stays on this machine, unless somebody asks for it by name."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from servicekit.errors import ConfigurationError

SETTING = "ROOKIFY_ALLOW_PLAINTEXT"


def is_loopback(host: str) -> bool:
    """Whether traffic to the host stays on this machine; only what says so by itself, no look-up."""
    bare = host.removeprefix("[").removesuffix("]")
    try:
        return ip_address(bare).is_loopback
    except ValueError:
        return bare.lower() == "localhost"


def refuse_plaintext(what: str, host: str, *, allowed: bool, instead: str = "use https") -> None:
    """Raises ConfigurationError where `what` would leave the machine in the clear and nobody has allowed it.

    `instead` says how it is done well.
    """
    if not allowed and not is_loopback(host):
        raise ConfigurationError(
            f"{what} is not on this machine, and would be spoken to in the clear: {instead}; or set "
            f"{SETTING}=true where the network itself keeps secrets (a service mesh, containers of one host)",
            reason="PLAINTEXT",
        )


def refuse_plaintext_url(variable: str, url: str, *, allowed: bool) -> None:
    """The same for the URL of a setting, where it is one of `http`."""
    parts = urlsplit(url)
    if parts.scheme == "http":
        refuse_plaintext(f"{variable}: {parts.hostname}", parts.hostname or "", allowed=allowed)
