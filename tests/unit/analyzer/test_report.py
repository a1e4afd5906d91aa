"""From evaluations to a report."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analyzer import pgn, report
from analyzer.evaluation import Evaluation, Source
from analyzer.phases import Phase
from analyzer.report import GameReport
from analyzer.scores import Centipawns, Checkmate, MateIn, Score
from analyzer.themes.words import Theme
from analyzer.verdicts import Judgement
from tests.unit.analyzer.test_pgn import CHESS_COM, with_fen


def searched(score: Score, *line: str) -> Evaluation:
    return Evaluation(score, line, Source.SEARCHED, depth=12, nodes=1000)


def fools_mate() -> GameReport:
    return report.build(
        pgn.parse(CHESS_COM),
        [
            searched(Centipawns(30), "e2e4"),
            searched(Centipawns(-60), "e7e5", "d2d3"),
            searched(Centipawns(-50), "e2e3", "d7d5", "d2d4"),
            searched(MateIn(-1), "d8h4"),
            Evaluation(Checkmate(white_wins=False), (), Source.OVER),
        ],
    )


def test_the_report_of_a_game() -> None:
    made = fools_mate()
    assert [move.judgement for move in made.moves] == [
        Judgement.INACCURACY,
        Judgement.BEST,
        Judgement.BLUNDER,
        Judgement.BEST,
    ]
    assert [move.best_san for move in made.moves] == ["e4", "e5", "e3", "Qh4#"]
    assert [move.better_line_san for move in made.moves] == [("e4",), (), ("e3", "d5", "d4"), ()]
    assert [round(move.win_percent_before, 1) for move in made.moves] == [52.8, 55.5, 45.4, 97.5]
    assert [round(move.win_percent_after, 1) for move in made.moves] == [44.5, 54.6, 2.5, 97.5]
    assert made.moves[3].accuracy == 100
    assert {move.phase for move in made.moves} == {Phase.OPENING}
    assert [move.themes for move in made.moves] == [(), (), (Theme.MATE,), ()]
    counted = {judgement: count for judgement, count in made.white.counts.items() if count}
    assert counted == {Judgement.INACCURACY: 1, Judgement.BLUNDER: 1}
    assert made.black.counts[Judgement.BEST] == 2
    assert made.moves[2].fen_before == made.game.boards[2].fen()


def test_a_forced_move_is_never_an_error() -> None:
    game = pgn.parse(with_fen("7k/5R2/8/8/8/8/8/K7 b - - 0 1", "1... Kg8"))
    made = report.build(game, [searched(Centipawns(0), "h8g8"), searched(Centipawns(900), "f7a7")])
    assert made.moves[0].judgement is Judgement.NONE


@pytest.mark.parametrize(
    ("second", "judgement"),
    [
        (None, Judgement.BEST),
        (Centipawns(700), Judgement.BEST),
        (Centipawns(0), Judgement.BRILLIANT),
        (Centipawns(-900), Judgement.BRILLIANT),
    ],
)
def test_the_first_choice_is_best_great_or_brilliant(second: Score | None, judgement: Judgement) -> None:
    fen = "4kb1r/p2n1ppp/1Q2q3/4p1B1/4P3/8/PPP2PPP/2KR4 w k - 0 16"
    game = pgn.parse(with_fen(fen, "16. Qb8+ Nxb8 17. Rd8#"))
    made = report.build(
        game,
        [
            replace(searched(MateIn(2), "b6b8"), second=second),
            Evaluation(MateIn(1), ("d7b8",), Source.FORCED),
            replace(searched(MateIn(1), "d1d8"), second=Centipawns(-900)),
            Evaluation(Checkmate(white_wins=True), (), Source.OVER),
        ],
    )
    assert [move.judgement for move in made.moves] == [judgement, Judgement.NONE, Judgement.GREAT]
    assert made.moves[0].themes == (() if judgement is Judgement.BEST else (Theme.MATE,))
    assert made.moves[2].themes == (Theme.MATE,)


def test_who_takes_back_finds_nothing() -> None:
    game = pgn.parse("1. e4 d5 2. exd5 Qxd5")
    scores = [Centipawns(20)] * 3 + [Centipawns(0), Centipawns(0)]
    best = ["e2e4", "d7d5", "e4d5", "d8d5", "b1c3"]
    evaluations = [searched(score, move) for score, move in zip(scores, best, strict=True)]
    evaluations[3] = replace(evaluations[3], second=Centipawns(200))
    made = report.build(game, evaluations)
    assert [move.themes for move in made.moves] == [(), (), (), (Theme.RECAPTURE,)]


def test_evaluations_must_match_the_game() -> None:
    with pytest.raises(ValueError, match="1 evaluations for 5 positions"):
        report.build(pgn.parse(CHESS_COM), [searched(Centipawns(0), "e2e4")])
