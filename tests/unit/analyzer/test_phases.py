"""Where games are divided, against lichess's published divisions."""

from __future__ import annotations

import chess
import pytest

from analyzer import pgn
from analyzer.phases import Phase, divide, phases

# Two games of lichess with the `division` that its API gives for them (ids nfjOkkBQ and TJxUmbWK).
BONGCLOUD = (
    "e3 d5 Ke2 c6 Kd3 e5 Ke2 f5 Kd3 Nf6 Ke2 c5 Kd3 c4+ Ke2 g5 Kf3 e4+ Ke2 Bg7 d3 Nc6 dxc4 dxc4 Qxd8+ Kxd8 Nd2"
    " Be6 h4 h6 hxg5 hxg5 Rxh8+ Bxh8 Nh3 g4 Nf4 Ke7 Nxe6 Kxe6 Nxc4 a6 Nb6 Rd8 c3 Nd5 Nxd5 Rxd5 Ke1 Ne5 Bd2"
    " Nd3+ Bxd3 Rxd3 Ke2 Be5 Rh1 Rd7 Rh6+ Kd5 b3 Kc5 Rh5 Rf7 f3 gxf3+ gxf3 exf3+ Kxf3 a5 a4 b5 axb5 Kxb5 Ke2"
    " a4 bxa4+ Kxa4 e4 Kb3 Rxf5 Re7 Rf3 Kc4 Be1 Bf6 Rxf6 Rxe4+ Kd2 Rh4 Bxh4"
)
PIRC = (
    "e4 d6 d4 Nf6 Nc3 g6 Bd3 Bg7 Be3 O-O Qd2 Ng4 O-O-O Nxe3 Qxe3 Nd7 f4 Nf6 h3 c6 g4 Qb6 Nf3 c5 dxc5 Qxc5"
    " Qxc5 dxc5 e5 Nd7 Nd5 e6 Ne7+ Kh8 Bb5 a6 Bxd7 Bxd7 Rxd7 Rfe8 Rxb7"
)


@pytest.mark.parametrize(
    ("moves", "division"), [(BONGCLOUD, (28, 48)), (PIRC, (22, None)), ("e4", (None, None))]
)
def test_divisions_that_lichess_published(moves: str, division: tuple[int | None, int | None]) -> None:
    assert divide(pgn.parse(moves).boards) == division


# Of scalachess's DividerTest.scala, as far as both bounds are passed: the games, and between which plies it
# wants middlegame and endgame to begin.
SCALACHESS: list[tuple[str, tuple[int, int], tuple[int, int] | None]] = [
    (
        (
            "e3 g6 d4 Bg7 Nf3 Nf6 Bd3 O-O O-O b6 c4 Bb7 Nbd2 d5 b3 Nbd7 Bb2 Re8 Qc2 dxc4 bxc4 c5 d5 e5 e4"
            " h5 a4 Nf8 h3 Qd6 Nxe5 Rxe5 Nf3 N6d7 Nxe5 Bxe5 Bxe5 Nxe5 Be2 Bc8 f4 Ned7 e5 Qe7 Bf3 Rb8 Rae1 f5"
            " d6 Qh4 e6 Nxe6 Rxe6 Nf6 Ree1 Qxf4 Bd5+ Nxd5 Rxf4 Nxf4 Qd2 g5 d7 Bb7 d8=Q+ Rxd8 Qxd8+ Kh7 Qc7+"
            " Kh6 Qxb7 g4 Qc6+ Ng6 Re6 gxh3 Rxg6+ Kh7 Rh6+ Kg7 Qf6+ Kg8 Rh8#"
        ),
        (18, 40),
        (50, 65),
    ),
    (
        (
            "e4 c5 Nf3 d6 Bc4 Nf6 d3 g6 c3 Bg7 Bg5 O-O h3 Nc6 Nbd2 a6 Bb3 b5 Bc2 Bb7 O-O Nd7 Nh2 f6 Be3 e5"
            " Ndf3 Ne7 Qd2 f5 Qe2 h6 Bd2 g5 g4 f4 Bb3+ d5 exd5 Bxd5 c4 Bf7 cxb5 axb5 Bxf7+ Rxf7 Bc3 Ng6 a3"
            " b4 axb4 Rxa1 Rxa1 cxb4 Bxb4 Qb6 Bc3 Re7 Ra8+ Kh7 Kg2 Nc5 Qc2 Qb3 Qxb3 Nxb3 Rb8 Nc5 Rb5 Nxd3"
            " Nf1 e4 Ng1 Nh4+ Kh2 Bxc3 bxc3 Nxf2 Rd5 e3"
        ),
        (17, 30),
        (65, 80),
    ),
    (
        (
            "e4 c5 Nf3 d6 d4 cxd4 Nxd4 Nc6 Nc3 e5 Nb3 Nf6 f3 Be7 Be3 O-O Qd2 b6 O-O-O Bb7 g4 Rc8 h4 a5 h5"
            " Nb4 g5 Nd7 g6 Nc5 h6 Nxb3+ axb3 fxg6 hxg7 Rxf3 Bxb6 Qxb6 Qh6 Qe3+ Qxe3 Rxe3 Bd3 Nxd3+ cxd3 Bg5"
            " Kb1 Kxg7 Rh2 Bf4 Rh4 h5 Rhh1 Rf8 Rhg1 g5 Rg2 g4 Nb5 Rf6 Nc7 Rg3 Rxg3 Bxg3 Ne8+ Kf7 Nxf6 Kxf6"
        ),
        (20, 28),
        (50, 65),
    ),
    (
        (
            "f3 g6 e4 Bg7 d4 d5 Qe2 Bxd4 c3 Bg7 Nd2 Nc6 exd5 Qxd5 Ne4 Nf6 Nxf6+ Bxf6 Be3 O-O Rd1 Qxa2 Qd2"
            " Rd8 Qc2 Rxd1+ Kxd1 Bf5 Qc1 Rd8+ Ke1 Ne5 Kf2 Bd3 Ne2 Ba6 Nd4 Bxf1 Kxf1 Nd3 Qc2 Qa1+ Ke2 Qxh1"
            " Qxd3 c5 Qb5 Qxg2+ Kd3 Qf1+ Kc2 Qxb5 Nxb5 a6"
        ),
        (16, 34),
        (40, 47),
    ),
    (
        (
            "c4 e5 Nc3 f5 d3 Nf6 g3 Bb4 Bd2 O-O Bg2 c6 Nf3 d5 cxd5 Bxc3 Bxc3 e4 dxe4 Nxe4 dxc6 Nxc6 Qb3+"
            " Kh8 Rd1 Qc7 O-O Nxc3 Qxc3 Be6 a3 Rac8 Nd4 Nxd4 Qxd4 b6 e4 fxe4 Bxe4 Rcd8 Qe3 Qe5 b4 Bc4 Rfe1"
            " Qh5 Rxd8 Rxd8 Bf3 Qf5 Rd1 Rf8 Bg2 h6"
        ),
        (19, 26),
        (36, 48),
    ),
    (
        (
            "d4 Nf6 c4 g6 Nc3 d5 cxd5 Nxd5 Bd2 Bg7 e4 Nxc3 Bxc3 O-O Qd2 Nc6 Nf3 Bg4 d5 Bxf3 Bxg7 Kxg7 gxf3"
            " Ne5 O-O-O c6 Qc3 f6 Bh3 cxd5 exd5 Nf7 f4 Qd6 Qd4 Rad8 Be6 Qb6 Qd2 Rd6 Rhe1 Nd8 f5 Nxe6 Rxe6"
            " Qc7+ Kb1 Rc8 Rde1 Rxe6 Rxe6 Rd8"
        ),
        (19, 26),
        (36, 48),
    ),
    (
        (
            "e4 e5 f4 d6 Nf3 exf4 Bc4 h6 O-O Bg4 d4 Nc6 Bxf4 Nf6 Nc3 Be7 e5 dxe5 dxe5 Nh5 Be3 O-O h3 Bxf3"
            " Qxf3 Nxe5 Bxf7+ Rxf7 Qxh5 Qf8"
        ),
        (19, 25),
        None,
    ),
]


@pytest.mark.parametrize(("moves", "middle", "end"), SCALACHESS)
def test_divisions_that_scalachess_asks_for(
    moves: str, middle: tuple[int, int], end: tuple[int, int] | None
) -> None:
    found_middle, found_end = divide(pgn.parse(moves).boards)
    assert found_middle is not None
    assert middle[0] <= found_middle <= middle[1]
    if end is None:
        assert found_end is None
    else:
        assert found_end is not None
        assert end[0] <= found_end <= end[1]


def test_each_position_has_its_phase() -> None:
    found = phases(pgn.parse(BONGCLOUD).boards)
    assert found[:28] == [Phase.OPENING] * 28
    assert found[28:48] == [Phase.MIDDLEGAME] * 20
    assert set(found[48:]) == {Phase.ENDGAME}


def test_an_endgame_from_the_start_has_no_middlegame() -> None:
    boards = [chess.Board("4k3/8/8/8/8/8/4P3/4K2R w K - 0 1")] * 3
    assert divide(boards) == (None, 0)
    assert set(phases(boards)) == {Phase.ENDGAME}
