"""Is this token good, and whose is it? Decided from the token and the keys at hand.

Trusted are, each where it is configured:

    issuer                       signed with                          who
    `rookify`                    HS256, ROOKIFY_JWT_SECRET            `rookify token`, the embedded mode
    SUPABASE_URL/auth/v1         ES256 or RS256, its JWK set;         the project's users
                                 HS256, SUPABASE_JWT_SECRET
    `supabase`                   HS256, SUPABASE_JWT_SECRET           its legacy service_role key

and SUPABASE_SERVICE_ROLE_KEY itself, compared as it is: an `sb_secret_…` key is no token, and a backend may
have no other.

The issuer in the token only chooses whose keys it is checked with, and the key decides the algorithm. A
header cannot bring its own key (`jwk`, `x5c`), name where to fetch one (`jku`, `x5u`), or ask for what we
do not know (`crit`).

`exp`, `iat`, `iss` and `aud` must be there, and `sub` for a user. `nbf` is checked where it is there:
Supabase Auth does not write it, so requiring it would lock every user out; `iat` must not be in the future
either.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import jwt
import structlog
from jwt.exceptions import InvalidSubjectError

from orchestrator.auth import jwks
from orchestrator.auth.caller import SERVICE, Caller
from orchestrator.auth.jwks import KeySet
from orchestrator.tokens import ALGORITHM as HS256
from orchestrator.tokens import AUDIENCE
from servicekit.errors import PermissionDenied, RookifyError, Unauthenticated

log = structlog.get_logger()

LEGACY_API_KEY_ISSUER = "supabase"
_LEEWAY_SECONDS = 30  # clocks of two well-kept machines differ by less
# What Supabase Auth writes has one to two kilobytes; custom claims may make it more. Above this, no parsing.
MAX_TOKEN_CHARACTERS = 8192
# Headers that change what a signature means or where its key comes from.
_REFUSED_HEADERS = frozenset({"crit", "b64", "zip", "jwk", "jku", "x5c", "x5u"})
_TYPES = frozenset({"jwt", "at+jwt"})


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are trusted, how they are signed, what they must claim, and what they may."""

    name: str
    secret: str | None = field(default=None, repr=False)
    keys: KeySet | None = None
    required: Sequence[str] = ("exp", "iat", "iss", "aud")
    roles: Sequence[str] = ("authenticated", "service_role")

    async def key(self, header: Mapping[str, Any]) -> tuple[str | jwt.PyJWK, str]:
        """The key for a token's header, and the one algorithm that goes with it. Raises Unauthenticated."""
        algorithm = header.get("alg")
        if algorithm == HS256 and self.secret is not None:
            return self.secret, HS256
        if algorithm in jwks.ALGORITHMS and self.keys is not None:
            kid = header.get("kid")
            key = await self.keys.key(kid) if kid else None
            if key is None:
                raise _invalid("it is signed with a key that its issuer does not publish")
            return key, key.algorithm_name
        raise _invalid("its algorithm is not one that its issuer signs with here")


class TokenVerifier:
    """`verify` says who calls. `service_key` is a secret that is the service's by itself, JWT or not."""

    def __init__(self, issuers: Sequence[Issuer], service_key: str | None = None) -> None:
        self._issuers = {issuer.name: issuer for issuer in issuers}
        self._service_key = _digest(service_key) if service_key else None

    async def verify(self, token: str) -> Caller:
        """Raises Unauthenticated, PermissionDenied or Unavailable; no message quotes the token."""
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise _invalid(f"it has more than {MAX_TOKEN_CHARACTERS} characters")
        if not token.isascii():
            raise _invalid("it is no token, or its signature is wrong")
        if self._service_key and hmac.compare_digest(_digest(token), self._service_key):
            return SERVICE
        try:
            issuer, claims = await self._claims(token)
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("the token has expired; get a new one", reason="TOKEN_EXPIRED") from error
        except jwt.PyJWTError as error:
            raise _invalid(_REASONS.get(type(error), "it is no token, or its signature is wrong")) from error
        return _caller(claims, issuer.roles)

    async def run(self) -> None:
        """Keeps the signers' keys fresh; returns where there are none to keep."""
        async with asyncio.TaskGroup() as tasks:
            for issuer in self._issuers.values():
                if issuer.keys:
                    tasks.create_task(issuer.keys.run(), name=f"signing keys of {issuer.name}")

    async def aclose(self) -> None:
        for issuer in self._issuers.values():
            if issuer.keys:
                await issuer.keys.aclose()

    async def _claims(self, token: str) -> tuple[Issuer, dict[str, Any]]:
        unverified = jwt.decode_complete(token, options={"verify_signature": False})
        header, name = unverified["header"], unverified["payload"].get("iss")
        if _REFUSED_HEADERS & header.keys():
            raise _invalid("its header asks for what is not supported")
        if str(header.get("typ", "JWT")).lower() not in _TYPES:
            raise _invalid("it is of a type that is no access token")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None:
            raise _invalid("its issuer is not one that is trusted here")
        key, algorithm = await issuer.key(header)
        return issuer, jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=AUDIENCE if "aud" in issuer.required else None,
            issuer=issuer.name,
            leeway=_LEEWAY_SECONDS,
            options={
                "require": list(issuer.required),
                "verify_aud": "aud" in issuer.required,
            },
        )


def _caller(claims: Mapping[str, Any], roles: Sequence[str]) -> Caller:
    role = claims.get("role")
    if role not in roles:
        raise PermissionDenied("the token's role may not call this service", reason="ROLE_NOT_ALLOWED")
    is_service = role == "service_role"
    if "sub" not in claims and is_service:
        return SERVICE
    try:
        return Caller(UUID(claims["sub"]), is_service)
    except (KeyError, ValueError) as error:
        raise _invalid("its subject is not a user's id") from error


_REASONS: Mapping[type[Exception], str] = {
    jwt.MissingRequiredClaimError: "a claim is missing: exp, iat, iss and aud are needed",
    jwt.InvalidAudienceError: f'its audience is not "{AUDIENCE}"',
    jwt.ImmatureSignatureError: "it is from the future; compare the clocks",
    InvalidSubjectError: "its subject is not a user's id",
}


def _invalid(why: str) -> RookifyError:
    return Unauthenticated(f"the token is not valid here: {why}", reason="TOKEN_INVALID")


def _digest(text: str) -> bytes:
    """Of one length for every text, so that comparing tells nothing about either."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()
