"""Where a second line is worth a search: where the move played could turn out to be the only one. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.evaluation import Evaluation
from analyzer.exchange import is_sacrifice
from analyzer.openings import known_plies
from analyzer.pgn import ParsedGame
from analyzer.scores import mover_chance
from analyzer.verdicts import GREAT_LOSS, chance_lost

# Where a quick look finds a loss in this range, a deep one may find it on the other side of GREAT_LOSS. In 56
# real games with 242 great moves, by deep looks at all of them, 5 of those were below the range and 3 others
# above it. Without an upper bound second lines took half as many nodes again.
_LEAST_DOUBTFUL, _MOST_DOUBTFUL = 0.15, 0.35
# The winning chance of a position that is lost beyond telling apart: scores are held to ±1000 centipawns.
_LOWEST = -0.951
# Winning chance that the opponent's last move lost: from here on there may be one way to make use of it.
_ERROR = 0.05


def wanted(game: ParsedGame, evaluations: Sequence[Evaluation]) -> list[int]:
    """The positions, by index, in which the engine's first choice was played and could be a great move.

    `evaluations`: one for each position, as after the last pass. For each position named, the second line is
    the search of all legal moves but `evaluations[index].best`. On 59 real games (4,502 plies, every second
    line searched with 60,000 nodes) these are 21 % of the positions, with 96 % of the great moves.
    """
    theory = known_plies(game)
    return [
        index
        for index in range(theory, game.plies)
        if _can_be_great(game, evaluations, index) and _at_stake(game, evaluations, index)
    ]


def _can_be_great(game: ParsedGame, evaluations: Sequence[Evaluation], index: int) -> bool:
    move, evaluation = game.moves[index], evaluations[index]
    return (
        not move.forced
        and evaluation.best == move.uci
        and mover_chance(evaluation.score, white=move.white) - _LOWEST >= GREAT_LOSS
    )


def _at_stake(game: ParsedGame, evaluations: Sequence[Evaluation], index: int) -> bool:
    """Whether much may depend on the move. After a quiet move that lost nothing, any answer usually does."""
    board, move = game.boards[index], game.moves[index]
    played = board.parse_uci(move.uci)
    return (
        index == 0  # a set-up position: nobody knows what came before
        or chance_lost(evaluations[index - 1].score, evaluations[index].score, white=not move.white) > _ERROR
        or board.is_check()
        or board.is_capture(played)
        or is_sacrifice(board, played)
    )


def doubtful(evaluation: Evaluation, *, white: bool) -> bool:
    """Whether a quick look at the second line does not tell if the best move is the only one."""
    if evaluation.second is None:
        return True
    lost = chance_lost(evaluation.score, evaluation.second, white=white)
    return _LEAST_DOUBTFUL <= lost < _MOST_DOUBTFUL
