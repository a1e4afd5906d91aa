"""How long each move took, from the clocks in the PGN. Pure."""

from __future__ import annotations

import re

from analyzer.pgn import ParsedGame

# "600", "180+2": seconds. At most eight digits, three years; more is nobody's, and may be beyond any float.
_TIME_CONTROL = re.compile(r"(\d{1,8})(?:\+(\d{1,8}(?:\.\d{1,9})?))?")
_ROUNDING = 1.0  # seconds: lichess cuts the clocks in a PGN to whole ones


def seconds_spent(game: ParsedGame) -> list[float | None]:
    """For each move, at least 0; None where the PGN does not say.

    It says by the mover's clocks before and after the move, and a time control of one base time with or
    without increment. A move that gained time beyond its increment has None: somebody gave it.
    """
    match = _TIME_CONTROL.fullmatch(game.header("TimeControl").strip())
    if match is None:
        return [None] * game.plies
    base, increment = float(match[1]), float(match[2] or 0)
    increments: dict[bool, float] = {}
    clocks: dict[bool, float | None] = {}
    spent: list[float | None] = []
    for move in game.moves:
        side, clock = move.white, move.clock
        if side not in clocks:
            # On lichess a side's first move takes no time, and who goes berserk has half of it, no increment.
            increments[side] = 0.0 if clock == base / 2 else increment
            clocks[side] = clock - increments[side] if clock in (base, base / 2) else base
        spent.append(_spent(clocks[side], clock, increments[side]))
        clocks[side] = clock
    return spent


def _spent(before: float | None, after: float | None, increment: float) -> float | None:
    if before is None or after is None:
        return None
    seconds = before + increment - after
    return round(max(0.0, seconds), 1) if seconds > -_ROUNDING else None
