"""An engine that behaves as told: a real process speaking UCI, for what no healthy Stockfish shows.

    path = scripted_engine(tmp_path, [["good", "die"], ["good"]])

The first process answers its first search well and dies in the second, the next one answers all of them. The
last process and the last behavior repeat. `starts(tmp_path)` counts the processes started so far, and
`commands(tmp_path)` is what they were told.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

Behavior = Literal[
    "good",  # the first legal move in alphabetical order, 25 centipawns for the side to move
    "slow",  # as "good", after a while
    "illegal_instruction",  # as a build for another processor
    "die",  # exits with code 3 in the middle of a search
    "hang",  # says nothing more, and does not read either
    "close",  # closes its output and stays
    "garbage",  # bytes that are no UCI, then a best move without a score
    "bounds",  # only lower and upper bounds
    "illegal",  # a best move that is not legal
    "none",  # "bestmove (none)"
    "false_mate",  # says that a move mates which does not
    "false_mate_in_2",  # a line of three moves that ends in no mate
    "false_mated",  # a line of two moves, both legal, that ends in no mate
    "broken_mate",  # a mate by a line that cannot be played
    "only_move",  # as "good", and with `searchmoves` 80 centipawns against the side to move
    "unasked",  # a legal move that is none of `searchmoves`
    "flood",  # megabytes without an answer
    "endless",  # searches until `stop`, then answers well
]

_SCRIPT = """#!{python}
import os, signal, sys, time
import chess

PLANS = {plans!r}
FOLDER = {folder!r}

with open(os.path.join(FOLDER, "starts"), "a+") as file:
    file.write("x")
    file.flush()
    file.seek(0)
    number = len(file.read())
plan = PLANS[min(number, len(PLANS)) - 1]
heard = open(os.path.join(FOLDER, "commands"), "a")
searches = 0
board = chess.Board()
chess960 = False


def say(text):
    sys.stdout.write(text + "\\n")
    sys.stdout.flush()


def info(score, line=None):
    told = " nodes 1000 nps 100000 time 10 pv " + (line or best)
    return "info depth 9 seldepth 9 multipv 1 score " + score + told


def line(plies):
    at = board.copy()
    for _ in range(plies):
        at.push_uci(min(at.uci(move) for move in at.legal_moves))
    return " ".join(move.uci() for move in at.move_stack[len(board.move_stack):])


for line in sys.stdin:
    heard.write(line)
    heard.flush()
    words = line.split()
    if words[:1] == ["uci"]:
        if plan == ["mute"]:
            time.sleep(1000)
        say("id name Scripted 1.0")
        say("option name Hash type spin default 16 min 1 max 64")
        say("option name UCI_Chess960 type check default false")
        say("uciok")
    elif words[:1] == ["isready"]:
        say("readyok")
    elif words[:3] == ["setoption", "name", "UCI_Chess960"]:
        chess960 = words[-1] == "true"
    elif words[:2] == ["position", "fen"]:
        at = words.index("moves") if "moves" in words else len(words)
        board = chess.Board(" ".join(words[2:at]), chess960=chess960)
        for move in words[at + 1 :]:
            board.push_uci(move)
    elif words[:1] == ["go"]:
        legal = [board.uci(move) for move in board.legal_moves]
        asked = words[words.index("searchmoves") + 1 :] if "searchmoves" in words else legal
        best = min(asked)
        behavior = plan[min(searches, len(plan) - 1)]
        searches += 1
        if behavior == "good":
            say(info("cp 25"))
            say("bestmove " + best)
        elif behavior == "slow":
            time.sleep(0.1)
            say(info("cp 25"))
            say("bestmove " + best)
        elif behavior == "illegal_instruction":
            os.kill(os.getpid(), signal.SIGILL)
        elif behavior == "die":
            say(info("cp 25"))
            os._exit(3)
        elif behavior == "hang":
            time.sleep(1000)
        elif behavior == "close":
            os.close(1)
            time.sleep(1000)
        elif behavior == "garbage":
            sys.stdout.buffer.write(b"\\xff\\x00 info bestmove score\\nsegfault? score\\n" * 20)
            say("bestmove " + best)
        elif behavior == "bounds":
            say(info("cp 25 lowerbound"))
            say(info("cp 20 upperbound"))
            say("bestmove " + best)
        elif behavior == "illegal":
            say(info("cp 25"))
            say("bestmove e1e8")
        elif behavior == "none":
            say("bestmove (none)")
        elif behavior == "false_mate":
            say(info("mate 1"))
            say("bestmove " + best)
        elif behavior == "false_mate_in_2":
            say(info("mate 2", line(3)))
            say("bestmove " + best)
        elif behavior == "false_mated":
            say(info("mate -1", line(2)))
            say("bestmove " + best)
        elif behavior == "broken_mate":
            say(info("mate 2", best + " " + best + " " + best))
            say("bestmove " + best)
        elif behavior == "only_move":
            say(info("cp -80" if "searchmoves" in words else "cp 25"))
            say("bestmove " + best)
        elif behavior == "unasked":
            best = min(set(legal) - set(asked), default=best)
            say(info("cp 25"))
            say("bestmove " + best)
        elif behavior == "flood":
            for _ in range(20000):
                say("info string " + "x" * 500)
    elif words[:1] == ["stop"] and plan[min(searches, len(plan)) - 1] == "endless":
        say(info("cp 25"))
        say("bestmove " + best)
    elif words[:1] == ["quit"]:
        break
"""


def scripted_engine(folder: Path, plans: Sequence[Sequence[Behavior | Literal["mute"]]]) -> str:
    """Writes the engine into `folder`; its path. A process whose plan is ["mute"] never greets."""
    path = folder / "engine"
    plain = json.loads(json.dumps([list(plan) for plan in plans]))
    path.write_text(_SCRIPT.format(python=sys.executable, plans=plain, folder=str(folder)))
    path.chmod(0o755)
    return str(path)


def starts(folder: Path) -> int:
    """Processes started so far."""
    file = folder / "starts"
    return len(file.read_text()) if file.exists() else 0


def commands(folder: Path) -> list[str]:
    """All commands that the processes were given, in order."""
    return (folder / "commands").read_text().splitlines()
