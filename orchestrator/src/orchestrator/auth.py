"""Who calls: a bearer JWT on every call, checked before any handler runs. There is no way around it.

Only the health service answers without a token: probes have none, and it tells nothing but SERVING or not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import grpc
import grpc.aio
import jwt
import structlog

from orchestrator.tokens import ALGORITHM, AUDIENCE, ISSUER
from servicekit.errors import PermissionDenied, RookifyError, Unauthenticated

if TYPE_CHECKING:  # generic for the type checker only
    Handler = grpc.RpcMethodHandler[Any, Any]
    Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]

_OPEN = "/grpc.health.v1.Health/"
_LEEWAY_SECONDS = 30  # clocks of two well-kept machines differ by less


@dataclass(frozen=True, slots=True)
class Caller:
    """The token's user, and whether it is the service itself."""

    user_id: UUID
    is_service: bool

    def require(self, user_id: UUID) -> None:
        """Raises PermissionDenied unless the caller may act for the user."""
        if not self.is_service and user_id != self.user_id:
            raise PermissionDenied("user_id: you may only act for yourself", reason="NOT_YOUR_USER")

    @property
    def scope(self) -> UUID | None:
        """The user whose rows the caller sees; None sees all."""
        return None if self.is_service else self.user_id


_caller: ContextVar[Caller] = ContextVar("caller")


def current_caller() -> Caller:
    """The caller of the RPC that runs now."""
    return _caller.get()


class TokenVerifier:
    """Checks HS256 tokens of the embedded mode against its signing secret."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def verify(self, token: str) -> Caller:
        """Raises Unauthenticated; the message never quotes the token."""
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["exp", "sub", "aud", "iss"]},
            )
            user_id = UUID(claims["sub"])
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("the token has expired; get a new one", reason="TOKEN_EXPIRED") from error
        except (jwt.InvalidTokenError, ValueError) as error:
            raise Unauthenticated("the token is not valid here", reason="TOKEN_INVALID") from error
        role = claims.get("role")
        if role not in ("authenticated", "service_role"):
            raise PermissionDenied("the token's role may not call this service", reason="ROLE_NOT_ALLOWED")
        return Caller(user_id, is_service=role == "service_role")


class AuthInterceptor(grpc.aio.ServerInterceptor):
    """Put it behind the ErrorInterceptor, which turns what it raises into statuses."""

    def __init__(self, verifier: TokenVerifier) -> None:
        self._verifier = verifier

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler | None:
        if handler_call_details.method.startswith(_OPEN):
            return await continuation(handler_call_details)
        try:
            caller = self._verifier.verify(_bearer(handler_call_details))
        except RookifyError as error:
            return _refuse(error)
        # grpc.aio runs interceptors and handler of a call in one task, so in one context.
        _caller.set(caller)
        structlog.contextvars.bind_contextvars(user_id=str(caller.user_id))
        return await continuation(handler_call_details)


def _bearer(details: grpc.HandlerCallDetails) -> str:
    values = [value for key, value in details.invocation_metadata or () if key == "authorization"]
    if not values:
        raise Unauthenticated('send the metadata "authorization: Bearer TOKEN"', reason="TOKEN_MISSING")
    scheme, _, token = str(values[0]).partition(" ")
    if len(values) > 1 or scheme.lower() != "bearer" or not token:
        raise Unauthenticated('authorization must be one "Bearer TOKEN"', reason="TOKEN_MALFORMED")
    return token.strip()


def _refuse(error: RookifyError) -> Handler:
    """A handler for a method of any kind: it reads nothing and raises."""

    async def refuse(_requests: object, _context: object) -> None:
        raise error

    return grpc.stream_stream_rpc_method_handler(refuse)
