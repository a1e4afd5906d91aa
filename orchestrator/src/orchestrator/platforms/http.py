"""Requests to a platform: one at a time, bounded, retried; its 429 and its outages heeded by every job."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Literal, TypeVar

import httpx
import stamina
import structlog

from orchestrator import metrics
from orchestrator.authorities import trusted
from orchestrator.domain import Platform
from orchestrator.platforms.answers import (
    RateLimited,
    Transient,
    error_message,
    in_words,
    retry_after_seconds,
)
from orchestrator.platforms.breaker import Breaker
from orchestrator.platforms.errors import PlatformError, PlatformUnavailable
from orchestrator.platforms.gate import Gate, HeldTooLong, Waiter
from servicekit.errors import ConfigurationError

T = TypeVar("T")
log = structlog.get_logger()

# What is asked for. It labels metrics, so it says nothing of a player, and there are few of them.
Kind = Literal["archives", "month", "games"]
NOTICE_SECONDS = 5  # a pause shorter than that is over before anybody has read of it


@dataclass(frozen=True, slots=True)
class HttpPolicy:
    """How patient a client is. Seconds throughout."""

    # 8 tries wait 0.5, 1, 2, 4, 8, 16, 30 between them, as long as others get their answers: then it is this
    # one thing that cannot be had. The jobs of others go on meanwhile, since the waits are outside the gate.
    attempts: int = 8
    first_wait: float = 0.5
    longest_wait: float = 30
    jitter: float = 0.5  # up to this is added to each wait
    connect_timeout: float = 10
    read_timeout: float = 30  # with no byte at all; a throttled stream sends several games a second
    # For one whole request: 64 MiB at 2 Mbit/s. It bounds what an answer that trickles can hold up.
    deadline: float = 300
    rate_limit_pause: float = 0  # the shortest pause after a 429, for all jobs of the process
    # So many failed attempts without an answer between them, whosoever they were, and the platform is left
    # alone: for 5, 10, 20, 40, then 60 seconds at a time. A blip costs seconds, the end of an outage is found
    # within a minute, and the platform has one request a minute of each process to bear.
    failures_in_a_row: int = 3
    first_rest: float = 5
    longest_rest: float = 60
    # A job waits this long, all in all, for a platform that is left alone or has asked for a pause. An outage
    # of ten minutes is no reason to start a sync again by hand.
    patience: float = 900


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
        self.gate = Gate()
        self._breaker = Breaker(policy.failures_in_a_row, policy.first_rest, policy.longest_rest)
        self._trouble = ""  # the last failure of an attempt, in words
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
            verify=trusted(),
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    def waiter(self, on_notice: Callable[[str | None], None]) -> Waiter:
        """For all requests of one fetch: they share its patience."""
        return Waiter(self.policy.patience, on_notice)

    async def get(
        self,
        path: str,
        waiter: Waiter,
        *,
        kind: Kind,
        what: str,
        read: Callable[[httpx.Response], Awaitable[T]],
        refuse: Callable[[int, str], PlatformError],
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """What `read` makes of the 200 answer, tried again while the platform fails in a passing way.

        `read` runs inside the request and raises `Transient` for an answer that cannot be right. `refuse`
        makes the error of any other status from it and the platform's message. `what` names the thing in
        errors, for whom they concern; `kind` in metrics, for everybody.
        """
        tries, policy = 0, self.policy
        while True:
            retries = stamina.retry_context(
                on=self._is_worth_a_retry,
                attempts=policy.attempts,
                timeout=None,
                wait_initial=policy.first_wait,
                wait_max=policy.longest_wait,
                wait_jitter=policy.jitter,
            ).with_name(f"{self.platform}: {kind}", (), {"what": what})  # stamina's metric has the name alone
            try:
                async for attempt in retries:
                    with attempt:
                        tries += 1
                        return await self._once(path, waiter, read, refuse, params, headers)
            except Transient as error:
                # While nobody gets an answer it is the platform's trouble, and patience ends it, not a count.
                if not self._breaker.is_open:
                    raise self._not_given(f"{what} ({error}; {_times(tries)})", what) from error
            except HeldTooLong as error:
                raise self._held(what, tries - 1, error.seconds) from error

    def _is_worth_a_retry(self, error: Exception) -> bool | float:
        if isinstance(error, RateLimited) or (isinstance(error, Transient) and self._breaker.is_open):
            return 0.0  # the gate does the waiting, for this request as for everyone's
        return isinstance(error, Transient)

    def _not_given(self, what_and_why: str, what: str, seconds: float = 60) -> PlatformUnavailable:
        return PlatformUnavailable(
            f"{self.platform} did not give {what_and_why}. "
            "The sync was stopped so that no game is left out unnoticed; start it again later.",
            retry_after=timedelta(seconds=max(seconds, 60)),
            metadata={"what": what},
        )

    def _held(self, what: str, tries: int, seconds: float) -> PlatformUnavailable:
        """The waiter's patience is at its end, `seconds` before the next request may go out."""
        if self._breaker.is_open:
            # Who came during the outage may not have had a try of its own.
            tried = f"; {_times(tries)}" if tries else ""
            waited = f"for as long as a sync waits ({self._trouble}{tried})"
            return self._not_given(f"{what}: it has not answered {waited}", what, seconds)
        return PlatformUnavailable(
            f"{self.platform} asks for a pause of {-(-int(seconds) // 60)} minutes before it gives {what}; "
            "start the sync again after that.",
            retry_after=timedelta(seconds=seconds),
            metadata={"what": what},
        )

    async def _once(
        self,
        path: str,
        waiter: Waiter,
        read: Callable[[httpx.Response], Awaitable[T]],
        refuse: Callable[[int, str], PlatformError],
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> T:
        async with self.gate.turn(waiter):
            try:
                result = await self._exchange(path, read, refuse, params, headers)
            except RateLimited:
                self._breaker.succeeded()  # it answers; its pause holds the gate
                raise
            except Transient as error:
                self._failed(error)
                raise
            except PlatformError:
                self._answers()
                raise
            self._answers()
            return result

    async def _exchange(
        self,
        path: str,
        read: Callable[[httpx.Response], Awaitable[T]],
        refuse: Callable[[int, str], PlatformError],
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
    ) -> T:
        """One request and its answer, as the library below has it; `Transient` for all that may pass."""
        deadline, answered, whole = self.policy.deadline, False, False
        try:
            async with (
                asyncio.timeout(deadline),
                self._client.stream("GET", self._base_url + path, params=params, headers=headers) as answer,
            ):
                metrics.PLATFORM_REQUESTS.labels(self.platform, str(answer.status_code)).inc()
                answered = True
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
            raise Transient(in_words(error)) from error
        finally:
            if not answered:
                metrics.PLATFORM_REQUESTS.labels(self.platform, "none").inc()
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
            pause = f"{self.platform} asks for a pause; going on at {_clock_time(seconds)}"
            self.gate.hold(seconds, pause if seconds >= NOTICE_SECONDS else None)
            log.warning("rate limited", platform=self.platform, held_seconds=round(seconds, 3))
            return RateLimited("429 Too Many Requests")
        if status >= 500 or status == 408:
            return Transient(f"{status} {answer.reason_phrase}".rstrip())
        return refuse(status, await error_message(answer))

    def _failed(self, error: Transient) -> None:
        """Counts a failed attempt; when there are too many in a row, everyone leaves the platform alone."""
        self._trouble = str(error)
        if rest := self._breaker.failed():
            log.warning("left alone", platform=self.platform, why=self._trouble, seconds=round(rest, 3))
            why = f"{self.platform} does not answer ({self._trouble})"
            self.gate.hold(rest, f"{why}; trying again at {_clock_time(rest)}")

    def _answers(self) -> None:
        if self._breaker.is_open:
            log.info("answers again", platform=self.platform)
        self._breaker.succeeded()
        self.gate.clear()

    def _rate_limit_backoff(self) -> float:
        """Doubles with every 429 in a row, whosoever request it was."""
        policy = self.policy
        wait = min(policy.longest_wait, policy.first_wait * 2.0**self._limited_in_a_row)
        self._limited_in_a_row = min(self._limited_in_a_row + 1, 30)
        return wait + random.uniform(0, policy.jitter)  # noqa: S311  spreads load, keeps no secret


def _times(tries: int) -> str:
    return "1 try" if tries == 1 else f"{tries} tries"


def _clock_time(seconds: float) -> str:
    """So long from now, as people read it: "19:05 UTC", the next full minute."""
    when = datetime.now(UTC) + timedelta(seconds=seconds, minutes=1)
    return f"{when:%H:%M} UTC"
