"""The analyzed game as PGN text that lichess, ChessBase and python-chess read.

ASCII is added only: old readers take PGN for Latin-1. Headers stay as they came, in their order. Comments of
the main line stay; variations and signs of the source go, and what an earlier analysis wrote.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import chess

from analyzer.clocks import seconds_spent
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
_COLUMNS = 100  # of a line; a comment may have more, to be left whole
_LONGEST_LINE = 255  # PGN standard, 4.3

# What an earlier analysis wrote: ours, or lichess's "(0.86 → 3.37) Blunder. Qd8 was best." Bounded, so that
# no comment is scanned again and again.
_EVAL = re.compile(r"\[%eval\s[^\]]{0,40}\]")
_SPENT = re.compile(r"\[%emt\s[^\]]{0,40}\]")
_REMARK = re.compile(
    r"\b(?:Inaccuracy|Mistake|Blunder) \([^()]{0,80}\)\. \S{2,12} was best\."
    r"|\b(?:Great|Brilliant) \([^()]{0,80}\)\."
    r"|\([^()]{0,20} → [^()]{0,20}\) [A-Z][a-z ]{0,40}\.(?: \S{2,12} was best\.)?"
)
_READ = {"Variant", "FEN", "SetUp"}  # headers that say how the moves are to be read
_ESCAPED = re.compile(r'\\(["\\])')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def annotated_pgn(report: GameReport) -> str:
    """Ends in one newline; lines end in "\\n"."""
    headers = "".join(f'[{name} "{value}"]\n' for name, value in _headers(report))
    return f"{headers}\n{_wrapped(_movetext(report))}\n"


def _headers(report: GameReport) -> Iterator[tuple[str, str]]:
    """The source's, with whatever was not escaped in them, and those without which the moves cannot be read.

    One with other than letters in its name is left out: lichess refuses a game for it. So is what the moves
    were not read by: an empty FEN, behind which python-chess finds no game, or the first one of two.
    """
    game = report.game
    for name, value in game.headers:
        read = name not in _READ or (value.strip() and value == game.header(name))
        if name.isascii() and name.isalpha() and read:
            text = _CONTROL.sub(" ", _ESCAPED.sub(r"\1", value))
            yield name, text.replace("\\", "\\\\").replace('"', '\\"')
    if game.chess960 and not game.header("Variant").strip():
        yield "Variant", "Chess960"
    if game.header("FEN").strip() and not game.header("SetUp").strip():
        yield "SetUp", "1"


def _movetext(report: GameReport) -> Iterator[str]:
    game = report.game
    result = game.result or game.header("Result").replace("½", "1/2")
    yield from _comment(game.intro)
    interrupted = True  # the move number must be said again: at the start, and after comments or variations
    for board, move, spent in zip(game.boards, report.moves, seconds_spent(game), strict=False):
        yield _numbered(board, move.move.san, always=interrupted)
        if move.judgement in NAGS:
            yield NAGS[move.judgement]
        comment = _comment(_remark(move), _eval(move.after.score), _kept(move, spent), _spent(spent))
        variation = _variation(board, move)
        yield from comment
        if variation:
            variation[0] = f"({variation[0]}"
            variation[-1] = f"{variation[-1]})"
            yield from variation
        interrupted = bool(comment or variation)
    yield result if result in ("1-0", "0-1", "1/2-1/2") else "*"


def _comment(*parts: str) -> list[str]:
    """One comment of the parts that say something; none where none does. In pieces if too long for a line."""
    # Neither may stand in one: a } comes from a comment that had the rest of its line.
    words = " ".join(parts).replace("{", "(").replace("}", ")").split()
    if not words:
        return []
    whole = f"{{ {' '.join(words)} }}"
    return [whole] if len(whole) <= _LONGEST_LINE else _pieces(["{", *words, "}"])


def _pieces(words: list[str]) -> list[str]:
    """Words that may begin a line, each with those behind it that may not.

    A command such as [%clk 0:01:00] would look like a header there, and with its % in front like an escape.
    """
    pieces = [words[:1]]
    for previous, word in pairwise(words):
        if word[0] in "[%" or (previous.startswith("[%") and "]" not in previous):
            pieces[-1].append(word)
        else:
            pieces.append([word])
    return [" ".join(piece) for piece in pieces]


def _kept(move: MoveReport, spent: float | None) -> str:
    """The source's comment without what an earlier analysis, or this one, says."""
    comment = " ".join(move.move.comment.split())  # a long one was wrapped, in the middle of a remark too
    comment = _REMARK.sub("", _EVAL.sub("", comment))
    return comment if spent is None else _SPENT.sub("", comment)


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


def _spent(seconds: float | None) -> str:
    """The elapsed move time, in whole seconds or with tenths, as exact as the clocks were."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds * 10), 600)
    tenths = f".{rest % 10}" if rest % 10 else ""
    return f"[%emt {minutes // 60}:{minutes % 60:02}:{rest // 10:02}{tenths}]"


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
