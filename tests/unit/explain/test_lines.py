"""What lines win, in a coach's words."""

from __future__ import annotations

import chess
import pytest

from orchestrator.explain.lines import Line

START = chess.STARTING_FEN
ROOKS = "2r3k1/3r1ppp/8/8/8/8/3R1PPP/2R3K1 w - - 0 16"
MIXED = "r3k3/1P6/8/3n4/4P3/2q5/3B4/3RK3 w - - 0 15"


def line(fen: str, sans: str) -> Line:
    board = chess.Board(fen)
    moves = [board.push_san(san).uci() for san in sans.split()]
    return Line.read(chess.Board(fen), moves)


@pytest.mark.parametrize(
    ("fen", "sans", "won", "prize"),
    [
        (START, "e4 e5 Nf3 Nc6", 0, ""),
        (START, "e4 d5 exd5", 0, ""),  # it can be taken back
        (START, "e4 d5 exd5 Qxd5", 0, ""),
        (START, "e4 d5 exd5 Nf6", 1, "a pawn"),
        (ROOKS, "Rxc8+ Rd8 Rdxd8#", 10, "two rooks"),
        (MIXED, "exd5 Kd7", 3, "a piece"),
        (MIXED, "Bxc3 Nxc3 Rd3", 6, "the queen for a piece"),
        (MIXED, "bxa8=Q+ Kd7", 13, "a rook and a new queen"),
        (MIXED, "b8=Q+ Kd7 Qxa8", 13, "a rook and a new queen"),
        ("4k3/1P6/8/8/8/8/8/4K3 w - - 0 15", "b8=Q+ Kd7", 8, "a new queen"),
        ("3rk3/8/8/6B1/8/8/8/4K3 w - - 0 15", "Bxd8 Kxd8", 2, "the exchange"),
        ("4k3/3p4/2n5/1B6/8/8/8/4K3 w - - 0 15", "Bxc6 dxc6", 0, ""),
        ("4k3/8/2nn4/1B6/5P2/8/8/4K3 w - - 0 15", "Bxc6+ Kd8 f5", 3, "a piece"),
        ("4k3/8/5n2/4p1B1/3P4/8/8/4K3 w - - 0 15", "dxe5 Nd5 e6", 1, "a pawn"),
    ],
)
def test_what_is_won_when_the_exchanges_are_over(fen: str, sans: str, won: int, prize: str) -> None:
    read = line(fen, sans)
    assert (read.won(), read.prize()) == (won, prize)


def test_moves_are_written_with_their_numbers() -> None:
    read = line("4k3/8/8/8/8/8/8/5K2 b - - 0 15", "Kd7 Ke2 Ke6")
    assert read.label() == "15…Kd7"
    assert read.label(1) == "16.Ke2"
    assert read.text(2) == "15…Kd7 16.Ke2 Ke6"
    assert read.text(9) == "15…Kd7 16.Ke2 Ke6"


def test_a_line_goes_as_far_as_it_can_be_played() -> None:
    assert len(Line.read(chess.Board(), ["e2e4", "e2e4", "e7e5"]).moves) == 1
    assert Line.read(chess.Board(), []).won() == 0
