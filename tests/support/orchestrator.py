"""An orchestrator in the test's own process, all its edges real: gRPC and HTTP over sockets, Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import grpc.aio
import psycopg
from google.type import date_pb2

from orchestrator.__main__ import serve
from orchestrator.settings import Settings
from orchestrator.tokens import mint_token
from rookify.sync.v1 import sync_pb2 as pb
from rookify.sync.v1 import sync_pb2_grpc
from tests.support.postgres import Database

if TYPE_CHECKING:
    SyncStub = sync_pb2_grpc.SyncServiceAsyncStub
    AdminStub = sync_pb2_grpc.SyncAdminServiceAsyncStub

SECRET = "a signing secret of the tests, long enough"
PLAYER = "PaulMorphy"  # of the shipped games, January to March 2024


@dataclass
class Client:
    """Calls as one user, or as the service."""

    channel: grpc.aio.Channel
    user_id: UUID
    token: str

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", f"Bearer {self.token}"),)

    async def call(self, method: str, request: Any, **options: Any) -> Any:
        """`method` of SyncService, or of SyncAdminService where that has it."""
        stub = self.sync if hasattr(self.sync, method) else self.admin
        return await getattr(stub, method)(request, metadata=self.metadata, timeout=20, **options)

    @property
    def sync(self) -> SyncStub:
        return sync_pb2_grpc.SyncServiceStub(self.channel)

    @property
    def admin(self) -> AdminStub:
        return sync_pb2_grpc.SyncAdminServiceStub(self.channel)

    async def start(self, **changes: Any) -> pb.SyncJob:
        response = await self.call("StartSync", self.request(**changes))
        job: pb.SyncJob = response.sync_job
        return job

    def request(self, **changes: Any) -> pb.StartSyncRequest:
        """All of the shipped games of chess.com, unless changed."""
        fields: dict[str, Any] = {
            "user_id": str(self.user_id),
            "platform": pb.PLATFORM_CHESS_COM,
            "username": PLAYER,
            "from_date": date_pb2.Date(year=2024, month=1, day=1),
            "to_date": date_pb2.Date(year=2024, month=3, day=31),
        }
        return pb.StartSyncRequest(**(fields | changes))

    async def watch(self, job_id: str, **options: Any) -> AsyncGenerator[pb.WatchSyncResponse, None]:
        request = pb.WatchSyncRequest(sync_job_id=job_id, **options)
        call = self.sync.WatchSync(request, metadata=self.metadata)
        try:
            async for message in call:
                yield message
        finally:
            call.cancel()

    async def ended(self, job_id: str) -> pb.SyncJob:
        """The job's last state, once it has one."""
        async with asyncio.timeout(60):
            *_, last = [message.sync_job async for message in self.watch(job_id)]
        return last


@dataclass
class Orchestrator:
    port: int
    channel: grpc.aio.Channel
    database: Database
    settings: Settings

    async def user(self) -> Client:
        """A new user of their own."""
        user_id = uuid4()
        async with await psycopg.AsyncConnection.connect(self.database.owner_conninfo) as connection:
            await connection.execute(
                "insert into users (id, username) values (%s, %s)", (user_id, str(user_id))
            )
        return Client(self.channel, user_id, mint_token(SECRET, str(user_id)))

    def service(self) -> Client:
        user_id = uuid4()
        return Client(self.channel, user_id, mint_token(SECRET, str(user_id), "service_role"))


@asynccontextmanager
async def running_orchestrator(database: Database, **settings: Any) -> AsyncIterator[Orchestrator]:
    """Until the block is left; then it is stopped as SIGTERM stops it."""
    fields: dict[str, Any] = {
        "DATABASE_URL": database.app_conninfo,
        "SUPABASE_URL": "",
        "SUPABASE_SERVICE_ROLE_KEY": None,
        "listen": "127.0.0.1:0",
        "jwt_secret": SECRET,
        "shutdown_grace": 2,
        "max_starts_per_window": 1000,
        "max_watches_per_user": 1000,
        "write_interval": 0.01,
    }
    made = Settings(_env_file=None, **(fields | settings))  # type: ignore[call-arg]
    stop = asyncio.Event()
    port: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(made, stop, port.set_result))
    serving.add_done_callback(lambda _: port.cancel())  # it did not come up: awaiting it says why
    await asyncio.wait([port])
    if port.cancelled():
        await serving
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port.result()}") as channel:
            yield Orchestrator(port.result(), channel, database, made)
    finally:
        stop.set()
        async with asyncio.timeout(20):
            await serving
