"""Requests to a platform: one at a time, bounded, retried, its 429 obeyed by every job of the process."""

from __future__ import annotations

import asyncio
import functools
import json
import random
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import TypeVar

import httpx
import stamina
import structlog

from orchestrator.domain import Platform
from orchestrator.platforms.errors import PlatformError, PlatformUnavailable
from orchestrator.platforms.gate import Gate, HeldTooLong
from servicekit.errors import ConfigurationError

T = TypeVar("T")
log = structlog.get_logger()

# What reading JSON of unknown origin raises: broken syntax or UTF-8, another shape, brackets without end.
BROKEN = (ValueError, RecursionError)
ERROR_BODY_BYTES = 16 * 1024  # both platforms' error answers are a line of JSON
MESSAGE_CHARS = 200


@dataclass(frozen=True, slots=True)
class HttpPolicy:
    """How patient a client is. Seconds throughout."""

    # 8 tries wait 0.5, 1, 2, 4, 8, 16, 30 between them: a platform that is down for a minute is waited out,
    # and the jobs of others go on meanwhile, since the waits are outside the gate.
    attempts: int = 8
    first_wait: float = 0.5
    longest_wait: float = 30
    jitter: float = 0.5  # up to this is added to each wait
    connect_timeout: float = 10
    read_timeout: float = 30  # with no byte at all; a throttled stream sends several games a second
    # For one whole request: 64 MiB at 2 Mbit/s. It bounds what an answer that trickles can hold up.
    deadline: float = 300
    rate_limit_pause: float = 0  # the shortest pause after a 429, for all jobs of the process
    longest_hold: float = 900  # a job waits this long for a platform's Retry-After, not longer


class Transient(Exception):
    """One attempt failed in a way that another may not; the text ends the sentence "it failed: …"."""


class RateLimited(Transient):
    """429. The gate is held already: it does the waiting, for this request as for everyone's."""


class PlatformHttp:
    """One platform's connection pool, gate and retries, shared by all jobs of the process."""

    def __init__(
        self,
        platform: Platform,
        base_url: str,
        contact: str,
        policy: HttpPolicy,
        *,
        follow_redirects: bool,
    ) -> None:
        self.platform = platform
        self.policy = policy
        self.gate = Gate(policy.longest_hold)
        self._limited_in_a_row = 0
        if not contact.isascii() or not contact.isprintable():
            raise ConfigurationError("ROOKIFY_CONTACT must be a mail address or URL in plain ASCII")
        if not base_url.startswith(("http://", "https://")):
            raise ConfigurationError(f"the base URL of {platform} must begin with https:// or http://")
        if not contact:
            log.warning("no contact set", platform=platform, fix="set ROOKIFY_CONTACT to a mail or URL")
        self._base_url = base_url.rstrip("/")
        self._client = httpx.AsyncClient(
            headers={
                "User-Agent": f"rookify-sync/{version('rookify-orchestrator')} ({contact or 'no contact'})"
            },
            timeout=httpx.Timeout(policy.read_timeout, connect=policy.connect_timeout),
            limits=httpx.Limits(max_connections=1),  # the gate's rule, held by the pool as well
            follow_redirects=follow_redirects,
            max_redirects=3,
            verify=_trusted(),
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def get(
        self,
        path: str,
        *,
        what: str,
        read: Callable[[httpx.Response], Awaitable[T]],
        refuse: Callable[[int, str], PlatformError],
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """What `read` makes of the 200 answer, tried again while the platform fails in a passing way.

        `read` runs inside the request and raises `Transient` for an answer that cannot be right. `refuse`
        makes the error of any other status from it and the platform's message. `what` names the thing in
        errors.
        """
        tries, policy = 0, self.policy
        retries = stamina.retry_context(
            on=_is_worth_a_retry,
            attempts=policy.attempts,
            timeout=None,
            wait_initial=policy.first_wait,
            wait_max=policy.longest_wait,
            wait_jitter=policy.jitter,
        ).with_name(f"{self.platform}: {what}", (), {})
        try:
            async for attempt in retries:
                with attempt:
                    tries += 1
                    return await self._once(path, read, refuse, params, headers)
        except Transient as error:
            times = "1 try" if tries == 1 else f"{tries} tries"
            raise PlatformUnavailable(
                f"{self.platform} did not give {what} ({error}; {times}). "
                "The sync was stopped so that no game is left out unnoticed; start it again later.",
                retry_after=timedelta(minutes=1),
                metadata={"what": what},
            ) from error
        except HeldTooLong as error:
            minutes = -(-int(error.seconds) // 60)
            raise PlatformUnavailable(
                f"{self.platform} asks for a pause of {minutes} minutes before it gives {what}; "
                "start the sync again after that.",
                retry_after=timedelta(seconds=error.seconds),
                metadata={"what": what},
            ) from error
        raise AssertionError("the retries neither returned nor raised")

    async def _once(
        self,
        path: str,
        read: Callable[[httpx.Response], Awaitable[T]],
        refuse: Callable[[int, str], PlatformError],
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> T:
        deadline, whole = self.policy.deadline, False
        async with self.gate.turn():
            try:
                async with (
                    asyncio.timeout(deadline),
                    self._client.stream(
                        "GET", self._base_url + path, params=params, headers=headers
                    ) as answer,
                ):
                    if answer.status_code != 200:
                        whole = True
                        raise await self._failure(answer, refuse)
                    self._limited_in_a_row = 0
                    result = await read(answer)
                    whole = answer.is_closed  # httpx closes what is read to its end
                    return result
            except TimeoutError as error:
                raise Transient(f"no whole answer within {deadline:g} seconds") from error
            except httpx.TimeoutException as error:
                raise Transient("no answer in time") from error
            except httpx.HTTPError as error:
                raise Transient(_in_words(error)) from error
            finally:
                # The platform may not yet know that this one is over (a break, a cancellation), and would
                # take the next request for a second one at the same time: 429, at lichess for a minute.
                if not whole:
                    self.gate.hold(self.policy.first_wait)

    async def _failure(
        self, answer: httpx.Response, refuse: Callable[[int, str], PlatformError]
    ) -> Transient | PlatformError:
        status = answer.status_code
        if status == 429:
            asked = retry_after_seconds(answer.headers.get("Retry-After"), datetime.now(UTC))
            seconds = max(asked or 0, self.policy.rate_limit_pause, self._rate_limit_backoff())
            self.gate.hold(seconds)
            log.warning("rate limited", platform=self.platform, held_seconds=round(seconds, 3))
            return RateLimited("429 Too Many Requests")
        if status >= 500 or status == 408:
            return Transient(f"{status} {answer.reason_phrase}".rstrip())
        return refuse(status, await _message(answer))

    def _rate_limit_backoff(self) -> float:
        """Doubles with every 429 in a row, whosoever request it was."""
        policy = self.policy
        wait = min(policy.longest_wait, policy.first_wait * 2.0**self._limited_in_a_row)
        self._limited_in_a_row = min(self._limited_in_a_row + 1, 30)
        return wait + random.uniform(0, policy.jitter)  # noqa: S311  spreads load, keeps no secret


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Once for the process: loading the certificates blocks for 40 ms."""
    return httpx.create_ssl_context()


def _is_worth_a_retry(error: Exception) -> bool | float:
    return 0.0 if isinstance(error, RateLimited) else isinstance(error, Transient)


async def read_bounded(answer: httpx.Response, limit: int) -> bytes:
    """The decoded body; `Transient` where it is larger than `limit` bytes."""
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > limit:
            raise Transient(f"an answer of more than {limit // 2**20} MiB")
    return bytes(body)


async def bounded_lines(answer: httpx.Response, limit: int) -> AsyncGenerator[bytes, None]:
    """The body's lines as they come, blank ones left out; `Transient` where one is over `limit` bytes."""
    rest = bytearray()
    async for chunk in answer.aiter_bytes():
        rest += chunk
        if b"\n" in chunk:
            *lines, last = rest.split(b"\n")
            for line in lines:
                if line.strip():
                    yield bytes(line)
            rest = last
        if len(rest) > limit:
            raise Transient(f"a line of more than {limit // 2**20} MiB")
    if rest.strip():
        yield bytes(rest)


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """A Retry-After header, seconds or an HTTP date, as seconds from `now`; None where it says nothing."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])  # 30 years are enough, and no float overflows
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - now).total_seconds())


async def _message(answer: httpx.Response) -> str:
    """The platform's own short sentence in an error's JSON ("message" or "error"); else an empty text."""
    try:
        body = json.loads(await read_bounded(answer, ERROR_BODY_BYTES))
    except (Transient, *BROKEN):
        return ""
    text = (body.get("message") or body.get("error")) if isinstance(body, dict) else None
    if not isinstance(text, str):
        return ""
    return "".join(c if c.isprintable() else " " for c in text)[:MESSAGE_CHARS]


def _in_words(error: httpx.HTTPError) -> str:
    if isinstance(error, httpx.ConnectError):
        return "it cannot be reached"
    if isinstance(error, httpx.TooManyRedirects):
        return "it redirects in circles"
    if isinstance(error, httpx.DecodingError):
        return "an answer that cannot be decoded"
    return "the connection broke"
