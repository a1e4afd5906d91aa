"""`python -m servicekit.probe HOST:PORT`: exit code 0 where a service there is SERVING, for container checks.

With TLS, ROOKIFY_TLS_CA names what the server's certificate is checked by.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2

from servicekit import health

_SECONDS = 3.0


def serving(address: str, ca_file: str | None) -> bool:
    """Whether the server there says that it is SERVING, within three seconds."""
    if ca_file:
        credentials = grpc.ssl_channel_credentials(Path(ca_file).read_bytes())
        channel = grpc.secure_channel(address, credentials)
    else:
        channel = grpc.insecure_channel(address)
    with channel:
        try:
            check = channel.unary_unary(
                f"/{health.SERVICE_NAME}/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            answer = check(health_pb2.HealthCheckRequest(), timeout=_SECONDS)
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    sys.exit(not serving(sys.argv[1], os.environ.get("ROOKIFY_TLS_CA")))
