"""grpc.health.v1 for grpc.aio, with watchers that end when the server goes away.

The library's servicer keeps a Watch open until its client leaves, and a server's stop waits for it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

Status = health_pb2.HealthCheckResponse

SERVICE_NAME = "grpc.health.v1.Health"


async def serving(channel: grpc.aio.Channel, timeout: float) -> bool:
    """Whether the server says that it is SERVING. Raises `grpc.aio.AioRpcError` where it does not answer."""
    check = channel.unary_unary(
        f"/{SERVICE_NAME}/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=Status.FromString,
    )
    answer = await check(health_pb2.HealthCheckRequest(), timeout=timeout)
    return bool(answer.status == Status.SERVING)


class HealthServicer(health_pb2_grpc.HealthServicer):
    """The status of the server ("") and of each service by full name."""

    def __init__(self) -> None:
        self._statuses: dict[str, int] = {"": Status.NOT_SERVING}
        self._stopping = False
        self._changed = asyncio.Condition()

    async def set(self, names: list[str], *, serving: bool) -> None:
        """Sets the status of services; after `stop` it stays NOT_SERVING."""
        status = Status.SERVING if serving and not self._stopping else Status.NOT_SERVING
        async with self._changed:
            self._statuses.update(dict.fromkeys(names, status))
            self._changed.notify_all()

    async def stop(self) -> None:
        """Everything is NOT_SERVING for good; watchers are told so, then their streams end."""
        self._stopping = True
        await self.set(list(self._statuses), serving=False)

    async def Check(self, request: Any, context: Any) -> health_pb2.HealthCheckResponse:  # noqa: N802  gRPC's
        status = self._statuses.get(request.service)
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service!r} here")
        return _response(status)

    async def Watch(self, request: Any, context: Any) -> None:  # noqa: N802  gRPC's name
        last: int | None = None
        while not (self._stopping and last == Status.NOT_SERVING):
            async with self._changed:
                while (status := self._status(request.service)) == last:
                    await self._changed.wait()
                last = status
            await context.write(_response(last))
        await context.abort(grpc.StatusCode.UNAVAILABLE, "the server is stopping")

    def _status(self, service: str) -> int:
        unknown = Status.NOT_SERVING if self._stopping else Status.SERVICE_UNKNOWN
        return self._statuses.get(service, unknown)


def _response(status: Any) -> health_pb2.HealthCheckResponse:
    return health_pb2.HealthCheckResponse(status=status)
