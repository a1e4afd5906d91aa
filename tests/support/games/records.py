"""A played game written as chess.com and as lichess answer with it."""

from __future__ import annotations

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import chess

START = chess.STARTING_FEN


@dataclass(frozen=True, slots=True)
class Record:
    """One game, ready to be written in either platform's form. Times are UTC, ratings the platform's."""

    number: int
    white: str
    black: str
    white_rating: int
    black_rating: int
    result: str
    ending: str  # "checkmate", "stalemate", "resigned", "agreed", "timeout", "abandoned", …
    sans: tuple[str, ...]
    start_fen: str
    end_fen: str
    time_control: str  # "600", "180+2", "1/86400"
    time_class: str  # chess.com's word
    started: datetime
    rated: bool = True
    variant: str = "standard"  # "chess960", "fromPosition", or one that is left out
    event: str = "Live Chess"
    eco: str = ""

    @property
    def clocks(self) -> list[int]:
        """Centiseconds on the mover's clock after each ply, the same on every run; empty for daily games."""
        if "/" in self.time_control:
            return []
        base, _, increment = self.time_control.partition("+")
        rng = random.Random(self.number)
        left = [int(base) * 100, int(base) * 100]
        clocks = []
        for ply in range(len(self.sans)):
            side = ply % 2
            spent = min(int(rng.lognormvariate(0, 0.8) * int(base) * 1.2), left[side] - 10)
            left[side] += int(increment or 0) * 100 - max(spent, 10)
            clocks.append(left[side])
        return clocks

    @property
    def ended(self) -> datetime:
        """Live games take the time their clocks lost, daily ones half a day a ply."""
        if "/" in self.time_control:
            return self.started + timedelta(hours=12 * len(self.sans))
        base, _, increment = self.time_control.partition("+")
        clocks = [int(base) * 100] * 2 + self.clocks
        spent = 2 * int(base) * 100 - clocks[-1] - clocks[-2] + len(self.sans) * int(increment or 0) * 100
        return self.started + timedelta(seconds=max(spent // 100, 1))

    @property
    def first_is_black(self) -> bool:
        return self.start_fen.split()[1] == "b"

    def movetext(self) -> str:
        """As chess.com writes it: a clock after every half-move, and the number again before Black's."""
        words, clocks = [], self.clocks
        offset = int(self.first_is_black)
        number = int(self.start_fen.split()[5])
        for ply, san in enumerate(self.sans):
            turn = ply + offset
            dots = "..." if turn % 2 else "."
            if turn % 2 == 0 or ply == 0 or clocks:
                words.append(f"{number + turn // 2}{dots}")
            words.append(san)
            if clocks:
                words.append(f"{{[%clk {_clock(clocks[ply])}]}}")
        return " ".join([*words, self.result])


def chesscom(record: Record) -> dict[str, Any]:
    """One entry of a monthly archive."""
    kind = "daily" if record.time_class == "daily" else "live"
    url = f"https://www.chess.com/game/{kind}/{99_000_000_000 + record.number}"
    end = record.ended
    standard_setup = record.start_fen == START
    headers = {
        "Event": record.event,
        "Site": "Chess.com",
        "Date": record.started.strftime("%Y.%m.%d"),
        "Round": "-",
        "White": record.white,
        "Black": record.black,
        "Result": record.result,
        **({"Variant": "Chess960"} if record.variant == "chess960" else {}),
        **({} if standard_setup else {"SetUp": "1", "FEN": record.start_fen}),
        "CurrentPosition": record.end_fen,
        "Timezone": "UTC",
        **({"ECO": record.eco} if record.eco else {}),
        "UTCDate": record.started.strftime("%Y.%m.%d"),
        "UTCTime": record.started.strftime("%H:%M:%S"),
        "WhiteElo": str(record.white_rating),
        "BlackElo": str(record.black_rating),
        "TimeControl": record.time_control,
        "Termination": _termination(record),
        "StartTime": record.started.strftime("%H:%M:%S"),
        "EndDate": end.strftime("%Y.%m.%d"),
        "EndTime": end.strftime("%H:%M:%S"),
        "Link": url,
    }
    pgn = "".join(f'[{name} "{value}"]\n' for name, value in headers.items()) + f"\n{record.movetext()}\n"
    white, black = _chesscom_results(record)
    return {
        "url": url,
        "pgn": pgn,
        "time_control": record.time_control,
        "end_time": int(end.timestamp()),
        "rated": record.rated,
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, url)),
        "initial_setup": record.start_fen,
        "fen": record.end_fen,
        "time_class": record.time_class,
        "rules": "chess" if record.variant in {"standard", "fromPosition"} else record.variant,
        "white": _chesscom_side(record.white, record.white_rating, white),
        "black": _chesscom_side(record.black, record.black_rating, black),
    }


def lichess(record: Record) -> dict[str, Any]:
    """One line of an export, with all that any parameter may ask for but the PGN, which is made from it."""
    speed = "correspondence" if "/" in record.time_control else _speed(record.time_control)
    game: dict[str, Any] = {
        "id": _lichess_id(record.number),
        "rated": record.rated,
        "variant": record.variant,
        "speed": speed,
        "perf": speed if record.variant in {"standard", "fromPosition"} else record.variant,
        "createdAt": _milliseconds(record.started),
        "lastMoveAt": _milliseconds(record.ended),
        "status": {"checkmate": "mate", "resigned": "resign", "agreed": "draw", "timeout": "outoftime"}.get(
            record.ending, record.ending
        ),
        "source": "lobby",
        "players": {
            "white": _lichess_side(record.white, record.white_rating),
            "black": _lichess_side(record.black, record.black_rating),
        },
    }
    if record.start_fen != START:
        game["initialFen"] = record.start_fen
    if record.result in {"1-0", "0-1"}:
        game["winner"] = "white" if record.result == "1-0" else "black"
    if record.eco:
        game["opening"] = {"eco": record.eco, "name": "as the encyclopedia numbers it", "ply": 4}
    game["moves"] = " ".join(record.sans)
    if speed == "correspondence":
        game["daysPerTurn"] = 1
        return game
    base, _, increment = record.time_control.partition("+")
    game["clocks"] = record.clocks
    total = int(base) + 40 * int(increment or 0)
    game["clock"] = {"initial": int(base), "increment": int(increment or 0), "totalTime": total}
    return game


def month_of(entry: dict[str, Any]) -> str:
    return datetime.fromtimestamp(entry["end_time"], UTC).strftime("%Y-%m")


def sans_of(start: chess.Board, moves: Sequence[chess.Move]) -> tuple[tuple[str, ...], chess.Board]:
    """The moves in SAN, and the position after them."""
    board = start.copy()
    sans = tuple(board.san_and_push(move) for move in moves)
    return sans, board


def _clock(centiseconds: int) -> str:
    seconds, rest = divmod(centiseconds, 100)
    tenths = f".{rest // 10}" if rest // 10 else ""
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}{tenths}"


def _termination(record: Record) -> str:
    if record.result == "1/2-1/2":
        return f"Game drawn by {record.ending}"
    winner = record.white if record.result == "1-0" else record.black
    how = {"resigned": "by resignation", "timeout": "on time", "abandoned": "- game abandoned"}
    return f"{winner} won {how.get(record.ending, f'by {record.ending}')}"


def _chesscom_results(record: Record) -> tuple[str, str]:
    if record.result == "1/2-1/2":
        return record.ending, record.ending
    loser = {"checkmate": "checkmated"}.get(record.ending, record.ending)
    return ("win", loser) if record.result == "1-0" else (loser, "win")


def _chesscom_side(name: str, rating: int, result: str) -> dict[str, Any]:
    return {
        "rating": rating,
        "result": result,
        "@id": f"https://api.chess.com/pub/player/{name.lower()}",
        "username": name,
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, name.lower())),
    }


def _lichess_side(name: str, rating: int) -> dict[str, Any]:
    """A real user, the computer ("ai:3"), or nobody known ("?")."""
    if name == "?":
        return {}
    if name.startswith("ai:"):
        return {"aiLevel": int(name[3:])}
    return {"user": {"name": name, "id": name.lower()}, "rating": rating}


def _speed(time_control: str) -> str:
    base, _, increment = time_control.partition("+")
    seconds = int(base) + 40 * int(increment or 0)
    for limit, name in ((30, "ultraBullet"), (180, "bullet"), (480, "blitz"), (1500, "rapid")):
        if seconds < limit:
            return name
    return "classical"


def _lichess_id(number: int) -> str:
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"
    rng = random.Random(f"lichess {number}")
    return "".join(rng.choice(letters) for _ in range(8))


def _milliseconds(when: datetime) -> int:
    return int(when.timestamp()) * 1000
