"""What is known of a position without a search: from its game, or what came with it. Pure."""

from __future__ import annotations

import chess

from analyzer.evaluation import LINE_PLIES, Evaluation, Source
from analyzer.pgn import ParsedGame, ParsedMove
from analyzer.scores import Centipawns, Checkmate, before_only_move


def over(game: ParsedGame) -> Evaluation | None:
    """The last position's evaluation where the game is over on the board; None where it is not."""
    board = game.boards[-1]
    if board.is_checkmate():
        return Evaluation(Checkmate(white_wins=board.turn == chess.BLACK), (), Source.OVER)
    if game.drawn_at_end:
        return Evaluation(Centipawns(0), (), Source.OVER)
    return None


def forced(move: ParsedMove, after: Evaluation) -> Evaluation:
    """With one legal move a position is worth what the next one is."""
    return Evaluation(
        score=before_only_move(after.score, white=move.white),
        line=(move.uci, *after.line)[:LINE_PLIES],
        source=Source.FORCED,
        depth=after.depth + 1,
        swing=after.swing,
    )


def usable(game: ParsedGame, ply: int, evaluation: Evaluation) -> bool:
    """Whether a known evaluation fits this game: a position of it, and a line that can be played there."""
    if not 0 <= ply <= game.plies or not evaluation.line or isinstance(evaluation.score, Checkmate):
        return False
    board = game.boards[ply].copy(stack=False)
    try:
        for uci in evaluation.line:
            board.push_uci(uci)
    except ValueError:
        return False
    return True
