"""Who signs tokens in tests: a Supabase project's keys, its tokens, and its JWK set on a real HTTP server."""

from __future__ import annotations

import json
import time
from functools import cache
from typing import Any
from uuid import UUID

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from tests.support.platforms.faults import Answer, json_answer
from tests.support.platforms.server import LocalPlatform

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PATH = ".well-known/jwks.json"


@cache
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    """The same key for the same name."""
    return ec.generate_private_key(ec.SECP256R1())


@cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, bits)


def jwk(key: PrivateKey, kid: str, /, **changes: Any) -> dict[str, Any]:
    """The public half, as Supabase publishes it; a change to None leaves the field out."""
    kind: Any = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else RSAAlgorithm
    public = json.loads(kind.to_jwk(key.public_key()))
    algorithm = "ES256" if kind is ECAlgorithm else "RS256"
    fields = {**public, "kid": kid, "alg": algorithm, "use": "sig", "key_ops": ["verify"], "ext": True}
    return {name: value for name, value in (fields | changes).items() if value is not None}


class SigningServer(LocalPlatform):
    """Serves `keys` as the JWK set; `url` is the project's auth API, and so the issuer of its tokens."""

    prefix = "/auth/v1"

    def __init__(self, *keys: dict[str, Any]) -> None:
        super().__init__()
        self.keys = list(keys)

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/{PATH}"

    async def answer(self, request: web.Request, parts: list[str], overlapped: bool) -> Answer:
        assert parts == PATH.split("/")
        return json_answer(200, {"keys": self.keys})


def claims(issuer: str, user_id: UUID | str, **changes: Any) -> dict[str, Any]:
    """What Supabase Auth writes for a signed-in user; a change to None leaves the claim out."""
    now = int(time.time())
    fields = {
        "iss": issuer,
        "sub": str(user_id),
        "aud": "authenticated",
        "exp": now + 3600,
        "iat": now,
        "email": "player@example.org",
        "phone": "",
        "app_metadata": {"provider": "email", "providers": ["email"]},
        "user_metadata": {},
        "role": "authenticated",
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": now}],
        "session_id": "9c1c6d8e-2b1f-4a6e-8a54-0e7a0c6f6b11",
        "is_anonymous": False,
    }
    return {name: value for name, value in (fields | changes).items() if value is not None}


def sign(payload: dict[str, Any], key: PrivateKey | str, kid: str | None = None, **headers: Any) -> str:
    """ES256, RS256 or HS256, by the key."""
    algorithm = {True: "HS256", False: "RS256"}[isinstance(key, str)]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        algorithm = "ES256"
    named = {"kid": kid} if kid is not None else {}
    return jwt.encode(payload, key, algorithm, headers={**named, **headers})
