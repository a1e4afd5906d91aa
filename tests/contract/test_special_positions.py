"""Games in which the rules matter, from their PGN to the report, with the real engine."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Awaitable, Callable

import chess.pgn
import pytest

from analyzer import pgn, report
from analyzer.annotate import annotated_pgn
from analyzer.engine.lane import EngineConfig, EngineLane
from analyzer.report import GameReport
from analyzer.scores import Centipawns, Checkmate, MateIn
from analyzer.search.budget import Preset, plan
from analyzer.verdicts import ERRORS, Judgement
from tests.support.searching import find_stockfish, search_game

Analyze = Callable[..., Awaitable[GameReport]]


@pytest.fixture
async def analyze() -> AsyncIterator[Analyze]:
    """From a FEN, the moves and a Variant header to the report, which must read back from its PGN."""
    lane = EngineLane(EngineConfig(find_stockfish(), hash_mb=4))

    async def analyzed(fen: str, moves: str, variant: str = "") -> GameReport:
        headers = f'[Variant "{variant}"]\n' if variant else ""
        game = pgn.parse(f'{headers}[FEN "{fen}"]\n\n{moves}')
        found = await search_game(lane, game, plan(Preset.FAST, nodes_per_position=5_000), {})
        made = report.build(game, found.evaluations)
        read = chess.pgn.read_game(io.StringIO(annotated_pgn(made)))
        assert read is not None
        assert read.errors == []
        assert [node.san() for node in read.mainline()] == [move.san for move in game.moves]
        return made

    yield analyzed
    await lane.close()


async def test_a_slower_mate_is_no_error_and_one_given_away_is(analyze: Analyze) -> None:
    made = await analyze("7k/8/6K1/8/8/8/8/R7 w - - 0 1", "1. Rb1 Kg8 2. Rb8#")
    assert [move.before.score for move in made.moves] == [MateIn(1), MateIn(1), MateIn(1)]
    assert made.moves[-1].after.score == Checkmate(white_wins=True)
    assert not any(move.judgement in ERRORS for move in made.moves)
    moves = "1. Kf7 Kh7 2. Ra8 Kh6 3. Rh8+ Kg5 4. Rg8+ Kf4 5. Rg4+ Kxg4"
    away = await analyze("7k/8/6K1/8/8/8/8/R7 w - - 0 1", moves)
    assert away.moves[-2].judgement is Judgement.BLUNDER
    assert away.moves[-1].after.score == Centipawns(0)  # bare kings


async def test_the_fifty_move_rule_makes_a_won_ending_a_draw(analyze: Analyze) -> None:
    """Two moves are left, and the mate takes more: the clock goes on behind the FEN."""
    fen = "8/8/8/4k3/8/8/8/R3K3 w - - {} 100"
    moves = "100. Ra4 Kd5 101. Rb4 Kc5"
    drawn = await analyze(fen.format(96), moves)
    assert {move.before.score for move in drawn.moves} == {Centipawns(0)}
    assert drawn.moves[-1].after.score == Centipawns(0)
    won = await analyze(fen.format(0), moves)
    assert all(move.before.score != Centipawns(0) for move in won.moves)


async def test_a_repetition_is_seen_from_the_history(analyze: Analyze) -> None:
    """White, far behind, gives perpetual check. What repeats for the third time is a draw, on the board."""
    fen = "6k1/6p1/8/7Q/8/8/1r4PP/q5BK w - - 0 1"
    made = await analyze(fen, "1. Qe8+ Kh7 2. Qh5+ Kg8 3. Qe8+ Kh7 4. Qh5+ Kg8 1/2-1/2")
    assert [move.after.score for move in made.moves] == [Centipawns(0)] * 8
    assert made.moves[-1].after.line == ()
    assert not any(move.judgement in ERRORS for move in made.moves)


async def test_promotions(analyze: Analyze) -> None:
    fen = "8/P7/1k6/8/8/8/8/K7 w - - 0 1"
    queen = (await analyze(fen, "1. a8=Q")).moves[0]
    assert (queen.move.uci, queen.before.best, queen.judgement) == ("a7a8q", "a7a8q", Judgement.BEST)
    # a rook would win as well
    knight = (await analyze(fen, "1. a8=N")).moves[0]
    assert (knight.move.uci, knight.best_san) == ("a7a8n", "a8=Q")
    assert knight.after.score == Centipawns(0)  # a knight cannot mate
    assert knight.judgement in (Judgement.MISTAKE, Judgement.BLUNDER)


@pytest.mark.parametrize("castles", ["O-O", "O-O-O"])
@pytest.mark.parametrize(
    ("fen", "variant"),
    [
        ("r3k2r/pppppppp/8/8/8/8/PPPPPPPP/R3K2R w KQkq - 0 1", ""),
        ("1r4kr/pppppppp/8/8/8/8/PPPPPPPP/1R4KR w HBhb - 0 1", "Chess960"),  # O-O: only the rook moves
        ("rk5r/pppppppp/8/8/8/8/PPPPPPPP/RK5R w KQkq - 0 1", "Chess960"),
        ("2rkr3/pppppppp/8/8/8/8/PPPPPPPP/2RKR3 w KQkq - 0 1", ""),  # said by the rights alone
    ],
)
async def test_castling_both_ways(analyze: Analyze, castles: str, fen: str, variant: str) -> None:
    made = await analyze(fen, f"1. {castles} {castles} 2. e4 e5", variant)
    assert [move.move.san for move in made.moves] == [castles, castles, "e4", "e5"]
    for move in made.moves:
        assert isinstance(move.after.score, Centipawns)
        assert abs(move.after.score.value) < 300


async def test_black_moves_first_and_the_figures_are_blacks(analyze: Analyze) -> None:
    made = await analyze("4k3/8/8/8/8/8/q7/7K b - - 7 40", "40... Qg2+ 41. Kxg2 Kd7")
    assert [move.move.white for move in made.moves] == [False, True, False]
    assert made.moves[0].judgement is Judgement.BLUNDER
    assert made.moves[1].move.forced
    assert made.black.counts[Judgement.BLUNDER] == 1
    assert made.white.figures is not None
    assert made.white.figures.accuracy == pytest.approx(100)


async def test_morphys_queen_is_brilliant(analyze: Analyze) -> None:
    """At the opera, against the Duke and the Count: the only move, and it gives the queen."""
    opera = "4kb1r/p2n1ppp/4q3/4p1B1/4P3/1Q6/PPP2PPP/2KR4 w k - 0 16"
    made = await analyze(opera, "16. Qb8+ Nxb8 17. Rd8#")
    assert made.moves[0].before.score == MateIn(2)
    assert made.moves[0].judgement is Judgement.BRILLIANT
    assert made.moves[0].before.second is not None
