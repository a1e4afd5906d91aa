"""A local server that behaves as chess.com's Published Data API does, as its documentation describes it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.support.platforms.faults import Answer, json_answer
from tests.support.platforms.server import LocalPlatform, base_of

Game = dict[str, Any]


def read_months(folder: Path) -> list[Game]:
    """All games of a folder of month files as the API answers them (`games-YYYY-MM.json`)."""
    games: list[Game] = []
    for file in sorted(folder.glob("games-*.json")):
        games += json.loads(file.read_text())["games"]
    return games


class ChessComServer(LocalPlatform):
    """Serves games to each of their players: archives, months, ETag and 304, 301, 403, 404, 410, 429.

    `closed` maps a lower-case name to 410 or 403; `renamed` an old name to the new one. Two requests at
    once: the second gets 429, with `retry_after` (seconds) in its header where that is set.
    """

    prefix = "/pub"

    def __init__(
        self,
        games: Iterable[Game],
        *,
        players: Sequence[str] = (),
        closed: Mapping[str, int] | None = None,
        renamed: Mapping[str, str] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__()
        self._closed = dict(closed or {})
        self._renamed = {old.lower(): new.lower() for old, new in (renamed or {}).items()}
        self._retry_after = retry_after
        self._months: dict[str, dict[str, list[Game]]] = {name.lower(): {} for name in players}
        for game in games:
            month = datetime.fromtimestamp(game["end_time"], UTC).strftime("%Y/%m")
            for color in ("white", "black"):
                name = game[color]["username"].lower()
                self._months.setdefault(name, {}).setdefault(month, []).append(game)

    async def answer(self, request: web.Request, parts: list[str], overlapped: bool) -> Answer:
        if not request.headers.get("User-Agent"):
            return Answer(403, {"Content-Type": "text/html"}, b"<html>403 Forbidden</html>")
        if overlapped:
            wait = {"Retry-After": str(self._retry_after)} if self._retry_after is not None else {}
            return _error(429, "Too many requests at once.", wait)
        match [part.lower() for part in parts]:
            case ["player", name, "games", *rest] if rest == ["archives"] or len(rest) == 2:
                return self._player(request, name, rest)
        return _error(404, f'Data provider not found for key "{request.path}".')

    def _player(self, request: web.Request, name: str, rest: list[str]) -> Answer:
        if name in self._renamed:
            there = "/".join([base_of(request), "player", self._renamed[name], "games", *rest])
            return Answer(301, {"Location": there})
        if name in self._closed:
            return _error(self._closed[name], f'The account of user "{name}" is closed.')
        if name not in self._months:
            return _error(404, f'User "{name}" not found.')
        months = self._months[name]
        if rest == ["archives"]:
            root = f"{base_of(request)}/player/{name}/games/"
            return self._fresh(request, {"archives": [root + month for month in sorted(months)]}, months)
        month = "/".join(rest)
        games = sorted(months.get(month, []), key=lambda game: int(game["end_time"]))
        return self._fresh(request, {"games": games}, {month: games})

    def _fresh(self, request: web.Request, body: object, months: Mapping[str, list[Game]]) -> Answer:
        """The answer with its validators, or 304 where the client's copy is as new."""
        right = json_answer(200, body)
        tag = f'W/"{hashlib.sha256(right.body).hexdigest()[:32]}"'
        newest = max((game["end_time"] for games in months.values() for game in games), default=0)
        changed = datetime.fromtimestamp(newest, UTC)
        headers = {
            **right.headers,
            "ETag": tag,
            "Last-Modified": format_datetime(changed, usegmt=True),
            "Cache-Control": "public, max-age=60",
        }
        known = request.headers.get("If-None-Match")
        since = request.if_modified_since
        if known == tag or (known is None and since is not None and since >= changed):
            return Answer(304, headers)
        return Answer(200, headers, right.body)


def _error(code: int, message: str, headers: Mapping[str, str] | None = None) -> Answer:
    return json_answer(code, {"code": 0, "message": message}, headers)
