"""One player's games export at lichess, request by request: where to go on, and what an answer holds."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import httpx
import structlog

from orchestrator.domain import Platform
from orchestrator.platforms.answers import BROKEN, Transient, bounded_lines
from orchestrator.platforms.base import PAGE_GAMES, FetchRequest
from orchestrator.platforms.errors import BadToken, PlatformError, PlatformRefused, UnknownPlayer
from orchestrator.platforms.http import PlatformHttp
from orchestrator.platforms.lichess_format import Line, parse_line
from orchestrator.platforms.usernames import validate_username

T = TypeVar("T")
log = structlog.get_logger()

LINE_BYTES = 2**20  # a game of 600 moves with clocks and all fields is 60 KB
# The longest clocks, 180 minutes and 180 seconds a move, would be 2.5 days with 600 moves of each side.
LIVE_LOOKBACK = timedelta(days=3)
CORRESPONDENCE_LOOKBACK = timedelta(days=365)  # what is older is not worth the wait of every sync
# 20 games a second are promised, so a page takes 5 seconds. A slower one is ended early and goes on later:
# others wait at the gate.
PAGE_SECONDS = 30
EARLIEST = 1356998400070  # the least that `since` and `until` may be (lichess's API description)
_TOKEN = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a fetch stands in the export: games that began before `before` (ms), but for those `seen`."""

    before: int
    seen: frozenset[str] = frozenset()  # ids that began in the last millisecond before `before`
    # Set when the export is done and the old correspondence games are dealt with, last ended first: the
    # `Line.key` of the last one, or (0, "") before the first.
    old: tuple[int, str] | None = None

    @classmethod
    def of(cls, cursor: Mapping[str, Any]) -> Place:
        old = cursor["old"]
        return cls(cursor["before"], frozenset(cursor["seen"]), (old[0], old[1]) if old else None)

    def cursor(self) -> dict[str, Any]:
        old = list(self.old) if self.old else None
        return {"before": self.before, "seen": sorted(self.seen), "old": old}

    def is_new(self, line: Line) -> bool:
        """`until` leaves out its own millisecond; a server that includes it would repeat games."""
        return line.created < self.before and line.game_id not in self.seen

    def after(self, line: Line) -> Place:
        if line.created + 1 < self.before:
            return Place(line.created + 1, frozenset({line.game_id}))
        return Place(self.before, self.seen | {line.game_id})

    def old_left(self, lines: list[Line]) -> list[Line]:
        """Of the old correspondence games, sorted by key, those not yet dealt with."""
        return [line for line in lines if self.old in (None, (0, "")) or line.key < self.old]


class Export:
    """Asks for one player's games. Raises `InvalidInput` and `BadToken` before any request is made."""

    def __init__(self, http: PlatformHttp, request: FetchRequest) -> None:
        self._http = http
        self._waiter = http.waiter(request.on_notice)
        self._player = validate_username(Platform.LICHESS, request.username).lower()
        self._token = request.token
        self._headers = {"Accept": "application/x-ndjson"}
        if request.token:
            # httpx quotes a header that it cannot send in its error: it never gets one.
            if not _TOKEN.fullmatch(request.token):
                raise BadToken("The lichess token has characters that no token has; copy it again.")
            self._headers["Authorization"] = f"Bearer {request.token}"

    async def page(self, place: Place, start: datetime) -> list[Line]:
        """Up to `PAGE_GAMES` games after the place; none only when lichess, asked for more, has no more.

        `start` is the window's. A stream that breaks, or ends too early, is a short page: the next request
        goes on from there.
        """
        since = milliseconds(start) - LIVE_LOOKBACK // timedelta(milliseconds=1)
        asked = PAGE_GAMES + len(place.seen)
        while True:
            lines, received = await self._part(place, since, asked)
            if lines or received < asked:
                return lines
            asked *= 2  # all of it was known: more games of one millisecond than were asked for

    async def _part(self, place: Place, since: int, asked: int) -> tuple[list[Line], int]:
        """What one request brings: the new games, and how many lines there were."""

        async def read(answer: httpx.Response) -> tuple[list[Line], int]:
            lines: dict[str, Line] = {}
            received = 0
            now = asyncio.get_running_loop().time
            late = now() + PAGE_SECONDS
            try:
                async with aclosing(bounded_lines(answer, LINE_BYTES)) as texts:
                    async for text in texts:
                        line = self._parse(text)
                        received += 1
                        if place.is_new(line):
                            lines[line.game_id] = line
                        # Otherwise to the end, which comes by itself: hanging up early looks bad.
                        if received > asked or (lines and now() > late):
                            break
            except (httpx.TransportError, Transient) as error:
                if not lines:
                    raise
                log.info("stream broke", platform=Platform.LICHESS, games=len(lines), why=str(error))
            return list(lines.values())[:PAGE_GAMES], received

        bounds = {"since": str(max(since, EARLIEST)), "until": str(max(place.before, EARLIEST))}
        return await self._get({**bounds, "max": str(asked)}, read)

    async def old_correspondence(self, start: datetime) -> list[Line]:
        """Correspondence games that began before `page`'s part and ended since `start`; last ended first.

        Asked for without `until`, which the search index may apply to another date.
        """
        started = milliseconds(start)
        first = started - LIVE_LOOKBACK // timedelta(milliseconds=1)

        async def read(answer: httpx.Response) -> list[Line]:
            found: dict[str, Line] = {}
            async with aclosing(bounded_lines(answer, LINE_BYTES)) as texts:
                async for text in texts:
                    line = self._parse(text)
                    if line.created < first and line.ended >= started:
                        found[line.game_id] = line
            return sorted(found.values(), key=lambda line: line.key, reverse=True)

        since = max(started - CORRESPONDENCE_LOOKBACK // timedelta(milliseconds=1), EARLIEST)
        return await self._get({"since": str(since), "perfType": "correspondence"}, read)

    def _parse(self, text: bytes) -> Line:
        try:
            return parse_line(text, self._player)
        except BROKEN as error:
            raise Transient("a line that is no game") from error

    async def _get(self, params: Mapping[str, str], read: Callable[[httpx.Response], Awaitable[T]]) -> T:
        content = {"pgnInJson": "true", "clocks": "true", "opening": "true", "evals": "false"}
        return await self._http.get(
            f"/api/games/user/{self._player}",
            self._waiter,
            kind="games",
            what=f"the games of {self._player}",
            params={**params, **content, "sort": "dateDesc"},
            headers=self._headers,
            read=read,
            refuse=self._refusal,
        )

    def _refusal(self, status: int, message: str) -> PlatformError:
        if status == 404:
            return UnknownPlayer(
                f"lichess knows no player named {self._player}, or the account is closed. Check the spelling."
            )
        if status == 401 and self._token:
            return BadToken(
                "lichess does not accept the token: it is wrong, revoked or expired. Make a new one."
            )
        said = f" It says: “{message}”." if message and not self._token else ""
        return PlatformRefused(f"lichess refuses to give {self._player}'s games ({status}).{said}")


def milliseconds(when: datetime) -> int:
    return int(when.timestamp() * 1000)
