"""Explanations without an LLM, from the engine's lines and the themes that the analyzer found. Pure.

    15…Qxb2 grabs a pawn, but 16.Rb1 traps the queen; 15…O-O kept the balance.

Of an error a plain theme is what the reply does to it, `missed_…` what the better move would have done; of a
great move a plain theme is what it does itself (see the analyzer's words). So one phrase serves all three.
"""

from __future__ import annotations

import chess

from orchestrator.explain.candidates import Candidate, Kind
from orchestrator.explain.lines import Line
from orchestrator.explain.phrases import Phrase, phrase

NAME = "template"  # `explained_by`

# From so many percent on: what the best move kept, and what the only move saves.
_KEPT = (
    (90, "kept a won game"),
    (62, "kept the advantage"),
    (38, "kept the balance"),
    (12, "kept the damage small"),
)
_SAVES = (
    (90, "keeps the win"),
    (62, "keeps the advantage"),
    (38, "holds the balance"),
    (12, "stays in the game"),
)

_MORE_THAN_A_PAWN = 25  # points of win percent: a pawn in an equal position is 10


def explain(candidate: Candidate) -> str:
    """One or two sentences; every move in them is of the game or of the engine's lines."""
    played = Line.read(candidate.board(), (candidate.uci, *candidate.reply_line))
    return _found(candidate, played) if candidate.kind is Kind.FOUND else _error(candidate, played)


def _error(candidate: Candidate, played: Line) -> str:
    reply = Line(played.boards[1:], played.moves[1:])
    better = Line.read(candidate.board(), candidate.best_line)
    allowed = _first(_plain(candidate), reply, candidate.mate_after, own=False)
    missed = _first(_missed(candidate), better, candidate.mate_before, own=True)
    deed = _deed(played)
    what = f"{played.label()} {deed}".rstrip()
    if allowed:
        opening = f"{what}, but" if deed else f"After {what},"
        return f"{opening} {allowed.present}; {missed.unreal if missed else _kept(candidate, better)}."
    if missed:
        return f"{what} {'and ' if deed else ''}lets a chance go: {missed.unreal}."
    if "opening_principle" in candidate.themes:
        return f"{what} {'but ' if deed else ''}does nothing for the pieces at home; {_develops(better)}."
    return f"{what} {'but ' if deed else ''}{_turned(candidate, played, reply)}; {_kept(candidate, better)}."


def _found(candidate: Candidate, played: Line) -> str:
    mate = candidate.mate_after + 1 if candidate.mate_after and candidate.mate_after > 0 else None
    done = _first(_plain(candidate), played, mate, own=True)
    begin = done.present if done else f"{played.label()} {_deed(played) or 'finds the way'}"
    if candidate.judgement == "JUDGEMENT_BRILLIANT":
        proof = done.present if done else _line(played)
        begin = f"{played.label()} offers {_offered(played)} and is right: {proof}"
    return f"{begin}. Nothing else {_scale(candidate.percent_before, _SAVES, 'holds out as long')}."


def _plain(candidate: Candidate) -> list[str]:
    """A forced mate needs no theme to be told."""
    themes = [theme for theme in candidate.themes if not theme.startswith("missed_")]
    return [*themes, *(["mate"] if candidate.mate_after is not None else [])]


def _missed(candidate: Candidate) -> list[str]:
    themes = [theme.removeprefix("missed_") for theme in candidate.themes if theme.startswith("missed_")]
    return [*themes, *(["mate"] if candidate.mate_before is not None else [])]


def _first(themes: list[str], line: Line, mate: int | None, *, own: bool) -> Phrase | None:
    """Of the first theme that the line shows. `mate` is the mover's, and `own` says whether the line is,
    too."""
    mate_in = None if mate is None or (mate > 0) is not own else abs(mate)
    told = (phrase(theme, line, mate_in) for theme in themes)
    return next((each for each in told if each is not None), None)


def _deed(played: Line) -> str:
    """What the move itself does that anyone can see; empty for a quiet move."""
    board, move = played.boards[0], played.moves[0]
    if move.promotion:
        return f"promotes to a {chess.piece_name(move.promotion)}"
    if taken := played.taken(0):
        return "grabs a pawn" if taken == chess.PAWN else f"takes the {chess.piece_name(taken)}"
    if board.is_castling(move):
        return "castles"
    return "gives check" if played.boards[1].is_check() else ""


def _kept(candidate: Candidate, better: Line) -> str:
    if candidate.percent_before >= _KEPT[-1][0] and (prize := better.prize()):
        return f"{better.label()} would have won {prize}"
    return f"{better.label()} {_scale(candidate.percent_before, _KEPT, 'held out longer')}"


def _turned(candidate: Candidate, played: Line, reply: Line) -> str:
    """How the game turned where no theme says it: by what is lost, where that says enough."""
    net = reply.won() - played.gain(0)
    if net >= (2 if candidate.lost >= _MORE_THAN_A_PAWN else 1):
        return f"loses {reply.prize()} after {reply.label()}"
    before, after = candidate.percent_before, candidate.percent_after
    if after >= 62:
        turn = "lets part of the advantage slip"
    elif after >= 38:
        turn = "lets the advantage slip" if before >= 62 else "gives up some of the play"
    else:
        other = "Black" if candidate.board().turn else "White"
        turn = f"gives {other} the better game" if before >= 38 else "makes a hard position harder"
    return f"{turn} ({_line(reply)})" if reply.moves else turn


def _develops(better: Line) -> str:
    board, move = better.boards[0], better.moves[0]
    if board.is_castling(move):
        return f"{better.label()} brings the king to safety"
    if board.piece_type_at(move.from_square) == chess.PAWN:
        return f"{better.label()} fights for the center"
    return f"{better.label()} brings the {better.moved(0)} into the game"


def _offered(played: Line) -> str:
    board, square = played.boards[1], played.moves[0].to_square
    if any(board.generate_legal_captures(to_mask=chess.BB_SQUARES[square])):
        return f"the {chess.piece_name(board.piece_type_at(square) or chess.PAWN)}"
    return "material"


def _line(line: Line) -> str:
    return line.text(2)


def _scale(percent: float, steps: tuple[tuple[int, str], ...], otherwise: str) -> str:
    return next((words for least, words in steps if percent >= least), otherwise)
