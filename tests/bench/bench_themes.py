"""What looking for themes costs beside the engine, and how often each theme is found.

Games are searched with the preset on one engine; then the themes of their errors, great and brilliant moves
are looked for on their own. `share`: processor time for themes against that of an engine of 1,000,000 nodes a
second for the nodes searched.

    make bench-themes [ARGS="--games 12 --preset fast"]
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter

from analyzer import pgn, report
from analyzer.engine.lane import EngineConfig, EngineLane
from analyzer.report import GameReport, MoveReport
from analyzer.search.budget import PRESETS, Preset
from analyzer.search.game import GameSearch
from analyzer.themes.words import Theme
from analyzer.verdicts import ERRORS, Judgement
from servicekit import logs
from tests.bench import results
from tests.bench.bench_sync import pgns
from tests.support.searching import find_stockfish

_ROUNDS = 3  # the fastest counts: the others had company


async def searched(texts: list[str], preset: Preset) -> tuple[list[GameReport], int]:
    """The reports, and the nodes that were searched for them."""
    lane = EngineLane(EngineConfig(find_stockfish()))
    await lane.start()
    try:
        games = [pgn.parse(text) for text in texts]
        found = [await GameSearch(game, PRESETS[preset], {}).run(lane) for game in games]
    finally:
        await lane.close()
    reports = [report.build(game, each.evaluations) for game, each in zip(games, found, strict=True)]
    return reports, sum(each.nodes for each in found)


def processor_seconds(games: list[GameReport]) -> float:
    """To find the themes of all games once."""
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time()
        for game in games:
            for index, move in enumerate(game.moves):
                report.move_themes(game.game, index, move.before, move.after, move.phase, move.judgement)
        best = min(best, time.process_time() - began)
    return best


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=12)
    parser.add_argument("--preset", default="fast", choices=[preset.value for preset in Preset])
    options = parser.parse_args()
    logs.configure("bench", "warning")
    games, nodes = await searched(pgns(options.games), Preset(options.preset))
    moves = [move for game in games for move in game.moves]
    errors = [move for move in moves if move.judgement in ERRORS]
    praised = [move for move in moves if move.judgement in (Judgement.GREAT, Judgement.BRILLIANT)]
    of_errors = Counter(theme for move in errors for theme in move.themes)
    of_praised = Counter(theme for move in praised for theme in move.themes)
    seconds = processor_seconds(games)
    results.report(
        "themes",
        [
            {"theme": theme.value, "of errors": of_errors[theme], "of great moves": of_praised[theme]}
            for theme in sorted(Theme, key=lambda theme: -of_errors[theme] - of_praised[theme])
        ],
        note=f"{len(games)} games, {len(moves)} plies, preset {options.preset}",
        milliseconds_per_game=seconds / len(games) * 1000,
        share=seconds / (nodes / 1e6),
        blunders_with_a_theme=_named([move for move in errors if move.judgement is Judgement.BLUNDER]),
        errors_with_a_theme=_named(errors),
        great_moves_with_a_theme=_named(praised),
    )


def _named(moves: list[MoveReport]) -> float:
    """The share that has a theme."""
    return sum(bool(move.themes) for move in moves) / max(1, len(moves))


if __name__ == "__main__":
    asyncio.run(main())
