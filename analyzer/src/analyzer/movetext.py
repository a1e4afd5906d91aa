"""The text of one PGN game taken apart, in one pass and without recursion: headers, then the main line.

Variations are passed over at any depth. What cannot be read in the main line is an error: a reader that skips
it would judge another game than was played.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_SPACE = re.compile(r"\s*")
_HEADER = re.compile(r'\[\s*(\w[\w+#=:-]*)\s*"')  # up to its value
_END = re.compile(r'"\s*\]')  # of a value
_ESCAPED_END = re.compile(r'(?:[^"\\]++|\\.)*+("\s*\])')  # of one whose quotes are escaped, as they should be
# What may stand behind a header: another one, a comment, or nothing more in the line.
_NEXT = re.compile(rf"\s*(?:\Z|[;{{]|{_HEADER.pattern})")
# Every alternative takes a run in one go, so that no text is scanned again and again.
_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | \{(?P<comment>[^}]*)\}
  | ;(?P<line_comment>[^\n]*)
  | (?P<escaped>(?:(?<=\n)|\A)%[^\n]*)
  | (?P<open>\()
  | (?P<close>\))
  | (?P<result>1-0|0-1|1/2-1/2|½-½|\*)(?=[\s;{]|\Z)
  | (?P<number>\d++(?:[.…]++|(?=[\s{(;])|\Z)|[.…]++)
  | (?P<nag>\$\d++|[!?]++|(?!--)[-+=/∓±∞⩲⩱□]++(?=[\s){;]|\Z)|e\.p\.)
  | (?P<move>[A-Za-z0@-](?:[^\s!?$(){};.e]++|e(?!\.p\.))*+)
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
    text = text.removeprefix("\ufeff")
    # Where there is no other end of lines, "\r" is one, as on Macs before 2001.
    text = text.replace("\r\n", "\n") if "\n" in text else text.replace("\r", "\n")
    game = Movetext([], [])
    body = _headers(text, game)
    depth = 0
    for kind, value in _tokens(text, body):
        if game.result and kind != "comment":
            raise MovetextError(f"more text behind the result {game.result}: send one game at a time")
        if kind == "other" and value == "{":
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


def _headers(text: str, game: Movetext) -> int:
    """Takes the headers at the beginning, and the comments among them; where the rest begins."""
    at = 0
    while (at := _SPACE.match(text, at).end()) < len(text):  # type: ignore[union-attr]  # it always matches
        if text[at] == "[":
            at = _header(text, at, game)
        elif text[at] == "%":
            at = _line_end(text, at)
        elif text[at] == ";":
            begin, at = at + 1, _line_end(text, at)
            game.intro.append(text[begin:at].strip())
        elif text[at] == "{" and (close := text.find("}", at)) >= 0:
            game.intro.append(text[at + 1 : close].strip())
            at = close + 1
        else:
            break
    return at


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _header(text: str, at: int, game: Movetext) -> int:
    """Takes one header; where it ends. A line may hold several, and quotes in a value may not be escaped.

    What looks like a header behind a value is never taken for a part of it: a FEN would be lost so, and
    another game be judged.
    """
    line_end = _line_end(text, at)
    begin = _HEADER.match(text, at, line_end)
    end = begin and _value_end(text, begin.end(), line_end)
    if not begin or not end:
        line = text.count("\n", 0, at) + 1
        raise MovetextError(f"header line {line} cannot be read: {text[at:line_end].strip()[:60]!r}")
    game.headers.append((begin[1], text[begin.end() : end[0]]))
    return end[1]


def _value_end(text: str, at: int, line_end: int) -> tuple[int, int] | None:
    """Where the header's value which begins there ends, and where its bracket does."""
    escaped = _ESCAPED_END.match(text, at, line_end)
    if escaped and _NEXT.match(text, escaped.end(), line_end):
        return escaped.start(1), escaped.end()
    first = end = None
    for end in _END.finditer(text, at, line_end):
        first = first or end
        if _NEXT.match(text, end.end(), line_end):
            break
    if not first or not end or _HEADER.search(text, first.end(), end.start()):
        return None
    return end.span()


def _tokens(text: str, at: int) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(text, at):
        kind = match.lastgroup or ""
        if kind not in ("space", "escaped"):
            yield ("comment" if kind == "line_comment" else kind), match[kind]


def _take(game: Movetext, kind: str, value: str) -> None:
    """One token of the main line."""
    match kind:
        case "move":
            game.moves.append(Move(value))
        case "comment":
            (game.moves[-1].comments if game.moves else game.intro).append(value.strip())
        case "result":
            game.result = value.replace("½", "1/2")
        case "other" if value == "[":
            raise MovetextError(f"a header among the moves {_after(game)}: send one game at a time")
        case "other":
            raise MovetextError(f"{value[:20]!r} cannot be read {_after(game)}")


def _after(game: Movetext) -> str:
    if not game.moves:
        return "before the first move"
    return f"after half-move {len(game.moves)} ({game.moves[-1].text[:20]})"
