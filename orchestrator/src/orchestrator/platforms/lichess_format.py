"""lichess's JSON as the project's own words. Pure: no requests, no clock.

Source: lichess's API documentation of the games export, and lila's `GameApiV2`, which writes it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from orchestrator.domain import Color, Platform, PlatformGame, TimeClass
from orchestrator.platforms.entries import LeftOut, Malformed, has_moves, storable, variant_reason

_ID = re.compile(r"[A-Za-z0-9]{8,12}")
_SITE = re.compile(r'^\[Site "(https://lichess\.org/[A-Za-z0-9]{8,12})"\]', re.MULTILINE)

_TIME_CLASSES = {
    "ultraBullet": TimeClass.BULLET,
    "bullet": TimeClass.BULLET,
    "blitz": TimeClass.BLITZ,
    "rapid": TimeClass.RAPID,
    "classical": TimeClass.CLASSICAL,
    "correspondence": TimeClass.CORRESPONDENCE,
}
# Those that Stockfish plays; "From Position" is ordinary chess from a position that the PGN gives.
_VARIANTS = {"standard": "standard", "fromPosition": "standard", "chess960": "chess960"}
_LEFT_OUT = {"aborted": "aborted", "noStart": "aborted", "created": "unfinished", "started": "unfinished"}


@dataclass(frozen=True, slots=True)
class Line:
    """One game of an export, with what orders it there. Times are unix milliseconds."""

    game_id: str
    created: int  # when it began: what `since`, `until` and the order of the export go by
    ended: int  # the last move
    value: PlatformGame | LeftOut

    @property
    def key(self) -> tuple[int, str]:
        """An order of games by their end, in which no two are alike."""
        return (self.ended, self.game_id)


def parse_line(text: bytes, player: str) -> Line:
    """One line of the export, from the player's point of view; ValueError where it is no game at all."""
    raw = json.loads(text)
    if not isinstance(raw, dict):
        raise ValueError("not an object")  # noqa: TRY004  what comes from outside is a value
    game_id, created = raw.get("id"), raw.get("createdAt")
    if not isinstance(game_id, str) or not _ID.fullmatch(game_id) or not isinstance(created, int):
        raise ValueError("not a game")
    moved = raw.get("lastMoveAt")
    ended = moved if isinstance(moved, int) else created
    when = _time(ended)
    try:
        value = _game(raw, game_id, when, player)
    except Malformed:
        value = LeftOut("malformed", when)
    return Line(game_id, created, ended, value)


def _time(milliseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, OSError) as error:
        raise ValueError("an impossible time") from error


def _game(raw: Mapping[str, Any], game_id: str, ended: datetime, player: str) -> PlatformGame | LeftOut:
    status = raw.get("status")
    reason = _LEFT_OUT.get(status) if isinstance(status, str) else None
    if reason is not None:
        return LeftOut(reason, ended)
    named = raw.get("variant")
    if not isinstance(named, str):
        raise Malformed("no variant")
    variant = _VARIANTS.get(named)
    if variant is None:
        return LeftOut(variant_reason(named), ended)
    pgn = raw.get("pgn")
    if not isinstance(pgn, str) or not has_moves(pgn):
        return LeftOut("no_moves", ended)
    time_class = _TIME_CLASSES.get(str(raw.get("speed")))
    if time_class is None:
        raise Malformed("an unknown speed")
    white, black = _side(raw, "white"), _side(raw, "black")
    site = _SITE.search(pgn)
    return PlatformGame(
        platform=Platform.LICHESS,
        platform_game_id=game_id,
        # The JSON has no url; the PGN has, and every game stands at its id.
        url=site[1] if site else f"https://lichess.org/{game_id}",
        pgn=storable(pgn),
        white=_name(white),
        black=_name(black),
        white_rating=_rating(white),
        black_rating=_rating(black),
        user_color=_color(white, black, player),
        result=_result(raw),
        time_class=time_class,
        time_control=_time_control(raw),
        rated=raw.get("rated") is True,
        variant=variant,
        played_at=ended,
    )


def _side(raw: Mapping[str, Any], color: str) -> Mapping[str, Any]:
    players = raw.get("players")
    side = players.get(color) if isinstance(players, dict) else None
    if not isinstance(side, dict):
        raise Malformed(f"no {color}")
    return side


def _user(side: Mapping[str, Any]) -> Mapping[str, Any]:
    user = side.get("user")
    return user if isinstance(user, dict) else {}


def _name(side: Mapping[str, Any]) -> str:
    level = side.get("aiLevel")
    if isinstance(level, int):
        return f"Stockfish level {level}"
    name = _user(side).get("name")
    return storable(name) if isinstance(name, str) and name else "Anonymous"


def _rating(side: Mapping[str, Any]) -> int | None:
    rating = side.get("rating")
    return rating if isinstance(rating, int) and not isinstance(rating, bool) else None


def _color(white: Mapping[str, Any], black: Mapping[str, Any], player: str) -> Color:
    """Whose side the player's is, by the user's id: the name in lower case."""
    for color, side in ((Color.WHITE, white), (Color.BLACK, black)):
        if str(_user(side).get("id")).lower() == player.lower():
            return color
    raise Malformed("the player is on neither side")


def _result(raw: Mapping[str, Any]) -> str:
    """A finished game without a winner is a draw, also by the clock against a bare king."""
    winner = raw.get("winner")
    if winner == "white":
        return "1-0"
    if winner == "black":
        return "0-1"
    return "*" if raw.get("status") == "unknownFinish" else "1/2-1/2"


def _time_control(raw: Mapping[str, Any]) -> str:
    """As in lichess's PGN: "600+0", and "-" where there is no clock."""
    clock = raw.get("clock")
    if not isinstance(clock, dict):
        return "-"
    initial, increment = clock.get("initial"), clock.get("increment")
    if not isinstance(initial, int) or not isinstance(increment, int):
        raise Malformed("a clock without its times")
    return f"{initial}+{increment}"
