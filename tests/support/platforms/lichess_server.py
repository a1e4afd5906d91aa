"""A local server that behaves as lichess's games export does, as its documentation and source describe it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from aiohttp import web

from tests.support.platforms.faults import Answer, json_answer
from tests.support.platforms.lichess_pgn import pgn_of
from tests.support.platforms.server import LocalPlatform

Game = dict[str, Any]

ANONYMOUS, WITH_TOKEN, OWN_GAMES = 20.0, 30.0, 60.0  # games a second
# Fields that come only when asked for, and whether they do without being asked.
_OPTIONAL = {"opening": False, "clocks": False, "moves": True}


def read_export(file: Path) -> list[Game]:
    """The games of an ndjson file as the export streams it."""
    return [json.loads(line) for line in file.read_text().splitlines() if line.strip()]


class LichessServer(LocalPlatform):
    """Streams a player's games as ndjson: throttled, filtered, sorted; 401, 404, 429.

    `tokens` maps each valid token to its user. `speed_up` divides the throttle's pauses. A request while
    another is open gets 429; after any 429, also a scripted one, everything is answered with 429 until
    nobody has asked for `minute` seconds. `inclusive_until`: games of the very millisecond are given too.
    """

    def __init__(
        self,
        games: Iterable[Game],
        *,
        players: Sequence[str] = (),
        tokens: Mapping[str, str] | None = None,
        minute: float = 60,
        speed_up: float = 1,
        inclusive_until: bool = False,
    ) -> None:
        super().__init__()
        self._games = list(games)
        self._tokens = {token: user.lower() for token, user in (tokens or {}).items()}
        self._minute = minute
        self._speed_up = speed_up
        self._inclusive_until = inclusive_until
        self._limited_until = 0.0
        self.limited = 0  # requests answered with 429
        self._players = {name.lower() for name in players} | {
            side["user"]["id"] for game in self._games for side in game["players"].values() if "user" in side
        }

    def limit(self) -> None:
        """From now on 429, as after too many requests."""
        self._limited_until = monotonic() + self._minute

    async def answer(self, request: web.Request, parts: list[str], overlapped: bool) -> Answer:
        if overlapped or monotonic() < self._limited_until:
            self.limit()
            self.limited += 1
            return json_answer(429, {"error": "Please only run 1 request(s) at a time"})
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self._tokens:
            return json_answer(401, {"error": "No such token"})
        match parts:
            case ["api", "games", "user", name] if name.lower() in self._players:
                return self._export(request.query, name.lower(), self._rate(token, name.lower()))
        return json_answer(404, {"error": "Not found"})

    def _rate(self, token: str, name: str) -> float:
        if not token:
            return ANONYMOUS
        return OWN_GAMES if self._tokens[token] == name else WITH_TOKEN

    def _export(self, query: Mapping[str, str], name: str, rate: float) -> Answer:
        games = [game for game in self._games if self._wanted(game, query, name)]
        games.sort(key=lambda game: int(game["createdAt"]), reverse=query.get("sort") != "dateAsc")
        if "max" in query:
            games = games[: int(query["max"])]
        headers = {"Content-Type": "application/x-ndjson"}
        return Answer(200, headers, chunks=self._stream(games, query, 1 / rate / self._speed_up))

    async def _stream(
        self, games: list[Game], query: Mapping[str, str], pause: float
    ) -> AsyncIterator[bytes]:
        for game in games:
            yield json.dumps(_as_asked(game, query)).encode() + b"\n"
            await asyncio.sleep(pause)

    def _wanted(self, game: Game, query: Mapping[str, str], name: str) -> bool:
        color = _color_of(game, name)
        if color is None or not self._in_time(game, query):
            return False
        if "rated" in query and game["rated"] is not (query["rated"] == "true"):
            return False
        if "perfType" in query and game["perf"] not in query["perfType"].split(","):
            return False
        return query.get("color", color) == color

    def _in_time(self, game: Game, query: Mapping[str, str]) -> bool:
        created = int(game["createdAt"])
        until = int(query.get("until", 2**62)) + int(self._inclusive_until)
        return int(query.get("since", 0)) <= created < until


def _color_of(game: Game, name: str) -> str | None:
    for color, side in game["players"].items():
        if side.get("user", {}).get("id") == name:
            return str(color)
    return None


def _as_asked(game: Game, query: Mapping[str, str]) -> Game:
    def asked(field: str, default: bool) -> bool:
        return query.get(field, str(default).lower()) == "true"

    left_out = {field for field, default in _OPTIONAL.items() if not asked(field, default)}
    shown = {field: value for field, value in game.items() if field not in left_out}
    if asked("pgnInJson", default=False):
        made = pgn_of(game, clocks=asked("clocks", default=False), opening=asked("opening", default=False))
        shown["pgn"] = game.get("pgn", made)
    return shown
