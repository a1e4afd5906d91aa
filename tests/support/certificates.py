"""A certificate authority for tests, and what it signs, as files."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, PEM."""

    cert: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """NAME.pem and NAME.key, replaced as tools that rotate certificates do: each at once."""
        paths = (folder / f"{name}.pem", folder / f"{name}.key")
        for path, content in zip(paths, (self.cert, self.key), strict=True):
            replace(path, content)
        return paths


def replace(path: Path, content: bytes) -> Path:
    partial = path.with_suffix(".partial")
    partial.write_bytes(content)
    return partial.rename(path)


class Authority:
    """Signs certificates for `names`, DNS names or addresses."""

    def __init__(self, name: str = "tests") -> None:
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.pem = self._sign(name, self._key.public_key(), (), True, -2 * DAY, 365 * DAY)

    def write(self, folder: Path) -> Path:
        return replace(folder / f"{self._name}.ca.pem", self.pem)

    def make(
        self, *names: str, starts: timedelta = -2 * DAY, ends: timedelta = 90 * DAY, subject: str = "test"
    ) -> Pair:
        """`starts` and `ends` from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        cert = self._sign(subject, key.public_key(), names, False, starts, ends)
        return Pair(cert, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def _sign(
        self,
        subject: str,
        key: ec.EllipticCurvePublicKey,
        names: tuple[str, ...],
        ca: bool,
        starts: timedelta,
        ends: timedelta,
    ) -> bytes:
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name(self._name))
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + starts)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            made = made.add_extension(
                x509.SubjectAlternativeName([_san(name) for name in names]), critical=False
            )
        return made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _san(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
