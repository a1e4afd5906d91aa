"""What an explanation may say: its length, its signs, and the moves and squares it names. Pure.

A move must be legal in a position that the moment is about: before or after the move, along the two lines, or
as a threat there (were it that side's turn). A piece that is said to stand on a square must stand there in
one of these positions. What is claimed of a mate or a check must come true.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import chess

from orchestrator.explain.candidates import Candidate, walk

MOST_WORDS = 60
LEAST_WORDS = 4  # what is shorter explains nothing

_MOVE = re.compile(
    r"(?<![\w/-])(?:[0O]-[0O](?:-[0O])?|[KQRBN][a-h]?[1-8]?[x×]?[a-h][1-8]|[a-h][x×][a-h][1-8](?:=?[QRBN])?"
    r"|[a-h][18]=[QRBN])(?![\w])[+#]*"
)
_PAWN_MOVE = re.compile(r"(?<![\w/-])[a-h][1-8][+#]+")
_SQUARE = re.compile(r"(?<![\w/])([a-h][1-8])(?!\w)")
_COORDINATES = re.compile(
    r"(?<!\w)[a-h][1-8]-?[a-h][1-8][qrbn]?(?!\w)"
)  # "e2e4": no way to speak to a player
_NUMBER = re.compile(r"\b\d{1,3}\s?(?:\.{1,3}|…)\s?(?=[KQRBNO0a-h])")
_PIECES = {name: piece for piece, name in enumerate(chess.PIECE_NAMES) if name}
_NAMES = "|".join(_PIECES)
_STANDS = re.compile(rf"\b({_NAMES})s?\s+(?:on|at)\s+([a-h][1-8])\b", re.IGNORECASE)
_STANDS_BEFORE = re.compile(rf"\b([a-h][1-8])[-\s]({_NAMES})\b", re.IGNORECASE)
_MATE_IN = re.compile(r"\bmates?\s+in\s+(\d+|one|two|three|four|five)\b", re.IGNORECASE)
_WORD_NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
# Addresses, markup and code have no place in an explanation, whoever asked for them.
_FOREIGN = re.compile(r"https?:|www\.|[@<>{}\[\]\\`|~_$^*]|\b\w+\.(?:com|org|net|io|ru)\b", re.IGNORECASE)
_INVISIBLE = re.compile(r"[^\S ]|[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


@dataclass(frozen=True, slots=True)
class Scene:
    """The positions that a moment is about, and the same with the other side to move, for threats."""

    positions: tuple[chess.Board, ...]
    threats: tuple[chess.Board, ...]
    mates: frozenset[int]  # in how many moves somebody mates

    @classmethod
    def of(cls, candidate: Candidate) -> Scene:
        board = candidate.board()
        after = board.copy(stack=False)
        after.push_uci(candidate.uci)
        positions = [board, after, *_along(board, candidate.best_line), *_along(after, candidate.reply_line)]
        mates = {abs(mate) for mate in (candidate.mate_before, candidate.mate_after) if mate}
        # A mate that is played out in the line may be counted from its start or from the move after.
        mates |= {mate - 1 for mate in mates if mate > 1}
        return cls(tuple(positions), tuple(_passed(positions)), frozenset(mates))


def _along(board: chess.Board, line: Sequence[str]) -> Iterator[chess.Board]:
    """The positions after each move of the line."""
    for position, move in walk(board, line):
        position.push(move)
        yield position


def _passed(positions: Sequence[chess.Board]) -> Iterator[chess.Board]:
    for board in positions:
        if not board.is_check():
            other = board.copy(stack=False)
            other.push(chess.Move.null())
            yield other


def tidied(text: str) -> str:
    """On one line, castling by the letter O, without move numbers: the same position comes at other moves."""
    text = _NUMBER.sub("", " ".join(_INVISIBLE.sub(" ", text).split()))
    return re.sub(r"\b0-0(-0)?\b", lambda match: match[0].replace("0", "O"), text)


def fault(text: str, moves: Sequence[str], scene: Scene) -> str | None:
    """What is wrong with a tidied text that says it names `moves`; None: nothing."""
    words = len(text.split())
    if not LEAST_WORDS <= words <= MOST_WORDS:
        return f"it has {words} words"
    if found := _FOREIGN.search(text):
        return f"it holds {found[0]!r}"
    if found := _COORDINATES.search(text):
        return f"it writes {found[0]!r}"
    named = [match[0] for pattern in (_MOVE, _PAWN_MOVE) for match in pattern.finditer(text)]
    if not named and not _SQUARE.search(text):
        return "it is about nothing on the board"
    for san in [*named, *(tidied(move) for move in moves)]:
        if not _can_be_played(san, scene):
            return f"{san!r} cannot be played"
    return _wrong_square(text, scene) or _wrong_mate(text, scene)


def _can_be_played(san: str, scene: Scene) -> bool:
    plain = san.replace("×", "x")
    for board in (*scene.positions, *scene.threats):
        try:
            move = board.parse_san(plain.rstrip("+#"))
        except ValueError:
            continue
        after = board.copy(stack=False)
        after.push(move)
        if ("#" not in plain or after.is_checkmate()) and ("+" not in plain or after.is_check()):
            return True
    return False


def _wrong_square(text: str, scene: Scene) -> str | None:
    claims = [(match[1], match[2]) for match in _STANDS.finditer(text)]
    claims += [(match[2], match[1]) for match in _STANDS_BEFORE.finditer(text)]
    for name, square in claims:
        piece = _PIECES[name.lower()]
        if not any(
            board.piece_type_at(chess.parse_square(square.lower())) == piece for board in scene.positions
        ):
            return f"no {name.lower()} stands on {square}"
    for match in _SQUARE.finditer(text):
        square_index = chess.parse_square(match[1])
        if not any(_matters(board, square_index) for board in scene.positions):
            return f"nothing is on {match[1]}, nor can anything go there"
    return None


def _matters(board: chess.Board, square: chess.Square) -> bool:
    """Whether something stands on the square, covers it, or can go there."""
    bit = chess.BB_SQUARES[square]
    return bool(
        board.occupied & bit
        or board.attackers_mask(chess.WHITE, square)
        or board.attackers_mask(chess.BLACK, square)
        or any(board.generate_legal_moves(to_mask=bit))
    )


def _wrong_mate(text: str, scene: Scene) -> str | None:
    for match in _MATE_IN.finditer(text):
        number = _WORD_NUMBERS.get(match[1].lower()) or int(match[1])
        if number not in scene.mates:
            return f"there is no {match[0]!r}"
    return None
