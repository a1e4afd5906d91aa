"""What the store gives and takes: one dataclass for each kind of row, times in UTC, ids as UUID."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from orchestrator.domain import Platform, SyncStatus


@dataclass(frozen=True, slots=True)
class SyncJob:
    """A row of `sync_jobs`; its columns also by name, as `job["id"]` or `dict(job)`."""

    id: UUID
    user_id: UUID
    platform: Platform
    username: str
    status: SyncStatus
    games_found: int
    games_analyzed: int
    games_skipped: int
    games_failed: int
    created_at: datetime
    updated_at: datetime
    revision: int
    months_requested: int | None = None
    from_date: date | None = None
    to_date: date | None = None
    filter: Mapping[str, Any] = field(default_factory=dict)
    max_games: int | None = 0
    preset: str = "standard"
    games_excluded: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None
    analyzing_since: datetime | None = None
    completed_at: datetime | None = None

    def __getitem__(self, column: str) -> Any:
        if column not in self.keys():
            raise KeyError(column)
        return getattr(self, column)

    def keys(self) -> Sequence[str]:
        return [column.name for column in fields(self)]

    @property
    def games_done(self) -> int:
        """Analyzed, skipped or failed: `games_found` when all are."""
        return self.games_analyzed + self.games_skipped + self.games_failed


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that this worker may write, while its lease lasts."""

    job: SyncJob
    lease_token: UUID
    takeovers: int
    fetch_cursor: Mapping[str, Any] | None = None
    lichess_token_encrypted: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NewSync:
    """What StartSync asks for, checked. `request` is what it came with, to compare a repeat with."""

    user_id: UUID
    platform: Platform
    username: str  # empty: the one in the user's profile
    from_date: date
    to_date: date
    months: int
    filter: Mapping[str, Any]
    max_games: int
    preset: str
    request_id: UUID
    request: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Limits:
    """The quotas that the database keeps, and how long a job may be without progress."""

    starts: int
    window_seconds: int
    games_per_day: int
    queued_jobs: int
    stuck_after_seconds: float = 7200  # the compliance guide's two hours


@dataclass(frozen=True, slots=True)
class QueuedGame:
    """A game that waits for its analysis."""

    game_id: UUID
    ordinal: int
    pgn: str = field(repr=False)
    url: str


@dataclass(frozen=True, slots=True)
class KnownPosition:
    """A row of `position_evaluations`: an engine's evaluation behind `moves` from the usual start."""

    moves: str  # "e4 e5 Nf3"; empty: the start
    engine: str
    score: Mapping[str, Any]  # rookify.analysis.v1.Score as proto JSON
    best_line: Sequence[str]  # UCI, at least one move
    depth: int
    nodes: int


@dataclass(frozen=True, slots=True)
class FinishedGame:
    """A game of a job that was analyzed or failed; `finished_ordinal` counts from 1, in order of ending."""

    finished_ordinal: int
    game_url: str
    white: str
    black: str
    result: str
    game_analysis_id: UUID | None = None
    user_accuracy: float | None = None
    user_blunders: int | None = None
    failure_message: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """A row of `moments`."""

    ply: int
    judgement: str
    fen_before: str
    move_san: str
    best_san: str
    win_percent_lost: float
    explanation: str
    explained_by: str
    themes: Sequence[str]
    why: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class GameAnalysisRow:
    """A row of `game_analyses` with its game; the parts that only a single game needs are empty in lists."""

    id: UUID
    sync_job_id: UUID
    game_id: UUID
    platform: Platform
    url: str
    white: str
    black: str
    white_rating: int | None
    black_rating: int | None
    user_color: str
    result: str
    time_class: str
    time_control: str
    played_at: datetime
    opening_eco: str | None
    opening_name: str | None
    opening_ply_count: int | None
    white_accuracy: float
    black_accuracy: float
    white_average_centipawn_loss: float
    black_average_centipawn_loss: float
    white_inaccuracies: int
    black_inaccuracies: int
    white_mistakes: int
    black_mistakes: int
    white_blunders: int
    black_blunders: int
    start_fen: str
    engine: str
    engine_nodes: int
    engine_seconds: float
    positions_searched: int
    positions_from_cache: int
    created_at: datetime
    moves: Sequence[Mapping[str, Any]] = ()
    annotated_pgn: str = ""
    pgn: str = ""
    moments: Sequence[Moment] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeGame(GameAnalysisRow):
    """An analysis with all that clients of the original application read of it."""

    user_id: UUID
    platform_game_id: str
    plies: int


@dataclass(frozen=True, slots=True)
class QuotaUse:
    name: str
    limit: int
    used: int
    reset_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """A breach of a compliance rule."""

    rule: str
    detail: str
    sync_job_id: UUID | None = None
    game_analysis_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class JobEvent:
    """A row of `sync_job_events`: a change of status, or (both the same) of the worker."""

    at: datetime
    from_status: SyncStatus | None
    to_status: SyncStatus
    cause: str


@dataclass(frozen=True, slots=True)
class Usage:
    jobs_started: int
    jobs_completed: int
    jobs_failed: int
    games_analyzed: int
    engine_nodes: int
    moments_explained: int
    moves_analyzed: int
    llm_calls: int
    llm_input_tokens: int
    llm_output_tokens: int


@dataclass(frozen=True, slots=True)
class User:
    id: UUID
    is_admin: bool
    rating: int | None = None
    chess_com_username: str | None = None
    lichess_username: str | None = None


@dataclass(frozen=True, slots=True)
class FunctionRights:
    """Who may execute a function."""

    service_role: bool
    others: bool  # anon or authenticated


@dataclass(frozen=True, slots=True)
class DatabaseReport:
    """What the database says of itself; of the names that were asked for, those that it has."""

    server_version: str
    migrations: Sequence[str] | None  # versions applied; None where no tool has kept a list that can be read
    functions: Mapping[str, FunctionRights]
    tables: Mapping[str, bool]  # whether row level security is on


@dataclass(frozen=True, slots=True)
class PageKey:
    """Where a list goes on: behind the row with this time and id."""

    time: datetime
    id: UUID
