"""DATABASE_URL, read before anything connects by it: libpq's own errors quote what they could not read."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from servicekit.errors import ConfigurationError

_SCHEMES = ("postgresql://", "postgres://")


def read_conninfo(conninfo: str) -> dict[str, Any]:
    """Its parts by name. Raises ConfigurationError, which quotes none of them, where it is none."""
    try:
        parts: dict[str, Any] = conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:  # its message may hold the password
        raise _no_connection_string() from None
    if _begins_in_the_password(conninfo):
        raise _no_connection_string()
    return parts


def _begins_in_the_password(conninfo: str) -> bool:
    """Whether what libpq takes for host, port and database holds an @, as a rest of a password does.

    libpq ends the password at the first @ or /, so `…:Sec@ret@db/x` has the host `ret@db`, and
    `…:Sec/ret@db/x` the port `Sec` and the database `ret@db/x`: parts of the password, which its errors and
    ours would tell.
    """
    scheme = next((scheme for scheme in _SCHEMES if conninfo.startswith(scheme)), None)
    if scheme is None:
        return False
    rest = conninfo.removeprefix(scheme)
    user, at, place = rest.partition("@")
    if not at or "/" in user:
        place = rest
    return "@" in place.partition("?")[0]


def _no_connection_string() -> ConfigurationError:
    return ConfigurationError(
        "DATABASE_URL is no connection string of Postgres: check its form, and percent-encode the password: "
        "%40 for @, %2F for /, %23 for #, %25 for %",
        reason="BAD_DATABASE_URL",
    )
