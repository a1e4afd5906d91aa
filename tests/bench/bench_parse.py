"""What driving an engine costs in Python: processor seconds of this process per million nodes searched.

One engine searches every position of GAMES games with NODES nodes each. *The driver* is a lane alone: writing
commands, reading what the engine says, parsing and checking it. *A game's search* is that with the order of
positions, the cache and what else a game takes, without reading its PGN and without its report, which
*from PGN to message* has too. At a million nodes a second, seconds per million nodes are the share of a core.

    make bench-parse [ARGS="--games 10 --nodes 50000"]

Exit status 1 where a game's search is above the limit.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

from analyzer import convert, report
from analyzer.engine.lane import EngineConfig, EngineLane
from analyzer.engine.request import Limit, Position
from analyzer.pgn import ParsedGame, parse
from analyzer.search.budget import Preset, plan
from analyzer.search.cache import PositionCache
from servicekit import logs
from tests.bench.bench_sync import pgns
from tests.bench.results import report as show
from tests.support.searching import find_stockfish, search_game

LIMIT = 0.02  # seconds per million nodes


async def driver(lane: EngineLane, game: ParsedGame, nodes: int) -> int:
    await lane.new_game(chess960=game.chess960)
    searched = 0
    played = [move.uci for move in game.moves]
    for ply in reversed(range(game.plies)):
        command = f"position fen {game.start_fen} moves {' '.join(played[:ply])}"
        searched += (await lane.search(Position(command, game.boards[ply]), Limit(nodes))).nodes
    return searched


async def measured(texts: list[str], search: Callable[[str], Awaitable[int]]) -> tuple[int, float, float]:
    """Nodes, seconds, and processor seconds of this process."""
    began, cpu, nodes = time.monotonic(), time.process_time(), 0
    for text in texts:
        nodes += await search(text)
    return nodes, time.monotonic() - began, time.process_time() - cpu


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=10)
    parser.add_argument("--nodes", type=int, default=50_000)
    options = parser.parse_args()
    logs.configure("bench", "warning")
    texts = pgns(options.games)
    read = {text: parse(text) for text in texts}
    lane = EngineLane(EngineConfig(find_stockfish()))
    await lane.start()
    steps = plan(Preset.STANDARD, options.nodes)

    async def bare(text: str) -> int:
        return await driver(lane, read[text], options.nodes)

    async def searched(text: str) -> int:
        return (await search_game(lane, read[text], steps, {}, cache=PositionCache(1))).nodes

    async def whole(text: str) -> int:
        game = parse(text)
        found = await search_game(lane, game, steps, {}, cache=PositionCache(1))
        convert.from_report("bench", report.build(game, found.evaluations), found).SerializeToString()
        return found.nodes

    rows = []
    for way, search in (("the driver", bare), ("a game's search", searched), ("from PGN to message", whole)):
        nodes, seconds, cpu = await measured(texts, search)
        rows.append(
            {
                "way": way,
                "nodes": nodes,
                "nodes/s": nodes / seconds,
                "CPU s per million nodes": cpu / nodes * 1e6,
            }
        )
    await lane.close()
    show("parse", rows, note=f"{len(texts)} games, {options.nodes:,} nodes a position", limit=LIMIT)
    sys.exit(0 if float(str(rows[1]["CPU s per million nodes"])) <= LIMIT else 1)


if __name__ == "__main__":
    asyncio.run(main())
