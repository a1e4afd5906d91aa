"""The data folder's own secrets: made once, read by their owner alone, never in an argument or a log."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from cryptography.fernet import Fernet

from orchestrator.local.folder import folder_error
from servicekit.errors import ConfigurationError

_SIGNING_SECRET = "jwt.secret"  # noqa: S105  a file's name
_TOKEN_KEY = "token.key"  # noqa: S105  likewise
_LEAST_CHARACTERS = 32  # HS256 wants at least the 32 bytes of its hash (RFC 7518, 3.2)


def signing_secret(data_dir: Path, *, create: bool = True) -> str:
    """The HS256 secret that tokens are signed with: 48 random bytes as base64.

    With `create=False` a missing one raises ConfigurationError: a new secret would fit no server.
    """
    return _load(data_dir, _SIGNING_SECRET, (lambda: secrets.token_urlsafe(48)) if create else None)


def token_key(data_dir: Path) -> str:
    """The Fernet key under which lichess tokens are kept."""
    return _load(data_dir, _TOKEN_KEY, lambda: Fernet.generate_key().decode())


def _load(data_dir: Path, name: str, make: Callable[[], str] | None) -> str:
    path = data_dir / name
    try:
        if not path.exists():
            if make is None:
                raise ConfigurationError(
                    f"there is no {path}: `rookify up` makes it. Has it run with this data folder? "
                    "--data or ROOKIFY_DATA names another, ROOKIFY_JWT_SECRET gives the secret itself",
                    reason="NO_SECRET",
                )
            _create(path, make())
        mode = path.stat().st_mode
        value = path.read_text().strip()
    except OSError as error:
        raise folder_error(data_dir, error) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigurationError(
            f"{path} is open to others than its owner, and whoever has read it can sign tokens: remove it, "
            "and a new one is made, or close it by `chmod 600` if nobody has",
            reason="SECRET_OPEN",
        )
    if len(value) < _LEAST_CHARACTERS:
        raise ConfigurationError(
            f"{path} holds fewer than {_LEAST_CHARACTERS} characters: remove it, and a new one is made",
            reason="SECRET_SHORT",
        )
    return value


def _create(path: Path, value: str) -> None:
    """Whole or not at all, and never twice: of several processes at once, one wins and all read the same."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")  # 0600
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "w") as stream:
            stream.write(f"{value}\n")
            stream.flush()
            os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(partial)
    finally:
        partial.unlink()
