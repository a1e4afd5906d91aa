"""Ways to analyze games that benches compare: the old application's, fishnet's, and this analyzer's."""

from __future__ import annotations

import asyncio
import queue
import shutil
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import chess
import chess.engine
import psutil

from analyzer.convert import to_known
from analyzer.engine.lane import EngineConfig, EngineLane
from analyzer.scores import Centipawns, Checkmate, MateIn, Score, before_only_move, flipped
from analyzer.search.unsearched import over
from rookify.analysis.v1 import analysis_pb2 as pb
from tests.bench.agreement import Judged
from tests.bench.reference import ReferenceGame
from tests.support.analysis_client import analysis_stream
from tests.support.faults_services import free_address, service

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run:
    """`judged`: one for each move of each game, the games in the order they were given."""

    judged: tuple[tuple[Judged, ...], ...]
    nodes: int
    seconds: float
    core_seconds: float  # of processors, engines and what drives them together
    second_nodes: int = 0  # of the nodes, for second lines, which no verdict needs

    @property
    def moves(self) -> int:
        return sum(len(game) for game in self.judged)


def old_way(games: Sequence[ReferenceGame], engine: str, depth: int = 12) -> Run:
    """As the old application did it: a new engine for each game, one game after the other, a search before
    and one after every move; by python-chess, whose cost is part of it.
    """
    judged, nodes = [], 0
    began, spent = time.monotonic(), _seconds(psutil.Process())
    for game in games:
        moves = []
        with chess.engine.SimpleEngine.popen_uci(engine) as process:
            board = chess.Board(game.game.start_fen)
            for move in game.game.moves:
                before = process.analyse(board, chess.engine.Limit(depth=depth))
                board.push_uci(move.uci)
                after = process.analyse(board, chess.engine.Limit(depth=depth))
                nodes += before.get("nodes", 0) + after.get("nodes", 0)
                best = before["pv"][0].uci()
                moves.append(Judged(_white(before), _white(after), move.white, first_choice=best == move.uci))
        judged.append(tuple(moves))
    return Run(tuple(judged), nodes, time.monotonic() - began, _seconds(psutil.Process()) - spent)


def fishnet_way(games: Sequence[ReferenceGame], engine: str, go: str, workers: int) -> Run:
    """The same budget (`go`, a UCI command) for every position, last to first: one engine for each worker,
    and the next game, the longest first, when one is done. A bare UCI loop: only the engine costs.
    """
    judged: list[tuple[Judged, ...]] = [()] * len(games)
    nodes: list[int] = []

    def search(process: BareEngine, index: int) -> None:
        judged[index], searched = _uniform(process, games[index], go)
        nodes.append(searched)

    began, spent = time.monotonic(), _seconds(psutil.Process())
    on_engines(engine, EngineConfig(engine).hash_mb, workers, longest_first(games), search)
    return Run(tuple(judged), sum(nodes), time.monotonic() - began, _seconds(psutil.Process()) - spent)


async def served(games: Sequence[ReferenceGame], budget: pb.SearchBudget, workers: int) -> Run:
    """By an analyzer process of its own, over gRPC, fed as by an orchestrator."""
    folder = Path(tempfile.mkdtemp(prefix="rookify-bench-"))
    address = free_address()
    given = {
        "ROOKIFY_ANALYZER_LISTEN": address,
        "ROOKIFY_ENGINE_WORKERS": str(workers),
        "ROOKIFY_LOG_LEVEL": "debug",  # each game's nodes
    }
    try:
        async with (
            service("analyzer", folder / "analyzer.log", address, **given) as process,
            analysis_stream(address) as stream,
        ):
            wire = [pb.Game(game_id=game.url, job_id="bench", pgn=game.text) for game in games]
            began, spent = time.monotonic(), _seconds(process.victim)
            await stream.feed(wire, budget)
            seconds, spent = time.monotonic() - began, _seconds(process.victim) - spent
            analyses = [stream.analysis(game.url) for game in games]
            await process.says("game analyzed", times=len(games))
            second = sum(line["second_nodes"] for line in process.said("game analyzed"))
    finally:
        await asyncio.to_thread(shutil.rmtree, folder)
    return Run(
        tuple(_judged(game, analysis.moves) for game, analysis in zip(games, analyses, strict=True)),
        sum(analysis.engine.nodes for analysis in analyses),
        seconds,
        spent,
        second,
    )


def _seconds(process: psutil.Process) -> float:
    """Processor time of a process and all its children, those that have ended too."""
    return sum(sum(one.cpu_times()[:4]) for one in (process, *process.children(recursive=True)))


class BareEngine:
    """Stockfish over blocking pipes."""

    def __init__(self, engine: str, hash_mb: int) -> None:
        self._process = subprocess.Popen([engine], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._say("uci")
        greeting = self._until(b"uciok")
        self.name = next(line[8:].strip().decode() for line in greeting if line.startswith(b"id name "))
        self._say(f"setoption name Hash value {hash_mb}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._say("quit")
        self._process.communicate()

    def new_game(self) -> None:
        self._say("ucinewgame\nisready")
        self._until(b"readyok")

    def search(self, position: str, go: str) -> tuple[Score, str, int, int]:
        """The mover's last exact score, the best move in UCI, depth, nodes."""
        self._say(f"{position}\n{go}")
        lines = self._until(b"bestmove")
        exact = [line.split() for line in lines[:-1] if b" score " in line and b"bound" not in line]
        last, told = exact[-1], lines[-2].split()
        kind, value = last[last.index(b"score") + 1 :][:2]
        score = Centipawns(int(value)) if kind == b"cp" else MateIn(int(value))
        depth, nodes = int(last[last.index(b"depth") + 1]), int(told[told.index(b"nodes") + 1])
        return score, lines[-1].split()[1].decode(), depth, nodes

    def _say(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n".encode())
        self._process.stdin.flush()

    def _until(self, word: bytes) -> list[bytes]:
        assert self._process.stdout is not None
        lines = []
        for line in self._process.stdout:
            lines.append(line)
            if line.startswith(word):
                return lines
        raise RuntimeError("the engine ended")


def on_engines(
    engine: str, hash_mb: int, workers: int, items: Iterable[T], search: Callable[[BareEngine, T], None]
) -> None:
    """`search` for each item in their order, on an engine for each worker. Raises what one of them raises."""
    waiting: queue.SimpleQueue[T] = queue.SimpleQueue()
    for item in items:
        waiting.put(item)

    def work() -> None:
        with BareEngine(engine, hash_mb) as process:
            while True:
                try:
                    item = waiting.get_nowait()
                except queue.Empty:
                    return
                search(process, item)

    with ThreadPoolExecutor(workers) as pool:
        for worker in [pool.submit(work) for _ in range(workers)]:
            worker.result()


async def on_lanes(
    engine: str, workers: int, items: Iterable[T], search: Callable[[EngineLane, T], Awaitable[None]]
) -> None:
    """The same with the analyzer's lanes, in this process."""
    waiting = iter(items)

    async def work() -> None:
        lane = EngineLane(EngineConfig(engine))
        await lane.start()
        try:
            for item in waiting:
                await search(lane, item)
        finally:
            await lane.close()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(workers):
            tasks.create_task(work())


def longest_first(games: Sequence[ReferenceGame]) -> list[int]:
    """By index."""
    return sorted(range(len(games)), key=lambda index: -games[index].game.plies)


def positions(game: ReferenceGame) -> list[str]:
    """The UCI command of each position of a game, its history with it."""
    played = [move.uci for move in game.game.moves]
    start = f"position fen {game.game.start_fen}"
    return [f"{start} moves {' '.join(played[:ply])}" if ply else start for ply in range(len(played) + 1)]


def _uniform(process: BareEngine, game: ReferenceGame, go: str) -> tuple[tuple[Judged, ...], int]:
    process.new_game()
    moves, commands = game.game.moves, positions(game)
    end = over(game.game)
    scores: dict[int, Score] = {} if end is None else {len(moves): end.score}
    best: dict[int, str] = {}
    nodes = 0
    for ply in range(len(moves), -1, -1):
        if ply in scores:
            continue
        if ply < len(moves) and moves[ply].forced:
            scores[ply] = before_only_move(scores[ply + 1], white=moves[ply].white)
            best[ply] = moves[ply].uci
            continue
        score, best[ply], _, searched = process.search(commands[ply], go)
        scores[ply] = score if game.game.boards[ply].turn else flipped(score)
        nodes += searched
    judged = tuple(
        Judged(scores[ply], scores[ply + 1], move.white, first_choice=best[ply] == move.uci)
        for ply, move in enumerate(moves)
    )
    return judged, nodes


def _judged(game: ReferenceGame, moves: Sequence[pb.MoveAnalysis]) -> tuple[Judged, ...]:
    return tuple(
        Judged(
            _told(move.score_before),
            _told(move.score_after),
            parsed.white,
            first_choice=move.best_uci == move.uci,
        )
        for parsed, move in zip(game.game.moves, moves, strict=True)
    )


def _told(score: pb.Score) -> Score:
    return to_known([pb.KnownEvaluation(score=score)])[0].score


def _white(info: chess.engine.InfoDict) -> Score:
    score = info["score"].white()
    mate = score.mate()
    if mate is None:
        value = score.score()
        assert value is not None
        return Centipawns(value)
    if mate == 0:
        return Checkmate(white_wins=score is chess.engine.MateGiven)
    return MateIn(mate)
