"""The engine seam: real Stockfish, and an engine that behaves as badly as engines can."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import chess
import psutil
import pytest

from analyzer.engine import output
from analyzer.engine.choice import fastest
from analyzer.engine.discovery import find_all
from analyzer.engine.errors import EngineDied, EngineError, EngineFailed, EngineHung, EngineNonsense
from analyzer.engine.lane import EngineConfig, EngineLane
from analyzer.engine.process import EngineProcess
from analyzer.engine.request import Limit, Position
from analyzer.scores import Centipawns, MateIn
from servicekit.backoff import Backoff
from servicekit.errors import ConfigurationError
from tests.support.scripted_engine import Behavior, commands, scripted_engine, starts
from tests.support.searching import find_stockfish

STOCKFISH = find_stockfish()
SHALLOW = Limit(depth=8, nodes=100_000)


def position(fen: str = chess.STARTING_FEN, moves: str = "", *, chess960: bool = False) -> Position:
    board = chess.Board(fen, chess960=chess960)
    for uci in moves.split():
        board.push_uci(uci)
    return Position(f"position fen {fen}" + (f" moves {moves}" if moves else ""), board)


@asynccontextmanager
async def lane(path: str = STOCKFISH, niceness: int = 0) -> AsyncIterator[EngineLane]:
    made = EngineLane(EngineConfig(path, hash_mb=4, niceness=niceness))
    try:
        yield made
    finally:
        pid = made.pid
        await made.close()
        assert not pid or not psutil.pid_exists(pid)


# Real Stockfish


async def test_stockfish_searches_and_says_who_it_is() -> None:
    async with lane() as engine:
        await engine.start()
        await engine.new_game(chess960=False)
        found = await engine.search(position(), SHALLOW)
        assert engine.name.startswith("Stockfish")
        assert isinstance(found.score, Centipawns)
        assert -50 < found.score.value < 120
        assert found.depth == 8
        assert 0 < found.nodes <= 101_000
        assert 1 <= len(found.line) <= 12
        assert engine.nodes_per_second > 0
        assert engine.restarts == 0


@pytest.mark.parametrize(
    ("fen", "mate"),
    [
        ("6k1/5ppp/8/8/8/8/5PPP/R5K1 w - - 0 1", 1),
        ("r5k1/5ppp/8/8/8/8/5PPP/6K1 b - - 0 1", -1),
        ("7k/8/6K1/8/8/8/8/R7 b - - 0 1", 1),  # Black to move and mated by the next
        ("7K/8/6k1/8/8/8/8/r7 w - - 0 1", -1),
    ],
)
async def test_scores_are_whites(fen: str, mate: int) -> None:
    async with lane() as engine:
        await engine.new_game(chess960=False)
        assert (await engine.search(position(fen), SHALLOW)).score == MateIn(mate)


async def test_history_counts() -> None:
    """A rook up is a win, unless 98 of the hundred half-moves that make a draw have been played."""
    fen = "7k/8/8/8/8/2K5/8/R7 w - - 0 1"
    shuffle = "a1a2 h8h7 a2a1 h7h8 " * 24 + "a1a2 h8h7"
    async with lane() as engine:
        await engine.new_game(chess960=False)
        assert (await engine.search(position(fen, shuffle), SHALLOW)).score == Centipawns(0)
        await engine.new_game(chess960=False)
        assert (await engine.search(position(fen), SHALLOW)).score != Centipawns(0)


async def test_chess960_castles_onto_the_rook_and_back_to_usual_chess() -> None:
    fen = "4k3/8/8/8/8/8/8/4KR2 w F - 0 1"
    async with lane() as engine:
        await engine.new_game(chess960=True)
        await engine.search(position(fen, "e1f1", chess960=True), SHALLOW)
        await engine.new_game(chess960=False)
        await engine.search(position(moves="g1f3 g8f6 g2g3 g7g6 f1g2 f8g7 e1g1 e8g8"), SHALLOW)
        assert engine.restarts == 0


async def test_a_node_limit_is_kept() -> None:
    async with lane() as engine:
        await engine.new_game(chess960=False)
        found = await engine.search(position(), Limit(nodes=20_000))
        assert 15_000 <= found.nodes <= 25_000


async def test_a_cancelled_search_stops_at_once_and_the_engine_goes_on() -> None:
    loop = asyncio.get_running_loop()
    async with lane() as engine:
        await engine.start()
        pid = engine.pid
        await engine.new_game(chess960=False)
        search = asyncio.create_task(engine.search(position(), Limit(nodes=10**9)))
        await asyncio.sleep(0)  # it has been sent
        started = loop.time()
        search.cancel()
        with pytest.raises(asyncio.CancelledError):
            await search
        assert loop.time() - started < 5  # the search itself would take an hour
        await engine.new_game(chess960=False)
        found = await engine.search(position(), SHALLOW)
        assert found.depth == 8
        assert engine.pid == pid


async def test_niceness() -> None:
    async with lane(niceness=7) as engine:
        await engine.start()
        assert psutil.Process(engine.pid).nice() == psutil.Process().nice() + 7


async def test_an_engine_killed_from_outside_is_replaced() -> None:
    async with lane() as engine:
        await engine.start()
        await engine.new_game(chess960=False)
        search = asyncio.create_task(engine.search(position(), Limit(nodes=400_000)))
        await asyncio.sleep(0)
        os.kill(engine.pid, signal.SIGKILL)
        assert (await search).nodes >= 300_000
        assert engine.restarts == 1


async def test_a_stopped_engine_is_found_by_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.engine.lane._DEADLINE_FLOOR", 2)
    monkeypatch.setattr("analyzer.engine.lane._SPEED_BEFORE_MEASURED", 10**9)
    async with lane() as engine:
        await engine.start()
        await engine.new_game(chess960=False)
        os.kill(engine.pid, signal.SIGSTOP)
        found = await engine.search(position(), SHALLOW)
        assert found.depth == 8
        assert engine.restarts == 1


_PARENT = """
import asyncio, sys
from analyzer.engine.process import EngineProcess
async def main():
    engine = await EngineProcess.start(sys.argv[1], hash_mb=4)
    print(engine.pid, flush=True)
    await engine.search("position startpos", "go nodes 1000000000", deadline=1000)
asyncio.run(main())
"""


async def test_an_engine_dies_with_its_parent_even_while_stopped() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PARENT, STOCKFISH, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    engine = psutil.Process(int(await parent.stdout.readline()))
    engine.suspend()  # it cannot see its input close
    parent.kill()
    await parent.wait()
    await asyncio.to_thread(psutil.wait_procs, [engine], timeout=5)
    assert not engine.is_running() or engine.status() == psutil.STATUS_ZOMBIE


# An engine that misbehaves

FAULTS: list[tuple[Behavior, type[EngineError]]] = [
    ("die", EngineDied),
    ("close", EngineDied),
    ("hang", EngineHung),
    ("garbage", EngineNonsense),
    ("bounds", EngineNonsense),
    ("none", EngineNonsense),
    ("flood", EngineNonsense),
]


# What can be read, and cannot be.
IMPOSSIBLE: list[Behavior] = ["illegal", "false_mate", "false_mate_in_2", "false_mated", "broken_mate"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analyzer.engine.lane._DEADLINE_FLOOR", 1)
    monkeypatch.setattr("analyzer.engine.lane._SPEED_BEFORE_MEASURED", 10**9)
    monkeypatch.setattr("analyzer.engine.lane._RESTART", Backoff(0.01, 5.0))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", [fault for fault, _ in FAULTS] + IMPOSSIBLE)
async def test_a_position_is_searched_again_on_a_fresh_engine(tmp_path: Path, fault: Behavior) -> None:
    async with lane(scripted_engine(tmp_path, [["good", fault], ["good"]])) as engine:
        await engine.new_game(chess960=False)
        assert (await engine.search(position(), SHALLOW)).score == Centipawns(25)
        found = await engine.search(position(moves="e2e4"), SHALLOW)
        assert found.score == Centipawns(-25)  # Black's 25
        assert found.line == ("a7a5",)
        assert starts(tmp_path) == 2
        assert commands(tmp_path)[-1] == SHALLOW.go
        assert "ucinewgame" in commands(tmp_path)[-4:]


@pytest.mark.usefixtures("impatient")
async def test_a_choice_among_some_moves_is_kept_to(tmp_path: Path) -> None:
    async with lane(scripted_engine(tmp_path, [["unasked"], ["good"]])) as engine:
        await engine.new_game(chess960=False)
        asked = replace(position(), among=("e2e4", "d2d4"))
        assert (await engine.search(asked, SHALLOW)).line == ("d2d4",)
        assert starts(tmp_path) == 2
        assert commands(tmp_path)[-1] == f"{SHALLOW.go} searchmoves e2e4 d2d4"


async def test_the_same_game_is_not_forgotten(tmp_path: Path) -> None:
    async with lane(scripted_engine(tmp_path, [["good"]])) as engine:
        one, other = object(), object()
        entered = [await engine.new_game(game, chess960=False) for game in (one, one, other, one, None, None)]
        assert entered == [True, False, True, True, True, True]
        assert commands(tmp_path).count("ucinewgame") == 5


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", ["die", "illegal", "bounds"])
async def test_three_engines_are_enough(tmp_path: Path, fault: Behavior) -> None:
    async with lane(scripted_engine(tmp_path, [[fault], [fault], [fault], ["good"]])) as engine:
        await engine.new_game(chess960=False)
        with pytest.raises(EngineFailed, match="3 engines failed in rnbqkbnr"):
            await engine.search(position(), SHALLOW)
        assert starts(tmp_path) == 3
        # The next game finds a new engine.
        await engine.new_game(chess960=True)
        assert (await engine.search(position(), SHALLOW)).score == Centipawns(25)
        assert "setoption name UCI_Chess960 value true" in commands(tmp_path)


@pytest.mark.parametrize(("fault", "error"), FAULTS)
async def test_each_fault_has_its_error(tmp_path: Path, fault: Behavior, error: type[EngineError]) -> None:
    engine = await EngineProcess.start(scripted_engine(tmp_path, [[fault]]), hash_mb=1)
    try:
        command = f"position fen {chess.STARTING_FEN}"
        if error is EngineNonsense and fault != "flood":
            said = await engine.search(command, "go depth 1", deadline=5)
            with pytest.raises(EngineNonsense):
                output.parse(said)
        else:
            with pytest.raises(error):
                await engine.search(command, "go depth 1", deadline=0.3 if fault == "hang" else 5)
    finally:
        await engine.kill()


async def test_an_engine_that_does_not_obey_stop_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analyzer.engine.process._SETTLE", 0.1)
    async with lane(scripted_engine(tmp_path, [["hang"], ["good"]])) as engine:
        await engine.new_game(chess960=False)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await engine.search(position(), SHALLOW)
        await engine.new_game(chess960=False)
        assert (await engine.search(position(), SHALLOW)).score == Centipawns(25)
        assert starts(tmp_path) == 2


async def test_a_stopped_search_leaves_nothing_for_the_next(tmp_path: Path) -> None:
    async with lane(scripted_engine(tmp_path, [["endless", "good"]])) as engine:
        await engine.new_game(chess960=False)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await engine.search(position(), SHALLOW)
        found = await engine.search(position(moves="e2e4 e7e5"), SHALLOW)
        assert found.line == ("a2a3",)
        assert starts(tmp_path) == 1


async def test_a_cancel_that_comes_with_the_answer_leaves_the_engine_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analyzer.engine.process._SETTLE", 0.5)
    async with lane(scripted_engine(tmp_path, [["good"]])) as engine:
        await engine.new_game(chess960=False)
        search = asyncio.create_task(engine.search(position(), SHALLOW))
        scan = EngineProcess._scan

        def scan_and_cancel(process: EngineProcess) -> None:
            """In the turn of the loop in which the answer comes, before the search can take it."""
            waiter = process._waiter
            scan(process)
            if waiter is not None and waiter.done() and process._needle == b"bestmove":
                search.cancel()

        with monkeypatch.context() as patch:
            patch.setattr(EngineProcess, "_scan", scan_and_cancel)
            with pytest.raises(asyncio.CancelledError):
                await search
        await engine.new_game(chess960=False)
        found = await engine.search(position(moves="e2e4 e7e5"), SHALLOW)
        assert found.line == ("a2a3",)
        assert starts(tmp_path) == 1
        assert "stop" not in commands(tmp_path)


async def test_what_is_no_engine_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineDied, match=r"closed its output|exited with code 0"):
        await EngineProcess.start("/bin/true", hash_mb=1)
    with pytest.raises(EngineDied):
        await EngineProcess.start(str(tmp_path / "missing"), hash_mb=1)
    monkeypatch.setattr("analyzer.engine.process._HANDSHAKE", 0.5)
    with pytest.raises(EngineHung, match="no uciok"):
        await EngineProcess.start(scripted_engine(tmp_path, [["mute"]]), hash_mb=1)


# Where it is


def test_a_named_stockfish_must_be_there() -> None:
    with pytest.raises(ConfigurationError, match=r"ROOKIFY_STOCKFISH=/no/such.*apt-get install stockfish"):
        find_all("/no/such")


def test_of_several_those_that_are_there_are_found_each_once(tmp_path: Path) -> None:
    link = tmp_path / "stockfish"
    link.symlink_to(STOCKFISH)
    setting = os.pathsep.join(["/no/such", STOCKFISH, "/bin/true", str(link)])
    assert find_all(setting) == [STOCKFISH, "/bin/true"]


def test_nothing_installed_is_said_plainly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("analyzer.engine.discovery.USUAL_PLACES", ())
    with pytest.raises(ConfigurationError, match=r"was not found.*brew install stockfish.*ROOKIFY_STOCKFISH"):
        find_all()


# Which of several


def build(folder: Path, name: str, plan: Sequence[Behavior], says: str = "Scripted 1.0") -> str:
    """A scripted engine under a name of its own."""
    (folder / name).mkdir()
    path = Path(scripted_engine(folder / name, [plan]))
    path.write_text(path.read_text().replace("Scripted 1.0", says))
    return str(path)


async def test_the_fastest_of_several_builds_is_taken(tmp_path: Path) -> None:
    slow, fast = build(tmp_path, "slow", ["slow"]), build(tmp_path, "fast", ["good"])
    broken = build(tmp_path, "broken", ["illegal_instruction"])
    assert await fastest([broken, slow, fast, "/bin/true"]) == fast


async def test_a_build_of_another_version_only_stands_in(tmp_path: Path) -> None:
    first = build(tmp_path, "first", ["slow"], says="Stockfish 17")
    older = build(tmp_path, "older", ["good"], says="Stockfish 15")
    broken = build(tmp_path, "broken", ["illegal_instruction"], says="Stockfish 17")
    assert await fastest([first, older]) == first
    assert await fastest([broken, older]) == older


async def test_where_none_runs_it_is_said() -> None:
    with pytest.raises(ConfigurationError, match="/bin/true does not run as a UCI engine"):
        await fastest(["/bin/true", "/bin/false"])


async def test_one_alone_is_not_tried() -> None:
    assert await fastest(["/no/such"]) == "/no/such"
