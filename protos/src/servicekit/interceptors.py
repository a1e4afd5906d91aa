"""What every call gets: a request id, one log line, and errors as rich statuses."""

from __future__ import annotations

import asyncio
import inspect
import re
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import structlog
from grpc_status import rpc_status
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind

from servicekit import metrics, tracing
from servicekit.errors import RookifyError, to_status
from servicekit.status import REQUEST_ID_KEY

log = structlog.get_logger()

_REQUEST_ID = re.compile(r"[\w.:+/=-]{1,128}")  # what gateways send; anything else is replaced
_QUIET = ("/grpc.health.", "/grpc.reflection.")  # probes come every few seconds: their lines are debug

if TYPE_CHECKING:  # grpc's classes are generic for the type checker only
    Context = grpc.aio.ServicerContext[Any, Any]
    Make = Callable[..., grpc.RpcMethodHandler[Any, Any]]
    Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]]


class ErrorInterceptor(grpc.aio.ServerInterceptor):
    """Put it first, so that it also sees what the interceptors behind it raise in a handler.

    `RookifyError` becomes its status with details. Any other exception is a defect: INTERNAL, its text and
    traceback only in the log, under the request id that the caller is told. Cancellation passes.
    The request id comes from the metadata `x-request-id`, else it is new; it is bound as `request_id` and
    sent back in the trailing metadata.
    """

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        handler = await continuation(handler_call_details)
        if handler is None:  # no such method: grpc answers UNIMPLEMENTED
            return handler
        streams = bool(handler.request_streaming or handler.response_streaming)
        call = _Call(handler_call_details, streams=streams)
        make, behavior = _parts(handler)
        # A stream goes out by `yield` or, from a coroutine, by `context.write`.
        if inspect.isasyncgenfunction(behavior):

            async def guarded_stream(request: Any, context: Context) -> AsyncIterator[Any]:
                async with call.guard(context):
                    async for response in behavior(request, context):
                        yield response

            return make(guarded_stream, handler.request_deserializer, handler.response_serializer)

        async def guarded(request: Any, context: Context) -> Any:
            async with call.guard(context):
                return await behavior(request, context)

        return make(guarded, handler.request_deserializer, handler.response_serializer)


class _Call:
    """One call's id, clock and end."""

    def __init__(self, details: grpc.HandlerCallDetails, *, streams: bool) -> None:
        self.method = details.method
        self.streams = streams
        metadata = dict(details.invocation_metadata or ())
        given = metadata.get(REQUEST_ID_KEY, "")
        self.traceparent = str(metadata.get(tracing.TRACEPARENT, ""))
        self.request_id = str(given) if _REQUEST_ID.fullmatch(str(given)) else uuid.uuid4().hex

    def guard(self, context: Context) -> _Guard:
        return _Guard(self, context)


class _Guard:
    """Async context manager around a handler's whole run."""

    def __init__(self, call: _Call, context: Context) -> None:
        self._call = call
        self._context = context
        self._exits = ExitStack()
        self._span: Span = INVALID_SPAN

    async def __aenter__(self) -> None:
        # Each call runs in a task of its own, so what is bound here ends with it.
        structlog.contextvars.bind_contextvars(request_id=self._call.request_id)
        self._context.set_trailing_metadata(((REQUEST_ID_KEY, self._call.request_id),))
        self._started = time.monotonic()
        if not self._call.streams:  # a watcher's stay is no step of anything
            self._exits.enter_context(tracing.continued(self._call.traceparent))
            self._span = self._exits.enter_context(
                tracing.span(self._call.method[1:], {"rpc.system": "grpc"}, SpanKind.SERVER)
            )

    async def __aexit__(self, _type: object, error: BaseException | None, _tb: object) -> None:
        try:
            await self._end(error)
        finally:
            self._exits.close()

    async def _end(self, error: BaseException | None) -> None:
        if error is None:
            self._finished(_code_of(self._context))
        elif isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            self._finished(grpc.StatusCode.CANCELLED)
        elif isinstance(error, grpc.aio.AbortError):
            self._finished(_code_of(self._context))
        elif isinstance(error, RookifyError):
            self._finished(error.status, error=error.message, reason=error.reason)
            await self._abort(error)
        elif isinstance(error, Exception):
            log.error("call failed by a defect", method=self._call.method, exc_info=error)
            self._finished(grpc.StatusCode.INTERNAL)
            await self._abort(RookifyError(f"internal error (request id {self._call.request_id})"))

    async def _abort(self, error: RookifyError) -> None:
        status = rpc_status.to_status(to_status(error))
        trailing = (*(status.trailing_metadata or ()), (REQUEST_ID_KEY, self._call.request_id))
        await self._context.abort(status.code, status.details, trailing)

    def _finished(self, code: grpc.StatusCode, **fields: object) -> None:
        quiet = self._call.method.startswith(_QUIET)
        seconds = time.monotonic() - self._started
        metrics.RPCS.labels(self._call.method, code.name).inc()
        self._span.set_attribute("rpc.grpc.status_code", int(code.value[0]))
        if not self._call.streams:
            metrics.RPC_SECONDS.labels(self._call.method).observe(seconds)
        (log.debug if quiet else log.info)(
            "call finished",
            method=self._call.method,
            code=code.name,
            duration_ms=round(seconds * 1000, 1),
            **fields,
        )


def _parts(handler: Any) -> tuple[Make, Callable[..., Any]]:
    """The factory and the behavior of a handler of any of the four kinds."""
    if handler.request_streaming and handler.response_streaming:
        return grpc.stream_stream_rpc_method_handler, handler.stream_stream
    if handler.request_streaming:
        return grpc.stream_unary_rpc_method_handler, handler.stream_unary
    if handler.response_streaming:
        return grpc.unary_stream_rpc_method_handler, handler.unary_stream
    return grpc.unary_unary_rpc_method_handler, handler.unary_unary


def _code_of(context: Context) -> grpc.StatusCode:
    """grpc.aio gives a bare number, 0 where nothing was set."""
    code: Any = context.code()
    if isinstance(code, grpc.StatusCode):
        return code
    return next((known for known in grpc.StatusCode if known.value[0] == code), grpc.StatusCode.OK)
