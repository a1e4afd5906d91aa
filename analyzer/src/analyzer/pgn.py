"""A PGN game in, its positions and moves out, or a typed failure that says where in the game.

Bounds: 256 KiB of text, 2,400 plies. Standard chess and chess960, from any legal position.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

import chess

from analyzer import movetext

MAX_BYTES = 256 * 1024
MAX_PLIES = 2400  # twice the 600 moves that must do; keeps reading one game under half a second

_STANDARD = {"", "standard", "chess", "normal", "classical", "fromposition"}
_CHESS960 = {
    "chess960",
    "960",
    "frc",
    "fischerandom",
    "fischerrandom",
    "fischerrandomchess",
    "freestylechess",
}
_DROP = re.compile(r"[PNBRQK]?@[a-h][1-8]")
# At most four digits of hours, over a year: the longest clocks are days for each move (14 on chess.com and
# lichess), or months where they are saved up. More is nobody's time, and breaks the wire's Duration.
_CLOCK = re.compile(r"\[%clk\s+(\d{1,4}):(\d{1,2}):(\d{1,2}(?:\.\d{1,9})?)\s*\]")
# Of a FEN's counters: no game is longer than 8,849 moves, as 75 moves without progress are a draw. Engines
# read them into 32 bits, and the number of every move is written.
_MAX_COUNT = 9_999
_NULL_MOVES = {"--", "Z0", "0000", "@@@@"}
# Tolerated in a FEN and mended: they change nothing that can be played.
_MENDED = chess.STATUS_BAD_CASTLING_RIGHTS | chess.STATUS_INVALID_EP_SQUARE


class Reason(Enum):
    """Why a game cannot be analyzed, ever."""

    INVALID_PGN = "invalid_pgn"
    ILLEGAL_MOVE = "illegal_move"
    UNSUPPORTED_VARIANT = "unsupported_variant"
    EMPTY_GAME = "empty_game"
    TOO_LARGE = "too_large"


class UnplayableGame(Exception):
    """A permanent failure of one game; the message is a sentence for people."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class ParsedMove:
    """One move of the main line. `clock`: seconds left to the mover afterwards, where the PGN says."""

    san: str
    uci: str
    white: bool
    forced: bool  # the only legal move
    comment: str  # as in the source, several joined by a space
    clock: float | None


@dataclass(frozen=True, slots=True)
class ParsedGame:
    """`boards`: the position before each move, then the last one; without move stacks."""

    headers: tuple[tuple[str, str], ...]
    intro: str  # the comment before the first move
    result: str
    start_fen: str
    chess960: bool
    moves: tuple[ParsedMove, ...]
    boards: tuple[chess.Board, ...]
    drawn_at_end: bool  # a draw by the rules stands on the board in the last position

    @property
    def plies(self) -> int:
        return len(self.moves)

    def header(self, name: str) -> str:
        """A header's value, the last one where it stands twice; empty where it is missing."""
        return next((value for key, value in reversed(self.headers) if key == name), "")


def parse(pgn: str) -> ParsedGame:
    """Reads one game; raises UnplayableGame."""
    size = len(pgn.encode(errors="surrogatepass"))
    if size > MAX_BYTES:
        raise UnplayableGame(Reason.TOO_LARGE, f"the PGN has {size:,} bytes; at most {MAX_BYTES:,} are taken")
    if "\0" in pgn:
        raise UnplayableGame(Reason.INVALID_PGN, f"the PGN holds a NUL byte at position {pgn.index(chr(0))}")
    try:
        text = movetext.read(pgn)
    except movetext.MovetextError as error:
        raise UnplayableGame(Reason.INVALID_PGN, str(error)) from None
    headers = dict(text.headers)
    chess960 = _is_chess960(headers.get("Variant", ""))
    board = _start(headers.get("FEN", "").strip(), chess960=chess960)
    if not text.moves:
        raise UnplayableGame(Reason.EMPTY_GAME, "the game has no moves")
    if len(text.moves) > MAX_PLIES:
        raise UnplayableGame(
            Reason.TOO_LARGE, f"the game has {len(text.moves):,} half-moves; at most {MAX_PLIES:,} are taken"
        )
    start_fen = board.fen()
    boards = [board.copy(stack=False)]
    moves: list[ParsedMove] = []
    for written in text.moves:
        moves.append(_play(board, written, ply=len(moves) + 1))
        boards.append(board.copy(stack=False))
    return ParsedGame(
        headers=tuple(text.headers),
        intro=" ".join(text.intro),
        result=text.result,
        start_fen=start_fen,
        chess960=board.chess960,
        moves=tuple(moves),
        boards=tuple(boards),
        drawn_at_end=_is_drawn(board),
    )


def _is_chess960(variant: str) -> bool:
    name = re.sub(r"[\s_-]", "", variant).lower()
    if name in _CHESS960:
        return True
    if name in _STANDARD:
        return False
    raise UnplayableGame(
        Reason.UNSUPPORTED_VARIANT, f"variant {variant[:40]!r}: only standard chess and chess960 are analyzed"
    )


def _start(fen: str, *, chess960: bool) -> chess.Board:
    if not fen:
        return chess.Board(chess960=chess960)
    try:
        board = chess.Board(fen, chess960=chess960)
    except ValueError as error:
        raise UnplayableGame(Reason.INVALID_PGN, f"FEN header: {str(error)[:150]}") from None
    if max(board.halfmove_clock, board.fullmove_number) > _MAX_COUNT:
        message = f"FEN header: the half-move clock or the move number is beyond {_MAX_COUNT:,}"
        raise UnplayableGame(Reason.INVALID_PGN, message)
    # Some sites leave out the Variant header: castling rights of a rook elsewhere than on a or h say it too.
    board.chess960 = board.chess960 or board.has_chess960_castling_rights()
    status = board.status() & ~_MENDED
    if status:
        faults = ", ".join(
            flag.name.lower().replace("_", " ") for flag in chess.Status if flag & status and flag.name
        )
        raise UnplayableGame(Reason.INVALID_PGN, f"FEN header: no legal position ({faults}): {fen[:90]!r}")
    board.castling_rights = board.clean_castling_rights()
    if not board.has_legal_en_passant():
        board.ep_square = None
    return board


def _play(board: chess.Board, written: movetext.Move, *, ply: int) -> ParsedMove:
    where = f"half-move {ply}, {board.fullmove_number}{'.' if board.turn else '...'}{written.text[:20]}"
    if written.text in _NULL_MOVES:
        raise UnplayableGame(Reason.ILLEGAL_MOVE, f"{where}: a null move, which nobody may play")
    if _DROP.match(written.text):
        raise UnplayableGame(
            Reason.UNSUPPORTED_VARIANT, f"{where}: a piece is dropped, as in crazyhouse or bughouse"
        )
    try:
        move = board.parse_san(written.text)
    except chess.InvalidMoveError:
        raise UnplayableGame(Reason.INVALID_PGN, f"{where}: cannot be read as a move") from None
    except chess.AmbiguousMoveError:
        raise UnplayableGame(Reason.ILLEGAL_MOVE, f"{where}: several pieces could move so") from None
    except chess.IllegalMoveError:
        raise UnplayableGame(Reason.ILLEGAL_MOVE, f"{where}: not legal in {board.fen()}") from None
    comment = " ".join(written.comments)
    parsed = ParsedMove(
        san=board.san(move),
        uci=board.uci(move),
        white=board.turn,
        forced=_has_one_move(board),
        comment=comment,
        clock=_clock(comment),
    )
    board.push(move)
    return parsed


def _has_one_move(board: chess.Board) -> bool:
    legal = iter(board.legal_moves)
    next(legal)
    return next(legal, None) is None


def _is_drawn(board: chess.Board) -> bool:
    """Stalemate, bare kings, the third occurrence, or fifty moves: what ends a game or may be claimed."""
    if board.is_checkmate():
        return False
    return (
        board.is_stalemate()
        or board.is_insufficient_material()
        or board.is_fifty_moves()
        or board.is_repetition(3)
    )


def _clock(comment: str) -> float | None:
    match = _CLOCK.search(comment)
    if match is None:
        return None
    return round(int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3]), 1)
