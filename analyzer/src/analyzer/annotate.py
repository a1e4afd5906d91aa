"""The analyzed game as PGN text that lichess, ChessBase and python-chess read.

ASCII is added only: old readers take PGN for Latin-1. Headers stay as they came, in their order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import chess

from analyzer.report import GameReport, MoveReport
from analyzer.scores import Centipawns, Checkmate, MateIn, Score
from analyzer.verdicts import ERRORS, Judgement

# Numeric annotation glyphs: ! is 1, ? is 2, !! is 3, ?? is 4, ?! is 6 (PGN standard, 8.2.4).
NAGS: dict[Judgement, str] = {
    Judgement.GREAT: "$1",
    Judgement.MISTAKE: "$2",
    Judgement.BRILLIANT: "$3",
    Judgement.BLUNDER: "$4",
    Judgement.INACCURACY: "$6",
}
_COLUMNS = 100  # where a comment allows it: none is broken, as a line that begins with [ looks like a header
_EVAL = re.compile(r"\[%eval\s[^\]]*\]")


def annotated_pgn(report: GameReport) -> str:
    """Ends in one newline; lines end in "\\n"."""
    game = report.game
    headers = "".join(f'[{name} "{value}"]\n' for name, value in game.headers)
    return f"{headers}\n{_wrapped(_movetext(report))}\n"


def _movetext(report: GameReport) -> Iterator[str]:
    game = report.game
    result = game.result or game.header("Result") or "*"
    if game.intro:
        yield _comment(game.intro)
    interrupted = True  # the move number must be said again: at the start, and after comments or variations
    for index, move in enumerate(report.moves):
        board = game.boards[index]
        yield _numbered(board, move.move.san, always=interrupted)
        if move.judgement in NAGS:
            yield NAGS[move.judgement]
        comment = _comment(_remark(move), _eval(move.after.score), _EVAL.sub("", move.move.comment))
        variation = _variation(board, move)
        if comment:
            yield comment
        if variation:
            variation[0] = f"({variation[0]}"
            variation[-1] = f"{variation[-1]})"
            yield from variation
        interrupted = bool(comment or variation)
    yield result if result in ("1-0", "0-1", "1/2-1/2") else "*"


def _comment(*parts: str) -> str:
    """One comment of the parts that say something; empty where none does."""
    text = " ".join(part for part in (" ".join(part.split()) for part in parts) if part)
    return f"{{ {text} }}" if text else ""


def _remark(move: MoveReport) -> str:
    if move.judgement not in NAGS:
        return ""
    name = move.judgement.value.capitalize()
    if move.judgement not in ERRORS:
        second = "" if move.before.second is None else f"; next best {_spoken(move.before.second)}"
        return f"{name} ({_spoken(move.before.score)}{second})."
    scores = f"{_spoken(move.before.score)} to {_spoken(move.after.score)}"
    return f"{name} ({scores}). {move.best_san} was best."


def _spoken(score: Score) -> str:
    match score:
        case Centipawns(value):
            return f"{value / 100:+.2f}"
        case MateIn(moves):
            return f"mate in {moves}" if moves > 0 else f"mate in {-moves} for Black"
        case Checkmate():
            return "mate"


def _eval(score: Score) -> str:
    """As lichess writes it: pawns or #moves from White's point of view; a mate on the board has none."""
    match score:
        case Centipawns(value):
            return f"[%eval {value / 100:.2f}]"
        case MateIn(moves):
            return f"[%eval #{moves}]"
        case Checkmate():
            return ""


def _variation(board: chess.Board, move: MoveReport) -> list[str]:
    board = board.copy(stack=False)
    tokens: list[str] = []
    for index, san in enumerate(move.better_line_san):
        tokens.append(_numbered(board, san, always=index == 0))
        board.push_san(san)
    return tokens


def _numbered(board: chess.Board, san: str, *, always: bool) -> str:
    """Black's moves carry their number only where the text was interrupted."""
    if board.turn:
        return f"{board.fullmove_number}. {san}"
    return f"{board.fullmove_number}... {san}" if always else san


def _wrapped(tokens: Iterator[str]) -> str:
    lines: list[str] = []
    line = ""
    for token in tokens:
        if line and len(line) + 1 + len(token) > _COLUMNS:
            lines.append(line)
            line = token
        else:
            line = f"{line} {token}" if line else token
    return "\n".join([*lines, line])
