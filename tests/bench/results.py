"""What every bench does with its figures: a table for people, bench-results/NAME.json for programs."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

_FOLDER = Path(__file__).parents[2] / "bench-results"


def report(name: str, rows: Sequence[Mapping[str, Any]], *, note: str = "", **figures: Any) -> None:
    """Prints the rows and figures, and writes them with the machine and the time."""
    table = Table(title=f"bench-{name}", caption=note)
    for column in rows[0]:
        table.add_column(column, justify="left" if isinstance(rows[0][column], str) else "right")
    for row in rows:
        table.add_row(*(_shown(value) for value in row.values()))
    console = Console(width=130)
    console.print(table)
    for key, value in figures.items():
        console.print(f"{key}: {_shown(value)}")
    _FOLDER.mkdir(exist_ok=True)
    content = {
        "name": name,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "rows": list(rows),
        **figures,
    }
    (_FOLDER / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
