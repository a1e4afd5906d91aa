"""How games begin, from their PGN as text, and what is sent along of what is known."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import pgn as analyzer_pgn
from orchestrator.store.rows import KnownPosition
from orchestrator.sync.openings import KnownOpenings, opening_of
from tests.support.platforms.__main__ import SHIPPED


@pytest.mark.parametrize(
    ("pgn", "opening"),
    [
        ("1. e4 e5 2. Nf3 *", "e4 e5 Nf3"),
        (
            '[Event "x"]\n[White "A \\"B\\" [C]"]\n\n1. e4 {[%clk 0:03:00]} 1... c5 {[%clk 0:02:59]} 1-0',
            "e4 c5",
        ),
        ("1.e4 $1 e5! 2.Qh5?! ; a comment with e4\nNc6 3. Qxf7+ $4 Kxf7 1-0", "e4 e5 Qh5 Nc6 Qxf7 Kxf7"),
        ("1. f3 e5 2. g4 Qh4# 0-1", "f3 e5 g4 Qh4"),
        (
            "1. Nf3 Nf6 2. g3 g6 3. Bg2 Bg7 4. O-O O-O 5. Nbd2 R8xe2 *",
            "Nf3 Nf6 g3 g6 Bg2 Bg7 O-O O-O Nbd2 R8xe2",
        ),
        ('[Variant "Standard"]\n\n1. d4 1/2-1/2', "d4"),
        ("*", ""),
        ("", ""),
        # No further than it is sure.
        ("1. e4 (1. d4 d5) 1... e5", "e4"),
        ("1. e4 e5 2. Nf3 -- 3. d4", "e4 e5 Nf3"),
        ("1. e4 e5foo 2. Nf3", "e4"),
        ("1. e4 {never closed 1... e5", "e4"),
        ("1. 0-0 e5", ""),
        # From another start.
        ('[FEN "8/8/8/8/8/8/8/8 w - - 0 1"]\n\n1. e4', None),
        ('[Variant "Chess960"]\n\n1. e4', None),
    ],
)
def test_the_first_moves_are_read(pgn: str, opening: str | None) -> None:
    assert opening_of(pgn) == opening


def test_no_more_than_16_plies() -> None:
    opening = opening_of("1. Nf3 Nf6 2. Ng1 Ng8 " * 8)
    assert opening is not None
    assert len(opening.split()) == 16


def test_it_agrees_with_the_analyzer_on_real_games() -> None:
    """The database's rows are named after the analyzer's SAN."""
    read = 0
    for month in (SHIPPED / "chesscom").glob("games-*.json"):
        for game in json.loads(month.read_text())["games"]:
            try:
                parsed = analyzer_pgn.parse(game["pgn"])
            except (KeyError, analyzer_pgn.UnplayableGame):
                continue
            if parsed.start_fen == analyzer_pgn.parse("1. e4").start_fen and not parsed.chess960:
                moves = [move.san.rstrip("+#") for move in parsed.moves[:16]]
                assert opening_of(game["pgn"]) == " ".join(moves)
                read += 1
    assert read > 20


@given(st.text(alphabet='[]"{}();$.+-# \nabO1e4NxQ', max_size=60))
def test_whatever_text_comes_it_ends(text: str) -> None:
    opening_of(text)


def known(moves: str, engine: str = "Stockfish 17", depth: int = 11) -> KnownPosition:
    return KnownPosition(moves, engine, {"centipawns": 30}, ["e2e4"], depth, 9_000)


def test_all_but_the_last_known_position_are_sent() -> None:
    openings = KnownOpenings([known(""), known("e4"), known("e4 e5"), known("e4 e5 Nf3 Nc6"), known("d4")])
    assert [ply.ply for ply in openings.of("e4 e5 Nf3 Nc6")["Stockfish 17"]] == [0, 1]
    assert [ply.ply for ply in openings.of("e4 c5")["Stockfish 17"]] == [0]
    assert [ply.ply for ply in openings.of("e4")["Stockfish 17"]] == [0]
    assert openings.of("c4") == openings.of("") == openings.of(None) == {}


def test_each_engine_has_its_own() -> None:
    openings = KnownOpenings(
        [known(""), known("e4"), known("e4", "Stockfish 15"), known("", "Stockfish 15", 9)]
    )
    found = openings.of("e4 e5")
    assert {engine: plies[0].depth for engine, plies in found.items()} == {
        "Stockfish 17": 11,
        "Stockfish 15": 9,
    }
