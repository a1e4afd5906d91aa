"""Whatever comes as a token, the answer is a caller or an error of the tree."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.auth.jwks import KeySet, parse_keys
from orchestrator.auth.verifier import Issuer, TokenVerifier
from servicekit.errors import PermissionDenied, Unauthenticated
from tests.support.platforms.any_json import ANY_JSON
from tests.support.signer import claims, ec_key, jwk

SECRET = "a secret of at least thirty-two bytes"
USER = "4f3c2b1a-0d9e-4c7b-8a65-1f2e3d4c5b6a"


@pytest.fixture(scope="module")
def verifier() -> TokenVerifier:
    keys = KeySet("http://127.0.0.1:1/", cooldown=1e9)  # it has its keys, and asks nobody
    keys._keys = parse_keys(json.dumps({"keys": [jwk(ec_key("k"), "k")]}).encode())
    keys._fetched_at = keys._tried_at = time.monotonic()
    return TokenVerifier(
        [Issuer("ours", secret=SECRET), Issuer("theirs", keys=keys)], "the service's own key"
    )


def token(header: Any, payload: Any) -> str:
    """With a good signature of ours."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, payload)
    ]
    signature = hmac.new(SECRET.encode(), ".".join(parts).encode(), hashlib.sha256).digest()
    return ".".join([*parts, base64.urlsafe_b64encode(signature).decode().rstrip("=")])


def refused(verifier: TokenVerifier, text: str) -> bool:
    try:
        asyncio.run(verifier.verify(text))
    except (Unauthenticated, PermissionDenied):
        return True
    return False


def test_the_one_that_the_others_are_made_from_gets_in(verifier: TokenVerifier) -> None:
    assert not refused(verifier, token({"alg": "HS256"}, claims("ours", USER)))
    assert not refused(verifier, "the service's own key")


@given(
    text=st.text(max_size=200) | st.text(st.characters(), max_size=20) | st.text("eyJ.-_AQab=", max_size=200)
)
def test_any_text(verifier: TokenVerifier, text: str) -> None:
    assert refused(verifier, text)


@given(
    header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk"]), ANY_JSON) | ANY_JSON,
    issuer=st.sampled_from(["ours", "theirs"]),
)
def test_any_header(verifier: TokenVerifier, header: Any, issuer: str) -> None:
    assert refused(verifier, token(header, claims(issuer, USER)))


@given(changes=st.dictionaries(st.sampled_from(["iss", "aud", "sub", "role", "exp"]), ANY_JSON, min_size=1))
def test_any_claim(verifier: TokenVerifier, changes: dict[str, Any]) -> None:
    later = changes.get("exp")
    if changes.keys() == {"exp"} and isinstance(later, int | float) and later > time.time():
        return  # it is just good for longer
    assert refused(verifier, token({"alg": "HS256"}, claims("ours", USER) | changes))


@given(payload=ANY_JSON)
def test_any_payload(verifier: TokenVerifier, payload: Any) -> None:
    assert refused(verifier, token({"alg": "HS256"}, payload))
