"""Are the engines kept busy while a job is analyzed? The whole system's nodes per second against bare ones.

The system: `rookify up` with its orchestrator, stream, Postgres and command line's watch, one sync of GAMES
games on WORKERS engines, timed from the first `analyzing` to `completed`. Bare: the same engines driven by a
blocking UCI loop each, over the very commands that the search of these games sends, longest game first. In
turns, in one run: bare, system, bare. The system searches a few positions less: its database learns from the
first games for the last ones.

`engines` is the share of the workers' time that engines were computing. Its ratio holds on a noisy machine
too, where nodes per second differ from one minute to the next.

    make bench-sync [ARGS="--games 100 --workers 2 --preset fast"]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from unittest.mock import patch

import psutil
from google.type import date_pb2

from analyzer.engine.lane import EngineConfig, EngineLane
from analyzer.engine.process import EngineProcess
from analyzer.pgn import ParsedGame, parse
from analyzer.search.budget import Preset, plan
from analyzer.search.cache import PositionCache
from orchestrator.service.words import PRESETS
from rookify.sync.v1 import sync_pb2 as pb
from tests.bench.results import report
from tests.bench.ways import on_lanes
from tests.support import real_games
from tests.support.orchestrator import PLAYER
from tests.support.platforms.__main__ import SHIPPED
from tests.support.postgres import reachable_folder
from tests.support.searching import find_stockfish, search_game
from tests.support.system import platforms, rookify_up

Commands = list[tuple[str, str]]  # of one game: (position, go) of each search


@dataclass
class Figures:
    way: str
    seconds: float
    nodes: int
    engine_seconds: float  # of processors

    def busy(self, workers: int) -> float:
        return self.engine_seconds / self.seconds / workers

    def row(self, workers: int) -> dict[str, object]:
        return {
            "way": self.way,
            "seconds": self.seconds,
            "nodes": self.nodes,
            "nodes/s": self.nodes / self.seconds,
            "engines": self.busy(workers),
        }


def pgns(games: int) -> list[str]:
    """Those that a sync of the newest `games` finds, playable ones only."""
    real = real_games.real_games()
    folder = real / "chesscom" if real else SHIPPED / "chesscom"
    found = [game for file in folder.glob("games-*.json") for game in json.loads(file.read_text())["games"]]
    found.sort(key=lambda game: game["end_time"], reverse=True)
    return [game["pgn"] for game in found if game.get("pgn") and game["rules"] == "chess"][:games]


async def recorded(texts: list[str], preset: Preset, engine: str, workers: int) -> list[Commands]:
    """The UCI commands of each game's search, longest first. The search depends on what engines answer, so
    it is run once for real."""
    games: list[ParsedGame] = []
    for text in texts:
        try:
            games.append(parse(text))
        except Exception as error:  # noqa: BLE001  the broken one of the shipped games
            print(f"left out: {error}")
    games.sort(key=lambda game: game.plies, reverse=True)
    commands: list[Commands] = [[] for _ in games]
    cache = PositionCache(64)  # so that, as in the system, no position is searched twice
    current: dict[int, Commands] = {}
    search = EngineProcess.search

    async def recording(self: EngineProcess, position: str, go: str, *, deadline: float) -> bytes:
        current[self.pid].append((position, go))
        return await search(self, position, go, deadline=deadline)

    async def one(lane: EngineLane, numbered: tuple[int, ParsedGame]) -> None:
        index, game = numbered
        current[lane.pid] = commands[index]
        await search_game(lane, game, plan(preset), {}, cache=cache)

    with patch.object(EngineProcess, "search", recording):
        await on_lanes(engine, workers, enumerate(games), one)
    return commands


def bare(commands: list[Commands], engine: str, workers: int) -> Figures:
    """One thread and one engine per worker; the next game when the last is done."""
    todo = iter(commands)
    lock = threading.Lock()
    nodes, spent = [0] * workers, [0.0] * workers
    began = time.monotonic()

    def work(number: int) -> None:
        process = subprocess.Popen([engine], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None

        def say(text: str) -> None:
            process.stdin.write(text.encode())  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]

        def until(word: bytes) -> bytes:
            last = b""
            for line in process.stdout:  # type: ignore[union-attr]
                if line.startswith(word):
                    return last
                last = line
            raise RuntimeError("the engine ended")

        say(f"setoption name Hash value {EngineConfig(engine).hash_mb}\nisready\n")
        until(b"readyok")
        while True:
            with lock:
                game = next(todo, None)
            if game is None:
                break
            say("ucinewgame\nisready\n")
            until(b"readyok")
            for position, go in game:
                say(f"{position}\n{go}\n")
                words = until(b"bestmove").split()
                nodes[number] += int(words[words.index(b"nodes") + 1])
        spent[number] = sum(psutil.Process(process.pid).cpu_times()[:2])
        say("quit\n")
        process.wait()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Figures("bare UCI loops", time.monotonic() - began, sum(nodes), sum(spent))


def engine_seconds(engine: str) -> float:
    """Processor time of all engines that run below this process."""
    return sum(
        sum(process.cpu_times()[:2])
        for process in psutil.Process().children(recursive=True)
        if process.cmdline()[:1] == [engine]
    )


async def whole(games: int, workers: int, preset: str, engine: str) -> Figures:
    real = real_games.real_games()
    arguments = ("--games", str(real / "chesscom")) if real else ()
    folder = reachable_folder("rookify-bench-")
    try:
        async with (
            platforms(*arguments) as servers,
            rookify_up(folder / "data", servers.settings, "--engine-workers", str(workers)) as system,
            system.client() as user,
            system.client("service_role") as service,
        ):
            request = user.request(
                username=real_games.PLAYER if real else PLAYER,
                from_date=date_pb2.Date(year=2022, month=3, day=1) if real else user.request().from_date,
                to_date=date_pb2.Date(year=2022, month=5, day=31) if real else user.request().to_date,
                max_games=games,
                preset=next(value for value, name in PRESETS.items() if name == preset and value),
            )
            job = (await user.call("StartSync", request)).sync_job
            began, spent = 0.0, 0.0
            async for message in user.watch(job.id, include_games=True):
                if not began and message.sync_job.status == pb.SYNC_STATUS_ANALYZING:
                    began, spent = time.monotonic(), engine_seconds(engine)
            seconds, spent = time.monotonic() - began, engine_seconds(engine) - spent
            usage = await service.call("GetUsage", pb.GetUsageRequest())
            return Figures("rookify", seconds, usage.engine_nodes, spent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--preset", default="fast", choices=["fast", "standard", "deep"])
    options = parser.parse_args()
    engine = find_stockfish()
    commands = await recorded(pgns(options.games), Preset(options.preset), engine, options.workers)
    runs = [
        await asyncio.to_thread(bare, commands, engine, options.workers),
        await whole(options.games, options.workers, options.preset, engine),
        await asyncio.to_thread(bare, commands, engine, options.workers),
    ]

    def ratio(figures: list[float]) -> float:
        before, system, after = figures
        return system / ((before + after) / 2)

    report(
        "sync",
        [run.row(options.workers) for run in runs],
        note=f"{len(commands)} games, {options.workers} engines, preset {options.preset}",
        ratio=ratio([run.nodes / run.seconds for run in runs]),
        engines_ratio=ratio([run.busy(options.workers) for run in runs]),
        games=len(commands),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


if __name__ == "__main__":
    asyncio.run(main())
