"""Envoy's configuration and the contracts' descriptors, as the two files that it reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath
from string import Template

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import error_details_pb2, status_pb2

from rookify.compat.v1 import compat_pb2
from rookify.sync.v1 import sync_pb2
from servicekit.errors import ConfigurationError

CONFIG_FILE = "envoy.yaml"
DESCRIPTOR_FILE = "rookify.binpb"
DEFAULT_ADMIN_PORT = 9901


@dataclass(frozen=True, slots=True)
class Gateway:
    """What of the configuration differs from place to place.

    `listen` and `upstreams` are host:port; an upstream's name stands for all its addresses. `rate` is requests
    a second for each client address, of which `burst` may come at once. `trusted_hops`: proxies in front that
    say truly, by X-Forwarded-For, where a request came from. `folder`: where Envoy finds the files.
    """

    listen: str
    upstreams: Sequence[str]
    cors_origins: Sequence[str] = ()
    rate: int = 50
    burst: int = 200
    trusted_hops: int = 0
    admin_port: int = DEFAULT_ADMIN_PORT
    folder: PurePosixPath = PurePosixPath("/etc/envoy")


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
    host, port = _host_port(gateway.listen)
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
        "upstreams": json.dumps([_endpoint(*_host_port(upstream)) for upstream in gateway.upstreams]),
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


def _services() -> list[object]:
    return [
        service
        for file in (sync_pb2.DESCRIPTOR, compat_pb2.DESCRIPTOR)
        for service in file.services_by_name.values()
    ]


def _origin(origin: str) -> dict[str, str]:
    return {"safe_regex": {"regex": ".*"}} if origin == "*" else {"exact": origin}


def _endpoint(host: str, port: int) -> dict[str, object]:
    return {"endpoint": {"address": {"socket_address": {"address": host, "port_value": port}}}}


def _host_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigurationError(
            f"address {address!r}: write host:port, as in 127.0.0.1:8080", reason="BAD_ADDRESS"
        )
    return host.strip("[]"), int(port)
