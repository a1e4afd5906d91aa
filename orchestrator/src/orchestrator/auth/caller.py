"""The caller of an RPC, as the token proved it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from servicekit.errors import PermissionDenied


@dataclass(frozen=True, slots=True)
class Caller:
    """A user; or the service itself, which acts for whichever user it names and need not be one."""

    user_id: UUID | None
    is_service: bool

    def require(self, user_id: UUID) -> None:
        """Raises PermissionDenied unless the caller may act for the user."""
        if not self.is_service and user_id != self.user_id:
            raise PermissionDenied("user_id: you may only act for yourself", reason="NOT_YOUR_USER")

    @property
    def scope(self) -> UUID | None:
        """The user whose rows the caller sees; None sees all."""
        return None if self.is_service else self.user_id


SERVICE = Caller(None, is_service=True)

_caller: ContextVar[Caller] = ContextVar("caller")


def current_caller() -> Caller:
    """The caller of the RPC that runs now."""
    return _caller.get()


def set_caller(caller: Caller) -> None:
    """For the rest of the RPC: grpc.aio runs interceptors and handler of a call in one task."""
    _caller.set(caller)
