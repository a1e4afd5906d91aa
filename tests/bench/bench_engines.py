"""What the analyzer costs: its engines' nodes per second over gRPC, against the same ones driven bare.

The analyzer: AnalysisService in this process, over a real socket, fed as by an orchestrator. Bare: a
blocking UCI loop for each engine over the very commands that the search of these games sends, longest game
first. In turns: bare, analyzer, bare. `engines_busy` is the share of the run, the end of the last games
included, that an engine searched; `cpu_seconds` are this process's own (Python and gRPC, both sides).

`cancel_ms` (median, longest): from CancelGames, while every engine searches a position without end, to the
analysis of a game of one move and 1,000 nodes a position that was sent right behind it; `short_game_ms` is
what that takes on idle engines.

    make bench-engines [ARGS="--games 12 --workers 2 --preset standard"]
"""

from __future__ import annotations

import argparse
import asyncio
import time

from analyzer.app import Analyzer
from analyzer.search.budget import Preset
from analyzer.settings import Settings
from rookify.analysis.v1 import analysis_pb2 as pb
from servicekit import logs
from tests.bench.bench_sync import Figures, bare, engine_seconds, pgns, recorded
from tests.bench.parts import percentile
from tests.bench.results import report
from tests.support.analysis_client import analysis_stream
from tests.support.searching import find_stockfish

PRESETS = {
    Preset.FAST: pb.SearchBudget.PRESET_FAST,
    Preset.STANDARD: pb.SearchBudget.PRESET_STANDARD,
    Preset.DEEP: pb.SearchBudget.PRESET_DEEP,
}


async def served(texts: list[str], preset: Preset, workers: int, engine: str) -> tuple[Figures, float, float]:
    """The figures of one run, the share of it that an engine searched, processor seconds of this process."""
    settings = Settings(analyzer_listen="127.0.0.1:0", engine_workers=workers)
    games = [pb.Game(game_id=str(at), job_id="bench", pgn=text) for at, text in enumerate(texts)]
    async with Analyzer(settings) as analyzer, analysis_stream(analyzer.address) as stream:
        began, cpu, spent = time.monotonic(), time.process_time(), engine_seconds(engine)
        await stream.feed(games, pb.SearchBudget(preset=PRESETS[preset]))
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        spent = engine_seconds(engine) - spent
        reports = [end.engine for end in stream.ended.values() if isinstance(end, pb.GameAnalysis)]
    searching = sum(one.engine_time.ToMilliseconds() for one in reports) / 1000
    figures = Figures("analyzer over gRPC", seconds, sum(one.nodes for one in reports), spent)
    return figures, searching / seconds / workers, cpu


async def cancelled(workers: int, times: int) -> tuple[list[float], list[float]]:
    """Milliseconds that the short game takes behind a cancelled one, and on idle engines."""
    endless, quick = pb.SearchBudget(nodes_per_position=10**9), pb.SearchBudget(nodes_per_position=1_000)
    behind, idle = [], []
    settings = Settings(analyzer_listen="127.0.0.1:0", engine_workers=workers, position_cache_mb=0)
    async with Analyzer(settings) as analyzer, analysis_stream(analyzer.address) as stream:
        for number in range(times):
            began = time.monotonic()
            await stream.feed([pb.Game(game_id=f"idle {number}", pgn="1. e4")], quick)
            idle.append((time.monotonic() - began) * 1000)
            jobs = [f"job {number}.{each}" for each in range(workers)]
            for job in jobs:
                await stream.send([pb.Game(game_id=job, job_id=job, pgn="1. e4 e5 2. Nf3")], endless)
            await asyncio.sleep(0.3)  # all are deep in it
            began = time.monotonic()
            for job in jobs:
                await stream.cancel(job)
            await stream.until(lambda jobs=jobs: all(job in stream.ended for job in jobs))  # type: ignore[misc]
            await stream.feed([pb.Game(game_id=f"behind {number}", pgn="1. e4")], quick)
            behind.append((time.monotonic() - began) * 1000)
    return behind, idle


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=12)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--preset", default="standard", choices=[preset.value for preset in Preset])
    options = parser.parse_args()
    logs.configure("bench", "warning")
    preset, engine = Preset(options.preset), find_stockfish()
    texts = pgns(options.games)
    commands = await recorded(texts, preset, engine, options.workers)
    texts.sort(key=len, reverse=True)  # about the longest first, as the bare loop has them
    before = await asyncio.to_thread(bare, commands, engine, options.workers)
    run, busy, cpu = await served(texts, preset, options.workers, engine)
    after = await asyncio.to_thread(bare, commands, engine, options.workers)
    bare_speed = (before.nodes + after.nodes) / (before.seconds + after.seconds)
    behind, idle = await cancelled(options.workers, 20)
    report(
        "engines",
        [figures.row(options.workers) for figures in (before, run, after)],
        note=f"{len(commands)} games, {options.workers} engines, preset {options.preset}",
        ratio=run.nodes / run.seconds / bare_speed,
        engines_busy=busy,
        cpu_seconds_per_million_nodes=cpu / run.nodes * 1e6,
        games_per_minute=len(commands) / run.seconds * 60,
        cancel_ms=[percentile(behind, 0.5), max(behind)],
        short_game_ms=[percentile(idle, 0.5), max(idle)],
    )


if __name__ == "__main__":
    asyncio.run(main())
