"""What the games that ship with the project must contain, so that the demo and the tests show it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import chess
import chess.pgn

from tests.support.platforms.lichess_pgn import pgn_of

Game = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A game with what a chess library makes of its PGN."""

    raw: Game
    game: chess.pgn.Game
    end: chess.Board
    sans: tuple[str, ...]

    @property
    def errors(self) -> bool:
        return bool(self.game.errors)


def read_chesscom(folder: Path) -> list[Game]:
    return [g for file in sorted(folder.glob("games-*.json")) for g in json.loads(file.read_text())["games"]]


def read_lichess(file: Path) -> list[Game]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def parse(raw: Game, pgn: str) -> Parsed:
    game = chess.pgn.read_game(io.StringIO(pgn))
    assert game is not None
    return Parsed(raw, game, game.end().board(), tuple(node.san() for node in game.mainline()))


def missing_properties(folder: Path) -> list[str]:
    """The names of the properties that the games in the folder lack."""
    raws = read_chesscom(folder / "chesscom")
    chesscom = [
        parse(raw, raw["pgn"]) for raw in raws if "pgn" in raw and raw["rules"] in {"chess", "chess960"}
    ]
    lines = read_lichess(folder / "lichess" / "games.ndjson")
    lichess = [parse(g, pgn_of(g, clocks=True)) for g in lines if g["variant"] != "antichess"]
    return [
        *_failing("chess.com", _CHESSCOM_RAW, raws),
        *_failing("chess.com", _BOTH, chesscom),
        *_failing("lichess", _LICHESS_RAW, lines),
        *_failing("lichess", _BOTH_WITHOUT_BROKEN, lichess),
    ]


def _failing(platform: str, tests: dict[str, Callable[[list[T]], bool]], games: list[T]) -> list[str]:
    return [f"{platform}: {name}" for name, holds in tests.items() if not holds(games)]


def _san(mark: str) -> Callable[[list[Parsed]], bool]:
    return lambda games: any(mark in san for g in games if not g.errors for san in g.sans)


def _en_passant(games: list[Parsed]) -> bool:
    return any(
        node.parent.board().is_en_passant(node.move)
        for g in games
        for node in g.game.mainline()
        if node.parent
    )


def _mates(result: str) -> Callable[[list[Parsed]], bool]:
    return lambda games: any(g.end.is_checkmate() and g.end.result() == result for g in games)


def _castled_960(games: list[Parsed]) -> bool:
    return any(g.end.chess960 and not g.errors and any("O-O" in san for san in g.sans) for g in games)


def _black_first(games: list[Parsed]) -> bool:
    return any(g.game.board().turn == chess.BLACK and g.sans for g in games)


def _clocks(games: list[Parsed]) -> bool:
    return any(all(node.clock() is not None for node in g.game.mainline()) for g in games if len(g.sans) > 10)


_BOTH_WITHOUT_BROKEN: dict[str, Callable[[list[Parsed]], bool]] = {
    "every PGN is legal": lambda games: not any(g.errors for g in games),
    "clocks after every half-move": _clocks,
    "en passant": _en_passant,
    "mate by White": _mates("1-0"),
    "mate by Black": _mates("0-1"),
    "stalemate": lambda games: any(g.end.is_stalemate() for g in games),
    "a chess960 game with castling": _castled_960,
    "a set-up position with Black to move": _black_first,
}
_BOTH: dict[str, Callable[[list[Parsed]], bool]] = {
    **{name: test for name, test in _BOTH_WITHOUT_BROKEN.items() if name != "every PGN is legal"},
    "exactly one PGN with an illegal move in the middle": lambda games: (
        sum(g.errors and len(g.sans) > 5 for g in games) == 1 and sum(g.errors for g in games) == 1
    ),
    "a promotion": _san("="),
    "a single move": lambda games: any(len(g.sans) == 1 for g in games),
    "a draw by agreement": lambda games: any(g.raw["white"]["result"] == "agreed" for g in games),
    "short games: 60 plies at most": lambda games: all(len(g.sans) <= 60 for g in games),
}
_CHESSCOM_RAW: dict[str, Callable[[list[Game]], bool]] = {
    "at least 36 games": lambda games: len(games) >= 36,
    "one player in all of them": lambda games: all(
        "PaulMorphy" in {g["white"]["username"], g["black"]["username"]} for g in games
    ),
    "three months": lambda games: len({g["end_time"] // 2_629_800 for g in games}) >= 3,
    "distinct urls": lambda games: len({g["url"] for g in games}) == len(games),
    "one without a PGN": lambda games: sum("pgn" not in g for g in games) == 1,
    "one without moves": lambda games: (
        sum(not parse(g, g["pgn"]).game.variations for g in games if "pgn" in g) == 1
    ),
    "two in variants": lambda games: len({g["rules"] for g in games} - {"chess", "chess960"}) == 2,
    "bullet, blitz, rapid and daily": lambda games: (
        {g["time_class"] for g in games} == {"bullet", "blitz", "rapid", "daily"}
    ),
    "an unrated one": lambda games: any(not g["rated"] for g in games),
}
_LICHESS_RAW: dict[str, Callable[[list[Game]], bool]] = {
    "at least 16 games": lambda games: len(games) >= 16,
    "one player in all of them": lambda games: all(
        "paulmorphy" in {side.get("user", {}).get("id") for side in g["players"].values()} for g in games
    ),
    "every speed": lambda games: (
        {g["speed"] for g in games}
        == {"ultraBullet", "bullet", "blitz", "rapid", "classical", "correspondence"}
    ),
    "an aborted one": lambda games: any(g["status"] == "aborted" and not g["moves"] for g in games),
    "one in a variant": lambda games: any(g["variant"] == "antichess" for g in games),
    "the computer as opponent": lambda games: any(
        "aiLevel" in s for g in games for s in g["players"].values()
    ),
    "an unknown opponent": lambda games: any(not s for g in games for s in g["players"].values()),
}
