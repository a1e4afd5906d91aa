"""What can go wrong at a platform, scripted per request by a test.

    server.faults.add(status(500), times=2)             the next two requests
    server.faults.add(half_body(), on="/2024/02")       the next request whose path and query contain that

A fault plays instead of the right answer, or spoils it. Those that fit win in the order of their adding.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Answer:
    """What a platform sends: `chunks` is None where the body is `body`, sent with its length."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunks: AsyncIterator[bytes] | None = None

    async def send(self, request: web.Request) -> web.StreamResponse:
        if self.chunks is None:
            return web.Response(status=self.status, headers=dict(self.headers), body=self.body)
        response = web.StreamResponse(status=self.status, headers=dict(self.headers))
        await response.prepare(request)
        async for chunk in self.chunks:
            await response.write(chunk)
        await response.write_eof()
        return response


Fault = Callable[[web.Request, Answer], Awaitable[web.StreamResponse]]


class Faults:
    """The faults still to come."""

    def __init__(self) -> None:
        self._script: list[tuple[Fault, str]] = []

    def add(self, fault: Fault, *, times: int = 1, on: str = "") -> None:
        self._script += [(fault, on)] * times

    def take(self, path_and_query: str) -> Fault | None:
        for index, (fault, on) in enumerate(self._script):
            if on in path_and_query:
                del self._script[index]
                return fault
        return None

    def clear(self) -> None:
        """No more of what is still to come."""
        self._script.clear()

    @property
    def left(self) -> int:
        """A test that scripts faults should end with none of them left."""
        return len(self._script)


def json_answer(status: int, body: object, headers: Mapping[str, str] | None = None) -> Answer:
    every = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    return Answer(status, every, json.dumps(body).encode())


def status(code: int, message: str = "scripted", headers: Mapping[str, str] | None = None) -> Fault:
    """Answers with an error, in JSON as both platforms do."""

    async def play(request: web.Request, _right: Answer) -> web.StreamResponse:
        return await json_answer(code, {"code": 0, "message": message, "error": message}, headers).send(
            request
        )

    return play


def garbage(body: bytes = b"<html>one moment, please</html>") -> Fault:
    """Answers 200 with something else."""

    async def play(request: web.Request, _right: Answer) -> web.StreamResponse:
        return await Answer(200, {"Content-Type": "application/json"}, body).send(request)

    return play


def half_body() -> Fault:
    """Promises the right answer's length and closes the connection after half of it."""

    async def play(request: web.Request, right: Answer) -> web.StreamResponse:
        body = right.body or b"".join([chunk async for chunk in right.chunks or _nothing()])
        response = web.StreamResponse(status=right.status, headers=dict(right.headers))
        response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        _hang_up(request)
        return response

    return play


def break_after(chunks: int) -> Fault:
    """Streams so many chunks (games) of the right answer, then closes the connection in the middle of it."""

    async def play(request: web.Request, right: Answer) -> web.StreamResponse:
        response = web.StreamResponse(status=right.status, headers=dict(right.headers))
        await response.prepare(request)
        left = chunks
        async for chunk in right.chunks or _nothing():
            if left == 0:
                await response.write(chunk[: len(chunk) // 2])
                break
            await response.write(chunk)
            left -= 1
        _hang_up(request)
        return response

    return play


def end_after(chunks: int) -> Fault:
    """Streams so many chunks (games) of the right answer and ends as if that were all."""

    async def some(right: Answer) -> AsyncIterator[bytes]:
        left = chunks
        async for chunk in right.chunks or _nothing():
            if left == 0:
                return
            left -= 1
            yield chunk

    async def play(request: web.Request, right: Answer) -> web.StreamResponse:
        return await Answer(right.status, right.headers, chunks=some(right)).send(request)

    return play


def drop() -> Fault:
    """Closes the connection without a word."""

    async def play(request: web.Request, _right: Answer) -> web.StreamResponse:
        _hang_up(request)
        return web.Response()

    return play


def silence() -> Fault:
    """Takes the request and says nothing until the client gives up."""

    async def play(_request: web.Request, _right: Answer) -> web.StreamResponse:
        await asyncio.Event().wait()  # ended by the client's leaving, which cancels the handler
        raise AssertionError("unreachable")

    return play


def silence_after(chunks: int) -> Fault:
    """Streams so many chunks (games) of the right answer, then nothing until the client gives up."""

    async def some(right: Answer) -> AsyncIterator[bytes]:
        left = chunks
        async for chunk in right.chunks or _nothing():
            if left == 0:
                await asyncio.Event().wait()
            left -= 1
            yield chunk

    async def play(request: web.Request, right: Answer) -> web.StreamResponse:
        return await Answer(right.status, right.headers, chunks=some(right)).send(request)

    return play


def slowly(pause: float, pieces: int = 10) -> Fault:
    """The right answer with a pause (seconds) before each chunk, or before each of so many pieces."""

    async def trickle(right: Answer) -> AsyncIterator[bytes]:
        size = -(-len(right.body) // pieces) or 1
        cut = [right.body[at : at + size] for at in range(0, len(right.body), size)]
        for piece in cut or [chunk async for chunk in right.chunks or _nothing()]:
            await asyncio.sleep(pause)
            yield piece

    async def play(request: web.Request, right: Answer) -> web.StreamResponse:
        return await Answer(right.status, right.headers, chunks=trickle(right)).send(request)

    return play


def flood(piece: bytes, pause: float = 0) -> Fault:
    """An answer that never ends; `pause` (seconds) between its pieces."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield piece
            await asyncio.sleep(pause)

    async def play(request: web.Request, right: Answer) -> web.StreamResponse:
        return await Answer(200, right.headers, chunks=endless()).send(request)

    return play


async def _nothing() -> AsyncIterator[bytes]:
    none: tuple[bytes, ...] = ()
    for chunk in none:
        yield chunk


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()
