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


def test_each_position_has_its_phase() -> None:
    found = phases(pgn.parse(BONGCLOUD).boards)
    assert found[:28] == [Phase.OPENING] * 28
    assert found[28:48] == [Phase.MIDDLEGAME] * 20
    assert set(found[48:]) == {Phase.ENDGAME}


def test_an_endgame_from_the_start_has_no_middlegame() -> None:
    boards = [chess.Board("4k3/8/8/8/8/8/4P3/4K2R w K - 0 1")] * 3
    assert divide(boards) == (None, 0)
    assert set(phases(boards)) == {Phase.ENDGAME}
