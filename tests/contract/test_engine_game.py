"""How the positions of a game are searched: in which order, with which history, how often."""

from __future__ import annotations

import io
from pathlib import Path

import chess
import chess.pgn
import pytest

from analyzer import pgn, report
from analyzer.annotate import annotated_pgn
from analyzer.engine.discovery import find_stockfish
from analyzer.engine.lane import EngineConfig, EngineLane
from analyzer.engine.request import Limit
from analyzer.evaluation import Evaluation, Source
from analyzer.scores import Centipawns, Checkmate, MateIn
from analyzer.search.budget import Pass, Plan, Preset, plan
from analyzer.search.cache import PositionCache
from analyzer.search.game import SearchedGame, search_game
from analyzer.verdicts import ERRORS
from tests.support.scripted_engine import commands, scripted_engine

ONCE: Plan = (Pass(Limit(depth=9, nodes=1000)),)
START = f"position fen {chess.STARTING_FEN}"


async def searched(
    path: str,
    game: pgn.ParsedGame,
    steps: Plan,
    known: dict[int, Evaluation] | None = None,
    cache: PositionCache | None = None,
) -> tuple[SearchedGame, list[tuple[int, int]]]:
    lane = EngineLane(EngineConfig(path, hash_mb=8))
    told: list[tuple[int, int]] = []
    try:
        found = await search_game(lane, game, steps, known or {}, lambda *at: told.append(at), cache)
    finally:
        await lane.close()
    return found, told


def positions_asked(folder: Path) -> list[str]:
    return [command for command in commands(folder) if command.startswith("position")]


async def test_last_to_first_each_once_with_its_history(tmp_path: Path) -> None:
    game = pgn.parse("1. e4 e5 2. Nf3")
    found, told = await searched(scripted_engine(tmp_path, [["good"]]), game, ONCE)
    assert positions_asked(tmp_path) == [
        f"{START} moves e2e4 e7e5 g1f3",
        f"{START} moves e2e4 e7e5",
        f"{START} moves e2e4",
        START,
    ]
    assert [evaluation.score for evaluation in found.evaluations] == [
        Centipawns(25),
        Centipawns(-25),
        Centipawns(25),
        Centipawns(-25),
    ]
    assert (found.searched, found.reused, found.nodes, found.engine) == (4, 0, 4000, "Scripted 1.0")
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert commands(tmp_path).count("ucinewgame") == 1


async def test_only_the_doubtful_are_searched_again(tmp_path: Path) -> None:
    game = pgn.parse("1. e4 e5 2. Nf3")
    # Each move seems to lose 50 centipawns, .092 of winning chance: near enough to .1. Both sides are asked
    # again, but not the third position, whose moves are known to be fine.
    known = {
        2: Evaluation(Centipawns(-25), ("g1f3",), Source.KNOWN),
        3: Evaluation(Centipawns(-25), ("b8c6",), Source.KNOWN),
    }
    steps = (*ONCE, Pass(Limit(depth=12, nodes=5000), margin=0.03))
    found, told = await searched(scripted_engine(tmp_path, [["good"]]), game, steps, known)
    assert positions_asked(tmp_path) == [f"{START} moves e2e4", START] * 2
    assert [command for command in commands(tmp_path) if command.startswith("go")] == [
        "go depth 9 nodes 1000",
        "go depth 9 nodes 1000",
        "go depth 12 nodes 5000",
        "go depth 12 nodes 5000",
    ]
    assert (found.searched, found.reused) == (2, 2)
    assert [evaluation.nodes for evaluation in found.evaluations] == [2000, 2000, 0, 0]
    assert told[-1] == (4, 4)


async def test_no_position_is_searched_twice_whatever_game_it_is_in(tmp_path: Path) -> None:
    engine, cache = scripted_engine(tmp_path, [["good"]]), PositionCache(1)
    steps = (*ONCE, Pass(Limit(depth=12, nodes=5000), margin=0.03))  # every move seems to lose 50 centipawns
    one, _ = await searched(engine, pgn.parse("1. e4 e5 2. Nf3"), steps, cache=cache)
    asked = len(positions_asked(tmp_path))
    assert asked == 2 * 4
    other, _ = await searched(engine, pgn.parse("1. e4 e5 2. Nf3 Nc6"), steps, cache=cache)
    assert positions_asked(tmp_path)[asked:] == [f"{START} moves e2e4 e7e5 g1f3 b8c6"] * 2
    assert other.evaluations[:4] == one.evaluations
    assert (other.searched, other.reused, other.nodes) == (1, 4, 2000)
    # Another budget is another matter.
    third, _ = await searched(engine, pgn.parse("1. e4 e5"), ONCE, cache=cache)
    assert (third.searched, third.reused) == (3, 0)


async def test_what_is_over_or_forced_is_not_searched(tmp_path: Path) -> None:
    game = pgn.parse('[FEN "7k/5R2/6K1/8/8/8/8/8 b - - 0 1"]\n\n1... Kg8 2. Rf1 Kh8 3. Rf8# 1-0')
    found, _ = await searched(scripted_engine(tmp_path, [["good"]]), game, ONCE)
    assert len(positions_asked(tmp_path)) == 3 - 1  # Kg8 and Kh8 are forced, Rf8 mates
    sources = [evaluation.source for evaluation in found.evaluations]
    assert sources == [Source.FORCED, Source.SEARCHED, Source.FORCED, Source.SEARCHED, Source.OVER]
    assert found.evaluations[4].score == Checkmate(white_wins=True)
    first, second = found.evaluations[:2]
    assert first.score == second.score
    assert first.line == ("h8g8", *second.line)


async def test_forced_mates_are_counted_right() -> None:
    game = pgn.parse('[FEN "7k/8/6K1/8/8/8/8/R7 b - - 0 1"]\n\n1... Kg8 2. Ra8#')
    found, _ = await searched(find_stockfish(), game, ONCE)
    assert [evaluation.score for evaluation in found.evaluations] == [
        MateIn(1),
        MateIn(1),
        Checkmate(white_wins=True),
    ]


OPERA = (
    "1. e4 e5 2. Nf3 d6 3. d4 Bg4 4. dxe5 Bxf3 5. Qxf3 dxe5 6. Bc4 Nf6 7. Qb3 Qe7 8. Nc3 c6 9. Bg5 b5"
    " 10. Nxb5 cxb5 11. Bxb5+ Nbd7 12. O-O-O Rd8 13. Rxd7 Rxd7 14. Rd1 Qe6 15. Bxd7+ Nxd7 16. Qb8+ Nxb8"
    " 17. Rd8#"
)


@pytest.mark.parametrize("preset", [Preset.FAST, Preset.STANDARD])
async def test_a_real_game_with_each_preset(preset: Preset) -> None:
    """Morphy's game at the opera: everyone agrees on its worst moves, and how it ends."""
    game = pgn.parse(OPERA)
    found, _ = await searched(find_stockfish(), game, plan(preset))
    made = report.build(game, found.evaluations)
    errors = {move.move.san for move in made.moves if move.judgement in ERRORS}
    assert errors & {"Bg4", "Nf6", "b5"}
    assert made.moves[-1].after.score == Checkmate(white_wins=True)
    assert made.moves[-2].judgement not in ERRORS  # mated either way
    assert made.white.figures is not None
    assert made.black.figures is not None
    assert made.white.figures.accuracy > made.black.figures.accuracy + 5
    read = chess.pgn.read_game(io.StringIO(annotated_pgn(made)))
    assert read is not None
    assert read.errors == []
