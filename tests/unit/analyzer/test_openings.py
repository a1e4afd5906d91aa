"""Openings: from headers, from the table, and what of both."""

from __future__ import annotations

import re
from importlib import resources

import chess
import pytest

from analyzer import pgn
from analyzer.openings import Opening, known_plies, opening
from tests.support.lichess_annotated import PUBLISHED, Published
from tests.unit.analyzer.test_pgn import with_fen

CHESS_COM = "https://www.chess.com/openings/"


def found(moves: str, **headers: str) -> Opening | None:
    text = "".join(f'[{name} "{value}"]\n' for name, value in headers.items())
    return opening(pgn.parse(f"{text}\n{moves}"))


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ("e4", Opening("B00", "King's Pawn Game", 1)),
        ("e4 e5 Nf3 Nc6 Bc4 Bc5 d3 a5", Opening("C50", "Italian Game: Giuoco Pianissimo", 7)),
        ("h3 e5 a3 d5 h4", Opening("A00", "Creepy Crawly Formation: Classical Defense", 4)),
    ],
)
def test_the_last_position_that_the_table_has(moves: str, expected: Opening) -> None:
    assert found(moves) == expected


@pytest.mark.parametrize("moves", ["d4 d5 c4 e6 Nc3 Nf6", "c4 Nf6 d4 e6 Nc3 d5", "Nc3 d6 d4 e6 e3 d5 e4 Nf6"])
def test_other_moves_to_the_same_position(moves: str) -> None:
    """Also with another number of them: the last one reaches the French a move late."""
    reached = found(moves)
    assert reached is not None
    if "e3" in moves:
        assert reached == Opening("C11", "French Defense: Classical Variation", 8)
    else:
        assert reached == Opening("D35", "Queen's Gambit Declined: Normal Defense", 6)


def test_an_opening_from_a_set_up_position() -> None:
    board = chess.Board()
    board.push_san("e4")
    assert found_from(board.fen(), "1... c5") == Opening("B20", "Sicilian Defense", 1)


def found_from(fen: str, moves: str, variant: str = "") -> Opening | None:
    return opening(pgn.parse(with_fen(fen, moves, variant)))


def test_chess960_has_no_opening_even_from_the_usual_position() -> None:
    assert found_from(chess.STARTING_FEN, "1. e4 c5", "Chess960") is None


def test_nothing_known() -> None:
    assert found_from("4k3/8/8/8/8/8/4P3/4K3 w - - 0 1", "1. e4") is None


@pytest.mark.parametrize("game", PUBLISHED.values(), ids=PUBLISHED.keys())
def test_the_openings_that_lichess_names(game: Published) -> None:
    assert found(game.moves) == Opening(*game.opening)


PIANISSIMO = "e4 e5 Nf3 Nc6 Bc4 Bc5 d3"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        # lichess's names stand as they are, also where the table would say more
        ({"ECO": "C50", "Opening": "Italian Game"}, Opening("C50", "Italian Game", 7)),
        # chess.com's get their punctuation back where the table has the same name
        (
            {"ECO": "C50", "ECOUrl": CHESS_COM + "Italian-Game-Giuoco-Pianissimo-4...Nf6-5.O-O"},
            Opening("C50", "Italian Game: Giuoco Pianissimo", 7),
        ),
        # at least the apostrophes where it has not
        (
            {"ECO": "C20", "ECOUrl": CHESS_COM + "Kings-Pawn-Opening-Leonardis-Variation"},
            Opening("C20", "King's Pawn Opening Leonardis Variation", 7),
        ),
        ({"ECOUrl": CHESS_COM + "Foo%00Bar%0a"}, Opening("C50", "Foo Bar", 7)),
        ({"ECOUrl": CHESS_COM + "Four-Knights-Game...4.d3"}, Opening("C50", "Four Knights Game", 7)),
        # the table says what the headers do not
        ({"ECO": "C54"}, Opening("C54", "Italian Game: Giuoco Pianissimo", 7)),
        ({"Opening": "My Favorite"}, Opening("C50", "My Favorite", 7)),
        ({"ECO": "?", "Opening": "?"}, Opening("C50", "Italian Game: Giuoco Pianissimo", 7)),
        ({"ECO": "Z99", "ECOUrl": "https://elsewhere"}, Opening("C50", "Italian Game: Giuoco Pianissimo", 7)),
        ({}, Opening("C50", "Italian Game: Giuoco Pianissimo", 7)),
    ],
)
def test_headers_and_table(headers: dict[str, str], expected: Opening) -> None:
    assert found(PIANISSIMO, **headers) == expected


def test_known_plies() -> None:
    assert known_plies(pgn.parse(PIANISSIMO + " a5 a4 h5")) == 7
    assert known_plies(pgn.parse(with_fen("4k3/8/8/8/8/8/4P3/4K3 w - - 0 1", "1. e4"))) == 0


def test_the_table_is_sound() -> None:
    rows = resources.files("analyzer").joinpath("openings.tsv").read_text(encoding="utf-8").splitlines()
    assert len(rows) > 3000
    assert rows == sorted(rows)
    epds = set()
    for row in rows:
        eco, name, epd = row.split("\t")
        assert re.fullmatch(r"[A-E]\d\d", eco)
        assert name == name.strip() != ""
        epds.add(epd)
    assert len(epds) == len(rows)
    for epd in sorted(epds)[::50]:
        board = chess.Board(f"{epd} 0 1")
        assert board.is_valid()
        assert board.epd() == epd
