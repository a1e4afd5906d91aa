"""TLS by files: what a server shows, what a client trusts and shows, read again when the files change.

Certificates are rotated under running services. A server looks at its files at every new connection, a client
reads its own for every one that it makes; connections that stand go on as they are.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import structlog

from servicekit.certificates import read_ca, read_identity
from servicekit.errors import ConfigurationError
from servicekit.plaintext import refuse_plaintext

log = structlog.get_logger()

_REMIND_SECONDS = 24 * 3600.0  # of a certificate that comes to its end

Stamp = tuple[tuple[int, int, int], ...]
Options = Sequence[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class ServerSecurity:
    """How a server is reached: by TLS where it has a certificate, else in the clear.

    With `client_ca` clients must show a certificate of that CA. In the clear it listens on loopback only,
    unless `allow_plaintext`. `prefix` names the settings that it is from, for errors.

    Raises ConfigurationError.
    """

    prefix: str = "ROOKIFY_TLS"
    cert: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    allow_plaintext: bool = False

    def __post_init__(self) -> None:
        _both_or_none(f"{self.prefix}_CERT", self.cert, f"{self.prefix}_KEY", self.key)
        if self.client_ca and not self.cert:
            raise ConfigurationError(
                f"{self.prefix}_CLIENT_CA needs {self.prefix}_CERT and {self.prefix}_KEY"
            )

    def credentials(self, listen: str) -> grpc.ServerCredentials | None:
        """For the address host:port; they follow the files. None: in the clear.

        Raises ConfigurationError where the files are no good, or the address must not be without TLS.
        """
        if not (self.cert and self.key):
            refuse_plaintext(
                f"the listen address {listen}",
                listen.rpartition(":")[0],
                allowed=self.allow_plaintext,
                instead=f"set {self.prefix}_CERT and {self.prefix}_KEY",
            )
            return None
        files = _ServerFiles(self.cert, self.key, self.client_ca)
        try:
            first = files.load()
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.prefix}_…: {error.message}") from error
        return grpc.dynamic_ssl_server_credentials(
            first,
            files.changed,  # type: ignore[arg-type]  # None is "no change", whatever the stubs say
            self.client_ca is not None,
        )

    def towards_itself(self, cert: Path | None, key: Path | None) -> ClientSecurity:
        """How its own machine calls it: it knows the certificate, and so trusts that one and no other.

        Where clients must show a certificate, it shows `cert`, or without one its own, which is as good where
        one CA signs for both sides. Raises ConfigurationError.
        """
        if not (self.cert and self.key):
            return ClientSecurity(self.prefix, allow_plaintext=True)
        identity = read_identity(self.cert, self.key)
        if not identity.names:
            raise ConfigurationError(f"{self.prefix}_CERT: {self.cert} is for no name (subjectAltName)")
        if self.client_ca and not cert:
            cert, key = self.cert, self.key
        name = identity.names[0].replace("*", "health")
        return ClientSecurity(self.prefix, ca=self.cert, cert=cert, key=key, name=name)


@dataclass(frozen=True, slots=True)
class ClientSecurity:
    """How a client reaches its server: by TLS where anything of it is set, else in the clear.

    It trusts `ca` (none: the CAs of the system), shows `cert`, and wants the server's certificate to be for
    `name` (empty: for the name that the server is called by). In the clear it calls loopback only, unless
    `allow_plaintext`. `prefix` names the settings that it is from, for errors. Raises ConfigurationError.
    """

    prefix: str = "ROOKIFY_TLS"
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    name: str = ""
    allow_plaintext: bool = False

    def __post_init__(self) -> None:
        _both_or_none(f"{self.prefix}_CLIENT_CERT", self.cert, f"{self.prefix}_CLIENT_KEY", self.key)

    @property
    def tls(self) -> bool:
        return bool(self.ca or self.cert or self.name)

    def check(self, what: str, host: str) -> None:
        """Raises ConfigurationError where the host must not be called in the clear."""
        if not self.tls:
            refuse_plaintext(what, host, allowed=self.allow_plaintext, instead=f"set {self.prefix}_CA")

    def credentials(self) -> grpc.ChannelCredentials:
        """For TLS, as the files are now: reads them, so not on the event loop. Raises ConfigurationError."""
        try:
            identity = read_identity(self.cert, self.key) if self.cert and self.key else None
            ca = read_ca(self.ca) if self.ca else None
        except ConfigurationError as error:
            raise ConfigurationError(f"{self.prefix}_…: {error.message}") from error
        if identity:
            identity.warn_of_its_end()
        return grpc.ssl_channel_credentials(
            ca, identity.key if identity else None, identity.chain if identity else None
        )

    async def channel(self, address: str, host: str, options: Options) -> grpc.aio.Channel:
        """A new one to host:port, `host` being the server's name. Raises ConfigurationError."""
        if not self.tls:
            return grpc.aio.insecure_channel(address, options=options)
        credentials = await asyncio.to_thread(self.credentials)
        return grpc.aio.secure_channel(address, credentials, options=(*options, *self.name_options(host)))

    def name_options(self, host: str = "") -> Options:
        """Channel options that say whose certificate it must be, where not that of the address."""
        name = self.name or host
        return (("grpc.ssl_target_name_override", name),) if name else ()


def _both_or_none(one: str, first: Path | None, other: str, second: Path | None) -> None:
    if bool(first) != bool(second):
        raise ConfigurationError(f"{one} and {other} go together: set both, or neither")


class _ServerFiles:
    """A server's files. `changed` is called by threads of gRPC's own, and so must not touch the loop."""

    def __init__(self, cert: Path, key: Path, client_ca: Path | None) -> None:
        self._cert, self._key, self._client_ca = cert, key, client_ca
        self._lock = threading.Lock()
        self._stamp: Stamp = ()
        self._remind_at = 0.0

    def load(self) -> grpc.ServerCertificateConfiguration:
        """Raises ConfigurationError."""
        self._stamp = self._look()
        identity = read_identity(self._cert, self._key)
        client_ca = read_ca(self._client_ca) if self._client_ca else None
        self._identity = identity
        self._remind()
        return grpc.ssl_server_certificate_configuration([(identity.key, identity.chain)], client_ca)

    def changed(self) -> grpc.ServerCertificateConfiguration | None:
        """What a connection that comes now is to be shown; None: what the last one was.

        While the files cannot be used (a key that is still to be written), that is the last that could.
        """
        with self._lock:
            if time.monotonic() >= self._remind_at:
                self._remind()
            if self._look() == self._stamp:
                return None
            try:
                made = self.load()
            except ConfigurationError as error:
                log.warning("TLS files have changed and cannot be used; the former stay", error=error.message)
                return None
            log.info(
                "TLS certificate reloaded",
                file=str(self._identity.path),
                not_after=self._identity.not_after.isoformat(),
            )
            return made

    def _remind(self) -> None:
        self._identity.warn_of_its_end()
        self._remind_at = time.monotonic() + _REMIND_SECONDS

    def _look(self) -> Stamp:
        """What changes with the files' content; a file that is not there counts as one more content."""
        stamp = []
        for path in (self._cert, self._key, self._client_ca):
            try:
                found = path.stat() if path else None
            except OSError:
                found = None
            stamp.append((found.st_ino, found.st_mtime_ns, found.st_size) if found else (0, 0, 0))
        return tuple(stamp)


# What gRPC says of a connection that came to nothing, and what it means to who set it up.
_CAUSES = (
    ("certificate has expired", "the server's certificate has expired"),
    ("certificate is not yet valid", "the server's certificate is not valid yet; compare the clocks"),
    ("Hostname Verification Check failed", "the server's certificate is for another name"),
    ("CERTIFICATE_VERIFY_FAILED", "the server's certificate is signed by no CA that is trusted here"),
    ("WRONG_VERSION_NUMBER", "the server does not speak TLS"),
    ("handshake failed", "the TLS handshake failed"),
)
_CLOSED = ("Socket closed", "Connection reset by peer")


def handshake_trouble(details: str, *, tls: bool) -> str:
    """Why a connection could not be set up, from the details of an UNAVAILABLE; empty: not for TLS's sake.

    A server that refuses a client's certificate, or plaintext, just hangs up: its own log says why.
    """
    if not details.startswith("failed to connect"):
        return ""
    for said, cause in _CAUSES:
        if said.lower() in details.lower():
            return cause
    if any(said in details for said in _CLOSED):
        return (
            "the server hung up at once: does it want a client certificate of another CA?"
            if tls
            else "the server hung up at once: does it want TLS?"
        )
    return ""
