"""The PGN that lichess makes of a game it streams (`pgnInJson`), from the same JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

_VARIANTS = {"standard": "Standard", "fromPosition": "From Position", "kingOfTheHill": "King of the Hill"}


def pgn_of(game: dict[str, Any], *, clocks: bool, opening: bool = True) -> str:
    """Headers and movetext in lichess's order and spelling."""
    headers = _headers(game, opening=opening)
    lines = "".join(f'[{name} "{value}"]\n' for name, value in headers.items())
    return f"{lines}\n{_movetext(game, headers['Result'], clocks=clocks)}\n\n\n"


def _headers(game: dict[str, Any], *, opening: bool) -> dict[str, str]:
    created = datetime.fromtimestamp(game["createdAt"] / 1000, UTC)
    white, black = game["players"]["white"], game["players"]["black"]
    clock = game.get("clock")
    headers = {
        "Event": f"{'Rated' if game['rated'] else 'Casual'} {game['perf']} game",
        "Site": f"https://lichess.org/{game['id']}",
        "Date": created.strftime("%Y.%m.%d"),
        "White": _name(white),
        "Black": _name(black),
        "Result": {"white": "1-0", "black": "0-1"}.get(game.get("winner", ""), _no_winner(game["status"])),
        "GameId": game["id"],
        "UTCDate": created.strftime("%Y.%m.%d"),
        "UTCTime": created.strftime("%H:%M:%S"),
        "WhiteElo": str(white.get("rating", "?")),
        "BlackElo": str(black.get("rating", "?")),
        "Variant": _VARIANTS.get(game["variant"], game["variant"].capitalize()),
        "TimeControl": f"{clock['initial']}+{clock['increment']}" if clock else "-",
        "ECO": game.get("opening", {}).get("eco", "?"),
    }
    if opening:
        headers["Opening"] = game.get("opening", {}).get("name", "?")
    headers["Termination"] = {"outoftime": "Time forfeit", "aborted": "Abandoned"}.get(
        game["status"], "Normal"
    )
    if "initialFen" in game:
        headers |= {"FEN": game["initialFen"], "SetUp": "1"}
    return headers


def _name(side: dict[str, Any]) -> str:
    if "aiLevel" in side:
        return f"lichess AI level {side['aiLevel']}"
    return str(side.get("user", {}).get("name", "Anonymous"))


def _no_winner(status: str) -> str:
    return "*" if status in {"aborted", "noStart", "unknownFinish"} else "1/2-1/2"


def _movetext(game: dict[str, Any], result: str, *, clocks: bool) -> str:
    fen = game.get("initialFen", "8/8/8/8/8/8/8/8 w - - 0 1").split()
    times = game.get("clocks", []) if clocks else []
    words, number, black = [], int(fen[5]), fen[1] == "b"
    for ply, san in enumerate(game["moves"].split()):
        timed = ply < len(times)
        if not black or ply == 0 or timed:
            words.append(f"{number}{'...' if black else '.'}")
        words.append(san)
        if timed:
            seconds = times[ply] // 100
            words.append(f"{{ [%clk {seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}] }}")
        number, black = number + black, not black
    return " ".join([*words, result])
