"""A chess position as lines of figures, and an engine's line in notation. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import chess
from rich.text import Text

WIDTH: Final = 18  # cells of a line: the rank's number, and two for each square

_LIGHT, _DARK, _MARKED = "grey85", "grey66", "khaki1"


def board_lines(fen: str, *, white_below: bool, marked: Collection[str] = ()) -> list[Text]:
    """Eight ranks and a line of file letters, none of them where the FEN cannot be read.

    `marked`: squares such as "e4" that stand out in color. Without color it reads the same: White's figures
    are outlined, Black's filled, empty squares dots.
    """
    try:
        board = chess.Board(fen)
    except ValueError:
        return []
    ranks = range(7, -1, -1) if white_below else range(8)
    files = range(8) if white_below else range(7, -1, -1)
    lines = []
    for rank in ranks:
        line = Text.assemble((f"{rank + 1} ", "dim"))
        for square in (chess.square(file, rank) for file in files):
            line.append_text(_square(board.piece_at(square), square, chess.square_name(square) in marked))
        lines.append(line)
    lines.append(Text("  " + " ".join(chess.FILE_NAMES[file] for file in files) + " ", style="dim"))
    return lines


def _square(piece: chess.Piece | None, square: chess.Square, marked: bool) -> Text:
    light = (chess.square_rank(square) + chess.square_file(square)) % 2 == 1
    color = _MARKED if marked else _LIGHT if light else _DARK
    # The dot of an empty square is there for those who see no colors.
    return Text(
        f"{piece.unicode_symbol() if piece else '·'} ", style=f"{'black' if piece else color} on {color}"
    )


def line_text(fen: str, line_uci: Sequence[str], plies: int) -> str:
    """At most so many moves of a line in SAN, numbered, as far as they can be played: "15… O-O 16. a3"."""
    try:
        board = chess.Board(fen)
    except ValueError:
        return ""
    board.chess960 = board.has_chess960_castling_rights()
    tokens: list[str] = []
    for uci in line_uci[:plies]:
        try:
            move = board.parse_uci(uci)
        except ValueError:
            break
        if board.turn or not tokens:
            tokens.append(f"{board.fullmove_number}{'.' if board.turn else '…'}")
        tokens.append(board.san_and_push(move))
    return " ".join(tokens)
