"""A bearer token on every call, checked before any handler runs. There is no way around it.

Only the health service answers without one: probes have none, and it tells nothing but SERVING or not.
Methods that there are not are UNIMPLEMENTED for everybody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import structlog

from orchestrator.auth.caller import set_caller
from orchestrator.auth.verifier import TokenVerifier
from servicekit.errors import RookifyError, Unauthenticated

if TYPE_CHECKING:  # generic for the type checker only
    Handler = grpc.RpcMethodHandler[Any, Any]
    Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]

_OPEN = "/grpc.health.v1.Health/"


class AuthInterceptor(grpc.aio.ServerInterceptor):
    """Put it behind the ErrorInterceptor, which turns what it raises into statuses."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        handler = await continuation(handler_call_details)
        # A method that is nowhere stays None, token or not: with a handler, a refusing one even, each name
        # that somebody makes up would be counted, and kept, as a metric of its own.
        if handler is None or handler_call_details.method.startswith(_OPEN):
            return handler
        try:
            caller = await self._verifier.verify(_bearer(handler_call_details))
        except RookifyError as error:
            return _refuse(error)
        set_caller(caller)
        who = {"user_id": str(caller.user_id)} if caller.user_id else {"caller": "service_role"}
        structlog.contextvars.bind_contextvars(**who)
        return handler


def _bearer(details: grpc.HandlerCallDetails) -> str:
    values = [value for key, value in details.invocation_metadata or () if key == "authorization"]
    if not values:
        raise Unauthenticated('send the metadata "authorization: Bearer TOKEN"', reason="TOKEN_MISSING")
    scheme, _, token = str(values[0]).partition(" ")
    if len(values) > 1 or scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated('authorization must be one "Bearer TOKEN"', reason="TOKEN_MALFORMED")
    return token.strip()


def _refuse(error: RookifyError) -> Handler:
    """A handler for a method of any kind: it reads nothing and raises."""

    async def refuse(_requests: object, _context: object) -> None:
        raise error

    return grpc.stream_stream_rpc_method_handler(refuse)
