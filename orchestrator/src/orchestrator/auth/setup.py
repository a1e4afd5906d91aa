"""Whom the settings trust."""

from __future__ import annotations

import httpx

from orchestrator.auth.jwks import KeySet
from orchestrator.auth.verifier import LEGACY_API_KEY_ISSUER, Issuer, TokenVerifier
from orchestrator.settings import Settings
from orchestrator.tokens import ISSUER, check_service_key
from servicekit.errors import ConfigurationError
from servicekit.plaintext import refuse_plaintext_url

_LEAST_CHARACTERS = 32  # HS256 wants at least the 32 bytes of its hash (RFC 7518, 3.2)


def token_verifier(settings: Settings) -> TokenVerifier:
    """Raises ConfigurationError where nobody would be trusted, or somebody could be by mistake."""
    issuers = []
    if settings.jwt_secret:
        issuers.append(
            Issuer(ISSUER, secret=_secret("ROOKIFY_JWT_SECRET", settings.jwt_secret.get_secret_value()))
        )
    issuers += _supabase(settings)
    if not issuers:
        raise ConfigurationError(
            "no caller can be told from another: set SUPABASE_URL, whose users' tokens are trusted then, or "
            "ROOKIFY_JWT_SECRET, which `rookify token` signs with"
        )
    if settings.supabase_service_role_key is None:
        return TokenVerifier(issuers)
    key = settings.supabase_service_role_key.get_secret_value()
    check_service_key(key)
    return TokenVerifier(issuers, key)


def _supabase(settings: Settings) -> list[Issuer]:
    auth = f"{settings.supabase_url.rstrip('/')}/auth/v1" if settings.supabase_url else ""
    name = settings.supabase_jwt_issuer or auth
    url = settings.supabase_jwks_url or (f"{auth}/.well-known/jwks.json" if auth else "")
    legacy = settings.supabase_jwt_secret
    if not (url or legacy):
        return []
    if not name:
        raise ConfigurationError(
            "SUPABASE_URL is not set, so nobody knows who issues the tokens: set it, or SUPABASE_JWT_ISSUER"
        )
    secret = _secret("SUPABASE_JWT_SECRET", legacy.get_secret_value()) if legacy else None
    issuers = [Issuer(name, secret=secret, keys=KeySet(_checked(url, settings)) if url else None)]
    if secret:
        required = ("exp", "iat", "iss")
        issuers.append(
            Issuer(LEGACY_API_KEY_ISSUER, secret=secret, required=required, roles=("service_role",))
        )
    return issuers


def _secret(variable: str, secret: str) -> str:
    if len(secret) < _LEAST_CHARACTERS:
        raise ConfigurationError(
            f"{variable} has fewer than {_LEAST_CHARACTERS} characters: whoever guesses it can sign tokens"
        )
    return secret


def _checked(url: str, settings: Settings) -> str:
    """Whoever can change what is read from there can sign tokens."""
    variable = "SUPABASE_JWKS_URL" if settings.supabase_jwks_url else "SUPABASE_URL"
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in ("https", "http") or not parsed.host:
        raise ConfigurationError(f"{variable} is no URL such as https://PROJECT.supabase.co")
    refuse_plaintext_url(variable, url, allowed=settings.allow_plaintext)
    return url
