"""Certificates and keys in files: read, and looked at before anybody relies on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from servicekit.errors import ConfigurationError

log = structlog.get_logger()

# Certificates are renewed with a third of their life to go, weeks for most: such a one was forgotten.
EXPIRES_SOON = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Identity:
    """A certificate with what leads to its CA, and its private key, both PEM; who it is for, until when."""

    path: Path
    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)
    names: tuple[str, ...]
    not_after: datetime

    def warn_of_its_end(self) -> None:
        """Says in the log that it has expired, or will soon."""
        left = self.not_after - datetime.now(UTC)
        facts = {"file": str(self.path), "not_after": self.not_after.isoformat()}
        if left < timedelta(0):
            log.error("TLS certificate has expired", **facts)
        elif left < EXPIRES_SOON:
            log.warning("TLS certificate expires soon", **facts)


def read_identity(cert: Path, key: Path) -> Identity:
    """Raises ConfigurationError where the files cannot be read, or do not belong together."""
    chain, secret = _read(cert), _read(key)
    try:
        leaf = x509.load_pem_x509_certificates(chain)[0]
    except ValueError as error:
        raise ConfigurationError(f"{cert} holds no certificate (PEM, the service's own first)") from error
    try:
        private = load_pem_private_key(secret, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: it has a passphrase
        raise ConfigurationError(f"{key} holds no private key (PEM, without a passphrase)") from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise ConfigurationError(f"{key} is not the key of the certificate in {cert}")
    return Identity(cert, chain, secret, tuple(_names(leaf)), leaf.not_valid_after_utc)


def read_ca(path: Path) -> bytes:
    """Raises ConfigurationError where the file holds no certificates."""
    content = _read(path)
    try:
        x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise ConfigurationError(f"{path} holds no certificates of a CA (PEM)") from error
    return content


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}") from error


def _names(leaf: x509.Certificate) -> Iterator[str]:
    """Host names and addresses that the certificate is for."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    yield from names.get_values_for_type(x509.DNSName)
    yield from map(str, names.get_values_for_type(x509.IPAddress))
