"""A grpc.aio server with what every service here needs: health, reflection, keepalive, a clean stop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from typing import Any

import grpc.aio
import structlog
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from servicekit import health, metrics
from servicekit.address import host_port
from servicekit.errors import ConfigurationError
from servicekit.tls import ServerSecurity

log = structlog.get_logger()

PLAINTEXT_ON_LOOPBACK = ServerSecurity()
# A batch of 60 games of 256 KiB. That much is for those who may be trusted with it: a server that anybody
# reaches sets a smaller bound by its `options`.
MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_KEEPALIVE_MS = 30_000  # proxies and NATs forget idle connections after a minute or more

SERVER_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.so_reuseport", 0),  # with it, a port in use would be shared silently
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # Clients may ping every 5 s, calls or not, without being sent away (ENHANCE_YOUR_CALM).
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    # Access tokens with claims of an application's own reach gRPC's usual 8 KiB of headers, beyond which it
    # refuses more and more of them at random.
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 32 * 1024),
    # Who connects and then says nothing is sent away; gRPC's own patience is two minutes.
    ("grpc.server_handshake_timeout_ms", 10_000),
)

# For channels of this project: finds a silent peer within 20 s + 10 s, and reconnects within 5 s.
CHANNEL_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)


class GrpcServer:
    """Make it, `add` services, `start`, `set_serving`, wait, `stop`. Needs the running loop from the start.

    `listen` is "host:port"; port 0 takes a free one. `max_calls` run at once, probes and those whose request
    is still to come included; more are RESOURCE_EXHAUSTED. Health knows the whole server ("") and every added
    service by name: NOT_SERVING until `set_serving`, and again from the moment `stop` begins.
    """

    def __init__(
        self,
        listen: str,
        *,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
        options: Sequence[tuple[str, Any]] = (),
        security: ServerSecurity = PLAINTEXT_ON_LOOPBACK,
        max_calls: int | None = None,
    ) -> None:
        self.listen = listen
        self._security = security
        merged = {**dict(SERVER_OPTIONS), **dict(options)}
        self._server = grpc.aio.server(
            interceptors=interceptors, options=list(merged.items()), maximum_concurrent_rpcs=max_calls
        )
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._names = [""]
        self._stopping: asyncio.Task[None] | None = None

    def add(self, register: Callable[[Any, grpc.aio.Server], None], servicer: object, full_name: str) -> None:
        """`register` is the generated `add_…Servicer_to_server`, `full_name` "package.Service"."""
        register(servicer, self._server)
        metrics.begin_calls(full_name)
        self._names.append(full_name)

    async def start(self) -> int:
        """Bind and serve; the bound port.

        Raises ConfigurationError where the address cannot be had, or must not be without TLS.
        """
        await self._health.set(self._names, serving=False)
        names = (*self._names[1:], health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        host_port(self.listen, "listen address", example="127.0.0.1:50051", free_port=True)
        credentials = await asyncio.to_thread(self._security.credentials, self.listen)
        try:
            bound = (
                self._server.add_secure_port(self.listen, credentials)
                if credentials
                else self._server.add_insecure_port(self.listen)
            )
        except RuntimeError as error:
            await self._server.stop(None)
            raise ConfigurationError(
                f"cannot listen on {self.listen}: the port is in use, or the address is not this machine's. "
                "Stop what holds it, or set another address.",
                reason="ADDRESS_UNAVAILABLE",
            ) from error
        await self._server.start()
        return bound

    async def set_serving(self) -> None:
        """Health says SERVING for the server and each service."""
        await self._health.set(self._names, serving=True)

    async def set_not_serving(self) -> None:
        """Health says NOT_SERVING from now on, for good; calls are still answered."""
        await self._health.stop()

    async def stop(self, grace: float) -> None:
        """NOT_SERVING first, then no new calls; running ones have `grace` seconds, then are cancelled.

        Returns once every handler has ended. A second caller waits for the first one's stop: two at once
        crash grpc.aio (it frees the server under the second).
        """
        await self.set_not_serving()
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._server.stop(grace))
        await asyncio.shield(self._stopping)


def stop_signals() -> asyncio.Event:
    """Set on the first SIGTERM or SIGINT; the second ends the process at once, exit code 128 + signal.

    Its children must not depend on a goodbye (Stockfish dies with its parent).
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def received(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        log.info("stopping", signal=signal.Signals(number).name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, received, number)
    return stop
