"""Between the wire and the analyzer's own types."""

from __future__ import annotations

from hypothesis import given

from analyzer import convert, pgn, report
from analyzer.engine.request import Limit
from analyzer.evaluation import Evaluation, Source
from analyzer.pgn import Reason, UnplayableGame
from analyzer.scores import Centipawns, Checkmate, Score
from analyzer.search.budget import PRESETS, Pass, Preset
from analyzer.search.game import SearchedGame
from analyzer.verdicts import Judgement
from rookify.analysis.v1 import analysis_pb2 as pb
from tests.support.scores import scores


@given(scores)
def test_scores_survive_the_wire(score: Score) -> None:
    message = pb.Score.FromString(convert.from_score(score).SerializeToString())
    known = pb.KnownEvaluation(ply=3, score=message, best_uci="e2e4")
    assert convert.to_known([known])[3].score == score


def test_a_zero_is_a_score_and_nothing_is_none() -> None:
    zero = pb.KnownEvaluation(ply=0, score=pb.Score(centipawns=0), best_uci="e2e4", depth=9, nodes=7)
    unset = pb.KnownEvaluation(ply=1, best_uci="e2e4")
    mate_in_nothing = pb.KnownEvaluation(ply=2, score=pb.Score(mate_in=0), best_uci="e2e4")
    assert convert.to_known([zero, unset, mate_in_nothing]) == {
        0: Evaluation(Centipawns(0), ("e2e4",), Source.KNOWN, depth=9, nodes=7)
    }


def test_the_best_move_goes_before_a_line_that_differs() -> None:
    def line(best: str, *moves: str) -> tuple[str, ...]:
        known = pb.KnownEvaluation(score=pb.Score(centipawns=1), best_uci=best, best_line_uci=moves)
        return convert.to_known([known])[0].line

    assert line("e2e4", "e2e4", "e7e5") == ("e2e4", "e7e5")
    assert line("e2e4", "d2d4", "d7d5") == ("e2e4",)
    assert line("e2e4") == ("e2e4",)
    assert line("") == ()


def test_budgets() -> None:
    assert convert.to_plan(pb.SearchBudget()) == PRESETS[Preset.STANDARD]
    assert convert.to_plan(pb.SearchBudget(preset=pb.SearchBudget.PRESET_FAST)) == PRESETS[Preset.FAST]
    assert convert.to_plan(pb.SearchBudget(preset=pb.SearchBudget.PRESET_DEEP)) == PRESETS[Preset.DEEP]
    assert convert.to_plan(pb.SearchBudget(preset=pb.SearchBudget.PRESET_DEEP, nodes_per_position=9_000)) == (
        Pass(Limit(nodes=9_000)),
    )


def test_every_judgement_has_its_number() -> None:
    assert convert.JUDGEMENTS.keys() == set(Judgement)
    assert set(convert.JUDGEMENTS.values()) == set(pb.Judgement.values())


def test_every_reason_has_its_number() -> None:
    numbers = {convert.from_unplayable("g", UnplayableGame(reason, "why")).reason for reason in Reason}
    assert len(numbers) == len(Reason)
    assert pb.GameFailure.REASON_UNSPECIFIED not in numbers


def test_a_side_without_moves_is_all_zero() -> None:
    game = pgn.parse('[FEN "7k/8/6K1/8/8/8/8/R7 w - - 0 1"]\n\n1. Ra8# {[%clk 1:02:03.4]}')
    made = report.build(
        game,
        [
            Evaluation(Centipawns(900), ("a1a8",), Source.SEARCHED, depth=5, nodes=50),
            Evaluation(Checkmate(white_wins=True), (), Source.OVER),
        ],
    )
    searched = SearchedGame((), "Engine 1", nodes=50, second_nodes=0, seconds=1.2345, searched=1, reused=0)
    analysis = convert.from_report("g", made, searched)
    assert analysis.black == pb.SideSummary()
    assert analysis.white.accuracy == 100
    assert analysis.moves[0].clock.ToMilliseconds() == 3_723_400
    assert analysis.engine.engine_time.ToMilliseconds() == 1_234
    assert not analysis.HasField("opening")
