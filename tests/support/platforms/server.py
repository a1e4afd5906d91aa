"""What the two local platforms have in common: the socket, the record of requests, the scripted faults."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.support.platforms.faults import Answer, Faults


@dataclass(slots=True)
class Seen:
    """One request as it came, `at` the loop's time. `overlapped`: another one was still open."""

    at: float
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    overlapped: bool


class LocalPlatform(ABC):
    """A platform on a free port of 127.0.0.1; `async with` starts and stops it.

    `url` is the base URL to give to a client. `requests` is the record, `overlaps` counts the requests that
    came while another was open, `open_requests` are those not yet answered.
    """

    prefix = ""

    def __init__(self) -> None:
        self.faults = Faults()
        self.requests: list[Seen] = []
        self.open_requests = 0
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self.url = ""

    @property
    def overlaps(self) -> int:
        return sum(seen.overlapped for seen in self.requests)

    def app(self) -> web.Application:
        """To be mounted anywhere: the platform finds out from each request where it is."""
        app = web.Application()
        app.router.add_get("/{tail:.*}", self._handle)
        return app

    async def __aenter__(self) -> Self:
        parent = self.app()
        if self.prefix:
            parent = web.Application()
            parent.add_subapp(self.prefix, self.app())
        # A handler ends when its client leaves, so that `open_requests` is the truth.
        self._runner = web.AppRunner(parent, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}{self.prefix}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def seen(self, count: int) -> None:
        """Waits until so many requests have come."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= count)

    async def idle(self) -> None:
        """Waits until no request is open."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.open_requests == 0)

    @abstractmethod
    async def answer(self, request: web.Request, parts: list[str], overlapped: bool) -> Answer:
        """The right answer to a request for the path of `parts`, below the platform's base URL."""

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        tail = request.match_info["tail"]
        overlapped = self.open_requests > 0
        now = asyncio.get_running_loop().time()
        self.requests.append(Seen(now, f"/{tail}", dict(request.query), dict(request.headers), overlapped))
        await self._moved(+1)
        try:
            right = await self.answer(request, tail.strip("/").split("/"), overlapped)
            fault = self.faults.take(request.path_qs)
            if fault is not None:
                return await fault(request, right)
            return await right.send(request)
        finally:
            await asyncio.shield(self._moved(-1))

    async def _moved(self, by: int) -> None:
        self.open_requests += by
        async with self._changed:
            self._changed.notify_all()


def base_of(request: web.Request) -> str:
    """The platform's own base URL as this client reached it."""
    return str(request.url.origin()) + request.path.removesuffix("/" + request.match_info["tail"])
