"""Minted tokens, read back as the server reads them."""

from __future__ import annotations

import time
from datetime import timedelta

import jwt
import pytest

from orchestrator.tokens import ALGORITHM, AUDIENCE, ISSUER, Role, mint_token

SECRET = "a secret of at least thirty-two bytes"
USER = "4f3c2b1a-0d9e-4c7b-8a65-1f2e3d4c5b6a"


@pytest.mark.parametrize("role", ["authenticated", "service_role"])
def test_claims(role: Role) -> None:
    before = int(time.time())
    token = mint_token(SECRET, USER, role, timedelta(hours=1))
    claims = jwt.decode(token, SECRET, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER)
    assert claims.pop("iat") in range(before, before + 5)
    assert claims.pop("exp") in range(before + 3600, before + 3605)
    assert claims == {"sub": USER, "role": role, "aud": "authenticated", "iss": "rookify"}


def test_another_secret_does_not_fit() -> None:
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(mint_token(SECRET, USER), SECRET + "!", algorithms=[ALGORITHM], audience=AUDIENCE)
