"""TLS to a Postgres on another machine: libpq by itself goes on in the clear where the server has none."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg.conninfo import make_conninfo
from psycopg.pq import Conninfo

from orchestrator.store.conninfo import read_conninfo
from servicekit.plaintext import is_loopback, refuse_plaintext

_CLEAR = ("disable", "allow", "prefer")  # of libpq's modes those that end in the clear, or may
_DEFAULT = "prefer"  # libpq's, where nobody says anything
# Against whoever reads along. To know the server takes `verify-full` and the CA of its certificate: that of
# Supabase is its own and on no system's list, so that by default would refuse its connection strings.
_LEAST = "require"


def encrypted(conninfo: str, *, allow_plaintext: bool) -> str:
    """The conninfo of DATABASE_URL, so that no connection by it leaves this machine in the clear.

    Raises ConfigurationError where it is none, or where it, the service file or PGSSLMODE asks for less.
    """
    given = read_conninfo(conninfo)
    if allow_plaintext:
        return conninfo
    meant = {**_defaults(given), **given}
    elsewhere = [host for host in _hosts(meant) if not _is_local(host)]
    if not elsewhere:
        return conninfo
    mode = meant.get("sslmode") or _DEFAULT
    if mode not in _CLEAR:
        return conninfo
    if mode != _DEFAULT or "sslmode" in given:  # somebody has asked for it
        where = "it" if "sslmode" in given else "PGSSLMODE, or of the service file,"
        refuse_plaintext(
            f"DATABASE_URL: {elsewhere[0]}",
            elsewhere[0],
            allowed=False,
            instead=f"take sslmode={mode} out of {where} or make it require or verify-full",
        )
    return make_conninfo(conninfo, sslmode=_LEAST)


def _hosts(parts: Mapping[str, Any]) -> list[str]:
    """What libpq connects to, one after the other: of each an address where one is given, else the host."""
    addresses, hosts = (str(parts.get(name) or "").split(",") for name in ("hostaddr", "host"))
    count = max(len(addresses), len(hosts))
    addresses += [""] * (count - len(addresses))
    hosts += [""] * (count - len(hosts))
    return [address or host for address, host in zip(addresses, hosts, strict=True)]


def _is_local(host: str) -> bool:
    """Empty is the default socket; a path, or @ and a name, is a socket too."""
    return host == "" or host.startswith(("/", "@")) or is_loopback(host)


def _defaults(given: Mapping[str, Any]) -> dict[str, str]:
    """What libpq takes where the conninfo says nothing: of its service's file first, then of PG* variables.

    libpq itself says so, but only of the service that the environment names.
    """
    with _environment({"PGSERVICE": given.get("service"), "PGSERVICEFILE": given.get("servicefile")}):
        options = Conninfo.get_defaults()
    return {option.keyword.decode(): option.val.decode() for option in options if option.val is not None}


@contextmanager
def _environment(variables: Mapping[str, str | None]) -> Iterator[None]:
    """With those variables that are not None, for the block."""
    given = {name: value for name, value in variables.items() if value is not None}
    before = {name: os.environ[name] for name in given if name in os.environ}
    os.environ.update(given)
    try:
        yield
    finally:
        for name in given.keys() - before.keys():
            del os.environ[name]
        os.environ.update(before)
