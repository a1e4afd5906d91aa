"""The signers' public keys over real HTTP: kept, refreshed, asked for sparingly, good while it is away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.auth import jwks
from orchestrator.auth.jwks import KeySet, parse_keys
from servicekit.backoff import Backoff
from servicekit.errors import Unavailable
from tests.support.platforms import faults
from tests.support.platforms.any_json import ANY_JSON
from tests.support.signer import SigningServer, ec_key, jwk, rsa_key

FIRST, SECOND = jwk(ec_key("first"), "first"), jwk(rsa_key("second"), "second")


@asynccontextmanager
async def key_set(url: str, cooldown: float = 30.0) -> AsyncIterator[KeySet]:
    keys = KeySet(url, cooldown=cooldown)
    try:
        yield keys
    finally:
        await keys.aclose()


@asynccontextmanager
async def running(keys: KeySet) -> AsyncIterator[None]:
    task = asyncio.create_task(keys.run())
    try:
        async with asyncio.timeout(10):
            yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_both_kinds_of_keys_are_found_with_one_request() -> None:
    async with SigningServer(FIRST, SECOND) as server, key_set(server.jwks_url) as keys:
        first, second = await keys.key("first"), await keys.key("second")
        assert first
        assert second
        assert (first.algorithm_name, second.algorithm_name) == ("ES256", "RS256")
        assert len(server.requests) == 1


async def test_many_callers_at_once_make_one_request_and_one_that_leaves_takes_nobody_with_it() -> None:
    async with SigningServer(FIRST) as server, key_set(server.jwks_url) as keys:
        server.faults.add(faults.slowly(0.02, pieces=5))
        asking = [asyncio.create_task(keys.key("first")) for _ in range(50)]
        await server.seen(1)
        asking[0].cancel()
        found = await asyncio.gather(*asking[1:])
        assert all(found)
        assert len(server.requests) == 1


async def test_made_up_keys_do_not_make_us_hammer_the_endpoint() -> None:
    async with SigningServer(FIRST) as server, key_set(server.jwks_url) as keys:
        assert await keys.key("first")
        assert await asyncio.gather(*(keys.key(f"made up {n}") for n in range(200))) == [None] * 200
        assert len(server.requests) == 1


async def test_a_new_key_is_asked_for_once_the_cooldown_is_over() -> None:
    async with SigningServer(FIRST) as server, key_set(server.jwks_url, cooldown=0) as keys:
        assert await keys.key("second") is None
        server.keys.append(SECOND)
        assert await keys.key("second")


async def test_keys_are_refreshed_and_a_withdrawn_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "LIFETIME_SECONDS", 0.01)
    async with SigningServer(FIRST) as server, key_set(server.jwks_url) as keys, running(keys):
        assert await keys.key("first")
        server.keys[:] = [SECOND]
        await server.seen(len(server.requests) + 2)  # the first of them may have begun before
        assert await keys.key("first") is None
        assert await keys.key("second")


@pytest.mark.parametrize(
    "fault",
    [
        faults.status(500),
        faults.status(404),
        faults.status(302, headers={"Location": "/elsewhere"}),
        faults.garbage(),
        faults.garbage(b'{"keys": 7}'),
        faults.garbage(b"[" * 100_000),
        faults.half_body(),
        faults.drop(),
        faults.flood(b" " * 65536),
        faults.silence(),
    ],
)
async def test_whatever_happens_to_the_endpoint_the_keys_at_hand_stay_good(
    fault: faults.Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "LIFETIME_SECONDS", 0.01)
    monkeypatch.setattr(jwks, "_RETRY", Backoff(0.01, 0.02))
    monkeypatch.setattr(jwks, "_TIMEOUT_SECONDS", 0.2)
    async with SigningServer(FIRST) as server, key_set(server.jwks_url) as keys:
        assert await keys.key("first")
        server.faults.add(fault, times=2)
        async with running(keys):
            await server.seen(4)
            assert await keys.key("first")
        assert server.faults.left == 0
        assert {seen.path for seen in server.requests} == {"/.well-known/jwks.json"}


async def test_a_known_key_does_not_wait_for_an_endpoint_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "LIFETIME_SECONDS", 0.01)
    async with SigningServer(FIRST) as server, key_set(server.jwks_url) as keys:
        assert await keys.key("first")
        server.faults.add(faults.silence())
        async with running(keys):
            await server.seen(2)
            async with asyncio.timeout(5):  # the request is given up after longer
                assert await keys.key("first")


async def test_without_any_keys_callers_are_told_to_come_back_and_the_endpoint_is_not_hammered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jwks, "_RETRY", Backoff(30.0, 30.0))
    async with SigningServer(FIRST) as server, key_set(server.jwks_url) as keys:
        server.faults.add(faults.status(503), times=1)
        for _ in range(50):
            with pytest.raises(Unavailable) as refused:
                await keys.key("first")
            assert refused.value.reason == "NO_SIGNING_KEYS"
        assert len(server.requests) == 1
        async with running(keys):  # whose first act is to try again
            await server.seen(2)
            await server.idle()
            assert await keys.key("first")


async def test_keys_are_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    async with SigningServer(FIRST) as server, key_set(server.jwks_url) as keys:
        assert await keys.key("first")
        server.faults.add(faults.status(503))
        monkeypatch.setattr(jwks, "STALE_SECONDS", 0.0)
        monkeypatch.setattr(jwks, "_RETRY", Backoff(0.0, 0.0))
        with pytest.raises(Unavailable):
            await keys.key("first")


@pytest.mark.parametrize(
    "entry",
    [
        jwk(ec_key("first"), "", use="sig"),
        jwk(ec_key("first"), "x", kid=None),
        jwk(ec_key("first"), "x", kid=7),
        jwk(ec_key("first"), "x", use="enc"),
        jwk(ec_key("first"), "x", alg="HS256"),
        jwk(ec_key("first"), "x", alg="ES384"),
        jwk(ec_key("first"), "x", crv="P-384"),
        jwk(ec_key("first"), "x", y=None),
        jwk(ec_key("first"), "x", x="AAAA"),
        jwk(ec_key("first"), "x", d="AAAA"),
        jwk(rsa_key("second"), "x", alg="ES256"),
        jwk(rsa_key("second"), "x", n=None),
        jwk(rsa_key("small", 1024), "x"),
        {"kty": "oct", "kid": "x", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "alg": "HS256"},
        {"kty": "OKP", "kid": "x", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        {"kty": ["EC"], "kid": "x"},
        "a key",
        None,
    ],
)
def test_a_key_that_must_not_be_used_is_left_out_and_the_others_are_not(entry: Any) -> None:
    assert list(parse_keys(json.dumps({"keys": [entry, FIRST]}).encode())) == ["first"]


@given(
    base=st.sampled_from([FIRST, SECOND]),
    changes=st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "n", "e", "alg", "use", "kid", "d"]),
        ANY_JSON | st.text("AQab_-=+/ \n"),
    ),
    more=ANY_JSON,
)
def test_whatever_a_key_looks_like_the_others_are_found(
    base: dict[str, Any], changes: dict[str, Any], more: Any
) -> None:
    found = parse_keys(json.dumps({"keys": [{**base, "kid": "x", **changes}, more, FIRST]}).encode())
    assert "first" in found
