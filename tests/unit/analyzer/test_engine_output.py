"""What an engine says during a search, and what is made of it."""

from __future__ import annotations

import pytest

from analyzer.engine import output
from analyzer.engine.errors import EngineNonsense
from analyzer.scores import Centipawns, MateIn, Score, winning_chance

STOCKFISH = b"""info string NNUE evaluation using nn-ad9b42354671.nnue enabled
info depth 1 seldepth 1 multipv 1 score cp 900 nodes 5 nps 20000 hashfull 0 tbhits 0 time 1 pv e2e4
info depth 2 seldepth 2 multipv 1 score cp 300 nodes 9 nps 20000 hashfull 0 tbhits 0 time 1 pv e2e4
info depth 3 seldepth 1 multipv 1 score cp 100 nodes 20 nps 20000 hashfull 0 tbhits 0 time 1 pv e2e4
info depth 4 seldepth 2 multipv 1 score cp 50 nodes 66 nps 33000 hashfull 0 tbhits 0 time 2 pv d2d4 d7d5
info depth 5 currmove e2e4 currmovenumber 1
info depth 5 seldepth 3 multipv 1 score cp 71 nodes 120 nps 60000 hashfull 0 tbhits 0 time 2 pv e2e4 e7e5 g1f3
info depth 6 seldepth 4 multipv 1 score cp 40 lowerbound nodes 200 nps 1 hashfull 0 tbhits 0 time 3 pv e2e4
info depth 6 seldepth 5 multipv 1 score cp 38 nodes 285 nps 1 hashfull 0 time 3 pv e2e4 e7e5 g1f3 b8c6
info depth 7 seldepth 5 multipv 1 score cp 10 upperbound nodes 500 nps 1 hashfull 0 time 4 pv e2e4 e7e5
bestmove e2e4 ponder e7e5
"""


def test_the_last_exact_score_counts() -> None:
    found = output.parse(STOCKFISH)
    assert found.score == Centipawns(38)
    assert found.line == ("e2e4", "e7e5", "g1f3", "b8c6")
    assert (found.depth, found.nodes) == (6, 500)  # the nodes of the unfinished iteration were spent too
    chances = [winning_chance(Centipawns(cp)) for cp in (300, 100, 50, 71, 38)]  # five iterations
    assert found.swing == pytest.approx(max(chances) - min(chances))


def test_a_best_move_of_an_unfinished_iteration_has_no_line() -> None:
    assert output.parse(STOCKFISH.replace(b"bestmove e2e4", b"bestmove c2c4")).line == ("c2c4",)


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (b"cp -31", Centipawns(-31)),
        (b"mate 3", MateIn(3)),
        (b"mate -1", MateIn(-1)),
        (b"cp 0", Centipawns(0)),
    ],
)
def test_scores(score: bytes, expected: Score) -> None:
    said = b"info depth 9 score %s nodes 12 time 1 pv e2e4\nbestmove e2e4\n" % score
    assert output.parse(said).score == expected


def test_other_lines_of_several_are_left_out() -> None:
    said = (
        b"info depth 9 multipv 1 score cp 10 nodes 12 pv e2e4\n"
        b"info depth 9 multipv 2 score cp -80 nodes 13 pv a2a4\nbestmove e2e4\n"
    )
    assert output.parse(said).score == Centipawns(10)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (b"bestmove e2e4\n", "no exact score"),
        (b"info depth 3 score cp 3 lowerbound nodes 1 pv e2e4\nbestmove e2e4\n", "no exact score"),
        (b"info depth 3 score cp 3 upperbound nodes 1 pv e2e4\nbestmove e2e4\n", "no exact score"),
        (b"info depth 0 score mate 0\nbestmove (none)\n", "no best move"),
        (b"info depth 3 score cp 3 nodes 1 pv e2e4\nbestmove\n", "no best move"),
        (b"info depth 3 score mate 0 nodes 1 pv e2e4\nbestmove e2e4\n", "cannot be: mate 0"),
        (b"info depth 3 score mate 9999 nodes 1 pv e2e4\nbestmove e2e4\n", "cannot be: mate 9999"),
        (b"info depth 3 score cp 99999999 nodes 1 pv e2e4\nbestmove e2e4\n", "cannot be: cp"),
        (b"info depth 3 score cp x nodes 1 pv e2e4\nbestmove e2e4\n", "no number"),
        (b"info depth 3 score\nbestmove e2e4\n", "no exact score"),
        (b"info depth 3 score cp\nbestmove e2e4\n", "no number"),
    ],
)
def test_nonsense_is_never_a_score(said: bytes, fault: str) -> None:
    with pytest.raises(EngineNonsense, match=fault):
        output.parse(said)
