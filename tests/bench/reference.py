"""Games with a reference: every position searched with far more nodes than any budget under test.

A folder as `tests/support/real_games.py` finds it: `chesscom/games-*.json`, archives as the platform answers
with them, and `reference/evaluations.json`, made by `python -m tests.bench.make_reference` or as it does.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analyzer import pgn
from analyzer.pgn import ParsedGame
from analyzer.scores import Centipawns, MateIn, Score, before_only_move
from analyzer.search.unsearched import over
from tests.bench.agreement import Judged
from tests.support.platforms.__main__ import SHIPPED
from tests.support.real_games import real_games

# What `python -m tests.bench.deepen_reference` found: positions by game and ply.
DEEPER = Path(__file__).with_name("deeper.json")
HALVES = ("tuning", "held-out", "all")


@dataclass(frozen=True, slots=True)
class ReferenceGame:
    """`reference`: one for each move; empty where the game has none."""

    url: str
    text: str
    game: ParsedGame
    reference: tuple[Judged, ...]


def folder() -> Path:
    """The real games where they are at hand, or those that ship with the project."""
    return real_games() or SHIPPED


def load(source: Path, half: str = "all", *, deepened: bool = False) -> list[ReferenceGame]:
    """The games that the reference holds, in its order; of a half every other one.

    Tuned on: the first, third, fifth … of the reference. Held out: the others. `deepened`: only those of
    deeper.json, with the doubtful positions as they are there.
    """
    file = source / "reference" / "evaluations.json"
    if not file.is_file():
        return []
    evaluations: dict[str, list[dict[str, Any]]] = json.loads(file.read_text())["games"]
    texts, better = archived(source), deeper() if deepened else {}
    games = [
        _with_reference(url, texts[url], positions, better.get(url, {}))
        for url, positions in evaluations.items()
    ]
    games = games if half == "all" else games[HALVES.index(half) :: 2]
    return [game for game in games if game.url in better] if deepened else games


def deeper() -> dict[str, dict[str, dict[str, Any]]]:
    """Positions searched with more nodes than the reference's, by game and ply."""
    if not DEEPER.is_file():
        return {}
    games: dict[str, dict[str, dict[str, Any]]] = json.loads(DEEPER.read_text())["games"]
    return games


def unjudged(source: Path, games: int) -> list[ReferenceGame]:
    """Playable games without a reference, the newest first."""
    found = []
    for url, text in archived(source).items():
        try:
            found.append(ReferenceGame(url, text, pgn.parse(text), ()))
        except pgn.UnplayableGame as error:
            print(f"left out: {url}: {error.message}")
        if len(found) == games:
            break
    return found


def archived(source: Path) -> dict[str, str]:
    """PGNs of standard games by url, the newest first."""
    months = [json.loads(file.read_text()) for file in (source / "chesscom").glob("games-*.json")]
    games = [game for month in months for game in month["games"]]
    games.sort(key=lambda game: game["end_time"], reverse=True)
    return {game["url"]: game["pgn"] for game in games if game.get("pgn") and game["rules"] == "chess"}


def _with_reference(
    url: str, text: str, positions: list[dict[str, Any]], better: dict[str, dict[str, Any]]
) -> ReferenceGame:
    game = pgn.parse(text)
    positions = [better.get(str(ply), position) for ply, position in enumerate(positions)]
    scores = [_score(game, position) for position in positions]
    # What is behind a forced move may have been searched deeper.
    for ply in reversed(range(game.plies if better else 0)):
        if game.moves[ply].forced:
            scores[ply] = before_only_move(scores[ply + 1], white=game.moves[ply].white)
    reference = tuple(
        Judged(scores[at], scores[at + 1], move.white, first_choice=positions[at]["best_uci"] == move.uci)
        for at, move in enumerate(game.moves)
    )
    return ReferenceGame(url, text, game, reference)


def _score(game: ParsedGame, position: dict[str, Any]) -> Score:
    if position.get("over"):
        end = over(game)
        assert end is not None
        return end.score
    return MateIn(position["mate_in"]) if "mate_in" in position else Centipawns(position["centipawns"])
