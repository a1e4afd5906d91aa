"""One trace from the gateway's call to the last game: real processes, a local OTLP collector."""

from __future__ import annotations

import json
import shutil
from uuid import UUID

import grpc.aio

from rookify.sync.v1 import sync_pb2 as pb
from tests.support.orchestrator import Client
from tests.support.otlp_collector import collecting
from tests.support.platforms.__main__ import SHIPPED
from tests.support.platforms.chesscom_server import ChessComServer, read_months
from tests.support.postgres import reachable_folder
from tests.support.up import Up, rookify

USER = "4f3c2b1a-0d9e-4c7b-8a65-1f2e3d4c5b6a"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
GATEWAYS_SPAN = "00f067aa0ba902b7"
STEPS = {
    "rookify.sync.v1.SyncService/StartSync",
    "start_traced_sync_job",
    "sync job",
    "fetch games",
    "record_games",
    "analyze games",
    "analyze game",
    "record_analyses",
}


async def test_a_sync_is_one_trace_from_the_gateway_on() -> None:
    folder = reachable_folder()
    async with collecting() as collector, ChessComServer(read_months(SHIPPED / "chesscom")) as platform:
        env = {"ROOKIFY_CHESSCOM_URL": platform.url, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
        up = await Up.start(folder / "data", "--engine-workers", "1", env=env)
        try:
            minted = await rookify("token", "--user", USER, "--data", str(up.data), cwd=folder)
            async with grpc.aio.insecure_channel(up.address) as channel:
                user = Client(channel, UUID(USER), minted.out.strip())
                told = (("traceparent", f"00-{TRACE}-{GATEWAYS_SPAN}-01"), ("x-request-id", "r-1"))
                started = await user.sync.StartSync(
                    user.request(max_games=2), metadata=(*user.metadata, *told), timeout=20
                )
                ended = await user.ended(started.sync_job.id)
            assert ended.status == pb.SYNC_STATUS_COMPLETED
        finally:
            await up.stop()  # sends what is left
            log = (up.data / "logs" / "orchestrator.log").read_text(encoding="utf-8")
            shutil.rmtree(folder)
    ours = {
        name: [span for span in spans if span.trace_id.hex() == TRACE]
        for name, spans in collector.spans.items()
    }
    assert {name for name, spans in ours.items() if spans} >= STEPS
    assert collector.service == "rookify-orchestrator"
    (start,) = ours["rookify.sync.v1.SyncService/StartSync"]
    assert start.parent_span_id.hex() == GATEWAYS_SPAN
    (job,) = ours["sync job"]
    assert job.parent_span_id == start.span_id
    assert len(ours["analyze game"]) == 2
    # And the lines of the log say which trace, job and request they belong to.
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    ends = [line for line in lines if line["event"] == "job ended"]
    assert [(line["job_id"], line["trace_id"]) for line in ends] == [(started.sync_job.id, TRACE)]
    calls = [line for line in lines if line.get("request_id") == "r-1"]
    assert {line["trace_id"] for line in calls} == {TRACE}
