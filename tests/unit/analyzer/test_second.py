"""Which positions are worth a second line."""

from __future__ import annotations

from analyzer import pgn
from analyzer.evaluation import Evaluation, Source
from analyzer.scores import Centipawns, Score
from analyzer.search.second import wanted
from tests.unit.analyzer.test_pgn import with_fen


def searched(score: Score, best: str) -> Evaluation:
    return Evaluation(score, (best,), Source.SEARCHED)


def test_only_where_the_first_choice_was_played_and_there_was_a_choice() -> None:
    game = pgn.parse(with_fen("7k/5R2/8/8/8/8/8/K7 b - - 0 1", "1... Kg8 2. Ra7 Kf8 3. Rb7"))
    evaluations = [
        Evaluation(Centipawns(500), ("h8g8",), Source.FORCED),
        searched(Centipawns(500), "f7a7"),
        searched(Centipawns(500), "g8h8"),
        searched(Centipawns(500), "a7b7"),
        searched(Centipawns(500), "f8g8"),
    ]
    assert wanted(game, evaluations) == [1, 3]


def test_not_where_nothing_more_can_be_lost() -> None:
    game = pgn.parse("1. e4 e5")
    lost = [
        searched(Centipawns(-560), "e2e4"),
        searched(Centipawns(560), "e7e5"),
        searched(Centipawns(0), "g1f3"),
    ]
    assert wanted(game, lost) == []
