"""The tokens of the embedded mode: bearer JWTs, HS256, with the claims that Supabase's tokens have."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Literal

import jwt

from servicekit.errors import ConfigurationError

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


def check_service_key(key: str) -> None:
    """Raises ConfigurationError for a SUPABASE_SERVICE_ROLE_KEY that is another key of the project.

    Whoever shows it as bearer token is the service, and the others are known to every visitor of the
    project's pages. To the database they would be of no use either.
    """
    if not re.fullmatch(r"[!-~]+", key):  # it goes into a header, and a library's error would quote it
        raise ConfigurationError(
            "SUPABASE_SERVICE_ROLE_KEY holds a space, a newline or another sign that is in no key",
            reason="WRONG_KEY",
        )
    role = "anon" if key.startswith("sb_publishable_") else claimed_role(key)
    if not key.startswith("sb_secret_") and role != "service_role":
        what = f"a key of the role {role}" if role else "neither a secret key nor a JWT"
        raise ConfigurationError(
            f"SUPABASE_SERVICE_ROLE_KEY is {what}: it must be the project's secret key (sb_secret_…), or the "
            "older JWT of service_role",
            reason="WRONG_KEY",
        )
