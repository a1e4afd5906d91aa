"""How the positions of a game are searched: in which order, with which history, how often."""

from __future__ import annotations

import asyncio
import io
import itertools
from collections import Counter
from pathlib import Path

import chess
import chess.pgn
import pytest

from analyzer import pgn, report
from analyzer.annotate import annotated_pgn
from analyzer.engine.lane import EngineConfig, EngineLane
from analyzer.engine.request import Limit
from analyzer.evaluation import Evaluation, Source
from analyzer.scheduler import Scheduler
from analyzer.scores import Centipawns, Checkmate, MateIn
from analyzer.search.budget import Pass, Plan, Preset, plan
from analyzer.search.cache import PositionCache
from analyzer.search.game import GameSearch, SearchedGame
from analyzer.verdicts import ERRORS
from tests.support.scripted_engine import commands, scripted_engine
from tests.support.searching import find_stockfish, search_game

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
    # again, but not the third position, whose move is known to lose nothing.
    known = {
        2: Evaluation(Centipawns(-25), ("b1c3",), Source.KNOWN),
        3: Evaluation(Centipawns(-25), ("b8c6",), Source.KNOWN),
    }
    steps = (*ONCE, Pass(Limit(depth=12, nodes=5000), price=0.001))
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
    steps = (*ONCE, Pass(Limit(depth=12, nodes=5000), price=0.001))  # every move seems to lose 50 centipawns
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


# No opening's position: in known openings nobody asks for second lines.
UNKNOWN = "rnbqkbnr/ppppppp1/8/8/8/8/PPPPPPP1/RNBQKBNR w KQkq - 0 1"


def unknown(moves: str) -> pgn.ParsedGame:
    return pgn.parse(f'[FEN "{UNKNOWN}"]\n\n{moves}')


def goes_asked(folder: Path) -> list[str]:
    return [command for command in commands(folder) if command.startswith("go")]


async def test_a_quick_second_line_is_enough_where_it_is_near_the_first(tmp_path: Path) -> None:
    game = unknown("1. g3 a5")  # the second move is the engine's choice, the first is not
    steps = (*ONCE, Pass(Limit(depth=12, nodes=5000), price=0.001))
    found, _ = await searched(scripted_engine(tmp_path, [["good"]]), game, steps)
    assert [evaluation.second for evaluation in found.evaluations] == [None, Centipawns(-25), None]
    others = sorted(move.uci() for move in game.boards[1].legal_moves)[1:]
    last = commands(tmp_path)[-3:-1]  # before `quit`
    assert (last[0], last[1].split()[:5]) == (
        f"position fen {UNKNOWN} moves g2g3",
        ["go", "depth", "9", "nodes", "1000"],
    )
    assert sorted(last[1].split()[6:]) == others
    assert found.second_nodes == 1000
    # g3 seems to lose 50 centipawns: the position was searched again before.
    assert found.evaluations[1].nodes == 3000


async def test_where_a_quick_second_line_leaves_a_doubt_it_is_searched_as_deep_as_the_first(
    tmp_path: Path,
) -> None:
    game, cache = unknown("1. g3 a5"), PositionCache(1)
    engine = scripted_engine(tmp_path, [["only_move"]])
    steps = (*ONCE, Pass(Limit(depth=12, nodes=5000), price=0.001))
    found, _ = await searched(engine, game, steps, cache=cache)
    # g3 seems to lose 50 centipawns: both its positions were searched again.
    assert [evaluation.second for evaluation in found.evaluations] == [None, Centipawns(80), None]
    budgets = [(go.split()[2], "searchmoves" in go) for go in goes_asked(tmp_path)]
    assert budgets == [("9", False)] * 3 + [("12", False)] * 2 + [("9", True), ("12", True)]
    # Found once, it comes with the position.
    again, _ = await searched(engine, game, steps, cache=cache)
    assert again.evaluations == found.evaluations
    assert (again.nodes, again.reused) == (0, 3)


async def test_the_second_line_of_a_known_evaluation_is_searched_once(tmp_path: Path) -> None:
    game, cache = unknown("1. a3"), PositionCache(1)
    engine = scripted_engine(tmp_path, [["good"]])
    known = {0: Evaluation(Centipawns(30), ("a2a3",), Source.KNOWN)}
    for nodes in (2000, 0):
        found, _ = await searched(engine, game, ONCE, known, cache)
        assert (found.evaluations[0].score, found.evaluations[0].second) == (Centipawns(30), Centipawns(25))
        assert found.nodes == nodes


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


async def test_idle_lanes_take_a_share_of_a_long_game(tmp_path: Path) -> None:
    """One begins, two join; all are asked for windows of it, each warmed up by the position behind."""
    game = pgn.parse("1. Nf3 Nf6 2. Ng1 Ng8 " * 25)
    folders = [tmp_path / str(number) for number in range(3)]
    lanes = []
    for folder in folders:
        folder.mkdir()
        lanes.append(EngineLane(EngineConfig(scripted_engine(folder, [["good"]]))))
    scheduler: Scheduler[EngineLane] = Scheduler()
    await asyncio.gather(*(lane.start() for lane in lanes))
    serving = [asyncio.create_task(scheduler.serve(lane)) for lane in lanes]
    try:
        found = await scheduler.submit(GameSearch(game, ONCE, {}))
    finally:
        for task in serving:
            task.cancel()
        await asyncio.wait(serving)
        await asyncio.gather(*(lane.close() for lane in lanes))
    by_lane = [[command.count(" ") for command in positions_asked(folder)] for folder in folders]
    asked = Counter(itertools.chain.from_iterable(by_lane))
    assert all(len(each) > 1 for each in by_lane)
    assert len(asked) == game.plies == found.searched  # the third occurrence at the end is a draw
    extra = +(asked - Counter(asked.keys()))
    assert sum(extra.values()) <= 2  # the helpers' warm-ups
    assert found.nodes == 1000 * sum(asked.values())
    for number, evaluation in enumerate(found.evaluations[:-1]):
        assert evaluation.score == Centipawns(-25 if number % 2 else 25)
        assert (evaluation.source, evaluation.nodes) == (Source.SEARCHED, 1000)


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
