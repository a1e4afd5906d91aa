"""What each preset's nodes buy, beside uniform budgets and depths: agreement with a reference of many nodes.

    make bench-budget [ARGS="--data FOLDER --half held-out --ways fast,nodes:30000,depth:12 --plot x.svg"]

FOLDER holds `chesscom/` and `reference/evaluations.json` (tests/bench/reference.py); by default the real
games beside the checkout or those of ROOKIFY_SHARED_DATA, else those that ship. Intervals hold 95 % of
resampled sets of games; labels `by chance` do without the rules for mates. Nodes do not depend on what else
the machine does, so this bench may share it.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from analyzer.search.budget import Preset
from rookify.analysis.v1 import analysis_pb2 as pb
from tests.bench import curve, oracle, reference, ways
from tests.bench.agreement import by_chance, compare, intervals, total
from tests.bench.reference import ReferenceGame
from tests.bench.results import report
from tests.support.searching import find_stockfish

PRESETS = {
    Preset.FAST.value: pb.SearchBudget.PRESET_FAST,
    Preset.STANDARD.value: pb.SearchBudget.PRESET_STANDARD,
    Preset.DEEP.value: pb.SearchBudget.PRESET_DEEP,
}
# Those of the presets' own scale: what an equal share of nodes or one depth for all would have to spend.
DEFAULT = "fast,standard,deep,depth:12,nodes:15000,nodes:30000,nodes:100000,nodes:200000"


async def analyzed(way: str, games: Sequence[ReferenceGame], workers: int) -> ways.Run:
    """`way`: a preset, `oracle:PRESET`, `nodes:N` or `depth:N` for every position, or `old`."""
    name, _, value = way.partition(":")
    if name in PRESETS:
        return await ways.served(games, pb.SearchBudget(preset=PRESETS[name]), workers)
    if name == "oracle" and value in PRESETS:
        return await oracle.told(games, Preset(value), workers)
    if name == "old":
        return await asyncio.to_thread(ways.old_way, games, find_stockfish())
    if name not in ("nodes", "depth") or not value.isdecimal():
        raise SystemExit(
            f"--ways: {way!r} is none of {', '.join(PRESETS)}, oracle:PRESET, old, nodes:N, depth:N"
        )
    return await asyncio.to_thread(ways.fishnet_way, games, find_stockfish(), f"go {name} {value}", workers)


def row(way: str, run: ways.Run, games: Sequence[ReferenceGame]) -> dict[str, object]:
    counts = [compare(found, game.reference) for found, game in zip(run.judged, games, strict=True)]
    together = total(counts)
    f1, equal = intervals(counts)
    plain = total(
        [compare(found, game.reference, by_chance) for found, game in zip(run.judged, games, strict=True)]
    )
    return {
        "way": way,
        "nodes/ply": round((run.nodes - run.second_nodes) / run.moves),
        "second lines": round(run.second_nodes / run.moves),
        "F1": together.f1,
        "F1 95 %": f"{f1.low:.3f} … {f1.high:.3f}",
        "equal": together.share,
        "equal 95 %": f"{equal.low:.3f} … {equal.high:.3f}",
        "error": together.mean_error,
        "F1 by chance": plain.f1,
        "equal by chance": plain.share,
    }


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=reference.folder())
    parser.add_argument("--half", default="all", choices=reference.HALVES)
    parser.add_argument("--games", type=int, default=0, help="only the first so many")
    parser.add_argument("--deeper", action="store_true", help="the games of deeper.json, judged by it")
    parser.add_argument("--ways", default=DEFAULT)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--plot", type=Path, help="draw the curve into this SVG file")
    options = parser.parse_args()
    games = reference.load(options.data, options.half, deepened=options.deeper)[: options.games or None]
    if not games:
        raise SystemExit(f"{options.data} has no reference/evaluations.json; --data names another folder")
    rows = []
    for way in options.ways.split(","):
        rows.append(row(way, await analyzed(way, games, options.workers), games))
        print(rows[-1], flush=True)
    plies = sum(game.game.plies for game in games)
    report("budget", rows, note=f"{len(games)} games ({options.half}), {plies:,} plies")
    if options.plot:
        options.plot.write_text(curve.svg(rows))


if __name__ == "__main__":
    asyncio.run(main())
