"""Makes the games that ship with the project, and checks that they are what they should be.

    python -m tests.support.games.make_games            writes chesscom/ and lichess/ beside this file
    python -m tests.support.games.make_games --check    only checks what is there

All games are of one player, PaulMorphy, from January to March 2024: his real ones (famous.py), and games of
the engine against itself (selfplay.py) in which the opponent is called WeakFish. The same engine makes the
same games on every run; Stockfish 15.1 made those that are committed.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import shutil
import sys
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import chess
import chess.engine
import chess.pgn

from tests.support.games.famous import FAMOUS, PLAYER, Famous
from tests.support.games.properties import missing_properties
from tests.support.games.records import START, Record, chesscom, lichess, month_of, sans_of
from tests.support.games.selfplay import Played, play

HERE = Path(__file__).parent
FIRST_DAY = datetime(2024, 1, 3, 17, 5, tzinfo=UTC)
FISCHER_RANDOM = "bqnnrbkr/pppppppp/8/8/8/8/PPPPPPPP/BQNNRBKR w KQkq - 0 1"
BLACK_TO_MOVE = "r1bqk2r/pppp1ppp/2n2n2/2b1p3/2B1P3/2PP1N2/PP3PPP/RNBQK2R b KQkq - 0 5"
# Seed, plies at most, time control, time class, player's color, rated. Seeds are chosen for the endings.
SELF_PLAY = (
    (1, 60, "600", "rapid", "black", True),
    (10, 60, "600", "rapid", "black", True),
    (21, 60, "300", "blitz", "white", True),
    (28, 60, "180+2", "blitz", "black", True),
    (35, 60, "60", "bullet", "white", True),
    (14, 56, "600", "rapid", "white", True),
    (39, 60, "300", "blitz", "black", True),
    (4, 44, "180", "blitz", "black", True),
    (7, 46, "60", "bullet", "black", True),
    (6, 40, "600", "rapid", "white", False),
    (12, 36, "900+10", "rapid", "white", True),
    (18, 42, "300", "blitz", "white", True),
)
LICHESS_SELF_PLAY = (
    (101, 40, "15", "bullet", "white", True),
    (102, 40, "60", "bullet", "black", True),
    (103, 44, "180", "blitz", "white", True),
    (104, 44, "300+3", "blitz", "black", False),
    (105, 40, "600", "rapid", "white", True),
    (106, 40, "1800", "rapid", "black", True),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    check_only = parser.parse_args().check
    logging.getLogger("chess.pgn").setLevel(logging.CRITICAL)  # one game is illegal on purpose
    if not check_only:
        write()
    missing = missing_properties(HERE)
    sys.stdout.write("".join(f"missing: {name}\n" for name in missing) or "all properties are there\n")
    sys.exit(bool(missing))


def write() -> None:
    stockfish = shutil.which("stockfish", path="/usr/games:/usr/local/bin:/usr/bin") or "stockfish"
    with chess.engine.SimpleEngine.popen_uci(stockfish) as engine:
        engine.configure({"Threads": 1, "Hash": 16})
        months: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for entry in chesscom_games(engine):
            months[month_of(entry)].append(entry)
        lines = lichess_games(engine)
    (HERE / "chesscom").mkdir(exist_ok=True)
    for month, entries in months.items():
        entries.sort(key=lambda entry: int(entry["end_time"]))
        text = json.dumps({"games": entries}, indent=1, ensure_ascii=False)
        (HERE / "chesscom" / f"games-{month}.json").write_text(text + "\n")
    (HERE / "lichess").mkdir(exist_ok=True)
    lines.sort(key=lambda game: int(game["createdAt"]), reverse=True)
    (HERE / "lichess" / "games.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))


def chesscom_games(engine: chess.engine.SimpleEngine) -> list[dict[str, Any]]:
    records = [_famous(number, game) for number, game in enumerate(FAMOUS)]
    for seed, plies, control, time_class, color, rated in SELF_PLAY:
        played = play(engine, seed, plies=plies)
        records.append(_self_play(len(records), played, control, time_class, color, rated=rated))
    lasker = play(engine, 3, plies=40, opening="d4 d5 c4 e5 dxe5 d4 e3 Bb4+ Bd2 dxe3 Bxb4 exf2+ Ke2 fxg1=N+")
    records.append(_self_play(len(records), lasker, "600", "rapid", "black"))
    records.append(
        _self_play(len(records), _castled_960(engine), "600", "rapid", "white", variant="chess960")
    )
    set_up = play(engine, 8, plies=40, start=chess.Board(BLACK_TO_MOVE))
    records.append(_self_play(len(records), set_up, "600", "rapid", "white", rated=False))
    daily = play(engine, 9, plies=24)
    records.append(_self_play(len(records), daily, "1/86400", "daily", "black"))
    entries = [chesscom(record) for record in records]
    return entries + _odd_ones(records)


def _odd_ones(records: list[Record]) -> list[dict[str, Any]]:
    """What a sync must cope with: no moves, no PGN at all, variants, an illegal move in the middle."""
    number, like = len(records), records[-5]
    empty = replace(like, number=number, sans=(), result="0-1", ending="abandoned", end_fen=like.start_fen)
    bare = chesscom(_on_day(replace(like, number=number + 1)))
    del bare["pgn"]
    house = replace(like, number=number + 2, variant="crazyhouse", time_class="blitz", time_control="300")
    hill = replace(like, number=number + 3, variant="kingofthehill", time_class="blitz", time_control="300")
    sans = (*like.sans[:11], "Kd5", *like.sans[12:])
    broken = replace(like, number=number + 4, sans=sans)
    rest = [chesscom(_on_day(record)) for record in (empty, house, hill, broken)]
    return [*rest, bare]


def lichess_games(engine: chess.engine.SimpleEngine) -> list[dict[str, Any]]:
    records = [
        replace(_famous(number, FAMOUS[index]), time_control="900+10")
        for number, index in enumerate((0, 1, 10, 15))
    ]
    for seed, plies, control, time_class, color, rated in LICHESS_SELF_PLAY:
        played = play(engine, seed, plies=plies)
        records.append(_self_play(len(records), played, control, time_class, color, rated=rated))
    castled = _castled_960(engine)
    records.append(_self_play(len(records), castled, "180+2", "blitz", "white", variant="chess960"))
    set_up = play(engine, 108, plies=36, start=chess.Board(BLACK_TO_MOVE))
    from_position = _self_play(
        len(records), set_up, "600", "rapid", "black", rated=False, variant="fromPosition"
    )
    records.append(replace(from_position, white="ai:3", white_rating=0))
    unknown = _self_play(len(records), play(engine, 109, plies=30), "300", "blitz", "white", rated=False)
    records.append(replace(unknown, black="?", black_rating=0))
    letters = play(engine, 110, plies=24)
    records.append(_self_play(len(records), letters, "1/86400", "daily", "black"))
    like = records[5]
    for status, variant, sans in (
        ("aborted", "standard", ()),
        ("resigned", "antichess", ("e3", "b5", "Bxb5")),
    ):
        odd = replace(like, number=len(records), ending=status, variant=variant, sans=sans)
        records.append(_on_day(replace(odd, result="*" if status == "aborted" else odd.result)))
    return [lichess(record) for record in records]


def _castled_960(engine: chess.engine.SimpleEngine) -> Played:
    """A chess960 game in which somebody castles."""
    start = chess.Board(FISCHER_RANDOM, chess960=True)
    for seed in range(200, 260):
        played = play(engine, seed, plies=44, start=start)
        board = start.copy()
        for move in played.moves:
            if board.is_castling(move):
                return played
            board.push(move)
    raise AssertionError("no chess960 game with castling among 60 seeds")


def _famous(number: int, game: Famous) -> Record:
    start = game.fen or START
    parsed = chess.pgn.read_game(io.StringIO(f'[SetUp "1"]\n[FEN "{start}"]\n\n{game.moves} {game.result}'))
    assert parsed is not None
    assert not parsed.errors, f"{game.white} - {game.black}: {parsed.errors}"
    sans, board = sans_of(parsed.board(), list(parsed.mainline_moves()))
    ending = "agreed" if game.result == "1/2-1/2" else "resigned"
    if board.is_checkmate():
        ending = "checkmate"
    elif board.is_stalemate():
        ending = "stalemate"
    elif len(sans) == 1:
        ending = "abandoned"
    ratings = {PLAYER: 1871}
    return _on_day(
        Record(
            number=number,
            white=game.white,
            black=game.black,
            white_rating=ratings.get(game.white, 1690 + 7 * number),
            black_rating=ratings.get(game.black, 1690 + 7 * number),
            result=game.result,
            ending=ending,
            sans=sans,
            start_fen=start,
            end_fen=board.fen(),
            time_control="900+10" if number % 3 else "600",
            time_class="rapid",
            started=FIRST_DAY,
            rated=not game.fen,
            event=game.event,
            eco=game.eco,
        )
    )


def _self_play(
    number: int,
    played: Played,
    control: str,
    time_class: str,
    color: str,
    *,
    rated: bool = True,
    variant: str = "standard",
) -> Record:
    sans, board = sans_of(played.start, played.moves)
    fish, rating = f"WeakFish{number % 7 + 1}", 1500 + 13 * (number % 11)
    return _on_day(
        Record(
            number=number,
            white=PLAYER if color == "white" else fish,
            black=fish if color == "white" else PLAYER,
            white_rating=1840 if color == "white" else rating,
            black_rating=rating if color == "white" else 1840,
            result=played.result,
            ending=played.ending,
            sans=sans,
            start_fen=played.start.shredder_fen() if variant == "chess960" else played.start.fen(),
            end_fen=board.shredder_fen() if variant == "chess960" else board.fen(),
            time_control=control,
            time_class=time_class,
            started=FIRST_DAY,
            rated=rated,
            variant=variant,
        )
    )


def _on_day(record: Record) -> Record:
    """A game every other day, at another minute each time, through the three months."""
    return replace(record, started=FIRST_DAY + timedelta(days=2 * record.number, minutes=17 * record.number))


if __name__ == "__main__":
    main()
