"""Openings from headers."""

from __future__ import annotations

import pytest

from analyzer import pgn
from analyzer.openings import Opening, from_headers


@pytest.mark.parametrize(
    ("headers", "opening"),
    [
        ({"ECO": "B07", "Opening": "Pirc Defense"}, Opening("B07", "Pirc Defense")),
        (
            {
                "ECO": "B00",
                "ECOUrl": "https://www.chess.com/openings/Nimzowitsch-Defense-Kennedy-Variation",
            },
            Opening("B00", "Nimzowitsch Defense Kennedy Variation"),
        ),
        (
            {"ECOUrl": "https://www.chess.com/openings/Italian-Game-Giuoco-Pianissimo-4.d3-Nf6-5.O-O"},
            Opening("", "Italian Game Giuoco Pianissimo"),
        ),
        (
            {"ECO": "C50", "ECOUrl": "https://www.chess.com/openings/Italian-Game...4.d3"},
            Opening("C50", "Italian Game"),
        ),
        ({"ECO": "?", "Opening": "?"}, None),
        ({"ECO": "Z99"}, None),
        ({}, None),
    ],
)
def test_names(headers: dict[str, str], opening: Opening | None) -> None:
    text = "".join(f'[{name} "{value}"]\n' for name, value in headers.items())
    assert from_headers(pgn.parse(f"{text}\n1. e4")) == opening
