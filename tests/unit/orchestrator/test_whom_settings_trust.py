"""Which settings make whose tokens good, and which are refused."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from orchestrator.auth.caller import SERVICE
from orchestrator.auth.setup import token_verifier
from orchestrator.settings import Settings
from servicekit.errors import ConfigurationError

SECRET = "a secret of at least thirty-two bytes"
PROJECT = "https://abcdefghijklmnopqrst.supabase.co"


DATABASE = "postgresql://authenticator@db.example/postgres"


def legacy(role: str) -> str:
    return jwt.encode({"role": role, "iss": "supabase"}, SECRET, algorithm="HS256")


def trusted(**fields: Any) -> dict[str, tuple[bool, str]]:
    """By issuer: whether HS256 is taken, and where the public keys are."""
    verifier = token_verifier(Settings(_env_file=None, **fields))  # type: ignore[call-arg]
    return {
        issuer.name: (issuer.secret is not None, issuer.keys._url if issuer.keys else "")
        for issuer in verifier._issuers.values()
    }


JWKS = f"{PROJECT}/auth/v1/.well-known/jwks.json"


@pytest.mark.parametrize(
    ("fields", "issuers"),
    [
        ({"jwt_secret": SECRET}, {"rookify": (True, "")}),
        ({"SUPABASE_URL": PROJECT}, {f"{PROJECT}/auth/v1": (False, JWKS)}),
        ({"SUPABASE_URL": f"{PROJECT}/"}, {f"{PROJECT}/auth/v1": (False, JWKS)}),
        (
            {"SUPABASE_URL": PROJECT, "SUPABASE_JWT_SECRET": SECRET},
            {f"{PROJECT}/auth/v1": (True, JWKS), "supabase": (True, "")},
        ),
        (
            {"SUPABASE_URL": PROJECT, "SUPABASE_JWT_ISSUER": "https://id.example.org/auth/v1"},
            {"https://id.example.org/auth/v1": (False, JWKS)},
        ),
        (
            {"SUPABASE_JWKS_URL": "http://127.0.0.1:54321/keys", "SUPABASE_JWT_ISSUER": "local"},
            {"local": (False, "http://127.0.0.1:54321/keys")},
        ),
        (
            {"SUPABASE_URL": "http://kong:8000", "allow_plaintext": True},
            {"http://kong:8000/auth/v1": (False, "http://kong:8000/auth/v1/.well-known/jwks.json")},
        ),
        (
            {"SUPABASE_URL": PROJECT, "jwt_secret": SECRET},
            {"rookify": (True, ""), f"{PROJECT}/auth/v1": (False, JWKS)},
        ),
    ],
)
def test_whom(fields: dict[str, Any], issuers: dict[str, tuple[bool, str]]) -> None:
    assert trusted(**fields) == issuers


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "set SUPABASE_URL, .* or ROOKIFY_JWT_SECRET"),
        ({"SUPABASE_SERVICE_ROLE_KEY": "sb_secret_x"}, "set SUPABASE_URL"),
        ({"jwt_secret": "s3cret"}, "ROOKIFY_JWT_SECRET has fewer than 32 characters"),
        ({"SUPABASE_URL": PROJECT, "SUPABASE_JWT_SECRET": "s3cret"}, "SUPABASE_JWT_SECRET has fewer than 32"),
        ({"SUPABASE_JWT_SECRET": SECRET}, "SUPABASE_URL is not set, .* or SUPABASE_JWT_ISSUER"),
        ({"SUPABASE_JWKS_URL": JWKS}, "SUPABASE_URL is not set"),
        ({"SUPABASE_URL": "abcdefghijklmnopqrst"}, "SUPABASE_URL is no URL such as https://"),
        ({"SUPABASE_URL": "ftp://example.org"}, "SUPABASE_URL is no URL"),
        ({"SUPABASE_URL": "https://"}, "SUPABASE_URL is no URL"),
        ({"SUPABASE_URL": "https://[::1"}, "SUPABASE_URL is no URL"),
        ({"SUPABASE_URL": PROJECT, "SUPABASE_JWKS_URL": "file:///etc/passwd"}, "SUPABASE_JWKS_URL is no URL"),
        ({"SUPABASE_URL": "http://kong:8000"}, "SUPABASE_URL: kong is not on this machine.*ALLOW_PLAINTEXT"),
    ],
)
def test_what_is_refused_names_the_variable_and_no_secret(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as refused:
        trusted(**fields)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("database", [None, DATABASE])
@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("sb_publishable_cJ3gX0uWm5N8rT2yQ7vB1z", "a key of the role anon"),
        (legacy("anon"), "a key of the role anon"),
        (legacy("authenticated"), "a key of the role authenticated"),
        ("hush-hush", "neither a secret key nor a JWT"),
        ("sb_secret_hush hush", "holds a space"),
    ],
)
def test_a_key_that_visitors_have_is_not_the_services(database: str | None, key: str, told: str) -> None:
    """Whoever shows the key is the service, so a pasted anon key would make everybody an administrator."""
    with pytest.raises(ConfigurationError, match=f"SUPABASE_SERVICE_ROLE_KEY .*{told}") as refused:
        trusted(DATABASE_URL=database, SUPABASE_URL=PROJECT, SUPABASE_SERVICE_ROLE_KEY=key)
    assert key not in str(refused.value)


@pytest.mark.parametrize("key", ["sb_secret_cJ3gX0uWm5N8rT2yQ7vB1z", legacy("service_role")])
async def test_a_service_key_is_the_services(key: str) -> None:
    settings: dict[str, Any] = {"DATABASE_URL": DATABASE, "SUPABASE_URL": PROJECT}
    settings["SUPABASE_SERVICE_ROLE_KEY"] = key
    verifier = token_verifier(Settings(_env_file=None, **settings))  # type: ignore[call-arg]
    assert await verifier.verify(key) == SERVICE
    await verifier.aclose()
