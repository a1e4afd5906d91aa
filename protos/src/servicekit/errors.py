"""The one error tree, and its way over gRPC.

    RookifyError                 INTERNAL
    ├── InvalidInput             INVALID_ARGUMENT     BadRequest: which field, and the fix
    ├── Unauthenticated          UNAUTHENTICATED
    ├── PermissionDenied         PERMISSION_DENIED
    ├── NotFound                 NOT_FOUND
    ├── AlreadyExists            ALREADY_EXISTS
    ├── QuotaExceeded            RESOURCE_EXHAUSTED   QuotaFailure, RetryInfo
    ├── FailedPrecondition       FAILED_PRECONDITION
    ├── StaleLease               ABORTED              the worker was fenced off
    ├── Unavailable              UNAVAILABLE          RetryInfo
    └── ConfigurationError       FAILED_PRECONDITION  what to set or install, for who runs it

Each class maps to one gRPC status. Every status carries `google.rpc.ErrorInfo` (reason in UPPER_SNAKE_CASE,
domain "rookify"); the other details are those of the table. Services narrow these classes and never raise
anything else on purpose; what is none of them is a defect and answers INTERNAL without its text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

DOMAIN = "rookify"

# What is told of an error goes out as trailers, percent-encoded and in base64. gRPC's clients take 8 KiB of
# them, 16 at most; a proxy that is sent more breaks the connection with everybody's streams. So of bad fields
# the first are told, and how many more there are: text and details of 1.5 KB each come to 6 KB.
_MAX_VIOLATIONS = 20
_MAX_TEXT_BYTES = 1500


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One bad field: its name as in the proto, and a sentence that says what is wrong and what is right."""

    field: str
    description: str


class RookifyError(Exception):
    """The root. `message` is a sentence for people; `reason` is for programs and keeps its meaning."""

    status: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL
    default_reason: ClassVar[str] = "INTERNAL"

    def __init__(
        self, message: str, *, reason: str | None = None, metadata: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.metadata = dict(metadata or {})

    def details(self) -> Sequence[Message]:
        """The rich details beside ErrorInfo."""
        return ()


class InvalidInput(RookifyError):
    """The caller must change a field before trying again. `violations` are all; callers hear of the first."""

    status = grpc.StatusCode.INVALID_ARGUMENT
    default_reason = "INVALID_INPUT"

    def __init__(self, *violations: FieldViolation, reason: str | None = None) -> None:
        shown = _told(violations)
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in shown), reason=reason)
        self.violations = violations

    @classmethod
    def of(cls, field: str, description: str) -> InvalidInput:
        return cls(FieldViolation(field, description))

    def details(self) -> Sequence[Message]:
        bad = error_details_pb2.BadRequest()
        for violation in _told(self.violations):
            bad.field_violations.add(field=violation.field, description=violation.description)
        return (bad,)


class Unauthenticated(RookifyError):
    status = grpc.StatusCode.UNAUTHENTICATED
    default_reason = "UNAUTHENTICATED"


class PermissionDenied(RookifyError):
    status = grpc.StatusCode.PERMISSION_DENIED
    default_reason = "PERMISSION_DENIED"


class NotFound(RookifyError):
    status = grpc.StatusCode.NOT_FOUND
    default_reason = "NOT_FOUND"


class AlreadyExists(RookifyError):
    status = grpc.StatusCode.ALREADY_EXISTS
    default_reason = "ALREADY_EXISTS"


class QuotaExceeded(RookifyError):
    """A limit of the caller's is used up; `retry_after` says when there is room again."""

    status = grpc.StatusCode.RESOURCE_EXHAUSTED
    default_reason = "QUOTA_EXCEEDED"

    def __init__(self, message: str, *, quota: str, subject: str, retry_after: timedelta) -> None:
        super().__init__(message, metadata={"quota": quota})
        self.quota = quota
        self.subject = subject
        self.retry_after = retry_after

    def details(self) -> Sequence[Message]:
        failure = error_details_pb2.QuotaFailure()
        failure.violations.add(subject=self.subject, description=self.message)
        return (failure, _retry_info(self.retry_after))


class FailedPrecondition(RookifyError):
    status = grpc.StatusCode.FAILED_PRECONDITION
    default_reason = "FAILED_PRECONDITION"


class StaleLease(RookifyError):
    """The job is no longer this worker's: its lease was taken over, or the job ended. Stop, write nothing."""

    status = grpc.StatusCode.ABORTED
    default_reason = "STALE_LEASE"


class Unavailable(RookifyError):
    """Something this process depends on does not answer; trying again later is right."""

    status = grpc.StatusCode.UNAVAILABLE
    default_reason = "UNAVAILABLE"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        retry_after: timedelta = timedelta(seconds=1),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, reason=reason, metadata=metadata)
        self.retry_after = retry_after

    def details(self) -> Sequence[Message]:
        return (_retry_info(self.retry_after),)


class ConfigurationError(RookifyError):
    """The process cannot start as it is set up; the message says what to set or install."""

    status = grpc.StatusCode.FAILED_PRECONDITION
    default_reason = "CONFIGURATION"


def to_status(error: RookifyError) -> status_pb2.Status:
    """The error as `google.rpc.Status`: code, message, ErrorInfo, then the class's own details."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    message = _cut(error.message, _MAX_TEXT_BYTES)
    status = status_pb2.Status(code=_rpc_code(error.status), message=message)
    for detail in (info, *error.details()):
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _rpc_code(status: grpc.StatusCode) -> int:
    number = status.value[0]
    assert code_pb2.Code.Name(number) == status.name  # noqa: S101  both enums are gRPC's own
    return int(number)


def _retry_info(after: timedelta) -> error_details_pb2.RetryInfo:
    delay = duration_pb2.Duration()
    delay.FromTimedelta(max(after, timedelta(0)))
    return error_details_pb2.RetryInfo(retry_delay=delay)


def _told(violations: Sequence[FieldViolation]) -> Sequence[FieldViolation]:
    """As many as there is room for; the last one says how many more there are."""
    told: list[FieldViolation] = []
    room = _MAX_TEXT_BYTES
    for violation in violations:
        short = FieldViolation(violation.field, _cut(violation.description, _MAX_TEXT_BYTES // 3))
        room -= len(f"{short.field}: {short.description}; ".encode(errors="replace"))
        if len(told) == _MAX_VIOLATIONS or room < 0:
            left = len(violations) - len(told)
            return (*told, FieldViolation(violation.field, f"is the first of {left} more that are wrong"))
        told.append(short)
    return told


def _cut(text: str, size: int) -> str:
    """At most `size` bytes of UTF-8."""
    encoded = text.encode(errors="replace")
    return text if len(encoded) <= size else encoded[: size - 3].decode(errors="ignore") + "…"
