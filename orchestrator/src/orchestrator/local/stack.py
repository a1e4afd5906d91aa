"""What `rookify up` runs: Postgres unless there is one, an analyzer, the orchestrator, as processes."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from orchestrator.gateway import config as gateway_config
from orchestrator.gateway.binary import envoy_command, find_envoy
from orchestrator.local import database, folder, secrets
from orchestrator.local.child import Child, ChildSpec
from orchestrator.local.lock import FolderLock
from orchestrator.local.postgres import EmbeddedPostgres
from orchestrator.local.security import (
    ANALYZER_IN_THE_CLEAR,
    HANDSHAKES_TOLD,
    health_channel,
    towards_orchestrator,
)
from orchestrator.local.supervisor import Supervisor, supervising
from orchestrator.settings import Settings
from orchestrator.store import migrate
from orchestrator.store.choice import Choice, choose, database_conninfo, open_transport
from orchestrator.store.schema import check_schema
from orchestrator.store.store import Store
from servicekit.address import host_port
from servicekit.errors import ConfigurationError
from servicekit.settings import FILE_SUFFIX
from servicekit.tls import ClientSecurity

# Of the 10 s in which all must have stopped; the supervisor's own times leave the orchestrator 5.5.
_SHUTDOWN_GRACE = 4.5
_ANALYZER_GRACE = 1.0  # it stops when the orchestrator has given its games back
# What the analyzer has no business with. It runs a program on games from anywhere.
_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|_KEY\b|_KEY_|^DATABASE_URL|^PG", re.IGNORECASE)


async def run(
    settings: Settings,
    *,
    engine_workers: int | None,
    gateway_port: int | None = None,
    stop: asyncio.Event,
    ready: Callable[[str, str | None], None],
    notify: Callable[[str], None],
) -> None:
    """Start all, call `ready` with the orchestrator's and the gateway's host:port when all are SERVING, run
    until `stop`. Without `gateway_port` there is no gateway.

    All that was started is stopped when this returns or raises. Raises ConfigurationError, inside an
    ExceptionGroup where it comes from a service; `notify` takes lines for people.
    """
    await asyncio.to_thread(settings.security().credentials, settings.listen)  # before anything is started
    data_dir = settings.data.expanduser().absolute()
    folder.prepare_folder(data_dir)
    lock = FolderLock(data_dir / "up.lock", f"the data folder {data_dir}")
    lock.acquire()
    try:
        listen = claimable(settings.listen)
        gateway = None if gateway_port is None else claimable(f"127.0.0.1:{gateway_port}", "--gateway")
        async with supervising(notify) as supervisor:
            running = asyncio.create_task(
                _start(supervisor, settings, data_dir, listen, engine_workers, gateway)
            )
            stopping = asyncio.create_task(stop.wait())
            try:
                await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if running.done():
                    running.result()
                    ready(listen, gateway)
                    await stopping
            finally:
                for task in (running, stopping):
                    task.cancel()
                await asyncio.gather(running, stopping, return_exceptions=True)
    finally:
        lock.release()


async def _start(
    supervisor: Supervisor,
    settings: Settings,
    data_dir: Path,
    listen: str,
    engine_workers: int | None,
    gateway: str | None,
) -> None:
    analyzer_address = claimable("127.0.0.1:0")
    async with asyncio.TaskGroup() as tasks:  # neither needs the other
        prepared = tasks.create_task(_start_database(supervisor, settings, data_dir))
        env = analyzer_env(os.environ, settings, analyzer_address, engine_workers)
        analyzer = ChildSpec("analyzer", python("analyzer"), env, health=analyzer_address)
        tasks.create_task(supervisor.start(Child(analyzer, _log(data_dir, "analyzer"))))
    security = await asyncio.to_thread(towards_orchestrator, settings)
    credentials = {
        **prepared.result(),
        "ROOKIFY_JWT_SECRET": jwt_secret(settings),
        "ROOKIFY_TOKEN_KEY": _token_key(settings, data_dir),
    }
    orchestrator = ChildSpec(
        "orchestrator",
        python("orchestrator"),
        {
            **_base_env(os.environ),
            "ROOKIFY_DATA": str(data_dir),
            "ROOKIFY_LISTEN": listen,
            "ROOKIFY_ANALYZERS": analyzer_address,
            "ROOKIFY_SHUTDOWN_GRACE": str(min(settings.shutdown_grace, _SHUTDOWN_GRACE)),
            # What this process read from a file goes on as what it read: both would be one too many.
            **{name + FILE_SUFFIX: "" for name in credentials},
            **credentials,
            **ANALYZER_IN_THE_CLEAR,
            **(HANDSHAKES_TOLD if security else {}),
        },
        health=_reached_at(listen),
        open_health=health_channel(security) if security else None,
    )
    await supervisor.start(Child(orchestrator, _log(data_dir, "orchestrator")))
    if gateway is not None:
        spec = gateway_spec(settings, data_dir / "gateway", gateway, _reached_at(listen), security)
        await supervisor.start(Child(spec, _log(data_dir, "gateway")))


def gateway_spec(
    settings: Settings, files: Path, listen: str, orchestrator: str, security: ClientSecurity | None
) -> ChildSpec:
    """Envoy, healthy where a health check through it reaches the orchestrator. Writes its configuration."""
    envoy = find_envoy(settings.envoy)
    admin_port = int(claimable("127.0.0.1:0").rpartition(":")[2])
    made = gateway_config.from_settings(
        settings, listen, [orchestrator], PurePosixPath(files), admin_port, security
    )
    path = gateway_config.write(made, files)
    # No setting of the environment is for it, and no secret is its business.
    return ChildSpec("gateway", envoy_command(envoy, path), {}, health=listen)


async def _start_database(supervisor: Supervisor, settings: Settings, data_dir: Path) -> dict[str, str]:
    """What the orchestrator needs to reach a database that is up to date: its variables, the others empty."""
    chosen = choose(settings)
    if chosen is Choice.SUPABASE:
        async with open_transport(settings) as transport:
            await check_schema(Store(transport))
        assert settings.supabase_service_role_key is not None  # noqa: S101  as chosen
        key = settings.supabase_service_role_key.get_secret_value()
        return {"SUPABASE_URL": settings.supabase_url, "SUPABASE_SERVICE_ROLE_KEY": key, "DATABASE_URL": ""}
    if chosen is Choice.POSTGRES:
        assert settings.database_url is not None  # noqa: S101  as chosen
        conninfo = database_conninfo(settings)
        await migrate.require_bootstrapped(conninfo)
        await migrate.migrate(conninfo)
        return {"DATABASE_URL": settings.database_url.get_secret_value()}
    server = EmbeddedPostgres(data_dir)
    await supervisor.start(server)
    await database.prepare(server)
    return {"DATABASE_URL": server.conninfo()}


def jwt_secret(settings: Settings, *, create: bool = True) -> str:
    """The settings' own, else the data folder's."""
    if settings.jwt_secret is not None:
        return settings.jwt_secret.get_secret_value()
    return secrets.signing_secret(settings.data.expanduser().absolute(), create=create)


def _token_key(settings: Settings, data_dir: Path) -> str:
    return settings.token_key.get_secret_value() if settings.token_key else secrets.token_key(data_dir)


def analyzer_env(
    environ: Mapping[str, str], settings: Settings, listen: str, engine_workers: int | None
) -> dict[str, str]:
    """No credential reaches the analyzer; its own settings do, those of `.env` by its working directory."""
    env = {name: value for name, value in _base_env(environ).items() if not _SECRET.search(name)}
    env["ROOKIFY_ANALYZER_LISTEN"] = listen
    env["ROOKIFY_ANALYZER_GRACE"] = str(_ANALYZER_GRACE)
    env |= ANALYZER_IN_THE_CLEAR
    if settings.stockfish:
        env["ROOKIFY_STOCKFISH"] = settings.stockfish
    if engine_workers is not None:
        env["ROOKIFY_ENGINE_WORKERS"] = str(engine_workers)
    return env


def _base_env(environ: Mapping[str, str]) -> dict[str, str]:
    """The services speak over loopback, which no HTTP proxy of the environment can reach."""
    return {**environ, "no_grpc_proxy": "127.0.0.1,localhost"}


def python(module: str) -> list[str]:
    """-P: a folder named like the module in the working directory is not it."""
    return [sys.executable, "-P", "-m", module]


def _log(data_dir: Path, name: str) -> Path:
    return data_dir / folder.LOGS / f"{name}.log"


def claimable(listen: str, chosen_by: str = "--port or ROOKIFY_LISTEN") -> str:
    """The same host:port, with a free port for 0. Raises ConfigurationError where it cannot be had.

    Asked before anything is started; whoever comes between is told by the service itself.
    """
    host, port = host_port(listen, "listen address", example="127.0.0.1:50051", free_port=True)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections do not count
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"port {port} on {host} cannot be had ({error.strerror or error}): stop what uses it, "
                f"or choose another by {chosen_by}",
                reason="PORT_IN_USE",
                metadata={"port": str(port)},
            ) from error
        return f"{listen.rpartition(':')[0]}:{probe.getsockname()[1]}"


def _reached_at(listen: str) -> str:
    """Where this machine reaches a server that listens there: every address means loopback too."""
    host, _, port = listen.rpartition(":")
    return f"{ {'0.0.0.0': '127.0.0.1', '[::]': '[::1]'}.get(host, host) }:{port}"  # noqa: S104  not bound here
