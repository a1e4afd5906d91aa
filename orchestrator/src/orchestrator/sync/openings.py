"""How a game begins, read from its PGN as text; and what is known of the positions there. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from orchestrator.analyzers.base import KnownPly
from orchestrator.store.rows import KnownPosition

_PLIES = 16  # positions behind more moves hardly come up twice; the database keeps none
_HEADER = re.compile(r'\s*\[(\w+)\s+"((?:[^"\\]|\\.)*)"\s*\]')
_BETWEEN_MOVES = re.compile(r"\s+|\{[^}]*\}|;[^\n]*|\$\d+|\d+\.+|[+#!?]+")
_MOVE = re.compile(r"(?:[KQRBN]?[a-h1-8x]*[a-h][1-8](?:=[QRBN])?|O-O-O|O-O)(?![\w-])")


def opening_of(pgn: str) -> str | None:
    """The first moves in SAN without + and #: "e4 e5 Nf3". None where the game has another start than usual.

    Reads up to what it does not understand: what it returns is right, if not all.
    """
    headers, at = {}, 0
    while header := _HEADER.match(pgn, at):
        headers[header[1]] = header[2]
        at = header.end()
    if "FEN" in headers or headers.get("Variant", "Standard").lower() != "standard":
        return None
    moves: list[str] = []
    while len(moves) < _PLIES:
        if between := _BETWEEN_MOVES.match(pgn, at):
            at = between.end()
        elif move := _MOVE.match(pgn, at):
            moves.append(move[0])
            at = move.end()
        else:
            break
    return " ".join(moves)


class KnownOpenings:
    """What is known of a page's games."""

    def __init__(self, positions: Iterable[KnownPosition]) -> None:
        self._by_engine: defaultdict[str, dict[str, KnownPosition]] = defaultdict(dict)
        for position in positions:
            self._by_engine[position.engine][position.moves] = position

    def of(self, opening: str | None) -> dict[str, list[KnownPly]]:
        """By engine: the positions of the opening as far as they are known, but for the last of these.

        So each move from them has been judged before, in a game that went on alike, and its verdict is in no
        more doubt than that preset leaves. What was found of a last position was found for other moves.
        """
        if opening is None:
            return {}
        found = {}
        for engine, positions in self._by_engine.items():
            plies: list[KnownPly] = []
            moves = opening.split()
            while len(plies) <= len(moves):
                position = positions.get(" ".join(moves[: len(plies)]))
                if position is None:
                    break
                plies.append(
                    KnownPly(len(plies), position.score, position.best_line, position.depth, position.nodes)
                )
            if len(plies) > 1:
                found[engine] = plies[:-1]
        return found
