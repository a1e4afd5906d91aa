"""What a platform's client promises; `tests/contract/test_platforms.py` holds each client to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestrator.domain import DateWindow, GameFilter, Platform, PlatformGame


def _say_nothing(_notice: str | None) -> None: ...


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """One player's games in a window, newest first.

    `cursor` is the last page's, from an earlier run that was cut off: fetching goes on after that page.
    `max_games` counts games that pass the filter, over all runs; 0 means no limit.
    `already_fetched` is how many of them earlier runs have stored.
    `on_notice` is called, and must not raise, whenever the fetch has to wait for the platform: with a short
    sentence for the player ("chess.com does not answer (it cannot be reached); trying again at 19:05 UTC"),
    again where that changes, and with None when the fetch goes on.
    """

    username: str
    window: DateWindow
    filter: GameFilter = field(default_factory=GameFilter)
    max_games: int = 0
    already_fetched: int = 0
    token: str | None = field(default=None, repr=False)
    cursor: Mapping[str, Any] | None = None
    on_notice: Callable[[str | None], None] = field(default=_say_nothing, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class FetchPage:
    """A part of the games, at most `PAGE_GAMES` of them, to be stored together with its cursor.

    `excluded` counts games of the window that are left out of the sync, by reason: "variant:crazyhouse",
    "no_moves", "aborted". Games that only the filter refuses are not counted.
    """

    games: tuple[PlatformGame, ...]
    excluded: Mapping[str, int]
    cursor: Mapping[str, Any]


PAGE_GAMES = 100  # a few hundred KB of PGN: small in memory, few writes


class PlatformClient(Protocol):
    """Fetches over HTTP with retries; raises the errors of `platforms.errors`, never an httpx one."""

    platform: Platform

    def fetch(self, request: FetchRequest) -> AsyncIterator[FetchPage]:
        """Pages, newest game first. An empty page (no games) still carries a cursor worth keeping."""
        ...

    async def aclose(self) -> None: ...
