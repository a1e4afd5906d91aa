"""The public keys of whoever signs the tokens: fetched, kept, refreshed behind the callers' backs.

A call waits for the endpoint only when its key is not known; most calls never do. While the endpoint is away
the keys at hand stay good. Callers can make us ask for keys that do not exist, but only once a cooldown.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Mapping
from typing import Any

import httpx
import jwt
import structlog

from orchestrator.authorities import trusted
from servicekit.backoff import Backoff
from servicekit.errors import Unavailable

log = structlog.get_logger()

ALGORITHMS = ("ES256", "RS256")  # what Supabase offers to sign with, besides a shared secret

# Supabase's edge keeps the document for ten minutes, and asks to wait for twice that before a key is revoked.
LIFETIME_SECONDS = 600.0
# A new key is published before it signs, so a refresh brings it in time, and asking at once is for the
# exception: two requests a minute, however many tokens with made-up keys come.
COOLDOWN_SECONDS = 30.0
# Access tokens live an hour and come from the same server: when it is away for a day, none is valid any more.
STALE_SECONDS = 24 * 3600.0
_RETRY = Backoff(1.0, 60.0)  # between attempts while the endpoint is away
_TIMEOUT_SECONDS = 5.0
_MAX_BYTES = 256 * 1024  # a key has some 400 bytes
_LEAST_RSA_BITS = 2048  # RFC 7518, 3.3


class KeySet:
    """Run `run` beside `key`, and `aclose` it. Keys are named by their `kid`; one without is left out."""

    def __init__(self, url: str, *, cooldown: float = COOLDOWN_SECONDS) -> None:
        self._url = url
        self._http = httpx.AsyncClient(follow_redirects=False, timeout=_TIMEOUT_SECONDS, verify=trusted())
        self._cooldown = cooldown
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None  # the last time that it worked
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[bool] | None = None

    async def key(self, kid: str) -> jwt.PyJWK | None:
        """None where the signer has no such key. Raises Unavailable where there are none for long."""
        known = self._fresh and kid in self._keys
        if not known and (self._fetching or self._may_ask):
            await self._fetch()
        if not self._fresh:
            raise Unavailable(
                "the keys that tokens are signed with cannot be had now", reason="NO_SIGNING_KEYS"
            )
        return self._keys.get(kid)

    async def run(self) -> None:
        """Keeps the keys fresh, until cancelled."""
        failures = 0
        try:
            while True:
                if await self._fetch():
                    failures = 0
                    await asyncio.sleep(LIFETIME_SECONDS * random.uniform(0.9, 1.0))  # noqa: S311  jitter
                else:
                    failures += 1
                    await asyncio.sleep(_RETRY.delay(failures))
        finally:
            if self._fetching:
                self._fetching.cancel()

    async def aclose(self) -> None:
        await self._http.aclose()

    @property
    def _fresh(self) -> bool:
        return self._fetched_at is not None and time.monotonic() - self._fetched_at < STALE_SECONDS

    @property
    def _may_ask(self) -> bool:
        """Whether a caller may have the keys fetched again; sooner where there are none: nobody gets in."""
        pause = self._cooldown if self._fresh else min(self._cooldown, _RETRY.first)
        return self._tried_at is None or time.monotonic() - self._tried_at >= pause

    async def _fetch(self) -> bool:
        """One request at a time: who comes meanwhile waits for the same, and who leaves does not end it."""
        if self._fetching is None:
            self._tried_at = time.monotonic()
            self._fetching = asyncio.create_task(self._load(), name="signing keys")
            self._fetching.add_done_callback(self._ended)
        return await asyncio.shield(self._fetching)

    def _ended(self, _task: asyncio.Task[bool]) -> None:
        self._fetching = None

    async def _load(self) -> bool:
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                document = await self._get()
            keys = parse_keys(document)
        except (httpx.HTTPError, TimeoutError, ValueError, RecursionError) as error:
            log.warning(
                "signing keys cannot be fetched",
                url=self._url,
                error=str(error) or type(error).__name__,
                kept=len(self._keys) if self._fresh else 0,
            )
            return False
        if keys.keys() != self._keys.keys() or self._fetched_at is None:
            log.info("signing keys fetched", url=self._url, kids=sorted(keys))
        self._keys, self._fetched_at = keys, time.monotonic()
        return True

    async def _get(self) -> bytes:
        async with self._http.stream("GET", self._url, headers={"accept": "application/json"}) as response:
            if response.status_code != httpx.codes.OK:
                raise ValueError(f"the answer was HTTP {response.status_code}")
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _MAX_BYTES:
                    raise ValueError(f"the answer is longer than {_MAX_BYTES} bytes")
        return bytes(body)


def parse_keys(document: bytes) -> dict[str, jwt.PyJWK]:
    """The usable keys of a JWK set by `kid`; others are left out. Raises ValueError where it is no set."""
    match json.loads(document):
        case {"keys": [*entries]}:
            return {str(entry["kid"]): key for entry in entries if (key := _usable(entry))}
    raise ValueError("the answer is no JSON Web Key Set")


def _usable(entry: Any) -> jwt.PyJWK | None:
    """A public signing key of one of our algorithms.

    Never a shared secret: whoever reads the set would know it.
    """
    match entry:
        case {"kty": "EC", "crv": "P-256", "kid": str(kid)}:
            algorithm = "ES256"
        case {"kty": "RSA", "kid": str(kid)}:
            algorithm = "RS256"
        case _:
            return None
    if (
        not kid
        or "d" in entry
        or entry.get("use", "sig") != "sig"
        or entry.get("alg", algorithm) != algorithm
    ):
        return None
    try:
        key = jwt.PyJWK(entry, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    return key if algorithm == "ES256" or key.key.key_size >= _LEAST_RSA_BITS else None
