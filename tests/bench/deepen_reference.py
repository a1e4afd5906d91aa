"""Searches a reference's doubtful positions with more nodes, the last of a game first.

    python -m tests.bench.deepen_reference FOLDER [--half held-out] [--nodes 4000000] [--within .03]

Doubtful are both sides of a move whose loss of winning chance is within `--within` of a threshold, or of
which one side only is a mate: there the verdict of 1,000,000 nodes is a throw of dice. What is found goes to
tests/bench/deeper.json, for `make bench-budget ARGS=--deeper`; what is there already is kept.
"""

from __future__ import annotations

import argparse
import json
import threading
from pathlib import Path
from typing import Any

from analyzer.scores import Centipawns
from analyzer.search.unsearched import over
from analyzer.verdicts import THRESHOLDS, chance_lost
from tests.bench import reference
from tests.bench.agreement import Judged
from tests.bench.make_reference import as_told, write_games
from tests.bench.ways import BareEngine, on_engines, positions
from tests.support.searching import find_stockfish


def doubtful(move: Judged, within: float) -> bool:
    known = [isinstance(score, Centipawns) for score in (move.before, move.after)]
    if not all(known):
        return any(known) and not move.first_choice
    lost = chance_lost(move.before, move.after, white=move.white)
    near = min(abs(lost - least) for least, _ in THRESHOLDS)
    # A first choice is no error, but another search may choose otherwise.
    return near <= within or (move.first_choice and lost >= THRESHOLDS[-1][0])


def doubtful_positions(game: reference.ReferenceGame, within: float) -> list[int]:
    """By ply, the last first. A position with one legal move is worth what the next one is."""
    wanted = set()
    for ply, move in enumerate(game.reference):
        if not doubtful(move, within):
            continue
        for side in (ply, ply + 1):
            while side < game.game.plies and game.game.moves[side].forced:
                side += 1
            wanted.add(side)
    if over(game.game) is not None:
        wanted.discard(game.game.plies)
    return sorted(wanted, reverse=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--half", default="held-out", choices=reference.HALVES)
    parser.add_argument("--nodes", type=int, default=4_000_000)
    parser.add_argument("--within", type=float, default=0.03)
    parser.add_argument("--hash-mb", type=int, default=256)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    engine = find_stockfish()
    games: dict[str, Any] = reference.deeper()
    missing = [game for game in reference.load(options.folder, options.half) if game.url not in games]
    lock = threading.Lock()

    def search(process: BareEngine, game: reference.ReferenceGame) -> None:
        commands, found = positions(game), {}
        process.new_game()
        for ply in doubtful_positions(game, options.within):
            score, best, depth, _ = process.search(commands[ply], f"go nodes {options.nodes}")
            found[str(ply)] = as_told(score, best, depth, white=game.game.boards[ply].turn)
        with lock:
            games[game.url] = found
            head = {"engine": process.name, "nodes_per_position": options.nodes}
            write_games(reference.DEEPER, head, {url: json.dumps(games[url]) for url in sorted(games)})
            print(f"{game.url}: {len(found)} positions", flush=True)

    on_engines(engine, options.hash_mb, options.workers, missing, search)


if __name__ == "__main__":
    main()
