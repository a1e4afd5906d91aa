"""Which database the settings choose: the embedded one, a Postgres, or a Supabase project's API."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from urllib.parse import urlsplit

from orchestrator.settings import Settings
from orchestrator.store.encryption import encrypted
from orchestrator.store.postgres import PostgresTransport, place_of
from orchestrator.store.transport import Transport
from orchestrator.tokens import check_service_key
from servicekit.errors import ConfigurationError
from servicekit.plaintext import refuse_plaintext


class Choice(StrEnum):
    EMBEDDED = "embedded"  # `rookify up` brings it
    POSTGRES = "postgres"  # DATABASE_URL
    SUPABASE = "supabase"  # SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY


def choose(settings: Settings) -> Choice:
    """DATABASE_URL before the API: it is the quicker way to the same project, and named for nothing else.

    SUPABASE_URL alone chooses no database: it says whose users' tokens are trusted. Raises ConfigurationError
    for a URL or key that is none, and for one that leads off this machine in the clear.
    """
    if key := settings.supabase_service_role_key:  # whoever shows it is the service, whatever is chosen
        check_service_key(key.get_secret_value())
    if settings.database_url is not None:
        database_conninfo(settings)
        return Choice.POSTGRES
    if settings.supabase_service_role_key is None:
        return Choice.EMBEDDED
    _check_url(settings)
    return Choice.SUPABASE


def open_transport(settings: Settings) -> AbstractAsyncContextManager[Transport]:
    """To a database that is not the embedded one; that one's keeper says how it is reached."""
    match choose(settings):
        case Choice.SUPABASE:
            # Its import takes a third of a second: only for those who use it.
            from orchestrator.store.supabase import SupabaseTransport

            assert settings.supabase_service_role_key is not None  # noqa: S101  as chosen
            key = settings.supabase_service_role_key.get_secret_value()
            return SupabaseTransport(settings.supabase_url, key)
        case Choice.POSTGRES:
            return PostgresTransport(database_conninfo(settings))
        case Choice.EMBEDDED:
            raise ConfigurationError(
                "no database is set: name a Postgres by DATABASE_URL, or a Supabase project by SUPABASE_URL "
                "and SUPABASE_SERVICE_ROLE_KEY, or use `rookify up`, which brings its own",
                reason="NO_DATABASE",
            )


def database_conninfo(settings: Settings) -> str:
    """DATABASE_URL, which must be set, as everybody is to connect by it. Raises ConfigurationError."""
    assert settings.database_url is not None  # noqa: S101  as promised
    return encrypted(settings.database_url.get_secret_value(), allow_plaintext=settings.allow_plaintext)


def describe(settings: Settings) -> str:
    """The choice for people. Raises what `choose` raises."""
    match choose(settings):
        case Choice.SUPABASE:
            return f"the Supabase project {settings.supabase_url}, over its API"
        case Choice.POSTGRES:
            assert settings.database_url is not None  # noqa: S101  as chosen
            chosen = f"the Postgres of DATABASE_URL: {place_of(settings.database_url.get_secret_value())}"
            unused = settings.supabase_service_role_key is not None
            return f"{chosen}, not SUPABASE_URL's API" if unused else chosen
        case Choice.EMBEDDED:
            return f"the embedded Postgres, in {settings.data}"


def _check_url(settings: Settings) -> None:
    url = settings.supabase_url
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ConfigurationError(
            f"SUPABASE_URL: {url!r} is not a project's URL: write https://PROJECT.supabase.co, no path"
            if url
            else "SUPABASE_SERVICE_ROLE_KEY is set and SUPABASE_URL is not: set it to the project's URL",
            reason="BAD_URL",
        )
    if parts.scheme == "http":
        refuse_plaintext(f"SUPABASE_URL: {parts.hostname}", parts.hostname, allowed=settings.allow_plaintext)
