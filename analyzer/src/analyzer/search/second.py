"""Where a second line is worth a search: where the move played could turn out to be the only one. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from analyzer.evaluation import Evaluation, Source
from analyzer.pgn import ParsedGame
from analyzer.scores import mover_chance
from analyzer.verdicts import GREAT_LOSS, chance_lost

# A quick look finds the second line's winning chance within this of a deep one, nearly always.
_QUICK_MARGIN = 0.1
# The winning chance of a position that is lost beyond telling apart: scores are held to ±1000 centipawns.
_LOWEST = -0.951


def wanted(game: ParsedGame, evaluations: Sequence[Evaluation]) -> list[int]:
    """The positions, by index, in which the engine's first choice was played and could be a great move.

    `evaluations`: one for each position, as after the last pass. For each position named, the second line is
    the search of all legal moves but `evaluations[index].best`.
    """
    return [
        index
        for index, move in enumerate(game.moves)
        if not move.forced
        and evaluations[index].source in (Source.SEARCHED, Source.KNOWN)
        and evaluations[index].best == move.uci
        and mover_chance(evaluations[index].score, white=move.white) - _LOWEST >= GREAT_LOSS
    ]


def doubtful(evaluation: Evaluation, *, white: bool) -> bool:
    """Whether a move could be great, as far as a quick look at the second line shows."""
    return (
        evaluation.second is not None
        and chance_lost(evaluation.score, evaluation.second, white=white) >= GREAT_LOSS - _QUICK_MARGIN
    )
