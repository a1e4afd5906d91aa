"""What a failed call said, for clients: `from_rpc_error` undoes `errors.to_status`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import grpc
import grpc.aio
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from servicekit.errors import FieldViolation

DETAILS_KEY = "grpc-status-details-bin"
REQUEST_ID_KEY = "x-request-id"


@dataclass(frozen=True, slots=True)
class QuotaViolation:
    """Whose limit it was, and a sentence about it."""

    subject: str
    description: str


@dataclass(frozen=True, slots=True)
class RpcFailure:
    """A call's end that was not OK. `reason` is empty where the other side is not of this project."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    field_violations: tuple[FieldViolation, ...] = ()
    quota_violations: tuple[QuotaViolation, ...] = ()
    retry_delay: timedelta | None = None

    @property
    def transient(self) -> bool:
        """Trying again later, with the same request, may succeed."""
        return self.code in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            grpc.StatusCode.ABORTED,
            grpc.StatusCode.DEADLINE_EXCEEDED,
        )


def from_rpc_error(error: grpc.aio.AioRpcError) -> RpcFailure:
    """Decode code, message and rich details; details that do not parse are left out."""
    status = status_pb2.Status()
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                status.ParseFromString(value)
            except DecodeError:
                status.Clear()
    return from_status(error.code(), error.details() or "", status)


def from_status(code: grpc.StatusCode, message: str, status: status_pb2.Status) -> RpcFailure:
    """The same from a `google.rpc.Status` at hand."""
    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    quota = error_details_pb2.QuotaFailure()
    retry = error_details_pb2.RetryInfo()
    retry_delay: timedelta | None = None
    for detail in status.details:
        for known in (info, bad, quota):
            detail.Unpack(known)
        if detail.Unpack(retry):
            retry_delay = retry.retry_delay.ToTimedelta()
    return RpcFailure(
        code=code,
        message=message,
        reason=info.reason,
        metadata=dict(info.metadata),
        field_violations=tuple(FieldViolation(v.field, v.description) for v in bad.field_violations),
        quota_violations=tuple(QuotaViolation(v.subject, v.description) for v in quota.violations),
        retry_delay=retry_delay,
    )
