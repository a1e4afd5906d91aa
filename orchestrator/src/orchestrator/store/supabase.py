"""The supabase transport: a Supabase project's database over its Data API (PostgREST), with the secret key.

Importing it costs a third of a second: `choice.py` does so only where it is chosen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Self
from uuid import UUID

import httpx
import structlog
from postgrest import APIError, CountMethod
from supabase import AsyncClient, AsyncClientOptions, AsyncSupabaseException, acreate_client

from orchestrator.authorities import trusted
from orchestrator.store.transport import (
    WORK_WAITS,
    AsJson,
    Change,
    Pace,
    Throttled,
    TooManyRows,
    database_unavailable,
    error_from_sqlstate,
)
from servicekit.backoff import Backoff
from servicekit.errors import ConfigurationError, RookifyError

log = structlog.get_logger()

# Supabase ends a statement of ours after 8 s, and its answer may hold a megabyte: no more comes then.
_TIMEOUT = httpx.Timeout(15, connect=5, pool=5)
# As many calls at once as over psycopg. Connections are let go before the gateway does so (60 s and more).
_LIMITS = httpx.Limits(max_connections=8, max_keepalive_connections=8, keepalive_expiry=30)

# Between two polls while somebody watches: the answer has what changed, so that with the call's own time they
# hear of it within a quarter of a second. Else only workers wait for news, as patiently as over psycopg.
_WATCHED_SECONDS = 0.15
_UNWATCHED_SECONDS = 2.0
_MOST_BROUGHT_ALONG = 200  # watched jobs: their ids are 8 KB
_WORK_WAITS_SECONDS = 2.0  # between two times of saying so: a job that nobody may claim is no reason to hurry
_RETRY = Backoff(0.5, 5.0)  # after a poll that failed: quickly at first, then gently
_DEFAULT_RETRY_AFTER = timedelta(seconds=1)  # where a 429 names no time

# What wakes this replica's own worker and watchers at once, not at the next poll.
_NEWS = frozenset(
    {
        "start_sync_job",
        "start_traced_sync_job",
        "start_held_sync_job",
        "cancel_sync_job",
        "fail_sync_job",
        "release_sync_job",
    }
)


class SupabaseTransport:
    """A pool of connections for calls, and one poll for changes. Use as `async with`.

    `url` is the project's (https://PROJECT.supabase.co), `key` its secret key: `sb_secret_…`, or the older
    JWT of service_role. Raises ConfigurationError where the URL is none.
    """

    # A call takes milliseconds, and a process makes about 300 a second at most: one write a second and job.
    # The poll tells of jobs whose worker was lost.
    pace = Pace(write_interval=1.0, look_interval=30.0)

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._client: AsyncClient | None = None
        self._http: httpx.AsyncClient | None = None
        self._watched: Collection[UUID] = ()
        self._poll_now = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._http = httpx.AsyncClient(
            verify=trusted(),
            timeout=_TIMEOUT,
            limits=_LIMITS,
            event_hooks={"request": [self._identify], "response": [_refuse_by_status]},
        )
        options = AsyncClientOptions(
            httpx_client=self._http,
            postgrest_client_retry=False,  # the store repeats calls, and nobody else
            auto_refresh_token=False,
            persist_session=False,
        )
        try:
            httpx.URL(self._url)
            self._client = await acreate_client(self._url, self._key, options)
        except (AsyncSupabaseException, httpx.InvalidURL, ValueError) as error:
            await self._http.aclose()
            raise ConfigurationError(
                f"SUPABASE_URL: {self._url!r} is not the URL of a project, as https://PROJECT.supabase.co"
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        if self._http is not None:
            await self._http.aclose()

    async def call(self, function: str, parameters: Mapping[str, Any]) -> list[Any]:
        assert self._client is not None, "used outside of its `async with`"  # noqa: S101
        arguments = {
            name: value.value if isinstance(value, AsJson) else value for name, value in parameters.items()
        }
        try:
            answer = await self._client.rpc(function, arguments, count=CountMethod.exact).execute()
        except httpx.RequestError as error:
            raise database_unavailable() from error
        except APIError as error:
            raise _translate(function, error) from error
        # No function returns a string: so the library gives on what is no JSON.
        if isinstance(answer.data, str):
            raise _no_project(200)
        if function in _NEWS:
            self._poll_now.set()
        # A set comes as a list, nothing as an empty one; no function returns an array as its single value.
        rows = answer.data if isinstance(answer.data, list) else [answer.data]
        if rows and answer.count is not None and answer.count > len(rows):
            raise TooManyRows(
                f"the project's Data API gave {len(rows)} of {answer.count} rows of {function}: raise its "
                "setting `Max rows`"
            )
        return rows

    async def changes(self) -> AsyncGenerator[Change, None]:
        """One question for all watchers of this replica, asked often while there are any."""
        cursor: str | None = None
        failures = 0
        loop = asyncio.get_running_loop()
        said_work_waits = -_WORK_WAITS_SECONDS
        while True:
            self._poll_now.clear()
            try:
                # Beyond so many the ids would weigh more than the jobs: what changed is read by its id then.
                watched = list(self._watched) if len(self._watched) <= _MOST_BROUGHT_ALONG else []
                (news,) = await self.call("poll_sync_jobs", {"p_since": cursor, "p_watched": watched})
            except RookifyError as error:
                failures += 1
                pause = _RETRY.delay(failures)
                if isinstance(error, Throttled):
                    pause += error.retry_after.total_seconds()
                log.warning("changes could not be asked for", error=error.message, retry_in=pause)
                await asyncio.sleep(pause)
                continue
            cursor, failures = news["cursor"], 0
            if news["changed"] is None:
                yield Change(None)
            told = [Change(UUID(job["id"]), job["status"], job["job"]) for job in news["changed"] or ()]
            for change in told:
                yield change
            new = any(change.status == "pending" for change in told)  # says so by itself
            if news["work_waits"] and not new and loop.time() - said_work_waits >= _WORK_WAITS_SECONDS:
                said_work_waits = loop.time()
                yield WORK_WAITS
            with suppress(TimeoutError):
                async with asyncio.timeout(_WATCHED_SECONDS if self._watched else _UNWATCHED_SECONDS):
                    await self._poll_now.wait()

    def set_watched(self, sync_job_ids: Collection[UUID]) -> None:
        if sync_job_ids and not self._watched:
            self._poll_now.set()
        self._watched = frozenset(sync_job_ids)

    async def _identify(self, request: httpx.Request) -> None:
        """The library sends every key as a bearer token too, but only the older ones are JWTs: a key that is
        none is refused there. The gateway finds it in `apikey`."""
        if self._key.count(".") != 2:
            request.headers.pop("Authorization", None)


async def _refuse_by_status(response: httpx.Response) -> None:
    """What the gateway says by the status alone: bodies have many forms, and the library drops headers."""
    match response.status_code:
        case 429:
            raise Throttled(
                "the database is asked too much; try again later",
                retry_after=_retry_after(response.headers.get("Retry-After", "")),
            )
        case 502 | 503 | 504:
            raise database_unavailable()
        case status if status >= 520:  # Cloudflare's, in front of Supabase: the project does not answer
            raise database_unavailable()
        case 401:
            raise ConfigurationError(
                "the Supabase project refuses SUPABASE_SERVICE_ROLE_KEY: is it this project's secret key "
                "(sb_secret_…, or the older service_role JWT), and not revoked?",
                reason="KEY_REFUSED",
            )
        case status if 300 <= status < 400:
            raise _no_project(status)


def _retry_after(header: str) -> timedelta:
    """In seconds, as gateways send it; its other form, a date, is none of theirs."""
    try:
        return timedelta(seconds=min(max(float(header), 0), 3600))
    except ValueError:
        return _DEFAULT_RETRY_AFTER


def _translate(function: str, error: APIError) -> RookifyError:
    """`code` is an SQLSTATE, PostgREST's own (PGRST…), or the HTTP status where the body was not JSON."""
    code, message = error.code or "", error.message or "no reason given"
    if code == "PGRST202":
        return ConfigurationError(
            f"the Supabase project lacks the function {function} as this release calls it: apply the "
            "migrations; where they are, `notify pgrst, 'reload schema'` lets the API see them",
            reason="MIGRATIONS_MISSING",
        )
    if code.startswith("PGRST0"):  # PostgREST itself has no connection
        return database_unavailable()
    if len(code) == 3 and code.isdecimal():
        return database_unavailable() if code >= "500" else _no_project(int(code))
    return error_from_sqlstate(code, message, error.details if isinstance(error.details, str) else None)


def _no_project(status: int) -> ConfigurationError:
    return ConfigurationError(
        f"SUPABASE_URL does not lead to a Supabase project's API: it answers {status}", reason="NO_PROJECT"
    )
