"""The themes of one move, from its position and the engine's lines before and after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import chess

from analyzer.evaluation import LINE_PLIES, Evaluation
from analyzer.exchange import gain_of
from analyzer.phases import Phase
from analyzer.scores import Centipawns, Score, mover_chance
from analyzer.themes import captures, king, opening
from analyzer.themes.line import Line, read
from analyzer.themes.material import best_capture
from analyzer.themes.registry import BACK_RANK, shown
from analyzer.themes.words import Theme

_PIECE_LOST = 2  # pawns: what makes a threat


@dataclass(frozen=True, slots=True)
class Played:
    """A move of a game. `board`: before it, without a move stack; `after`: the evaluation after it.

    `taken_on`: the square on which the opponent has just taken something, if he has.
    """

    board: chess.Board
    move: chess.Move
    before: Evaluation
    after: Evaluation
    phase: Phase
    taken_on: chess.Square | None = None


def of_error(played: Played) -> tuple[Theme, ...]:
    """What an inaccuracy, mistake or blunder allowed and missed, the costlier first; empty: it has no name.

    Tactics are named only where what the best line and the reply's line win comes to a pawn or more: else the
    error lies elsewhere, whatever the pieces do meanwhile.
    """
    board, mover = played.board, played.board.turn
    after = board.copy(stack=False)
    after.push(played.move)
    better, reply = read(board, played.before.line), read(after, played.after.line)
    mate_before, mate_after = _mate(played.before.score, mover), _mate(played.after.score, mover)
    mates: list[Theme] = []
    if mate_after < 0 <= mate_before:
        mates += _mates(after, played.after.line, Theme.MATE, BACK_RANK.played)
    if mate_after <= 0 < mate_before:
        mates += _mates(board, played.before.line, Theme.MISSED_MATE, BACK_RANK.missed)

    lost = reply.won - gain_of(board, played.move)  # pawns, as against before the move
    telling = lost + better.won > 0
    allowed = _allowed(played, reply, lost if telling else 0) if mate_after >= 0 else []
    missed = _missed(played, better, better.won if telling else 0) if mate_before <= 0 else []
    found = missed + allowed if better.won > lost else allowed + missed
    if not allowed and king.opens_king(board, played.move, reply) and played.phase is not Phase.ENDGAME:
        found.append(Theme.KING_SAFETY)
    if (
        not mates
        and not found
        and better.moves
        and played.phase is Phase.OPENING
        and opening.breaks_principle(board, played.move, better.moves[0])
    ):
        found.append(Theme.OPENING_PRINCIPLE)
    return (*mates, *found)


def of_feat(played: Played) -> tuple[Theme, ...]:
    """What a great or brilliant move, which is the engine's first choice, does."""
    board = played.board
    if _mate(played.before.score, board.turn) > 0:
        return tuple(_mates(board, played.before.line, Theme.MATE, BACK_RANK.played))
    line = read(board, played.before.line)
    names = [motif.played for motif in shown(line, line.won, played.phase) if motif.played]
    if played.move.to_square == played.taken_on:
        return (*_without_hanging(names), Theme.RECAPTURE)
    if not names and _parries(board, played.move):
        names.append(Theme.PARRIED_THREAT)
    return tuple(names)


def _allowed(played: Played, reply: Line, lost: int) -> list[Theme]:
    names = [motif.played for motif in shown(reply, lost, played.phase) if motif.played]
    if len(names) > 1 and Theme.HANGING_PAWN in names:
        names.remove(Theme.HANGING_PAWN)  # where more is lost, a pawn is a detail
    took = gain_of(played.board, played.move)
    if names and took and reply.moves[0].to_square == played.move.to_square:
        others = _without_hanging(names)
        if len(others) < len(names) and captures.won_at_once(reply) > took:
            others.append(Theme.BAD_TRADE)
        return others
    return names


def _without_hanging(names: Sequence[Theme]) -> list[Theme]:
    """For a move that takes back: what it takes was given for something."""
    return [name for name in names if name not in (Theme.HANGING_PIECE, Theme.HANGING_PAWN)]


def _missed(played: Played, better: Line, won: int) -> list[Theme]:
    names = [motif.missed for motif in shown(better, won, played.phase) if motif.missed]
    if Theme.MISSED_CAPTURE in names and better.moves[0].to_square == played.move.to_square:
        names.remove(Theme.MISSED_CAPTURE)  # it was made, with the wrong piece
    return names


def _mates(board: chess.Board, line: Sequence[str], mate: Theme, back_rank: Theme | None) -> list[Theme]:
    whole = read(board, line, LINE_PLIES)
    return [mate, back_rank] if back_rank and BACK_RANK.shows(whole) else [mate]


def _mate(score: Score, mover: chess.Color) -> int:
    """1 where the mover mates, -1 where the other side does, else 0."""
    if isinstance(score, Centipawns):
        return 0
    return 1 if mover_chance(score, white=mover) > 0 else -1


def _parries(board: chess.Board, move: chess.Move) -> bool:
    """Whether the opponent, had he to move, could mate or win a piece, and after the move cannot."""
    if board.is_check():
        return False
    passed = board.copy(stack=False)
    passed.push(chess.Move.null())
    after = board.copy(stack=False)
    after.push(move)
    if _can_mate(passed):
        return not _can_mate(after)
    return best_capture(passed, passed.turn) - best_capture(after, after.turn) >= _PIECE_LOST


def _can_mate(board: chess.Board) -> bool:
    for move in board.legal_moves:
        if board.gives_check(move):
            after = board.copy(stack=False)
            after.push(move)
            if after.is_checkmate():
                return True
    return False
