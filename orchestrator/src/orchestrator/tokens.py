"""The tokens of the embedded mode: bearer JWTs, HS256, with the claims that Supabase's tokens have."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Literal

import jwt

ISSUER = "rookify"
AUDIENCE = "authenticated"  # what Supabase writes into `aud`, for every role
ALGORITHM = "HS256"

Role = Literal["authenticated", "service_role"]

DEFAULT_TTL = timedelta(days=30)


def mint_token(secret: str, user_id: str, role: Role = "authenticated", ttl: timedelta = DEFAULT_TTL) -> str:
    """A token for `user_id` (a UUID as text; becomes `sub`) that is good for `ttl` from now."""
    now = int(time.time())
    claims = {
        "sub": user_id,
        "role": role,
        "aud": AUDIENCE,
        "iss": ISSUER,
        "iat": now,
        "exp": now + int(ttl.total_seconds()),
    }
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def claimed_role(token: str) -> str | None:
    """What the token says its role is, its signature unchecked; None where it is no JWT or names none."""
    try:
        role = jwt.decode(token, options={"verify_signature": False}).get("role")
    except jwt.InvalidTokenError:
        return None
    return str(role) if role else None
