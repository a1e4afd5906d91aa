"""Ten times the old way? Games per minute and agreement of three ways, on the same games and cores, in turns.

(a) The old application's way: a new engine for each game, one game after the other, depth 12 before and after
    every move, by python-chess.
(b) A uniform budget in fishnet's manner: the same nodes for every position, a bare UCI loop on each core. By
    default 200,000 nodes, where F1 and equal labels are about those of `standard` (docs/budgets.md).
(c) This system's analyzer, a process of its own over gRPC, with each preset.

    make bench-analysis [ARGS="--data FOLDER --games 12 --presets fast,standard --turns 1"]

FOLDER as for bench-budget. Games without a reference are only timed. Wants the machine to itself; on a busy
one the ratios by core seconds hold: processor time of the engines and of what drives them, (a) on one core.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from tests.bench import reference
from tests.bench.agreement import compare, total
from tests.bench.bench_budget import PRESETS, analyzed
from tests.bench.reference import ReferenceGame
from tests.bench.results import report
from tests.bench.ways import Run


def row(way: str, runs: Sequence[Run], games: Sequence[ReferenceGame]) -> dict[str, object]:
    """Of all turns together; verdicts of the first."""
    seconds = sum(run.seconds for run in runs)
    figures: dict[str, object] = {
        "way": way,
        "games/min": 60 * len(games) * len(runs) / seconds,
        "seconds": seconds / len(runs),
        "core seconds": sum(run.core_seconds for run in runs) / len(runs),
        "nodes": round(sum(run.nodes for run in runs) / len(runs)),
    }
    if all(game.reference for game in games):
        found = zip(runs[0].judged, games, strict=True)
        counts = total([compare(mine, game.reference) for mine, game in found])
        figures |= {"F1": counts.f1, "equal": counts.share, "error": counts.mean_error}
    return figures


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=reference.folder())
    parser.add_argument("--half", default="held-out", choices=reference.HALVES)
    parser.add_argument("--games", type=int, default=12)
    parser.add_argument("--nodes", type=int, default=200_000, help="of (b), for each position")
    parser.add_argument("--presets", default=",".join(PRESETS))
    parser.add_argument("--turns", type=int, default=1, help="how often each way runs")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    games = reference.load(options.data, options.half)[: options.games]
    games = games or reference.unjudged(options.data, options.games)
    uniform, presets = f"nodes:{options.nodes}", options.presets.split(",")
    names = {"old": "(a) old way", uniform: f"(b) uniform, {options.nodes:,}"}
    names |= {preset: f"(c) {preset}" for preset in presets}
    runs: dict[str, list[Run]] = {way: [] for way in names}
    for turn in range(options.turns):
        for way, name in names.items():
            print(f"{name}, turn {turn + 1} of {options.turns}", flush=True)
            runs[way].append(await analyzed(way, games, options.workers))
    wall = {way: sum(run.seconds for run in done) for way, done in runs.items()}
    # On an idle machine: the old way keeps one core busy, the others all of theirs.
    idle = {
        way: sum(run.core_seconds for run in done) / (1 if way == "old" else options.workers)
        for way, done in runs.items()
    }
    ratios = {
        f"{preset}_over_{name}{suffix}": seconds[way] / seconds[preset]
        for suffix, seconds in (("", wall), ("_by_core_seconds", idle))
        for name, way in (("old_way", "old"), ("uniform", uniform))
        for preset in presets
    }
    plies = sum(game.game.plies for game in games)
    report(
        "analysis",
        [row(name, runs[way], games) for way, name in names.items()],
        note=f"{len(games)} games, {plies:,} plies, {options.workers} engines",
        **ratios,
    )


if __name__ == "__main__":
    asyncio.run(main())
