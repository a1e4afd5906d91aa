"""Where output goes: answers on stdout, everything else on stderr; styled on a terminal, plain elsewhere."""

from __future__ import annotations

import io
import sys
from typing import TextIO

from rich.console import Console
from rich.text import Text

from orchestrator.cli.grid import Grid


def stdout_console() -> Console:
    """Made anew for each command, so that it sees the sys.stdout, size and environment of now."""
    return Console(file=_tolerant(sys.stdout), highlight=False, markup=False, emoji=False)


def stderr_console() -> Console:
    return Console(file=_tolerant(sys.stderr), highlight=False, markup=False, emoji=False)


def say(*lines: Text | str, console: Console | None = None) -> None:
    """Lines of an answer; never cut or folded where they do not go to a terminal."""
    console = console or stdout_console()
    for line in lines:
        if console.is_terminal:
            console.print(line)
        else:
            _write_line(console, str(line).rstrip())


def note(*lines: Text | str) -> None:
    """Remarks beside the answer, on stderr."""
    say(*lines, console=stderr_console())


def show_grid(grid: Grid, *, console: Console | None = None) -> None:
    """A table: fitted to the terminal, or plain aligned lines."""
    console = console or stdout_console()
    if console.is_terminal:
        console.print(grid.to_table(console.width))
    else:
        for line in grid.to_lines():
            _write_line(console, line)


def _write_line(console: Console, line: str) -> None:
    """Whole and at once: a reader of the pipe sees it as it happens."""
    console.file.write(line + "\n")
    console.file.flush()


def _tolerant(stream: TextIO) -> TextIO:
    """A terminal that is not UTF-8 gets question marks for blocks and fractions, not a crash."""
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        stream.reconfigure(errors="replace")
    return stream
