"""The opening of a game: as its headers name it, and from a table of positions that ships with the package.

The table is lichess's (CC0); scripts/openings.py says how it is made. Its 3,523 positions take 1.3 MB, and
some 15 ms when the first game asks.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib import resources
from urllib.parse import unquote

from analyzer.pgn import ParsedGame

# No line of the table is longer (test_openings.py); lichess stops looking there too.
_LONGEST = 36
_ECO = re.compile(r"[A-E]\d\d")
_URL_MOVES = re.compile(r"-\d+\.|\.\.\.")  # chess.com appends moves to the name: "Italian-Game-3...Bc5-4.c3"
_NOT_SHOWN = re.compile(r"[\x00-\x1f\x7f]")  # what %00 may hide; Postgres takes no text with a NUL
_UNKNOWN = {"", "?", "-"}


@dataclass(frozen=True, slots=True)
class Opening:
    """`eco` as "C50", `name` in English; either may be empty.

    `ply_count`: how many plies of the game belong to it; 0 where the table has none of its positions.
    """

    eco: str
    name: str
    ply_count: int = 0


def opening(game: ParsedGame) -> Opening | None:
    """As the headers name it, as that is what the player saw; else by the table. None where neither knows."""
    passed = _passed(game)
    ply_count, table_eco, table_name = passed[-1] if passed else (0, "", "")
    eco, name = _from_headers(game)
    # chess.com's name comes out of a URL, without punctuation: where the table has the same, that is nicer.
    same = (known for _, _, known in reversed(passed) if name and _letters(known) == _letters(name))
    name = next(same, name) or table_name
    eco = eco or table_eco
    return Opening(eco, name, ply_count) if eco or name else None


def known_plies(game: ParsedGame) -> int:
    """How many plies from the start lead to the last position that the table has."""
    passed = _passed(game)
    return passed[-1][0] if passed else 0


def _passed(game: ParsedGame) -> list[tuple[int, str, str]]:
    """The table's positions that the game comes through, by whatever moves: ply, ECO code, name."""
    if game.chess960:
        return []
    table = _table()
    found = ((ply, table.get(game.boards[ply].epd())) for ply in range(1, min(game.plies, _LONGEST) + 1))
    return [(ply, *entry) for ply, entry in found if entry is not None]


@cache
def _table() -> dict[str, tuple[str, str]]:
    """ECO code and name by position (EPD, the en passant square only where it can be taken)."""
    text = resources.files("analyzer").joinpath("openings.tsv").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines())
    return {epd: (sys.intern(eco), sys.intern(name)) for eco, name, epd in rows}


def _from_headers(game: ParsedGame) -> tuple[str, str]:
    """ECO, and Opening (lichess) or ECOUrl (chess.com); empty what they do not say."""
    eco = game.header("ECO")[:3].upper()
    name = game.header("Opening").strip()
    if name in _UNKNOWN:
        name = _name_from_url(game.header("ECOUrl"))
    return eco if _ECO.fullmatch(eco) else "", name


def _name_from_url(url: str) -> str:
    _, found, slug = url.partition("/openings/")
    if not found:
        return ""
    words = _NOT_SHOWN.sub(" ", unquote(_URL_MOVES.split(slug)[0])).replace("-", " ").split()
    return " ".join(_with_apostrophe().get(word, word) for word in words)


@cache
def _with_apostrophe() -> dict[str, str]:
    """ "King's" for "Kings": what the table's words look like in a URL, where they could not be another's."""
    words = {word.strip(":,") for _, name in _table().values() for word in name.split()}
    return {bare: word for word in words if (bare := word.replace("'", "")) not in words}


def _letters(name: str) -> str:
    return re.sub(r"\W", "", name).lower()
