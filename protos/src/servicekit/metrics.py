"""Prometheus metrics that both services have, and how they are served."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from google.protobuf import descriptor_pool
from prometheus_client import Counter, Histogram, start_http_server

from servicekit.address import host_port
from servicekit.errors import ConfigurationError

# Seconds: a call that only reads takes 2 ms, one that waits for a database to come back some seconds.
LATENCY_BUCKETS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

RPCS = Counter("rookify_rpcs", "Calls that have ended, streams included.", ["method", "code"])
RPC_SECONDS = Histogram(
    "rookify_rpc_seconds", "How long calls with one answer took.", ["method"], buckets=LATENCY_BUCKETS
)


def begin_calls(service: str) -> None:
    """A series at 0 for the defects of each method of "package.Service", before any call of it.

    The alert counts by how much such series grow, and one that is born at 1 has not grown. A service that no
    contract describes has none.
    """
    try:
        methods = descriptor_pool.Default().FindServiceByName(service).methods
    except KeyError:
        return
    for method in methods:
        RPCS.labels(f"/{service}/{method.name}", "INTERNAL")


@contextmanager
def serving(listen: str) -> Iterator[None]:
    """`/metrics` at host:port for as long as the block runs, from a thread of its own; empty: nowhere.

    Raises ConfigurationError where the address cannot be had.
    """
    if not listen:
        yield
        return
    host, port = host_port(listen, "metrics address", example="127.0.0.1:9464", free_port=True)
    try:
        server, thread = start_http_server(port, host)
    except OSError as error:
        raise ConfigurationError(
            f"metrics cannot be served at {listen}: {error.strerror or error}", reason="ADDRESS_UNAVAILABLE"
        ) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
