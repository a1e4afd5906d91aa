"""Stockfish, and a game searched on one lane alone: for tests and benches without a scheduler."""

from __future__ import annotations

from collections.abc import Mapping

from analyzer.engine.discovery import find_all
from analyzer.engine.lane import EngineLane
from analyzer.evaluation import Evaluation
from analyzer.pgn import ParsedGame
from analyzer.search.budget import Plan
from analyzer.search.cache import PositionCache
from analyzer.search.game import GameSearch, Progress, SearchedGame


def find_stockfish() -> str:
    """The path of the first that is there. Raises ConfigurationError where there is none."""
    return find_all()[0]


async def search_game(
    lane: EngineLane,
    game: ParsedGame,
    plan: Plan,
    known: Mapping[int, Evaluation],
    on_progress: Progress = lambda _done, _total: None,
    cache: PositionCache | None = None,
) -> SearchedGame:
    """Raises EngineFailed."""
    return await GameSearch(game, plan, known, cache=cache, on_progress=on_progress).run(lane)
