"""The opening as the game's own headers name it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from analyzer.pgn import ParsedGame

_ECO = re.compile(r"[A-E]\d\d")
_URL_MOVES = re.compile(r"-\d+\.|\.\.\.")  # chess.com appends moves to the name: "Italian-Game-3...Bc5-4.c3"
_UNKNOWN = {"", "?", "-"}


@dataclass(frozen=True, slots=True)
class Opening:
    """`eco` as "C50", `name` in English; either may be empty."""

    eco: str
    name: str


def from_headers(game: ParsedGame) -> Opening | None:
    """From ECO, and Opening (lichess) or ECOUrl (chess.com); None where the headers say neither."""
    eco = game.header("ECO")[:3].upper()
    name = game.header("Opening").strip()
    if name in _UNKNOWN:
        name = _name_from_url(game.header("ECOUrl"))
    if not _ECO.fullmatch(eco):
        eco = ""
    return Opening(eco, name) if eco or name else None


def _name_from_url(url: str) -> str:
    _, found, slug = url.partition("/openings/")
    if not found:
        return ""
    return unquote(_URL_MOVES.split(slug)[0]).replace("-", " ").strip()
