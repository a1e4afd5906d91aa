"""A FastAPI gateway before the orchestrator: forwards the user's token, turns gRPC's errors into HTTP's.

    pip install fastapi uvicorn rookify-protos
    ROOKIFY_ORCHESTRATOR=127.0.0.1:50051 uvicorn fastapi_gateway:app

Envoy (deploy/envoy) does the same without a line of code; this is for gateways that do more than that.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import grpc
import grpc.aio
from fastapi import Body, FastAPI, Header, Request
from fastapi.responses import JSONResponse, StreamingResponse
from google.protobuf import json_format

from rookify.sync.v1 import sync_pb2 as pb
from rookify.sync.v1 import sync_pb2_grpc
from servicekit.status import from_rpc_error

# As in google/rpc/code.proto.
HTTP = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
SECONDS = 15  # for a call that answers once; a watcher stays

Token = Annotated[str, Header(alias="authorization")]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One channel for the whole process: it carries any number of calls, and reconnects by itself."""
    async with grpc.aio.insecure_channel(os.environ["ROOKIFY_ORCHESTRATOR"]) as channel:
        app.state.sync = sync_pb2_grpc.SyncServiceStub(channel)
        yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(grpc.aio.AioRpcError)
async def refused(_: Request, error: grpc.aio.AioRpcError) -> JSONResponse:
    """What the orchestrator refused, with the fields that are wrong and when to come back."""
    failure = from_rpc_error(error)
    headers = {}
    if failure.retry_delay is not None:
        headers["retry-after"] = str(max(1, round(failure.retry_delay.total_seconds())))
    fields = {violation.field: violation.description for violation in failure.field_violations}
    body = {"detail": failure.message, "reason": failure.reason, "fields": fields}
    return JSONResponse(body, HTTP.get(failure.code, 500), headers)


@app.post("/users/{user_id}/syncs")
async def start_sync(
    user_id: str, request: Request, token: Token, body: Annotated[dict[str, Any], Body()]
) -> Any:
    """`body` has StartSyncRequest's fields: {"platform": "PLATFORM_LICHESS", "username": "…"}."""
    message = json_format.ParseDict(body | {"user_id": user_id}, pb.StartSyncRequest())
    answer = await request.app.state.sync.StartSync(message, metadata=_metadata(token), timeout=SECONDS)
    return _json(answer.sync_job)


@app.get("/syncs/{sync_job_id}")
async def get_sync(sync_job_id: str, request: Request, token: Token) -> Any:
    wanted = pb.GetSyncJobRequest(sync_job_id=sync_job_id)
    answer = await request.app.state.sync.GetSyncJob(wanted, metadata=_metadata(token), timeout=SECONDS)
    return _json(answer.sync_job)


@app.get("/syncs/{sync_job_id}/events")
async def watch_sync(sync_job_id: str, request: Request, token: Token) -> StreamingResponse:
    """Server-sent events until the sync is over."""
    call = request.app.state.sync.WatchSync(
        pb.WatchSyncRequest(sync_job_id=sync_job_id, include_games=True), metadata=_metadata(token)
    )
    first = await call.read()  # a refusal must come before the answer's status has gone out

    async def events() -> AsyncIterator[str]:
        try:
            message = first
            while message is not grpc.aio.EOF:
                yield f"data: {json_format.MessageToJson(message, indent=None)}\n\n"
                message = await call.read()
        finally:
            call.cancel()  # the browser has gone, or all has been told

    return StreamingResponse(events(), media_type="text/event-stream")


def _metadata(token: str) -> tuple[tuple[str, str], ...]:
    """The user's own token goes on: the orchestrator decides what they may."""
    return (("authorization", token),)


def _json(message: pb.SyncJob) -> Any:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)
