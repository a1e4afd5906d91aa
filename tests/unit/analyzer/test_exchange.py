"""Captures counted out, and sacrifices of famous games told from trades."""

from __future__ import annotations

import chess
import pytest

from analyzer import pgn
from analyzer.exchange import en_prise, exchange, is_sacrifice


@pytest.mark.parametrize(
    ("fen", "square", "wins"),
    [
        ("4k3/8/8/3p4/4P3/8/8/4K3 w - - 0 1", "d5", 1),  # a pawn for nothing
        ("4k3/8/2p5/3p4/4P3/8/8/4K3 w - - 0 1", "d5", 0),  # pawn for pawn
        ("4k3/8/2p5/3p4/8/8/3R4/4K3 w - - 0 1", "d5", 0),  # a rook for a pawn: not taken
        ("4k3/8/2p5/3n4/4P3/8/3R4/4K3 w - - 0 1", "d5", 2 + 1),  # pawn takes knight, pawn takes, rook takes
        ("3rk3/3r4/8/3p4/8/8/3R4/3RK3 w - - 0 1", "d5", 0),  # rooks behind rooks
        ("4k3/8/8/3p4/8/8/3R4/3RK3 b - - 0 1", "d5", 0),  # nothing takes one's own
        ("4k3/4r3/8/4n3/8/8/4R3/4K3 w - - 0 1", "e5", 0),  # defended along the file
        ("3k4/3n4/8/4p3/8/8/8/3RK1B1 w - - 0 1", "e5", 0),  # nothing attacks it
        ("3k4/3n4/8/4p3/8/6B1/8/3RK3 w - - 0 1", "e5", 1),  # the knight is pinned
        ("1q2k3/P7/8/8/8/8/8/4K3 w - - 0 1", "b8", 9 + 8),  # taking promotes
        ("4k3/8/8/3pP3/8/8/8/4K3 w - d6 0 1", "d6", 1),  # en passant
    ],
)
def test_exchanges(fen: str, square: str, wins: int) -> None:
    assert exchange(chess.Board(fen), chess.parse_square(square)) == wins


def test_the_most_that_can_be_taken() -> None:
    assert en_prise(chess.Board("4k3/8/8/q2p4/4P3/2N5/1P6/R3K3 w - - 0 1")) == 9
    assert en_prise(chess.Board()) == 0


OPERA = (
    "e4 e5 Nf3 d6 d4 Bg4 dxe5 Bxf3 Qxf3 dxe5 Bc4 Nf6 Qb3 Qe7 Nc3 c6 Bg5 b5 Nxb5 cxb5 Bxb5+ Nbd7 O-O-O Rd8"
    " Rxd7 Rxd7 Rd1 Qe6 Bxd7+ Nxd7 Qb8+ Nxb8 Rd8#"
)
IMMORTAL = (
    "e4 e5 f4 exf4 Bc4 Qh4+ Kf1 b5 Bxb5 Nf6 Nf3 Qh6 d3 Nh5 Nh4 Qg5 Nf5 c6 g4 Nf6 Rg1 cxb5 h4 Qg6 h5 Qg5 Qf3"
    " Ng8 Bxf4 Qf6 Nc3 Bc5 Nd5 Qxb2 Bd6 Bxg1 e5 Qxa1+ Ke2 Na6 Nxg7+ Kd8 Qf6+ Nxf6 Be7#"
)
OF_THE_CENTURY = (
    "Nf3 Nf6 c4 g6 Nc3 Bg7 d4 O-O Bf4 d5 Qb3 dxc4 Qxc4 c6 e4 Nbd7 Rd1 Nb6 Qc5 Bg4 Bg5 Na4 Qa3 Nxc3 bxc3 Nxe4"
    " Bxe7 Qb6 Bc4 Nxc3 Bc5 Rfe8+ Kf1 Be6 Bxb6 Bxc4+ Kg1 Ne2+ Kf1 Nxd4+ Kg1 Ne2+ Kf1 Nc3+ Kg1 axb6 Qb4 Ra4"
    " Qxb6 Nxd1"
)


@pytest.mark.parametrize(
    ("moves", "white", "sacrifices"),
    [
        (OPERA, True, {"10. Nxb5", "13. Rxd7", "16. Qb8+"}),
        (IMMORTAL, True, {"10. g4", "11. Rg1", "17. Nd5", "18. Bd6", "19. e5", "22. Qf6+"}),
        (OF_THE_CENTURY, False, {"11... Na4", "15... Nxc3", "17... Be6"}),
    ],
)
def test_sacrifices_of_the_winners_of_famous_games(moves: str, white: bool, sacrifices: set[str]) -> None:
    game = pgn.parse(moves)
    found = {
        f"{board.fullmove_number}{'.' if board.turn else '...'} {move.san}"
        for board, move in zip(game.boards, game.moves, strict=False)
        if move.white is white and is_sacrifice(board, board.parse_uci(move.uci))
    }
    assert found == sacrifices


@pytest.mark.parametrize(
    ("fen", "san"),
    [
        ("r1bqkbnr/1ppp1ppp/p1n5/1B2p3/4P3/5N2/PPPP1PPP/RNBQK2R w KQkq - 0 4", "Bxc6"),  # a trade
        ("rnbqkb1r/ppp1pppp/5n2/3P4/8/8/PPPP1PPP/RNBQKBNR b KQkq - 0 3", "Nxd5"),  # a recapture
        ("rnbqkbnr/pppp1ppp/8/4p3/4P3/8/PPPP1PPP/RNBQKBNR w KQkq - 0 2", "f4"),  # a pawn
        ("4k3/8/8/2p1p3/3p4/2N1N3/8/4K3 w - - 0 1", "Nc4"),  # a fork: one knight goes either way
        ("4k3/8/8/4p3/3p4/2Q1N3/8/4K3 w - - 0 1", "Qc4"),  # a fork: the queen is saved
        ("6k1/5ppp/8/8/8/8/5PPP/q2R2K1 w - - 0 1", "Rxa1"),  # nothing can be taken
        ("k7/8/8/8/8/8/6q1/7K w - - 0 1", "Kxg2"),  # the only move
    ],
)
def test_what_is_no_sacrifice(fen: str, san: str) -> None:
    board = chess.Board(fen)
    assert not is_sacrifice(board, board.parse_san(san))


def test_a_queen_left_hanging_with_a_way_out_is_one() -> None:
    board = chess.Board("4k3/8/8/4p3/3p4/2Q1N3/8/4K3 w - - 0 1")
    assert is_sacrifice(board, board.parse_san("Nc4"))
