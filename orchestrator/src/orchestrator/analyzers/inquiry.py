"""Is there an analyzer, and which engine does it have? For whoever sets the system up."""

from __future__ import annotations

from dataclasses import dataclass

import grpc.aio

from rookify.analysis.v1 import analysis_pb2, analysis_pb2_grpc
from servicekit.errors import RookifyError, Unavailable
from servicekit.tls import ClientSecurity

_ANSWER_SECONDS = 5.0  # it answers from memory; a handshake over the world takes one


@dataclass(frozen=True, slots=True)
class AnalyzerInfo:
    engine: str
    workers: int
    version: str


async def ask(security: ClientSecurity, address: str, host: str) -> AnalyzerInfo:
    """What the analyzer at host:port says of itself. Raises Unavailable, or ConfigurationError."""
    security.check(f"the analyzer at {address}", host)
    async with await security.channel(address, host, ()) as channel:
        try:
            info = await analysis_pb2_grpc.AnalysisServiceStub(channel).GetAnalyzerInfo(
                analysis_pb2.GetAnalyzerInfoRequest(), timeout=_ANSWER_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            raise _refused(error) from error
    return AnalyzerInfo(info.engine, info.workers, info.version)


def _refused(error: grpc.aio.AioRpcError) -> RookifyError:
    return Unavailable(error.details() or error.code().name, reason="ANALYZER_UNAVAILABLE")
