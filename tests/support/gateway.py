"""Envoy before orchestrators of a test, as `rookify up --gateway` starts it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import PurePosixPath

from orchestrator.gateway import config
from orchestrator.gateway.binary import envoy_command, find_envoy
from orchestrator.local.child import Child, ChildSpec
from orchestrator.local.stack import claimable
from orchestrator.settings import Settings
from tests.support.postgres import reachable_folder

ORIGIN = "https://app.example.com"


@asynccontextmanager
async def running_gateway(*orchestrators: str, healthy: bool = True, **changes: object) -> AsyncIterator[str]:
    """Its host:port. `healthy`: not before it reaches an orchestrator. `changes` are fields of Gateway."""
    folder = reachable_folder("rookify-gateway-")
    settings = Settings(_env_file=None, cors_origins=ORIGIN, gateway_rate=10_000, gateway_burst=10_000)  # type: ignore[call-arg]
    listen, admin = claimable("127.0.0.1:0"), claimable("127.0.0.1:0")
    admin_port = int(admin.rpartition(":")[2])
    made = config.from_settings(settings, listen, orchestrators, PurePosixPath(folder), admin_port)
    path = config.write(replace(made, **changes), folder)  # type: ignore[arg-type]
    spec = ChildSpec("gateway", envoy_command(find_envoy(""), path), {}, health=listen if healthy else None)
    envoy = Child(spec, folder / "log")
    await envoy.start()
    try:
        yield listen
    finally:
        await envoy.stop(grace=2)
