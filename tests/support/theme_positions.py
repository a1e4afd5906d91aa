"""Positions and lines for tests of themes, each for White and Black: what holds must hold mirrored."""

from __future__ import annotations

import chess
import pytest

from analyzer.evaluation import Evaluation, Source
from analyzer.phases import Phase
from analyzer.scores import Score, flipped
from analyzer.themes import find
from analyzer.themes.line import Line, read

both_colors = pytest.mark.parametrize("mirrored", [False, True], ids=["as given", "mirrored"])


def uci_line(fen: str, moves: str, *, mirrored: bool) -> tuple[chess.Board, list[str]]:
    """A position and a line in SAN from it, as a board and moves in UCI; mirrored: colors exchanged."""
    board = chess.Board(fen)
    line = []
    for san in moves.split():
        move = board.push_san(san)
        line.append(_mirrored(move).uci() if mirrored else move.uci())
    start = chess.Board(fen)
    return (start.mirror() if mirrored else start), line


def line_of(fen: str, moves: str, *, mirrored: bool) -> Line:
    return read(*uci_line(fen, moves, mirrored=mirrored))


def played(
    fen: str,
    move: str,
    *,
    best: str,
    reply: str,
    before: Score,
    after: Score,
    phase: Phase = Phase.MIDDLEGAME,
    mirrored: bool,
) -> find.Played:
    """A move in SAN, the best line and the line after the move; scores from White's point of view."""
    board, (uci, *reply_line) = uci_line(fen, f"{move} {reply}", mirrored=mirrored)
    _, best_line = uci_line(fen, best, mirrored=mirrored)
    return find.Played(
        board=board,
        move=chess.Move.from_uci(uci),
        before=_evaluation(before, best_line, mirrored=mirrored),
        after=_evaluation(after, reply_line, mirrored=mirrored),
        phase=phase,
    )


def _evaluation(score: Score, line: list[str], *, mirrored: bool) -> Evaluation:
    return Evaluation(flipped(score) if mirrored else score, tuple(line), Source.SEARCHED)


def _mirrored(move: chess.Move) -> chess.Move:
    return chess.Move(
        chess.square_mirror(move.from_square), chess.square_mirror(move.to_square), move.promotion
    )
