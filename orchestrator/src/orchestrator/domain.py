"""The orchestrator's own words for what it works on. Pure data: no gRPC, SQL or HTTP types here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class Platform(StrEnum):
    """Where games come from; the values are those of `sync_jobs.platform`."""

    CHESS_COM = "chess.com"
    LICHESS = "lichess"


class SyncStatus(StrEnum):
    """The life of a job, as in `sync_jobs.status`."""

    PENDING = "pending"
    FETCHING = "fetching"
    ANALYZING = "analyzing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        return self in (SyncStatus.COMPLETED, SyncStatus.FAILED, SyncStatus.CANCELLED)


class TimeClass(StrEnum):
    """The platform's own class: their bounds, which differ, are in sync.proto.

    chess.com's daily games are correspondence, and it has no classical; lichess's ultraBullet is bullet.
    """

    BULLET = "bullet"
    BLITZ = "blitz"
    RAPID = "rapid"
    CLASSICAL = "classical"
    CORRESPONDENCE = "correspondence"


class GameResult(StrEnum):
    """From the player's point of view."""

    WIN = "win"
    LOSS = "loss"
    DRAW = "draw"


class Color(StrEnum):
    WHITE = "white"
    BLACK = "black"


@dataclass(frozen=True, slots=True)
class GameFilter:
    """Which games a sync is about. An empty set lets every game pass."""

    time_classes: frozenset[TimeClass] = frozenset()
    results: frozenset[GameResult] = frozenset()
    colors: frozenset[Color] = frozenset()
    rated_only: bool = False


@dataclass(frozen=True, slots=True)
class DateWindow:
    """Days in UTC, both inclusive; a game belongs to the day on which it ended."""

    from_date: date
    to_date: date


@dataclass(frozen=True, slots=True)
class PlatformGame:
    """One game as a platform gave it."""

    platform: Platform
    platform_game_id: str  # chess.com: "live/39846562427" (the url's end); lichess: "TJxUmbWK"
    url: str  # the platform's own, never made up
    pgn: str  # as fetched
    white: str
    black: str
    white_rating: int | None
    black_rating: int | None
    user_color: Color
    result: str  # "1-0", "0-1", "1/2-1/2", "*"
    time_class: TimeClass
    time_control: str  # as in the PGN header: "600", "180+2", "1/86400", "-"
    rated: bool
    variant: str  # "standard" or "chess960"
    played_at: datetime  # when it ended, UTC
