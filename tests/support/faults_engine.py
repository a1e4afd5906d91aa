"""The real Stockfish behind a wrapper that misbehaves when it is told to.

engine = TroubledEngine.make(folder)
...ROOKIFY_STOCKFISH=str(engine.path)...
engine.arm("garbage")       the next search of any engine goes wrong, once
engine.armed                False once it has
engine.poison("e2e4 e7e5")  any search behind these moves ends its engine, from now on
engine.poisoned             how many it has ended
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orchestrator.local.processes import alive
from tests.support.searching import find_stockfish

Trouble = Literal[
    "garbage",  # bytes that are no UCI, then a best move without a score
    "close",  # closes its output and stays
    "no_score",  # a legal-looking best move and nothing else
    "stop",  # SIGSTOP, as the search begins
    "die",  # exits as the search begins
]

# Stockfish writes to the wrapper's own output; only what it is told goes through here.
_SCRIPT = """#!{python} -IS
import ctypes, os, signal, subprocess, sys, time

FOLDER = {folder!r}
prctl, PR_SET_PDEATHSIG = ctypes.CDLL(None).prctl, 1
# Killed with this process: one that is stopped would not even see its input end.
engine = subprocess.Popen(
    [{stockfish!r}], stdin=subprocess.PIPE, preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
)
TAKEN = FOLDER + "/taken." + str(os.getpid()) + "." + str(engine.pid)
position = ""


def leave(code):
    engine.kill()
    engine.wait()
    os._exit(code)


def say(text):
    os.write(1, text)


def poisoned():
    try:
        with open(FOLDER + "/poison") as file:
            return "moves " + file.read() in position
    except FileNotFoundError:
        return False


def trouble():
    try:
        os.rename(FOLDER + "/armed", TAKEN)  # one engine alone gets it
    except FileNotFoundError:
        return ""
    with open(TAKEN) as file:
        return file.read()


for line in sys.stdin:
    if line.startswith("position"):
        position = line
    if line.startswith("go"):
        if poisoned():
            with open(FOLDER + "/poisoned", "a") as file:
                file.write("x")
            leave(3)
        kind = trouble()
        if kind == "die":
            leave(3)
        elif kind == "stop":
            os.kill(engine.pid, signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGSTOP)
        elif kind == "close":
            engine.kill()
            engine.wait()
            os.close(1)
            time.sleep(1000)
        elif kind == "garbage":
            say(b"\\xff\\x00info score\\n\\x80\\xfe depth cp mate\\ninfo depth 9 score cp banana pv e2e4\\n")
            say(b"bestmove \\xff\\xfe\\n")
            continue
        elif kind == "no_score":
            say(b"info depth 9 nodes 1000 nps 100000 time 10\\nbestmove e2e4\\n")
            continue
    engine.stdin.write(line.encode())
    engine.stdin.flush()
leave(0)
"""


@dataclass(frozen=True, slots=True)
class TroubledEngine:
    folder: Path

    @classmethod
    def make(cls, folder: Path) -> TroubledEngine:
        folder.mkdir(exist_ok=True)
        engine = cls(folder)
        script = _SCRIPT.format(python=sys.executable, folder=str(folder), stockfish=find_stockfish())
        engine.path.write_text(script)
        engine.path.chmod(0o755)
        return engine

    @property
    def path(self) -> Path:
        return self.folder / "engine"

    def arm(self, trouble: Trouble) -> None:
        """By rename, so that no engine reads half of it."""
        assert not self.armed, "the trouble before has not come yet"
        partial = self.folder / "arming"
        partial.write_text(trouble)
        partial.rename(self.folder / "armed")

    @property
    def armed(self) -> bool:
        return (self.folder / "armed").exists()

    def poison(self, moves: str) -> None:
        """`moves` from the start of a game, in UCI."""
        partial = self.folder / "mixing"
        partial.write_text(moves)
        partial.rename(self.folder / "poison")

    def left(self) -> list[int]:
        """Of the processes that took a trouble so far, the wrappers and their Stockfishes, those that run.

        A Stockfish outlives its wrapper as a zombie until init looks for it, which may take init seconds.
        """
        taken = [int(pid) for file in self.folder.glob("taken.*") for pid in file.name.split(".")[1:]]
        return [pid for pid in taken if alive(pid)]

    @property
    def poisoned(self) -> int:
        """Engines that the poison has cost."""
        file = self.folder / "poisoned"
        return len(file.read_text()) if file.exists() else 0
