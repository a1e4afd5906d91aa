"""Does a game pass a filter? Pure, from the player's point of view."""

from __future__ import annotations

from orchestrator.domain import Color, GameFilter, GameResult, PlatformGame

_WINNER = {"1-0": Color.WHITE, "0-1": Color.BLACK}


def player_result(result: str, color: Color) -> GameResult | None:
    """What "1-0", "0-1", "1/2-1/2" means for the player of that color; None where the game has no result."""
    if result == "1/2-1/2":
        return GameResult.DRAW
    winner = _WINNER.get(result)
    if winner is None:
        return None
    return GameResult.WIN if winner is color else GameResult.LOSS


def passes(game: PlatformGame, wanted: GameFilter) -> bool:
    """Whether the sync is about this game. An empty set lets every game pass."""
    if wanted.rated_only and not game.rated:
        return False
    if wanted.time_classes and game.time_class not in wanted.time_classes:
        return False
    if wanted.colors and game.user_color not in wanted.colors:
        return False
    return not wanted.results or player_result(game.result, game.user_color) in wanted.results
