"""chess.com's JSON as the project's own words. Pure: no requests, no clock.

Source: the Published Data API's description of archives and games.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orchestrator.domain import Color, Platform, PlatformGame, TimeClass
from orchestrator.platforms.entries import LeftOut, Malformed, has_moves, storable, variant_reason
from orchestrator.platforms.window import Month

_ARCHIVE = re.compile(r"/player/([^/]+)/games/(\d{4})/(\d{2})/?$")
# ".../game/live/39846562427", and in older answers ".../live/game/39846562427"
_GAME_URL = re.compile(r"/game/([a-z]+/\d+)$|/([a-z]+)/game/(\d+)$")
_NOT_PLAIN = re.compile(r"[^\x21-\x7e]")  # a key travels in a cursor: no game may spoil it
_GAMES_LIST = re.compile(r'\s*\{\s*"games"\s*:\s*\[\s*')
_BETWEEN_GAMES = re.compile(r"\s*(,|\])\s*")

_TIME_CLASSES = {
    "bullet": TimeClass.BULLET,
    "blitz": TimeClass.BLITZ,
    "rapid": TimeClass.RAPID,
    "daily": TimeClass.CORRESPONDENCE,
}
_VARIANTS = {"chess": "standard", "chess960": "chess960"}  # those that Stockfish plays
# Result codes that mean a draw; of the others, one side's is "win".
_DRAWS = {"agreed", "repetition", "stalemate", "insufficient", "50move", "timevsinsufficient"}


@dataclass(frozen=True, slots=True)
class MonthEntry:
    """One game of a month with its place in it: the order of fetching is by `key`, greatest first."""

    key: tuple[int, str]  # end_time (unix seconds), then the game's id: no two games share it
    value: PlatformGame | LeftOut


def archive_months(body: object) -> list[Month]:
    """The months of `GET …/games/archives`, newest first; ValueError where the answer is not such a list."""
    urls = body.get("archives") if isinstance(body, dict) else None
    if not isinstance(urls, list):
        raise ValueError("no list of archives")  # noqa: TRY004  what comes from outside is a value
    months = set()
    for url in urls:
        match = _ARCHIVE.search(url) if isinstance(url, str) else None
        if match is None:
            raise ValueError("an archive without a month")
        months.add(Month.parse(f"{match[2]}-{match[3]}"))
    return sorted(months, reverse=True)


def month_entries(body: bytes | bytearray, month: Month, player: str) -> list[MonthEntry]:
    """The games of a month's answer, newest first and each one once, from the player's point of view.

    ValueError where the answer is not such a list. Decodes game by game: one call for a month of tens of MiB
    would hold the interpreter for all of it, also when run in a thread, and keep what no sync needs.
    """
    entries = [_entry(raw, i, month, player) for i, raw in enumerate(_raw_games(body.decode()))]
    once = {entry.key: entry for entry in entries}.values()
    return sorted(once, key=lambda entry: entry.key, reverse=True)


def _raw_games(text: str) -> Iterator[Any]:
    match = _GAMES_LIST.match(text)
    if match is None:  # sound, but laid out in another way: the slow path is as right
        body = json.loads(text)
        games = body.get("games") if isinstance(body, dict) else None
        if not isinstance(games, list):
            raise ValueError("no list of games")
        yield from games
        return
    decoder = json.JSONDecoder()
    at = match.end()
    more = not text.startswith("]", at)
    while more:
        game, at = decoder.raw_decode(text, at)
        yield game
        between = _BETWEEN_GAMES.match(text, at)
        if between is None:
            raise ValueError("the list of games breaks off")
        more, at = between[1] == ",", between.end()
    if not text.rstrip().endswith("}"):
        raise ValueError("the answer breaks off")


def _entry(raw: Any, number: int, month: Month, player: str) -> MonthEntry:
    """A game that lacks what every game has counts as malformed, without a date at the month's beginning."""
    ended = datetime(month.year, month.month, 1, tzinfo=UTC)
    identity = f"#{number}"
    try:
        ended = _ended(raw)
        name = raw.get("url") or raw.get("uuid")
        identity = _NOT_PLAIN.sub("", str(name))[:100] if name else identity
        value = _game(raw, ended, player)
    except Malformed:
        value = LeftOut("malformed", ended)
    return MonthEntry((int(ended.timestamp()), identity), value)


def _ended(raw: Any) -> datetime:
    seconds = raw.get("end_time") if isinstance(raw, dict) else None
    if not isinstance(seconds, int):
        raise Malformed("no end_time")
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Malformed("an impossible end_time") from error


def _game(raw: Mapping[str, Any], ended: datetime, player: str) -> PlatformGame | LeftOut:
    variant = _VARIANTS.get(_text(raw, "rules"))
    if variant is None:
        return LeftOut(variant_reason(raw["rules"]), ended)
    pgn = raw.get("pgn")
    if not isinstance(pgn, str) or not has_moves(pgn):
        return LeftOut("no_moves", ended)
    white, black = _side(raw, "white"), _side(raw, "black")
    time_class = _TIME_CLASSES.get(_text(raw, "time_class"))
    if time_class is None:
        raise Malformed("an unknown time_class")
    url = _text(raw, "url")
    return PlatformGame(
        platform=Platform.CHESS_COM,
        platform_game_id=_game_id(url),
        url=url,
        pgn=storable(pgn),
        white=_text(white, "username"),
        black=_text(black, "username"),
        white_rating=_rating(white),
        black_rating=_rating(black),
        user_color=_color(white, black, player),
        result=_result(_text(white, "result"), _text(black, "result")),
        time_class=time_class,
        time_control=_text(raw, "time_control"),
        rated=raw.get("rated") is True,
        variant=variant,
        played_at=ended,
    )


def _text(raw: Mapping[str, Any], field: str) -> str:
    value = raw.get(field)
    if not isinstance(value, str) or not value:
        raise Malformed(f"no {field}")
    return storable(value)


def _side(raw: Mapping[str, Any], color: str) -> Mapping[str, Any]:
    side = raw.get(color)
    if not isinstance(side, dict):
        raise Malformed(f"no {color}")
    return side


def _rating(side: Mapping[str, Any]) -> int | None:
    rating = side.get("rating")
    return rating if isinstance(rating, int) and not isinstance(rating, bool) else None


def _color(white: Mapping[str, Any], black: Mapping[str, Any], player: str) -> Color:
    """Whose side the player's is; usernames differ in case from answer to answer."""
    for color, side in ((Color.WHITE, white), (Color.BLACK, black)):
        if _text(side, "username").casefold() == player.casefold():
            return color
    raise Malformed("the player is on neither side")


def _result(white: str, black: str) -> str:
    if white == "win":
        return "1-0"
    if black == "win":
        return "0-1"
    return "1/2-1/2" if white in _DRAWS and black in _DRAWS else "*"


def _game_id(url: str) -> str:
    """The url's end: "live/39846562427", "daily/194799652"."""
    match = _GAME_URL.search(url)
    if match is None:
        raise Malformed("a url without a game's id")
    return match[1] or f"{match[2]}/{match[3]}"
