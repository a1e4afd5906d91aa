"""What an engine's line wins, and how far it is read."""

from __future__ import annotations

import chess
import pytest

from analyzer.themes.line import PLIES, read
from tests.support.theme_positions import both_colors, line_of

DEFENDED = "4k3/8/2p5/3n4/8/8/8/3RK3 w - - 0 1"


@both_colors
@pytest.mark.parametrize(
    ("moves", "balance", "won"),
    [
        ("Rxd5", (0, 3), 3 - 5),  # the pawn is about to take back
        ("Rxd5 cxd5", (0, 3, 3 - 5), 3 - 5),
        ("Rxd5 Ke7", (0, 3, 3), 3),
        ("Ke2", (0, 0), 0),
        ("", (0,), 0),
    ],
)
def test_material_with_what_is_about_to_be_taken(
    moves: str, balance: tuple[int, ...], won: int, mirrored: bool
) -> None:
    line = line_of(DEFENDED, moves, mirrored=mirrored)
    assert (line.balance, line.won) == (balance, won)


def test_a_line_is_read_as_far_as_it_can_be_played() -> None:
    shuffle = ["g1f3", "g8f6", "f3g1", "f6g8"] * 3
    assert len(read(chess.Board(), shuffle).moves) == PLIES
    broken = read(chess.Board(), ["e2e4", "e2e4", "d2d4"])
    assert [move.uci() for move in broken.moves] == ["e2e4"]
    assert len(broken.boards) == len(broken.balance) == 2
    assert read(chess.Board(), ["nonsense"]).moves == ()
