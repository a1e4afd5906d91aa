"""Real games, where they are at hand: all are read, and the reference's scores make sound reports of them."""

from __future__ import annotations

import io
import json
from typing import Any

import chess.pgn
import pytest

from analyzer import pgn, report
from analyzer.annotate import annotated_pgn
from analyzer.evaluation import Evaluation, Source
from analyzer.pgn import ParsedGame
from analyzer.scores import Centipawns, MateIn
from analyzer.search.unsearched import over
from analyzer.verdicts import Judgement
from tests.support.real_games import real_games

FOLDER = real_games()
pytestmark = pytest.mark.skipif(FOLDER is None, reason="no real games beside the checkout")


@pytest.fixture(scope="module")
def games() -> dict[str, ParsedGame]:
    """By url."""
    assert FOLDER is not None
    months = sorted((FOLDER / "chesscom").glob("games-*.json"))
    found = [game for month in months for game in json.loads(month.read_text())["games"]]
    return {game["url"]: pgn.parse(game["pgn"]) for game in found}


def test_all_are_read(games: dict[str, ParsedGame]) -> None:
    assert len(games) > 100
    for game in games.values():
        assert game.header("Result") == game.result
        if game.boards[-1].is_checkmate():
            assert game.result == ("0-1" if game.boards[-1].turn else "1-0")


def test_reports_from_the_reference_evaluations(games: dict[str, ParsedGame]) -> None:
    assert FOLDER is not None
    reference = json.loads((FOLDER / "reference" / "evaluations.json").read_text())["games"]
    counts = dict.fromkeys(Judgement, 0)
    for url, positions in reference.items():
        game = games[url]
        made = report.build(game, [_evaluation(game, position) for position in positions])
        for move in made.moves:
            counts[move.judgement] += 1
        for side in (made.white, made.black):
            assert side.figures is not None
            assert 20 < side.figures.accuracy <= 100
        read = chess.pgn.read_game(io.StringIO(annotated_pgn(made)))
        assert read is not None
        assert read.errors == []
        assert [move.uci() for move in read.mainline_moves()] == [move.uci for move in game.moves]
        assert [(key, value) for key, value in game.headers if read.headers.get(key) != value] == []
    # Players of 700 to 900: a blunder every dozen moves or so, most moves without a word.
    plies = sum(counts.values())
    assert 0.04 < counts[Judgement.BLUNDER] / plies < 0.15
    assert (counts[Judgement.NONE] + counts[Judgement.BEST]) / plies > 0.6


def _evaluation(game: ParsedGame, position: dict[str, Any]) -> Evaluation:
    if position.get("over"):
        end = over(game)
        assert end is not None
        return end
    score = MateIn(position["mate_in"]) if "mate_in" in position else Centipawns(position["centipawns"])
    return Evaluation(score, (position["best_uci"],), Source.SEARCHED)
