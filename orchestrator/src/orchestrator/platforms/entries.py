"""What one game of a platform's answer becomes, and the pages made of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestrator.domain import PlatformGame
from orchestrator.platforms.base import PAGE_GAMES, FetchPage, FetchRequest
from orchestrator.platforms.filters import passes
from orchestrator.platforms.window import bounds


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A game that no sync can take, and why: "variant:crazyhouse", "no_moves", "aborted", "malformed"."""

    reason: str
    played_at: datetime  # when it ended, UTC


class Malformed(ValueError):
    """One game in an otherwise sound answer lacks what every game has; it is counted, never guessed at."""


_COMMENT = re.compile(r"\{[^}]*\}")
_MOVE_LETTER = re.compile(r"[a-hKQRBNO]")


def has_moves(pgn: str) -> bool:
    """Whether the movetext holds at least one move.

    The orchestrator treats PGN as text: past headers and comments, only moves have letters; results and
    move numbers have none.
    """
    movetext = "\n".join(line for line in pgn.splitlines() if not line.lstrip().startswith("["))
    return _MOVE_LETTER.search(_COMMENT.sub(" ", movetext)) is not None


def storable(text: str) -> str:
    """The text as it is; `Malformed` where no Postgres text can hold it (NUL, half of a surrogate pair)."""
    if "\x00" in text:
        raise Malformed("a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Malformed("half of a surrogate pair") from error
    return text


def variant_reason(name: str) -> str:
    """The reason that names a variant, in characters that are safe to store and show."""
    word = re.sub(r"[^A-Za-z0-9_-]", "", name)[:32]
    return f"variant:{word or 'unknown'}"


class PageBuilder:
    """Sifts games by window and filter and gathers them into pages, until `max_games` are reached."""

    def __init__(self, request: FetchRequest) -> None:
        self._filter = request.filter
        self._start, self._end = bounds(request.window)
        self._room = request.max_games - request.already_fetched if request.max_games else None
        self._games: list[PlatformGame] = []
        self._excluded: Counter[str] = Counter()

    def satisfied(self) -> bool:
        """`max_games` are reached: nothing more is wanted."""
        return self._room is not None and self._room <= 0

    def full(self) -> bool:
        """The page must be given out before more is taken."""
        return len(self._games) >= PAGE_GAMES

    def pending(self) -> bool:
        """Something was taken since the last page."""
        return bool(self._games or self._excluded)

    def take(self, entry: PlatformGame | LeftOut) -> None:
        if not self._start <= entry.played_at < self._end:
            return
        if isinstance(entry, LeftOut):
            self._excluded[entry.reason] += 1
        elif passes(entry, self._filter):
            self._games.append(entry)
            if self._room is not None:
                self._room -= 1

    def page(self, cursor: Mapping[str, Any]) -> FetchPage:
        """What was taken since the last page, with the cursor that goes on after it."""
        page = FetchPage(games=tuple(self._games), excluded=dict(self._excluded), cursor=cursor)
        self._games, self._excluded = [], Counter()
        return page
