"""Games from chess.com's Published Data API, month by month.

A month's archive holds the games that ended in it (UTC), daily ones included, so a window of end days is
exact. The list of archives says which months there are; one that is listed and cannot be had fails the fetch.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from orchestrator.domain import Platform
from orchestrator.platforms.answers import BROKEN, Transient, read_bounded
from orchestrator.platforms.base import FetchPage, FetchRequest
from orchestrator.platforms.chesscom_format import MonthEntry, archive_months, month_entries
from orchestrator.platforms.entries import PageBuilder
from orchestrator.platforms.errors import (
    AccountClosed,
    PlatformError,
    PlatformRefused,
    PlatformUnavailable,
    UnknownPlayer,
)
from orchestrator.platforms.gate import Waiter
from orchestrator.platforms.http import HttpPolicy, PlatformHttp
from orchestrator.platforms.usernames import validate_username
from orchestrator.platforms.window import Month, touches

# A game with clocks is 3 to 5 KB of JSON, so this is a month of some 15,000 games: 20 an hour, day and night.
MONTH_BYTES = 64 * 2**20
ARCHIVES_BYTES = 2**20  # 80 bytes a month: a thousand years


@dataclass(frozen=True, slots=True)
class _Position:
    """Where a fetch stands: all months after `month` are done; of it, all games down to `key`, or all."""

    month: Month
    key: tuple[int, str] | None  # None: the whole month is done

    @classmethod
    def of(cls, cursor: Mapping[str, Any] | None) -> _Position | None:
        if cursor is None:
            return None
        before = cursor["before"]
        return cls(Month.parse(cursor["month"]), (before[0], before[1]) if before else None)

    def cursor(self) -> dict[str, Any]:
        return {"month": str(self.month), "before": list(self.key) if self.key else None}

    def done_with(self, month: Month) -> bool:
        return month > self.month or (month == self.month and self.key is None)

    def is_before(self, month: Month, entry: MonthEntry) -> bool:
        """Whether the game was dealt with in an earlier run."""
        return month == self.month and self.key is not None and entry.key >= self.key


class ChessComClient:
    """One for the process: its jobs share the gate. `contact` goes into User-Agent, as chess.com asks."""

    platform = Platform.CHESS_COM

    def __init__(
        self,
        base_url: str = "https://api.chess.com/pub",
        contact: str = "",
        *,
        policy: HttpPolicy | None = None,
    ) -> None:
        self._http = PlatformHttp(
            self.platform, base_url, contact, policy or HttpPolicy(), follow_redirects=True
        )

    async def aclose(self) -> None:
        await self._http.aclose()

    async def fetch(self, request: FetchRequest) -> AsyncIterator[FetchPage]:
        """Months newest first, games of a month newest first; a page ends with its month at the latest.

        Nothing is open at the platform while a page is out, so a consumer may take its time, or stop.
        """
        name = validate_username(self.platform, request.username).lower()
        builder = PageBuilder(request)
        if builder.satisfied():
            return
        reached = _Position.of(request.cursor)
        waiter = self._http.waiter(request.on_notice)
        player, months = await self._archives(name, waiter)
        for month in months:
            if not touches(request.window, month) or (reached and reached.done_with(month)):
                continue
            for entry in await self._month(player, month, waiter):
                if reached and reached.is_before(month, entry):
                    continue
                builder.take(entry.value)
                if builder.full() or builder.satisfied():
                    yield builder.page(_Position(month, entry.key).cursor())
                if builder.satisfied():
                    return
            yield builder.page(_Position(month, None).cursor())

    async def _archives(self, name: str, waiter: Waiter) -> tuple[str, list[Month]]:
        """The player's name as chess.com has it now (lower case), and the months with games, newest first."""

        async def read(answer: httpx.Response) -> tuple[str, list[Month]]:
            body = await read_bounded(answer, ARCHIVES_BYTES)
            try:
                months = archive_months(json.loads(body))
            except BROKEN as error:
                raise Transient("an answer that is no list of archives") from error
            return _player_of(answer.url, name), months

        def refuse(status: int, message: str) -> PlatformError:
            return _refusal(status, message, name)

        return await self._http.get(
            f"/player/{name}/games/archives",
            waiter,
            kind="archives",
            what=f"the list of {name}'s months",
            read=read,
            refuse=refuse,
        )

    async def _month(self, player: str, month: Month, waiter: Waiter) -> list[MonthEntry]:
        what = f"the games of {month}"

        async def read(answer: httpx.Response) -> list[MonthEntry]:
            body = await read_bounded(answer, MONTH_BYTES)
            try:
                return await asyncio.to_thread(month_entries, body, month, player)
            except BROKEN as error:
                raise Transient("an answer that is no list of games") from error

        def refuse(status: int, message: str) -> PlatformError:
            if status == 404:
                return PlatformUnavailable(
                    f"chess.com lists {month} among {player}'s months and then does not have {what}. "
                    "The sync was stopped so that no game is left out unnoticed; start it again later.",
                    metadata={"what": what},
                )
            return _refusal(status, message, player)

        return await self._http.get(
            f"/player/{player}/games/{month.year:04}/{month.month:02}",
            waiter,
            kind="month",
            what=what,
            read=read,
            refuse=refuse,
        )


def _player_of(url: httpx.URL, asked: str) -> str:
    """A renamed player's archives are found by a redirect; the games carry the new name."""
    parts = url.path.split("/")
    try:
        return parts[parts.index("player") + 1].lower()
    except (ValueError, IndexError):
        return asked


def _refusal(status: int, message: str, name: str) -> PlatformError:
    said = f" It says: “{message}”." if message else ""
    if status == 404:
        return UnknownPlayer(f"chess.com knows no player named {name}. Check the spelling.")
    if status == 410 or (status == 403 and "closed" in message.lower()):
        return AccountClosed(f"The chess.com account {name} is closed, so its games cannot be fetched.{said}")
    if status == 403:
        return PlatformRefused(
            f"chess.com refuses to give {name}'s games (403).{said} Either the account is closed, or this "
            "service must say who runs it: set ROOKIFY_CONTACT to a mail address or URL."
        )
    return PlatformRefused(f"chess.com refuses to give {name}'s games ({status}).{said}")
