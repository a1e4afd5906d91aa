"""Envoy's configuration and the contracts' descriptors, as the two files that it reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from ipaddress import ip_address
from pathlib import Path, PurePosixPath
from string import Template

from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import error_details_pb2, status_pb2

from orchestrator.settings import Settings
from rookify.compat.v1 import compat_pb2
from rookify.sync.v1 import sync_pb2
from servicekit.address import host_port
from servicekit.errors import ConfigurationError
from servicekit.tls import ClientSecurity

CONFIG_FILE = "envoy.yaml"
DESCRIPTOR_FILE = "rookify.binpb"
DEFAULT_ADMIN_PORT = 9901
_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"


@dataclass(frozen=True, slots=True)
class Gateway:
    """What of the configuration differs from place to place.

    `listen` and `upstreams` are host:port; an upstream's name stands for all its addresses. `rate` is
    requests a second for each client address, of which `burst` may come at once. `trusted_hops`: proxies in
    front whose X-Forwarded-For is believed. `folder`: where Envoy finds the files. `security`: how it reaches
    the orchestrators; it reads those files when it starts, and not again.
    """

    listen: str
    upstreams: Sequence[str]
    folder: PurePosixPath
    admin_port: int
    cors_origins: Sequence[str]
    rate: int
    burst: int
    trusted_hops: int
    security: ClientSecurity


def from_settings(
    settings: Settings,
    listen: str,
    upstreams: Sequence[str],
    folder: PurePosixPath,
    admin_port: int,
    security: ClientSecurity | None = None,
) -> Gateway:
    """What the settings say of it, for the place where it is to run."""
    return Gateway(
        listen=listen,
        upstreams=upstreams,
        cors_origins=[origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()],
        rate=settings.gateway_rate,
        burst=settings.gateway_burst,
        trusted_hops=settings.gateway_trusted_hops,
        admin_port=admin_port,
        folder=folder,
        security=security or ClientSecurity(allow_plaintext=True),
    )


def write(gateway: Gateway, folder: Path) -> Path:
    """Writes both files into the folder; the configuration's path. Raises ConfigurationError."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DESCRIPTOR_FILE).write_bytes(descriptors())
    path = folder / CONFIG_FILE
    path.write_text(render(gateway), encoding="utf-8")
    return path


def render(gateway: Gateway) -> str:
    """The configuration, YAML. Raises ConfigurationError for an address that is none."""
    template = resources.files(__package__).joinpath(CONFIG_FILE).read_text(encoding="utf-8")
    host, port = host_port(gateway.listen, "gateway address", example="127.0.0.1:8080")
    upstreams = [
        host_port(upstream, "orchestrator", example="orchestrator:50051") for upstream in gateway.upstreams
    ]
    # JSON is YAML: quoted as it must be.
    values = {
        "listen_host": json.dumps(host),
        "listen_port": str(port),
        "admin_port": str(gateway.admin_port),
        "trusted_hops": str(gateway.trusted_hops),
        "rate": str(gateway.rate),
        "burst": str(gateway.burst),
        "cors_origins": json.dumps([_origin(origin) for origin in gateway.cors_origins]),
        "descriptor": json.dumps(str(gateway.folder / DESCRIPTOR_FILE)),
        "services": json.dumps([service.full_name for service in _services()]),
        "upstreams": json.dumps([_endpoint(*upstream) for upstream in upstreams]),
        "transport_socket": json.dumps(_transport_socket(gateway.security, [host for host, _ in upstreams])),
    }
    return Template(template).substitute(values)


def descriptors() -> bytes:
    """A FileDescriptorSet: the contracts, what they import, and the details that errors may carry."""
    found = FileDescriptorSet()
    seen: set[str] = set()

    def add(files: Iterable[FileDescriptor]) -> None:
        for file in files:
            if file.name not in seen:
                seen.add(file.name)
                add(file.dependencies)
                file.CopyToProto(found.file.add())

    add((sync_pb2.DESCRIPTOR, compat_pb2.DESCRIPTOR, status_pb2.DESCRIPTOR, error_details_pb2.DESCRIPTOR))
    return found.SerializeToString(deterministic=True)


def _services() -> list[ServiceDescriptor]:
    return [
        service
        for file in (sync_pb2.DESCRIPTOR, compat_pb2.DESCRIPTOR)
        for service in file.services_by_name.values()
    ]


def _origin(origin: str) -> dict[str, object]:
    if origin == "*":
        return {"safe_regex": {"regex": ".*"}}
    if not re.fullmatch(r"https?://[^/]+", origin):
        raise ConfigurationError(
            f"ROOKIFY_CORS_ORIGINS: {origin!r} is no origin; write it as https://app.example.com",
            reason="BAD_ORIGIN",
        )
    return {"exact": origin}


def _transport_socket(security: ClientSecurity, hosts: Sequence[str]) -> dict[str, object] | None:
    """TLS as the security says; None: in the clear."""
    if not security.tls:
        return None
    names = [security.name] if security.name else hosts
    validation: dict[str, object] = {
        "match_typed_subject_alt_names": [
            {"san_type": "IP_ADDRESS" if _is_address(name) else "DNS", "matcher": {"exact": name}}
            for name in names
        ]
    }
    validation |= {"trusted_ca": _file(security.ca)} if security.ca else {"system_root_certs": {}}
    common: dict[str, object] = {"alpn_protocols": ["h2"], "validation_context": validation}
    if security.cert and security.key:
        shown = {"certificate_chain": _file(security.cert), "private_key": _file(security.key)}
        common["tls_certificates"] = [shown]
    context: dict[str, object] = {"@type": _TLS, "common_tls_context": common}
    # A host that is an address goes without: SNI is for names.
    context |= {"sni": security.name} if security.name else {"auto_host_sni": True}
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _file(path: Path) -> dict[str, str]:
    return {"filename": str(path.absolute())}


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _endpoint(host: str, port: int) -> dict[str, object]:
    return {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}}
