"""Makes a reference: every position of some games searched with many nodes, the last first.

    python -m tests.bench.make_reference FOLDER --games 10 [--nodes 1000000] [--hash-mb 256] [--workers 2]

Of the games in FOLDER/chesscom the newest; what is in FOLDER/reference/evaluations.json already is kept. One
core searches about a million nodes a second, and a game has about 75 positions.
"""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analyzer.scores import Centipawns, MateIn, Score, flipped
from tests.bench import reference
from tests.bench.ways import BareEngine, on_engines, positions
from tests.support.searching import find_stockfish


def searched(process: BareEngine, game: reference.ReferenceGame, nodes: int) -> list[dict[str, Any]]:
    """One for each position, the start first; scores from White's point of view."""
    found: list[dict[str, Any]] = []
    process.new_game()
    for ply, command in reversed(list(enumerate(positions(game)))):
        board = game.game.boards[ply]
        if ply == game.game.plies and (board.is_checkmate() or game.game.drawn_at_end):
            found.append({"over": True, "checkmate": board.is_checkmate()})
            continue
        score, best, depth, _ = process.search(command, f"go nodes {nodes}")
        found.append(as_told(score, best, depth, white=board.turn))
    return found[::-1]


def as_told(score: Score, best: str, depth: int, *, white: bool) -> dict[str, Any]:
    """`score` is the mover's; what is told is White's."""
    told: dict[str, Any] = {}
    match score if white else flipped(score):
        case Centipawns(value):
            told = {"centipawns": value}
        case MateIn(moves):
            told = {"mate_in": moves}
    return {**told, "best_uci": best, "depth": depth}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--games", type=int, default=10)
    parser.add_argument("--nodes", type=int, default=1_000_000)
    parser.add_argument("--hash-mb", type=int, default=256)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    engine = find_stockfish()
    file = options.folder / "reference" / "evaluations.json"
    games: dict[str, Any] = json.loads(file.read_text())["games"] if file.is_file() else {}
    missing = [game for game in reference.unjudged(options.folder, options.games) if game.url not in games]
    lock = threading.Lock()

    def search(process: BareEngine, game: reference.ReferenceGame) -> None:
        found = searched(process, game, options.nodes)
        with lock:
            games[game.url] = found
            _write(file, games, process.name, options.nodes, options.hash_mb)
            print(f"{game.url}: {len(found)} positions", flush=True)

    on_engines(engine, options.hash_mb, options.workers, missing, search)


def _write(file: Path, games: dict[str, Any], engine: str, nodes: int, hash_mb: int) -> None:
    """One position to a line, so that a change can be read."""
    head = {
        "engine": engine,
        "nodes_per_position": nodes,
        "hash_mb": hash_mb,
        "order": "last position first, hash kept within a game",
    }
    file.parent.mkdir(exist_ok=True)
    texts = {
        url: "[\n" + ",\n".join(json.dumps(position) for position in found) + "\n]"
        for url, found in games.items()
    }
    write_games(file, head, texts)


def write_games(file: Path, head: Mapping[str, object], games: Mapping[str, str]) -> None:
    """`games`: JSON by url. Never half: hours of searching are in it."""
    body = ",\n".join(f"{json.dumps(url)}: {text}" for url, text in games.items())
    new = file.with_suffix(".new")
    new.write_text(json.dumps(head)[:-1] + f', "games": {{\n{body}\n}}}}\n')
    new.replace(file)


if __name__ == "__main__":
    main()
