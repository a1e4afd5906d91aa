"""lichess tokens at rest: Fernet (AES-128-CBC with HMAC-SHA256), so that a sync can go on after a restart."""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from servicekit.errors import ConfigurationError, FailedPrecondition

_KEY_CHARACTERS = 44  # 32 bytes as base64; what follows these is overlooked by its decoder, a second key too


class TokenCipher:
    """Without a key it refuses tokens instead of keeping them in the clear."""

    def __init__(self, keys: str | None) -> None:
        """`keys` as `Fernet.generate_key` makes them, separated by commas. The first encrypts, all decrypt.

        So a new key is put in front, on every replica, and the old one taken out when no sync of before is
        active any more. Raises ConfigurationError.
        """
        given = [key.strip() for key in (keys or "").split(",") if key.strip()]
        try:
            self._fernet = MultiFernet([_fernet(key) for key in given]) if given else None
        except ValueError:  # whose message may quote the key
            raise ConfigurationError(
                "ROOKIFY_TOKEN_KEY is not a Fernet key (32 random bytes, url-safe base64), nor several"
            ) from None

    def encrypt(self, token: str) -> str:
        if self._fernet is None:
            raise FailedPrecondition(
                "lichess_token: this server keeps no tokens; set ROOKIFY_TOKEN_KEY, or sync without one",
                reason="NO_TOKEN_KEY",
            )
        return self._fernet.encrypt(token.encode()).decode()

    def decrypt(self, encrypted: str) -> str:
        """Raises FailedPrecondition where none of the keys is the one that it was encrypted with."""
        try:
            if self._fernet is not None:
                return self._fernet.decrypt(encrypted).decode()
        except InvalidToken:
            pass
        raise FailedPrecondition(
            "The lichess token of this sync cannot be read any more. Please start it again.",
            reason="TOKEN_UNREADABLE",
        )


def _fernet(key: str) -> Fernet:
    """Raises ValueError."""
    if len(key) != _KEY_CHARACTERS:
        raise ValueError("of another length")
    return Fernet(key)
