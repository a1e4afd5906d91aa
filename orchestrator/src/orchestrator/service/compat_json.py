"""The original application's answers: JSON whose names and forms its clients know. Pure."""

from __future__ import annotations

from typing_extensions import TypedDict  # pydantic reads typing's only from Python 3.12 on

from orchestrator.domain import SyncStatus
from orchestrator.service import words
from orchestrator.store.rows import Moment, SyncJob, WholeGame
from rookify.sync.v1 import sync_pb2


class Started(TypedDict):
    message: str
    sync_job_id: str
    id: str  # the same again: clients look for either
    platform: str
    username: str
    status: str


class SyncJobRow(TypedDict):
    """A row of `sync_jobs`. Times are ISO 8601 in UTC."""

    id: str
    user_id: str
    platform: str
    username: str
    months_requested: int | None
    status: str
    games_found: int
    games_analyzed: int
    error: str | None
    created_at: str
    updated_at: str
    completed_at: str | None


class History(TypedDict):
    status: str  # "success"
    sync_jobs: list[SyncJobRow]


class KeyMoment(TypedDict):
    """`classification`: "blunder", "great", …; `win_percent_lost` 0..100, below 0 a gain."""

    ply: int
    classification: str
    fen: str
    move: str
    best_move: str
    win_percent_lost: float
    explanation: str
    themes: list[str]


class Game(TypedDict):
    """A row of the original's `game_analysis`; accuracy and counts are the user's."""

    id: str
    user_id: str
    game_url: str
    platform: str
    game_id: str  # the platform's own
    pgn: str
    white_username: str
    black_username: str
    white_rating: int | None
    black_rating: int | None
    user_color: str
    result: str
    time_control: str
    game_timestamp: str
    opening_name: str | None
    eco_code: str | None
    key_moments: list[KeyMoment]
    avg_accuracy: float
    total_moves: int  # begun ones counted: 40 for 79 half-moves
    blunders_count: int
    mistakes_count: int
    inaccuracies_count: int
    sync_job_id: str
    created_at: str
    updated_at: str  # the same: an analysis is never changed


class StuckJob(TypedDict):
    id: str
    user_id: str
    platform: str
    created_at: str


class CleanedUp(TypedDict):
    message: str
    cleaned_up: int
    stuck_jobs: list[StuckJob]


class Fixed(TypedDict):
    message: str
    job: SyncJobRow
    updated: bool


def started(answer: sync_pb2.StartSyncResponse) -> Started:
    """What StartSync answered, not the job read again: a worker may have claimed it since, and these clients
    are promised a pending one. Nor can it be an older job: they have no request_id to give."""
    job = answer.sync_job
    return {
        "message": answer.message,
        "sync_job_id": job.id,
        "id": job.id,
        "platform": str(words.PLATFORMS[job.platform]),
        "username": job.username,
        "status": str(SyncStatus.PENDING),
    }


def sync_job(job: SyncJob) -> SyncJobRow:
    return {
        "id": str(job.id),
        "user_id": str(job.user_id),
        "platform": str(job.platform),
        "username": job.username,
        "months_requested": job.months_requested,
        "status": str(job.status),
        "games_found": job.games_found,
        "games_analyzed": job.games_analyzed,
        "error": job.error,
        "created_at": job.created_at.isoformat(),
        "updated_at": job.updated_at.isoformat(),
        "completed_at": job.completed_at.isoformat() if job.completed_at else None,
    }


def stuck_job(job: SyncJob) -> StuckJob:
    return {
        "id": str(job.id),
        "user_id": str(job.user_id),
        "platform": str(job.platform),
        "created_at": job.created_at.isoformat(),
    }


def game(row: WholeGame) -> Game:
    white = row.user_color == "white"
    return {
        "id": str(row.id),
        "user_id": str(row.user_id),
        "game_url": row.url,
        "platform": str(row.platform),
        "game_id": row.platform_game_id,
        "pgn": row.pgn,
        "white_username": row.white,
        "black_username": row.black,
        "white_rating": row.white_rating,
        "black_rating": row.black_rating,
        "user_color": row.user_color,
        "result": row.result,
        "time_control": row.time_control,
        "game_timestamp": row.played_at.isoformat(),
        "opening_name": row.opening_name,
        "eco_code": row.opening_eco,
        "key_moments": [_key_moment(moment) for moment in row.moments],
        "avg_accuracy": row.white_accuracy if white else row.black_accuracy,
        "total_moves": (row.plies + 1) // 2,
        "blunders_count": row.white_blunders if white else row.black_blunders,
        "mistakes_count": row.white_mistakes if white else row.black_mistakes,
        "inaccuracies_count": row.white_inaccuracies if white else row.black_inaccuracies,
        "sync_job_id": str(row.sync_job_id),
        "created_at": row.created_at.isoformat(),
        "updated_at": row.created_at.isoformat(),
    }


def _key_moment(moment: Moment) -> KeyMoment:
    return {
        "ply": moment.ply,
        "classification": moment.judgement.removeprefix("JUDGEMENT_").lower(),
        "fen": moment.fen_before,
        "move": moment.move_san,
        "best_move": moment.best_san,
        "win_percent_lost": moment.win_percent_lost,
        "explanation": moment.explanation,
        "themes": list(moment.themes),
    }
