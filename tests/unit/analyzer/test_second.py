"""Which positions are worth a second line."""

from __future__ import annotations

import pytest

from analyzer import pgn
from analyzer.evaluation import Evaluation, Source
from analyzer.pgn import ParsedGame
from analyzer.scores import Centipawns, MateIn, Score
from analyzer.search.second import wanted
from tests.unit.analyzer.test_pgn import with_fen


def searched(score: Score, best: str) -> Evaluation:
    return Evaluation(score, (best,), Source.SEARCHED)


def evaluations(game: ParsedGame, scores: list[Score]) -> list[Evaluation]:
    """Of a game in which everybody plays the first choice."""
    best = [*(move.uci for move in game.moves), ""]
    return [searched(score, uci) for score, uci in zip(scores, best, strict=True)]


def level(*centipawns: int) -> list[Score]:
    return [Centipawns(value) for value in centipawns]


KINGS = "4k3/4p3/8/8/8/8/4P3/4K3 w - - 0 1"
ROOKS = "4k3/3r4/8/8/8/8/3R4/4K3 w - - 0 1"


def test_only_where_the_first_choice_was_played_and_there_was_a_choice() -> None:
    game = pgn.parse(with_fen("7k/5R2/8/8/8/8/8/K7 b - - 0 1", "1... Kg8 2. Ra7 Kf8 3. Rb7"))
    found = evaluations(game, level(500, 500, 500, 800, 800))
    assert wanted(game, found) == [3]  # Kg8 is forced, Ra7 and Kf8 follow no error, Rb7 does
    found[3] = searched(Centipawns(800), "a7a6")
    assert wanted(game, found) == []


def test_an_error_of_the_opponent_raises_the_question() -> None:
    game = pgn.parse(with_fen(KINGS, "1. Kd2 Kd7 2. Kd3 Kd6"))
    assert wanted(game, evaluations(game, level(0, 0, 0, 0, 0))) == [0]  # where it began, nobody knows
    assert wanted(game, evaluations(game, level(0, 0, 0, -60, 0))) == [0, 3]


def test_so_do_captures_and_checks() -> None:
    game = pgn.parse(with_fen(ROOKS, "1. Rxd7 Kxd7 2. Kd2 Kd6"))
    assert wanted(game, evaluations(game, level(0, 0, 0, 0, 0))) == [0, 1]
    game = pgn.parse(with_fen(ROOKS, "1. Kf1 Rf7+ 2. Kg1 Rf6"))
    assert 2 in wanted(game, evaluations(game, level(0, 0, 0, 0, 0)))


def test_a_quiet_sacrifice_raises_it_too() -> None:
    """Byrne against Fischer, 17... Be6: the bishop moves, and leaves the queen to be taken."""
    fen = "r3r1k1/pp3pbp/1qp3p1/2B5/2BP2b1/Q1n2N2/P4PPP/3R1K1R b - - 3 17"
    game = pgn.parse(with_fen(fen, "17... Be6 18. Bxb6 Bxc4+"))
    assert wanted(game, evaluations(game, level(-100, -100, -100, -100)))[0] == 0
    before = pgn.parse(with_fen(fen.replace("3R1K1R b -", "3RK2R w K"), "17. Kf1 Be6 18. Bxb6"))
    assert 1 in wanted(before, evaluations(before, level(-100, -100, -100, -100)))


@pytest.mark.parametrize(
    ("score", "any_wanted"),
    [
        (Centipawns(-560), False),  # lost whatever is played
        (MateIn(-3), False),
        (Centipawns(-400), True),
        (Centipawns(3000), True),  # all can still be lost
        (MateIn(2), True),
    ],
)
def test_not_where_nothing_more_can_be_lost(score: Score, any_wanted: bool) -> None:
    game = pgn.parse(with_fen(ROOKS, "1. Rxd7"))
    assert wanted(game, evaluations(game, [score, Centipawns(0)])) == ([0] if any_wanted else [])


def test_not_in_known_openings() -> None:
    game = pgn.parse("e4 d5 exd5 Qxd5 Nc3 Qa5 h4 Qe5+ Be2 Qxe2+")
    found = evaluations(game, [Centipawns(0)] * 11)
    assert wanted(game, found) == [8, 9]  # the captures before are the Scandinavian
