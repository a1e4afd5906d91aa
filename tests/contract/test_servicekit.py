"""The server kit over real sockets: errors, ids, health, reflection, binding, the stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import grpc
import grpc.aio
import pytest
import structlog
from google.protobuf.wrappers_pb2 import StringValue
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from servicekit.errors import ConfigurationError, InvalidInput, NotFound, QuotaExceeded
from servicekit.interceptors import ErrorInterceptor
from servicekit.server import CHANNEL_OPTIONS, GrpcServer
from servicekit.status import RpcFailure, from_rpc_error

NAME = "test.Probe"
_BYTES: dict[str, Any] = {
    "request_deserializer": StringValue.FromString,
    "response_serializer": StringValue.SerializeToString,
}


class Probe:
    """All kinds of handlers; the request's text says how each one ends."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.cancelled = asyncio.Event()
        self.release = asyncio.Event()

    async def act(self, what: str, context: Any) -> StringValue:
        match what:
            case "field":
                raise InvalidInput.of("months", "must be in 1..12, got 13")
            case "quota":
                raise QuotaExceeded(
                    "too many", quota="games", subject="user:1", retry_after=timedelta(seconds=90)
                )
            case "missing":
                raise NotFound("no such job", reason="JOB_NOT_FOUND", metadata={"job": "7"})
            case "defect":
                raise ZeroDivisionError("the text with a secret")
            case "abort":
                await context.abort(grpc.StatusCode.DATA_LOSS, "as the handler said")
            case "wait":
                self.entered.set()
                try:
                    await self.release.wait()
                except asyncio.CancelledError:
                    self.cancelled.set()
                    raise
        return StringValue(value=structlog.contextvars.get_contextvars().get("request_id", "none"))

    async def unary(self, request: StringValue, context: Any) -> StringValue:
        return await self.act(request.value, context)

    async def out(self, request: StringValue, context: Any) -> AsyncIterator[StringValue]:
        yield StringValue(value="first")
        yield await self.act(request.value, context)

    async def written(self, request: StringValue, context: Any) -> None:
        await context.write(StringValue(value="first"))
        await context.write(await self.act(request.value, context))

    async def collect(self, requests: AsyncIterator[StringValue], context: Any) -> StringValue:
        return await self.act(" ".join([request.value async for request in requests]), context)

    async def both(self, requests: AsyncIterator[StringValue], context: Any) -> AsyncIterator[StringValue]:
        async for request in requests:
            yield await self.act(request.value, context)


def register(servicer: Any, server: grpc.aio.Server) -> None:
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(servicer.unary, **_BYTES),
        "Out": grpc.unary_stream_rpc_method_handler(servicer.out, **_BYTES),
        "Written": grpc.unary_stream_rpc_method_handler(servicer.written, **_BYTES),
        "Collect": grpc.stream_unary_rpc_method_handler(servicer.collect, **_BYTES),
        "Both": grpc.stream_stream_rpc_method_handler(servicer.both, **_BYTES),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(NAME, handlers),))


def health_stub(channel: grpc.aio.Channel) -> Any:
    """The stubs' types know only the synchronous channel."""
    make: Any = health_pb2_grpc.HealthStub
    return make(channel)


class Running:
    def __init__(self, server: GrpcServer, probe: Probe, channel: grpc.aio.Channel, port: int) -> None:
        self.server, self.probe, self.channel, self.port = server, probe, channel, port

    async def call(self, kind: str, what: str, **kwargs: Any) -> list[str]:
        """The texts received; raises AioRpcError."""
        path = f"/{NAME}/{kind}"
        codec: dict[str, Any] = {
            "request_serializer": StringValue.SerializeToString,
            "response_deserializer": StringValue.FromString,
        }
        request = StringValue(value=what)
        stream: Any
        match kind:
            case "Unary":
                return [(await self.channel.unary_unary(path, **codec)(request, **kwargs)).value]
            case "Out" | "Written":
                stream = self.channel.unary_stream(path, **codec)(request, **kwargs)
            case "Collect":
                return [(await self.channel.stream_unary(path, **codec)(iter([request]), **kwargs)).value]
            case _:
                stream = self.channel.stream_stream(path, **codec)(iter([request]), **kwargs)
        try:
            return [message.value async for message in stream]
        finally:
            # A task cancelled while grpc.aio still sends the request would leave the call running.
            stream.cancel()

    async def failure(self, kind: str, what: str) -> RpcFailure:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(kind, what)
        return from_rpc_error(caught.value)

    async def health(self, service: str = NAME) -> int:
        stub = health_stub(self.channel)
        request = health_pb2.HealthCheckRequest(service=service)
        return int((await stub.Check(request)).status)


@contextlib.asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[Running]:
    probe = Probe()
    server = GrpcServer("127.0.0.1:0", interceptors=[ErrorInterceptor()], **options)
    server.add(register, probe, NAME)
    port = await server.start()
    await server.set_serving()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=CHANNEL_OPTIONS) as channel:
        try:
            yield Running(server, probe, channel, port)
        finally:
            await server.stop(0)


KINDS = ["Unary", "Out", "Written", "Collect", "Both"]


@pytest.mark.parametrize("kind", KINDS)
async def test_errors_of_the_tree_arrive_with_their_details(kind: str) -> None:
    async with serving() as running:
        field = await running.failure(kind, "field")
        assert field.code is grpc.StatusCode.INVALID_ARGUMENT
        assert field.reason == "INVALID_INPUT"
        assert [(v.field, v.description) for v in field.field_violations] == [
            ("months", "must be in 1..12, got 13")
        ]
        assert not field.transient
        quota = await running.failure(kind, "quota")
        assert quota.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert quota.retry_delay == timedelta(seconds=90)
        assert quota.quota_violations[0].subject == "user:1"
        assert quota.metadata == {"quota": "games"}
        assert quota.transient
        missing = await running.failure(kind, "missing")
        assert (missing.reason, missing.message, missing.metadata) == (
            "JOB_NOT_FOUND",
            "no such job",
            {"job": "7"},
        )


@pytest.mark.parametrize("kind", KINDS)
async def test_a_defect_answers_internal_and_only_the_log_has_its_text(kind: str) -> None:
    async with serving() as running:
        with structlog.testing.capture_logs() as lines:
            failure = await running.failure(kind, "defect")
            await running.server.stop(60)  # the lines are written after the answer
        assert failure.code is grpc.StatusCode.INTERNAL
        assert failure.message.startswith("internal error (request id ")
        assert "secret" not in failure.message
        defect = next(line for line in lines if line["event"] == "call failed by a defect")
        assert isinstance(defect["exc_info"], ZeroDivisionError)
        finished = next(line for line in lines if line["event"] == "call finished")
        assert finished["code"] == "INTERNAL"
        assert finished["method"] == f"/{NAME}/{kind}"


@pytest.mark.parametrize("kind", KINDS)
async def test_success_and_abort_pass_through(kind: str) -> None:
    async with serving() as running:
        with structlog.testing.capture_logs() as lines:
            await running.call(kind, "fine")
            failure = await running.failure(kind, "abort")
            await running.server.stop(60)  # the line is written after the answer
        assert (failure.code, failure.message) == (grpc.StatusCode.DATA_LOSS, "as the handler said")
        codes = [line["code"] for line in lines if line["event"] == "call finished"]
        assert codes == ["OK", "DATA_LOSS"]


async def test_the_request_id_is_taken_or_made() -> None:
    async with serving() as running:
        (given,) = await running.call("Unary", "fine", metadata=(("x-request-id", "abc-1"),))
        assert given == "abc-1"
        (made,) = await running.call("Unary", "fine")
        (again,) = await running.call("Unary", "fine")
        assert made != again
        assert len(made) == 32
        (cleaned,) = await running.call("Unary", "fine", metadata=(("x-request-id", "a b" * 99),))
        assert len(cleaned) == 32


@pytest.mark.parametrize("kind", KINDS)
async def test_a_cancelled_call_cancels_its_handler(kind: str) -> None:
    async with serving() as running:
        call = asyncio.create_task(running.call(kind, "wait"))
        await running.probe.entered.wait()
        call.cancel()
        await running.probe.cancelled.wait()
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_more_calls_than_may_run_at_once_are_refused_until_one_ends() -> None:
    async with serving(max_calls=2) as running:
        half: Any = running.channel.stream_unary(f"/{NAME}/Collect")()  # whose request is still to come
        await half.write(b"")
        waiting = asyncio.create_task(running.call("Unary", "wait"))
        await running.probe.entered.wait()
        failure = await running.failure("Unary", "fine")
        assert failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        running.probe.release.set()
        await waiting
        answered: list[str] = []
        async with asyncio.timeout(10):  # the server has ended a call a little after its answer is here
            while not answered:
                with contextlib.suppress(grpc.aio.AioRpcError):
                    answered = await running.call("Unary", "fine")
        half.cancel()


async def test_health_and_reflection() -> None:
    async with serving() as running:
        assert await running.health() == health_pb2.HealthCheckResponse.SERVING
        assert await running.health("") == health_pb2.HealthCheckResponse.SERVING
        channel: Any = running.channel
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
        messages: Any = reflection_pb2
        request = messages.ServerReflectionRequest(list_services="")
        answers = [answer async for answer in stub.ServerReflectionInfo(iter([request]))]
        names = {service.name for service in answers[0].list_services_response.service}
        assert {NAME, "grpc.health.v1.Health"} <= names


async def test_not_serving_before_set_serving() -> None:
    server = GrpcServer("127.0.0.1:0")
    server.add(register, Probe(), NAME)
    port = await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_stub(channel)
        status = (await stub.Check(health_pb2.HealthCheckRequest(service=NAME))).status
        assert status == health_pb2.HealthCheckResponse.NOT_SERVING
    await server.stop(0)


async def test_a_port_in_use_is_a_clear_error() -> None:
    async with serving() as running:
        other = GrpcServer(f"127.0.0.1:{running.port}")
        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{running.port}.*in use"):
            await other.start()


@pytest.mark.parametrize("listen", ["", "50051", "localhost:", "localhost:http", "h:70000", ":50051"])
async def test_a_malformed_address_is_a_clear_error(listen: str) -> None:
    with pytest.raises(ConfigurationError, match="write host:port"):
        await GrpcServer(listen).start()


async def test_stop_says_not_serving_and_lets_running_calls_end() -> None:
    async with serving() as running:
        watch = health_stub(running.channel).Watch(health_pb2.HealthCheckRequest(service=NAME))
        statuses = aiter(watch)
        assert (await anext(statuses)).status == health_pb2.HealthCheckResponse.SERVING
        call = asyncio.create_task(running.call("Out", "wait"))
        await running.probe.entered.wait()
        stop = asyncio.create_task(running.server.stop(60))
        assert (await anext(statuses)).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert not stop.done()
        running.probe.release.set()
        texts = await call
        assert texts[0] == "first"
        assert len(texts) == 2
        await stop  # the watcher of health, still connected, does not hold it up for 60 s


@pytest.mark.parametrize("kind", KINDS)
async def test_stop_cancels_what_outlives_the_grace_time(kind: str) -> None:
    async with serving() as running:
        call = asyncio.create_task(running.call(kind, "wait"))
        await running.probe.entered.wait()
        await running.server.stop(0.05)
        assert running.probe.cancelled.is_set()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)


async def test_stop_before_any_call_and_several_at_once() -> None:
    server = GrpcServer("127.0.0.1:0")
    await server.start()
    await asyncio.gather(server.stop(60), server.stop(0), server.stop(60))
    await server.stop(60)


async def test_stop_ends_a_watcher_of_a_service_that_is_not_here() -> None:
    async with serving() as running:
        request = health_pb2.HealthCheckRequest(service="no.such.Service")
        statuses = aiter(health_stub(running.channel).Watch(request))
        assert (await anext(statuses)).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health_stub(running.channel).Check(request)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        await running.server.stop(60)
        assert (await anext(statuses)).status == health_pb2.HealthCheckResponse.NOT_SERVING


_CHILD = """
import asyncio
from servicekit import logs
from servicekit.server import stop_signals
logs.configure("child")
async def main():
    stop = stop_signals()
    print("up", flush=True)
    await stop.wait()
    print("stopping", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [(signal.SIGTERM, signal.SIGTERM, 143), (signal.SIGINT, signal.SIGINT, 130)],
)
async def test_the_first_signal_asks_the_second_ends(
    first: signal.Signals, second: signal.Signals, code: int
) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _CHILD, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"up\n"
    os.kill(child.pid, first)
    assert await child.stdout.readline() == b"stopping\n"
    os.kill(child.pid, second)
    assert await child.wait() == code
