"""lichess tokens at rest: Fernet (AES-128-CBC with HMAC-SHA256), so that a sync can go on after a restart."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken

from servicekit.errors import ConfigurationError, FailedPrecondition


class TokenCipher:
    """Without a key it refuses tokens instead of keeping them in the clear."""

    def __init__(self, key: str | None) -> None:
        """`key` as `Fernet.generate_key` makes it. Raises ConfigurationError."""
        try:
            self._fernet = Fernet(key) if key else None
        except ValueError as error:
            raise ConfigurationError(
                "ROOKIFY_TOKEN_KEY is not a Fernet key: 32 random bytes, url-safe base64"
            ) from error

    def encrypt(self, token: str) -> str:
        if self._fernet is None:
            raise FailedPrecondition(
                "lichess_token: this server keeps no tokens; set ROOKIFY_TOKEN_KEY, or sync without one",
                reason="NO_TOKEN_KEY",
            )
        return self._fernet.encrypt(token.encode()).decode()

    def decrypt(self, encrypted: str) -> str:
        """Raises FailedPrecondition where the key is another than the one it was encrypted with."""
        try:
            if self._fernet is not None:
                return self._fernet.decrypt(encrypted).decode()
        except InvalidToken:
            pass
        raise FailedPrecondition(
            "The lichess token of this sync cannot be read any more. Please start it again.",
            reason="TOKEN_UNREADABLE",
        )
