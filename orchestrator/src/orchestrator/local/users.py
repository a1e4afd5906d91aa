"""Users of the embedded mode: a row in `users`, which every job references."""

from __future__ import annotations

import psycopg

from orchestrator.local.postgres import running_conninfo
from orchestrator.settings import Settings
from servicekit.errors import ConfigurationError, RookifyError

# The name is a placeholder until the user has one; the short form may be another user's already.
_INSERT = """
insert into public.users (id, username)
select %(id)s::uuid,
       case when exists (select from public.users where username = %(short)s) then %(long)s else %(short)s end
on conflict (id) do nothing
"""


async def ensure_user(settings: Settings, user_id: str) -> None:
    """Make the user's row if there is none, in the database of DATABASE_URL or of the running `rookify up`.

    `user_id` is a UUID in its usual form. Raises ConfigurationError where no database answers.
    """
    conninfo = conninfo_of(settings)
    try:
        async with await psycopg.AsyncConnection.connect(conninfo, connect_timeout=10) as connection:
            await connection.execute("set role service_role")  # never more rights than the service has
            names = {"id": user_id, "short": f"user-{user_id[:8]}", "long": f"user-{user_id}"}
            await connection.execute(_INSERT, names)
    except psycopg.OperationalError as error:
        if settings.database_url is None:
            raise _not_running(settings) from error
        raise ConfigurationError(
            f"cannot connect to the database: {_said(error)}. Is DATABASE_URL right, and Postgres running?",
            reason="DATABASE_UNREACHABLE",
        ) from error
    except psycopg.Error as error:
        raise RookifyError(f"cannot make the row of user {user_id}: {_said(error)}") from error


def conninfo_of(settings: Settings) -> str:
    """That of DATABASE_URL, or of the running `rookify up`; ConfigurationError where none runs."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    conninfo = running_conninfo(settings.data.expanduser())
    if conninfo is None:
        raise _not_running(settings)
    return conninfo


def _not_running(settings: Settings) -> ConfigurationError:
    return ConfigurationError(
        f"no `rookify up` is running with the data folder {settings.data}: start it first, name its folder "
        "by --data or ROOKIFY_DATA, or set DATABASE_URL",
        reason="NOT_RUNNING",
    )


def _said(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).strip().replace("\n", " ")
