"""From evaluations to a report and an annotated PGN, which reads back."""

from __future__ import annotations

import io
from dataclasses import replace

import chess.pgn
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer import pgn, report
from analyzer.annotate import annotated_pgn
from analyzer.evaluation import Evaluation, Source
from analyzer.phases import Phase
from analyzer.report import GameReport
from analyzer.scores import Centipawns, Checkmate, MateIn, Score
from analyzer.themes.words import Theme
from analyzer.verdicts import Judgement
from tests.support.scores import centipawns, mates
from tests.unit.analyzer.test_pgn import CHESS_COM, random_game, with_fen


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


def test_evaluations_must_match_the_game() -> None:
    with pytest.raises(ValueError, match="1 evaluations for 5 positions"):
        report.build(pgn.parse(CHESS_COM), [searched(Centipawns(0), "e2e4")])


def test_the_annotated_pgn() -> None:
    assert annotated_pgn(fools_mate()) == (
        '[Event "Live Chess"]\n'
        '[Site "Chess.com"]\n'
        '[White "someone"]\n'
        '[Black "A \\"quoted\\" name"]\n'
        '[Result "0-1"]\n'
        '[ECO "A00"]\n'
        '[TimeControl "180+2"]\n'
        "\n"
        "1. f3 $6 { Inaccuracy (+0.30 to -0.60). e4 was best. [%eval -0.60] [%clk 0:02:59.9] } (1. e4)\n"
        "1... e5 { [%eval -0.50] [%clk 0:03:01] } 2. g4 $4\n"
        "{ Blunder (-0.50 to mate in 1 for Black). e3 was best. [%eval #-1] [%clk 0:02:58.1] } (2. e3 d5\n"
        "3. d4) 2... Qh4# { [%clk 0:03:00.5] } 0-1\n"
    )


def test_what_the_source_said_is_kept_but_its_evaluations() -> None:
    text = '[Result "*"]\n\n{intro} 1. e4 {[%eval 0.99] good} (1. d4) $1 1... e5 {[%clk 0:00:01]}'
    made = report.build(
        pgn.parse(text),
        [searched(Centipawns(0), "e2e4"), searched(Centipawns(7), "e7e5"), searched(MateIn(12), "g1f3")],
    )
    assert annotated_pgn(made) == (
        '[Result "*"]\n\n{ intro } 1. e4 { [%eval 0.07] good } 1... e5 { [%eval #12] [%clk 0:00:01] } *\n'
    )


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**9), st.data())
def test_annotated_games_read_back(seed: int, data: st.DataObject) -> None:
    board, moves = random_game(seed)
    text = with_fen(
        board.fen(),
        " ".join(f"{san} {{[%clk 0:0{ply % 10}:30]}}" for ply, san in enumerate(sans(board, moves))),
        "Chess960" if board.chess960 else "",
    )
    game = pgn.parse(text)
    evaluations = []
    for at in game.boards:
        legal = [at.uci(move) for move in at.legal_moves]
        score = data.draw(st.one_of(centipawns, mates))
        over = Evaluation(
            Checkmate(white_wins=not at.turn) if at.is_check() else Centipawns(0), (), Source.OVER
        )
        evaluations.append(searched(score, data.draw(st.sampled_from(legal))) if legal else over)
    made = report.build(game, evaluations)
    written = annotated_pgn(made)
    assert max(len(line) for line in written.splitlines()) <= 200
    read = chess.pgn.read_game(io.StringIO(written))
    assert read is not None
    assert read.errors == []
    assert [node.move for node in read.mainline()] == [
        at.parse_uci(move.uci) for at, move in zip(game.boards, game.moves, strict=False)
    ]
    for node, move in zip(read.mainline(), made.moves, strict=True):
        assert node.clock() == move.move.clock
        expected = {
            Judgement.NONE: set(),
            Judgement.INACCURACY: {chess.pgn.NAG_DUBIOUS_MOVE},
            Judgement.MISTAKE: {chess.pgn.NAG_MISTAKE},
            Judgement.BLUNDER: {chess.pgn.NAG_BLUNDER},
        }.get(move.judgement, set())
        assert node.nags == expected
        evaluated = node.eval()
        match move.after.score:
            case Centipawns(value):
                assert evaluated is not None
                assert evaluated.white().score() == value
            case MateIn(mate):
                assert evaluated is not None
                assert evaluated.white().mate() == mate
            case Checkmate():
                assert evaluated is None
        assert node.parent is not None
        others = [other.san() for other in node.parent.variations if other is not node]
        assert others == ([move.best_san] if expected else [])
    assert pgn.parse(written).moves[0].uci == game.moves[0].uci


def sans(board: chess.Board, moves: list[chess.Move]) -> list[str]:
    board = board.copy()
    texts = []
    for move in moves:
        texts.append(board.san(move))
        board.push(move)
    return texts
