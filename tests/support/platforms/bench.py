"""One platform under test: its local server and its client, alike for both, so that one suite serves both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from orchestrator.domain import DateWindow, Platform, PlatformGame
from orchestrator.platforms.base import FetchPage, FetchRequest, PlatformClient
from orchestrator.platforms.chesscom import ChessComClient
from orchestrator.platforms.http import HttpPolicy
from orchestrator.platforms.lichess import LichessClient
from tests.support.platforms.chesscom_server import ChessComServer
from tests.support.platforms.lichess_server import LichessServer
from tests.support.platforms.making import PLAYER, Made
from tests.support.platforms.server import LocalPlatform

CONTACT = "mail@example.org"
# The same waits as in production, a hundred times shorter.
QUICK = HttpPolicy(
    attempts=6,
    first_wait=0.005,
    longest_wait=0.02,
    jitter=0.001,
    read_timeout=0.3,
    connect_timeout=2,
    deadline=5,
    first_rest=0.05,
    longest_rest=0.2,
    patience=1,
)
WINDOW = DateWindow(date(2024, 1, 1), date(2024, 3, 31))
MINUTE = 0.2  # of lichess, in these tests


@dataclass(frozen=True, slots=True)
class Bench:
    server: LocalPlatform
    client: PlatformClient

    async def fetch(self, **request: Any) -> list[FetchPage]:
        """All pages of a fetch, `WINDOW` of `PLAYER` unless said otherwise."""
        return [page async for page in self.client.fetch(asking(**request))]

    async def games(self, **request: Any) -> list[PlatformGame]:
        return [game for page in await self.fetch(**request) for game in page.games]


def many(count: int, apart: timedelta = timedelta(minutes=6)) -> list[Made]:
    """Games one after the other over some days, every 25 of which ended in the same second."""
    first = datetime(2024, 1, 30, 20, tzinfo=UTC)
    return [Made(n, ended=first + (n - n % 25) * apart) for n in range(count)]


def asking(**request: Any) -> FetchRequest:
    every: dict[str, Any] = {"username": PLAYER, "window": WINDOW} | request
    return FetchRequest(**every)


def excluded(pages: Iterable[FetchPage]) -> dict[str, int]:
    """The counts of all pages together."""
    counts: dict[str, int] = {}
    for page in pages:
        for reason, count in page.excluded.items():
            counts[reason] = counts.get(reason, 0) + count
    return counts


@asynccontextmanager
async def serving(
    platform: Platform, games: Iterable[Made] = (), *, policy: HttpPolicy = QUICK, **options: Any
) -> AsyncIterator[Bench]:
    """A server with these games and a client of it; `PLAYER` is known also without any."""
    options = {"players": [PLAYER]} | options
    if platform is Platform.CHESS_COM:
        async with ChessComServer([game.chesscom() for game in games], **options) as chesscom:
            client = ChessComClient(chesscom.url, CONTACT, policy=policy)
            try:
                yield Bench(chesscom, client)
            finally:
                await client.aclose()
        return
    quick: dict[str, Any] = {"minute": MINUTE, "speed_up": 10_000} | options
    async with LichessServer([game.lichess() for game in games], **quick) as lichess:
        pause = MINUTE * 1.25  # a little longer than the server's minute, as clocks differ
        other = LichessClient(lichess.url, CONTACT, policy=replace(policy, rate_limit_pause=pause))
        try:
            yield Bench(lichess, other)
        finally:
            await other.aclose()
