"""The games that ship with the project have what the demo and the tests promise of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.games import properties
from tests.support.games.famous import FAMOUS, PLAYER
from tests.support.games.properties import missing_properties, read_chesscom, read_lichess

FOLDER = Path(properties.__file__).parent


def test_every_property_is_there() -> None:
    assert missing_properties(FOLDER) == []


def test_every_famous_game_is_there_with_its_moves() -> None:
    pgns = [game.get("pgn", "") for game in read_chesscom(FOLDER / "chesscom")]
    for famous in FAMOUS:
        ours = [
            pgn for pgn in pgns if f'[White "{famous.white}"]' in pgn and f'[Black "{famous.black}"]' in pgn
        ]
        assert any(f'[Event "{famous.event}"]' in pgn for pgn in ours), famous.event
        assert PLAYER in {famous.white, famous.black}


@pytest.mark.parametrize("spoiled", ["pgn", "url", "end_time", "rules"])
def test_the_check_notices_what_is_missing(spoiled: str, tmp_path: Path) -> None:
    """A check that cannot fail would be worth nothing."""
    games = read_chesscom(FOLDER / "chesscom")
    for game in games:
        if spoiled in game:
            game[spoiled] = {"pgn": "1. e4 *", "url": "same", "end_time": 0, "rules": "chess"}[spoiled]
    (tmp_path / "chesscom").mkdir()
    (tmp_path / "chesscom" / "games-2024-01.json").write_text(json.dumps({"games": games}))
    (tmp_path / "lichess").mkdir()
    lines = read_lichess(FOLDER / "lichess" / "games.ndjson")
    (tmp_path / "lichess" / "games.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert any(name.startswith("chess.com") for name in missing_properties(tmp_path))
