"""Rows for store tests: a user, a request, fetched games, analyses. All alike but for their ids."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from orchestrator.domain import Color, Platform, PlatformGame, TimeClass
from orchestrator.store.rows import Limits, NewSync
from orchestrator.store.store import Store

PER_DAY = 100_000
LIMITS = Limits(starts=1000, window_seconds=600, games_per_day=PER_DAY, queued_jobs=10_000)


async def new_user(store: Store) -> UUID:
    user_id = uuid4()
    await store.ensure_user(user_id)
    return user_id


def new_sync(user_id: UUID, **changes: Any) -> NewSync:
    fields: dict[str, Any] = {
        "user_id": user_id,
        "platform": Platform.CHESS_COM,
        "username": "PaulMorphy",
        "from_date": date(2024, 1, 1),
        "to_date": date(2024, 3, 31),
        "months": 3,
        "filter": {},
        "max_games": 0,
        "preset": "standard",
        "request_id": uuid4(),
        "request": {"username": "PaulMorphy"},
    }
    return NewSync(**(fields | changes))


def games(count: int, *, first: int = 1, platform: Platform = Platform.CHESS_COM) -> list[PlatformGame]:
    """Newest first; the same number is the same game."""
    newest = datetime(2024, 3, 31, 12, tzinfo=UTC)
    return [
        PlatformGame(
            platform=platform,
            platform_game_id=f"live/{number}",
            url=f"https://www.chess.com/game/live/{number}",
            pgn=f'[Event "{number}"]\n\n1. e4 e5 *',
            white="PaulMorphy",
            black="Rival",
            white_rating=2000,
            black_rating=None,
            user_color=Color.WHITE,
            result="1-0",
            time_class=TimeClass.RAPID,
            time_control="600",
            rated=True,
            variant="standard",
            played_at=newest - timedelta(minutes=number),
        )
        for number in range(first, first + count)
    ]


def analysis(game_id: UUID, **changes: Any) -> dict[str, Any]:
    """As `Store.record_analyses` takes it."""
    sides = ("accuracy", "average_centipawn_loss", "inaccuracies", "mistakes", "blunders")
    figures = {f"{side}_{name}": 1 for side in ("white", "black") for name in sides}
    return {
        "game_id": str(game_id),
        "start_fen": "startpos",
        "moves": [{"ply": 1, "san": "e4", "uci": "e2e4"}],
        "annotated_pgn": "1. e4 *",
        "opening_eco": "C20",
        "opening_name": "King's Pawn Game",
        "opening_ply_count": 2,
        **figures,
        "white_accuracy": 91.5,
        "white_blunders": 2,
        "engine": "Stockfish 15.1",
        "engine_nodes": 1000,
        "engine_seconds": 0.5,
        "positions_searched": 3,
        "positions_from_cache": 0,
        **changes,
    }


def failure(game_id: UUID, reason: str = "ILLEGAL_MOVE") -> dict[str, Any]:
    return {"game_id": str(game_id), "failure": reason, "failure_message": "ply 3: Ke3 is not legal"}
