"""The text of one PGN game taken apart, in one pass and without recursion: headers, then the main line.

Variations are passed over at any depth. What cannot be read in the main line is an error: a reader that skips
it would judge another game than was played.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEADER = re.compile(r'\[\s*(\w[\w+#=:-]*)\s+"(.*)"\s*\]\s*')
# Every alternative takes a run in one go, so that no text is scanned again and again.
_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | \{(?P<comment>[^}]*)\}
  | (?P<line_comment>;[^\n]*|(?:(?<=\n)|\A)%[^\n]*)
  | (?P<open>\()
  | (?P<close>\))
  | (?P<result>1-0|0-1|1/2-1/2|\*)(?=[\s;{]|\Z)
  | (?P<number>\d++(?:\.++|(?=[\s{(;])|\Z)|\.++|…)
  | (?P<nag>\$\d++|[!?]++|(?!--)[-+=/∓±∞⩲⩱□]++(?=[\s){]|\Z)|e\.p\.)
  | (?P<move>[A-Za-z0@-][^\s!?$(){};.]*+)
  | (?P<other>[{}\[]|[^\s(){}\[;]++)
    """,
    re.VERBOSE,
)


class MovetextError(Exception):
    """Not a PGN game; the message says what and after which move."""


@dataclass(slots=True)
class Move:
    """A move as written, without its NAGs, and the comments behind it."""

    text: str
    comments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Movetext:
    """A game as written. `result` is the one at its end, empty where there is none."""

    headers: list[tuple[str, str]]
    moves: list[Move]
    result: str = ""
    intro: list[str] = field(default_factory=list)  # comments before the first move


def read(text: str) -> Movetext:
    """Takes the game apart; raises MovetextError."""
    headers, body = _headers(text.replace("\r\n", "\n").removeprefix("\ufeff"))
    game = Movetext(headers, [])
    depth = 0
    for kind, value in _tokens(body):
        if game.result and kind != "comment":
            raise MovetextError(f"more text behind the result {game.result}: send one game at a time")
        if value == "{":
            raise MovetextError(f"a comment is not closed {_after(game)}")
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
            if depth < 0:
                raise MovetextError(f"a ) without its ( {_after(game)}")
        elif depth == 0:
            _take(game, kind, value)
    if depth:
        raise MovetextError(f"a variation is not closed {_after(game)}")
    return game


def _headers(text: str) -> tuple[list[tuple[str, str]], str]:
    """The headers at the beginning, and the rest."""
    headers: list[tuple[str, str]] = []
    lines = text.split("\n")
    for at, line in enumerate(lines):
        stripped = line.strip()
        if not stripped or (stripped.startswith(("%", ";")) and not headers):
            continue
        if not stripped.startswith("["):
            return headers, "\n".join(lines[at:])
        match = _HEADER.fullmatch(stripped)
        if match is None:
            raise MovetextError(f"header line {at + 1} cannot be read: {stripped[:60]!r}")
        headers.append((match[1], match[2]))
    return headers, ""


def _tokens(body: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(body):
        kind = match.lastgroup or ""
        if kind not in ("space", "line_comment"):
            yield kind, match[kind]


def _take(game: Movetext, kind: str, value: str) -> None:
    """One token of the main line."""
    match kind:
        case "move":
            game.moves.append(Move(value))
        case "comment":
            (game.moves[-1].comments if game.moves else game.intro).append(value.strip())
        case "result":
            game.result = value
        case "other" if value == "[":
            raise MovetextError(f"a header among the moves {_after(game)}: send one game at a time")
        case "other":
            raise MovetextError(f"{value[:20]!r} cannot be read {_after(game)}")


def _after(game: Movetext) -> str:
    if not game.moves:
        return "before the first move"
    return f"after half-move {len(game.moves)} ({game.moves[-1].text[:20]})"
