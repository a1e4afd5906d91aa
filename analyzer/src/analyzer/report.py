"""From the evaluations of a game's positions to verdicts, accuracies and figures. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import chess

from analyzer import openings
from analyzer.accuracy import SideFigures, game_figures, move_accuracy
from analyzer.evaluation import Evaluation
from analyzer.exchange import is_sacrifice
from analyzer.openings import Opening
from analyzer.pgn import ParsedGame, ParsedMove
from analyzer.phases import Phase, phases
from analyzer.scores import mover_win_percent
from analyzer.themes import find
from analyzer.themes.words import Theme
from analyzer.verdicts import ERRORS, Judgement, is_only_move, judge


@dataclass(frozen=True, slots=True)
class MoveReport:
    """One move. Win percents and accuracy, all 0..100, are the mover's.

    `better_line_san` is `before.line` where the move is an error, else empty: few lines are worth writing.
    `themes`: of errors, great and brilliant moves.
    """

    ply: int  # 1 is the first move
    move: ParsedMove
    fen_before: str
    before: Evaluation
    after: Evaluation
    best_san: str
    better_line_san: tuple[str, ...]
    win_percent_before: float
    win_percent_after: float
    accuracy: float
    judgement: Judgement
    phase: Phase
    themes: tuple[Theme, ...]


@dataclass(frozen=True, slots=True)
class SideReport:
    """One side's play over the game. `figures` is None where it made no move."""

    figures: SideFigures | None
    counts: dict[Judgement, int]


@dataclass(frozen=True, slots=True)
class GameReport:
    game: ParsedGame
    moves: tuple[MoveReport, ...]
    white: SideReport
    black: SideReport
    opening: Opening | None


def build(game: ParsedGame, evaluations: Sequence[Evaluation]) -> GameReport:
    """`evaluations`: one for each position, the start first; so one more than moves."""
    if len(evaluations) != game.plies + 1:
        raise ValueError(f"{len(evaluations)} evaluations for {game.plies + 1} positions")
    divided = phases(game.boards)
    moves = tuple(
        _move(game, index, evaluations[index], evaluations[index + 1], divided[index])
        for index in range(game.plies)
    )
    white, black = game_figures(
        [evaluation.score for evaluation in evaluations[1:]], white_first=game.moves[0].white
    )
    return GameReport(
        game=game,
        moves=moves,
        white=SideReport(white, _counts(moves, white=True)),
        black=SideReport(black, _counts(moves, white=False)),
        opening=openings.opening(game),
    )


def _move(game: ParsedGame, index: int, before: Evaluation, after: Evaluation, phase: Phase) -> MoveReport:
    move, board = game.moves[index], game.boards[index]
    percent_before = mover_win_percent(before.score, white=move.white)
    percent_after = mover_win_percent(after.score, white=move.white)
    judgement = _judgement(move, board, before, after)
    return MoveReport(
        ply=index + 1,
        move=move,
        fen_before=board.fen(),
        before=before,
        after=after,
        best_san=board.san(board.parse_uci(before.best)),
        better_line_san=_in_san(board, before.line) if judgement in ERRORS else (),
        win_percent_before=percent_before,
        win_percent_after=percent_after,
        accuracy=move_accuracy(percent_before, percent_after),
        judgement=judgement,
        phase=phase,
        themes=move_themes(game, index, before, after, phase, judgement),
    )


def _judgement(move: ParsedMove, board: chess.Board, before: Evaluation, after: Evaluation) -> Judgement:
    if move.forced:
        return Judgement.NONE
    if before.best != move.uci:
        return judge(before.score, after.score, white=move.white, first_choice=False)
    if before.second is None or not is_only_move(before.score, before.second, white=move.white):
        return Judgement.BEST
    return Judgement.BRILLIANT if is_sacrifice(board, board.parse_uci(move.uci)) else Judgement.GREAT


def move_themes(
    game: ParsedGame, index: int, before: Evaluation, after: Evaluation, phase: Phase, judgement: Judgement
) -> tuple[Theme, ...]:
    """Of the move at `index`; none where the verdict says nothing, or just that it was the best."""
    if judgement in (Judgement.NONE, Judgement.BEST):
        return ()
    board = game.boards[index]
    played = find.Played(
        board=board,
        move=board.parse_uci(game.moves[index].uci),
        before=before,
        after=after,
        phase=phase,
        taken_on=_taken_on(game, index),
    )
    return find.of_error(played) if judgement in ERRORS else find.of_feat(played)


def _taken_on(game: ParsedGame, index: int) -> chess.Square | None:
    """Where the move before has taken something, if it has."""
    if index == 0:
        return None
    board = game.boards[index - 1]
    move = board.parse_uci(game.moves[index - 1].uci)
    return move.to_square if board.is_capture(move) else None


def _in_san(board: chess.Board, line: Sequence[str]) -> tuple[str, ...]:
    """As far as the line can be played: of an engine's line only the first move was checked before."""
    board = board.copy(stack=False)
    san: list[str] = []
    for uci in line:
        try:
            move = board.parse_uci(uci)
        except ValueError:
            break
        san.append(board.san(move))
        board.push(move)
    return tuple(san)


def _counts(moves: Sequence[MoveReport], *, white: bool) -> dict[Judgement, int]:
    counts = dict.fromkeys(Judgement, 0)
    for move in moves:
        if move.move.white == white:
            counts[move.judgement] += 1
    return counts
