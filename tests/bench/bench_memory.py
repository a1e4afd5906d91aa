"""Back-pressure: a player with 50,000 games neither fills the orchestrator's memory nor holds up others.

A real orchestrator process and Postgres. chess.com's local server makes the player's months when they are
asked for; the analyzer answers at once, so that nothing but the orchestrator and its database sets the pace.
One watcher follows the job with all its games. In each phase another user starts a sync of some games, and
all the time somebody asks for the job's state.

    make bench-memory [ARGS="--games 50000 --months 12 --moves 60 --limit 400"]

Exit status 1 where the peak is above the limit (MB), or a game was not analyzed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from calendar import monthrange
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from aiohttp import web
from google.type import date_pb2

from rookify.analysis.v1 import analysis_pb2
from rookify.sync.v1 import sync_pb2 as pb
from tests.bench.parts import percentile, postgres
from tests.bench.results import report
from tests.support.orchestrator import Client, Orchestrator
from tests.support.platforms.__main__ import SHIPPED
from tests.support.platforms.chesscom_server import read_months
from tests.support.platforms.faults import Answer, json_answer
from tests.support.platforms.server import LocalPlatform, base_of
from tests.support.replicas import Process
from tests.support.scripted_analyzer import ScriptedAnalyzer

YEAR = 2023
BIG, SMALL = "ManyGames", "FewGames"
SMALL_GAMES = 20
EVERY = 5_000  # games between two rows of the table


class LazyPlatform(LocalPlatform):
    """chess.com with two players, whose months are made when they are asked for."""

    prefix = "/pub"

    def __init__(self, games: int, months: int) -> None:
        super().__init__()
        self._months = months
        self._games = {BIG.lower(): games // months, SMALL.lower(): SMALL_GAMES}
        self._first = {BIG.lower(): games % months, SMALL.lower(): 0}
        (self._like, *_) = read_months(SHIPPED / "chesscom")

    async def answer(self, request: web.Request, parts: list[str], overlapped: bool) -> Answer:
        if overlapped:
            return json_answer(429, {"code": 0, "message": "one at a time"})
        player, rest = parts[1], parts[3:]
        months = range(1, self._months + 1 if player == BIG.lower() else 2)
        if rest == ["archives"]:
            root = f"{base_of(request)}/player/{player}/games/"
            return json_answer(200, {"archives": [f"{root}{YEAR}/{month:02}" for month in months]})
        month = int(rest[1])
        count = self._games[player] + (self._first[player] if month == 1 else 0)
        body = await asyncio.to_thread(self._month, player, month, count)
        return Answer(200, {"Content-Type": "application/json"}, body)

    def _month(self, player: str, month: int, count: int) -> bytes:
        start = int(datetime(YEAR, month, 1, tzinfo=UTC).timestamp())
        step = monthrange(YEAR, month)[1] * 86400 / (count + 1)
        games = []
        for number in range(count):
            game = dict(self._like)
            serial = (1 if player == BIG.lower() else 2) * 10**10 + month * 10**6 + number
            game["url"] = f"https://www.chess.com/game/live/{serial}"
            game["pgn"] = game["pgn"].replace('[Round "-"]', f'[Round "{number}"]')
            game["end_time"] = start + int(step * number)
            game["white"] = game["white"] | {"username": player}
            games.append(game)
        return json.dumps({"games": games}).encode()


def scripted(moves: int) -> Any:
    """An analysis as the analyzer gives it, of so many half-moves, whatever the game."""
    line = ["e7e5", "g1f3", "b8c6", "f1b5", "a7a6"]
    move = analysis_pb2.MoveAnalysis(
        ply=1,
        san="Nf3",
        uci="g1f3",
        fen_before="r1bqkb1r/pppp1ppp/2n2n2/4p2Q/2B1P3/8/PPPP1PPP/RNB1K1NR w KQkq - 4 4",
        score_before=analysis_pb2.Score(centipawns=33),
        score_after=analysis_pb2.Score(centipawns=-14),
        best_uci="e2e4",
        best_san="e4",
        best_line_uci=line,
        win_percent_before=52.8,
        win_percent_after=48.7,
        accuracy=83.1,
        depth=14,
        nodes=48_211,
    )
    analysis = analysis_pb2.GameAnalysis(
        moves=[move] * moves, annotated_pgn="1. e4 { [%eval 0.33] } " * moves
    )

    def answer(game: analysis_pb2.Game) -> analysis_pb2.AnalyzeGamesResponse:
        made = analysis_pb2.GameAnalysis(game_id=game.game_id)
        made.MergeFrom(analysis)
        return analysis_pb2.AnalyzeGamesResponse(analysis=made)

    return answer


@dataclass
class Memory:
    """The orchestrator's resident memory, in MB. The kernel keeps the peak of its whole life."""

    pid: int
    highest: float = 0.0

    @property
    def now(self) -> float:
        resident: int = psutil.Process(self.pid).memory_info().rss
        return resident / 2**20

    @property
    def peak(self) -> float:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        return self.highest

    def since_last(self) -> float:
        """The highest of the samples since the last call."""
        highest, self.highest = max(self.highest, self.now), 0.0
        return highest

    async def sample(self) -> None:
        while True:
            self.highest = max(self.highest, self.now)
            await asyncio.sleep(0.05)


@dataclass
class Big:
    """The big job as its watcher sees it."""

    memory: Memory
    rows: list[dict[str, Any]] = field(default_factory=list)
    games: set[str] = field(default_factory=set)
    half_analyzed: asyncio.Event = field(default_factory=asyncio.Event)
    _phase: str = "fetching"
    _done: int = 0  # games of the phase in the rows
    _at: float = 0.0  # when the last row ended

    async def watch(self, user: Client, job_id: str) -> pb.SyncJob:
        self._at = asyncio.get_running_loop().time()
        message = pb.WatchSyncResponse()
        async for message in user.watch(job_id, include_games=True):
            if message.HasField("game"):
                assert message.game.game_analysis_id not in self.games, "a game came twice"
                self.games.add(message.game.game_analysis_id)
            else:
                self._note(message.sync_job)
        return message.sync_job

    def _note(self, job: pb.SyncJob) -> None:
        """A row of the table for every few games of each phase."""
        if self._phase == "fetching" and job.status not in (pb.SYNC_STATUS_PENDING, pb.SYNC_STATUS_FETCHING):
            self._row(job.games_found)
            self._phase, self._done = "analyzing", 0
        if self._phase == "analyzing" and job.games_analyzed > job.games_found / 2:
            self.half_analyzed.set()
        count = job.games_found if self._phase == "fetching" else job.games_analyzed
        if count - self._done >= EVERY or job.HasField("complete_time"):
            self._row(count)

    def _row(self, count: int) -> None:
        now = asyncio.get_running_loop().time()
        games, seconds = count - self._done, now - self._at
        self._done, self._at = count, now
        if games:
            row = {"phase": self._phase, "games": games, "seconds": seconds, "games/s": games / seconds}
            self.rows.append(row | {"peak MB": self.memory.since_last()})
            print(
                *(f"{value:,.1f}" if isinstance(value, float) else value for value in self.rows[-1].values())
            )


async def small_sync(replica: Orchestrator) -> float:
    """Another user's sync, from its start to its end in seconds."""
    loop = asyncio.get_running_loop()
    user = await replica.user()
    began = loop.time()
    ended = await user.ended((await user.start(**window(SMALL))).id)
    assert ended.status == pb.SYNC_STATUS_COMPLETED, ended.error
    assert ended.games_analyzed == SMALL_GAMES
    return loop.time() - began


def window(player: str) -> dict[str, Any]:
    return {
        "username": player,
        "from_date": date_pb2.Date(year=YEAR, month=1, day=1),
        "to_date": date_pb2.Date(year=YEAR, month=12, day=31),
    }


async def keep_asking(user: Client, job_id: str, took: list[float]) -> None:
    """How long a call waits while all this goes on."""
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        await user.call("GetSyncJob", pb.GetSyncJobRequest(sync_job_id=job_id))
        took.append(loop.time() - began)
        await asyncio.sleep(0.1)


async def run(games: int, months: int, moves: int) -> dict[str, Any]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(postgres())
        platform = await stack.enter_async_context(LazyPlatform(games, months))
        analyzer = await stack.enter_async_context(ScriptedAnalyzer(script=scripted(moves), credits=8))
        process = Process()
        stack.push_async_callback(process.stop)
        await process.start(
            database,
            {
                "chesscom_url": platform.url,
                "analyzers": analyzer.address,
                "max_games_per_sync": 10**6,
                "max_games_per_day": 10**6,
                "write_interval": 0.2,
                "log_format": "json",
            },
        )
        replica, memory = process.replica, Memory(process.process.pid)
        idle, began = memory.now, asyncio.get_running_loop().time()
        user, big = await replica.user(), Big(memory)
        took: list[float] = []
        sampling = asyncio.create_task(memory.sample())
        job = await user.start(**window(BIG))
        asking = asyncio.create_task(keep_asking(user, job.id, took))
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(big.watch(user, job.id))
            while_fetching = await small_sync(replica)
            await big.half_analyzed.wait()
            while_analyzing = await small_sync(replica)
        for helper in (sampling, asking):
            helper.cancel()
        ended = watching.result()
        figures = {
            "games": ended.games_found,
            "games_analyzed": ended.games_analyzed,
            "games_watched": len(big.games),
            "seconds": asyncio.get_running_loop().time() - began,
            "idle_mb": idle,
            "peak_mb": memory.peak,
            "small_job_while_fetching_seconds": while_fetching,
            "small_job_while_analyzing_seconds": while_analyzing,
            "call_p50_ms": percentile(took, 0.5) * 1000,
            "call_p99_ms": percentile(took, 0.99) * 1000,
            "call_max_ms": max(took) * 1000,
        }
        return figures | {"rows": big.rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=50_000)
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--moves", type=int, default=60, help="half-moves of each analysis")
    parser.add_argument("--limit", type=float, default=400, help="MB that the orchestrator may take")
    options = parser.parse_args()
    figures = asyncio.run(run(options.games, options.months, options.moves))
    note = f"{options.games:,} games in {options.months} months, {options.moves} half-moves each"
    report("memory", figures.pop("rows"), note=note, limit_mb=options.limit, **figures)
    whole = figures["games"] == figures["games_analyzed"] == figures["games_watched"] == options.games
    sys.exit(0 if whole and figures["peak_mb"] <= options.limit else 1)


if __name__ == "__main__":
    main()
