"""Explanations as comments of an annotated PGN, which the analyzer wrote before there were any. Pure text.

Done when a game is read, and here alone: whoever gets the PGN gets them, and a new explanation shows at once.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Mapping

_COLUMNS = 100  # of a line, as the analyzer writes them
_TOKEN = re.compile(
    r"^\[.*$"  # a header
    r"|\{[^}]*\}"
    r"|[()]"
    r"|[^\s(){}]+",
    re.MULTILINE,
)
_NAG = re.compile(r"\$\d+|[!?]+")
_NO_MOVE = re.compile(r"\d+\.*|\.+|1-0|0-1|1/2-1/2|\*")
# What the typographer's signs are in ASCII: old readers take PGN for Latin-1.
_PLAIN = str.maketrans(
    {"…": "...", "–": "-", "—": "-", "−": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "×": "x", "→": "to"}
    | {"{": "(", "}": ")", "[": "(", "]": ")"}  # commands and the end of the comment
)


def with_explanations(pgn: str, explanations: Mapping[int, str]) -> str:
    """The PGN with each explanation in the comment behind its move; by ply, 1 is the first move.

    A comment keeps what it has: the explanation goes before its commands ([%eval …]), or to its end.
    """
    wanted = {ply: text for ply, said in explanations.items() if (text := plain(said))}
    if not wanted:
        return pgn
    parts: list[str] = []
    done = 0  # characters of `pgn` that are in `parts`
    ply = depth = 0
    due = ""
    for token in _TOKEN.finditer(pgn):
        text = token[0]
        if due and not _NAG.fullmatch(text):
            is_comment = text.startswith("{")
            parts += [pgn[done : token.start()], _explained(text if is_comment else "{ }", due)]
            parts += [] if is_comment else [" "]
            done = token.end() if is_comment else token.start()
            due = ""
        if text[0] in "[{" or _NAG.fullmatch(text) or _NO_MOVE.fullmatch(text):
            continue
        if text in "()":
            depth += 1 if text == "(" else -1
        elif depth == 0:
            ply += 1
            due = wanted.get(ply, "")
    if due:  # a game that breaks off without a result
        parts += [pgn[done:].rstrip(), " ", _explained("{ }", due), "\n"]
        done = len(pgn)
    return "".join([*parts, pgn[done:]])


def plain(text: str) -> str:
    """In ASCII, on one line, without what means something in a comment; empty where nothing is left."""
    folded = unicodedata.normalize("NFKD", text.translate(_PLAIN)).encode("ascii", "ignore").decode()
    printable = "".join(c if c.isprintable() else " " for c in folded)
    # A line that begins with % is for other programs' eyes, says the standard: none may come about.
    return re.sub(r"\s*%", "%", " ".join(printable.split())).lstrip("%")


def _explained(comment: str, explanation: str) -> str:
    body = comment[1:-1].strip()
    at = body.find("[%")
    remark, commands = (body, "") if at < 0 else (body[:at].rstrip(), body[at:])
    lines = "\n".join(textwrap.wrap(explanation, _COLUMNS, break_on_hyphens=False))
    said = f"{remark}\n{lines}" if remark else lines
    return f"{{ {said} {commands} }}" if commands else f"{{ {said} }}"
