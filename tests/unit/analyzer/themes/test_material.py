"""Single captures counted out, for whichever side and whoever is to move."""

from __future__ import annotations

import chess
import pytest

from analyzer.themes.material import best_capture, capture_gain, most_taken


@pytest.mark.parametrize(
    ("fen", "capture", "wins"),
    [
        ("4k3/8/8/3p4/4P3/8/8/4K3 w - - 0 1", "e4d5", 1),
        ("4k3/8/8/3p4/4P3/8/8/4K3 b - - 0 1", "e4d5", 1),  # were it White's turn
        ("4k3/8/2p5/3p4/8/8/3R4/4K3 w - - 0 1", "d2d5", 1 - 5),
        ("4k3/8/2p5/3n4/4P3/8/3R4/4K3 w - - 0 1", "e4d5", 3),
        ("3rk3/3r4/8/3p4/8/8/3R4/3RK3 w - - 0 1", "d2d5", 1 - 5),  # rooks behind rooks
        ("1q2k3/P7/8/8/8/8/8/4K3 w - - 0 1", "a7b8", 9 + 8),
        ("rq2k3/P7/8/8/8/8/8/4K3 w - - 0 1", "a7b8", 9 + 8 - 9),  # what it becomes is taken
        ("4k3/8/8/3pP3/8/8/8/4K3 w - d6 0 1", "e5d6", 1),
        ("4k3/8/4p3/3p4/8/2K5/8/3R4 w - - 0 1", "d1d5", 1 - 5),
        ("8/8/4k3/3p4/8/8/3R4/3RK3 w - - 0 1", "d2d5", 1),  # the king may not take what is defended
        ("8/8/4k3/3p4/8/8/3R4/4K3 w - - 0 1", "d2d5", 1 - 5),
    ],
)
def test_captures(fen: str, capture: str, wins: int) -> None:
    board, move = chess.Board(fen), chess.Move.from_uci(capture)
    assert capture_gain(board, move.from_square, move.to_square) == wins
    mirror = board.mirror()
    squares = chess.square_mirror(move.from_square), chess.square_mirror(move.to_square)
    assert capture_gain(mirror, *squares) == wins


def test_a_pinned_piece_does_not_take_back() -> None:
    board = chess.Board("4k3/4n3/8/3p4/8/8/8/3RR1K1 w - - 0 1")
    assert capture_gain(board, chess.D1, chess.D5) == 1
    assert capture_gain(board, chess.D1, chess.D5, pins=False) == 1 - 5
    # The rook that pins takes itself: the knight is free.
    board = chess.Board("4k3/4n3/2p5/8/8/8/8/4R1K1 w - - 0 1")
    assert capture_gain(board, chess.E1, chess.E7) == 3 - 5


def test_the_most_that_a_side_could_take() -> None:
    board = chess.Board("4k3/8/8/q2p4/4P3/2N5/1P6/R3K3 w - - 0 1")
    assert best_capture(board, chess.WHITE) == 9
    assert best_capture(board, chess.BLACK) == 5
    assert most_taken(board, chess.WHITE, chess.D5) == 1
    assert most_taken(board, chess.WHITE, chess.B7) == 0
    assert best_capture(chess.Board(), chess.WHITE) == 0
