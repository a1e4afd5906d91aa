"""Writes analyzer/src/analyzer/openings.tsv from lichess's opening names: `openings.py FOLDER` with them.

Source: https://github.com/lichess-org/chess-openings, a.tsv to e.tsv with columns eco, name, pgn; CC0 1.0.
The table that ships is its state of June 2025 as eco.json collects it (entries with `src` eco_tsv): 3,523
positions. Of twelve it holds two versions; the later one is taken.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import chess
import chess.pgn

TABLE = Path(__file__).resolve().parent.parent / "analyzer" / "src" / "analyzer" / "openings.tsv"


def main(folder: Path) -> int:
    rows = sorted(row for source in folder.glob("[a-e].tsv") for row in read(source))
    if not rows:
        print(f"no a.tsv to e.tsv in {folder}", file=sys.stderr)
        return 1
    if len({epd for _, _, epd in rows}) != len(rows):
        print("a position has two names", file=sys.stderr)
        return 1
    TABLE.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
    print(f"{len(rows):,} openings, {TABLE.stat().st_size:,} bytes")
    return 0


def read(source: Path) -> Iterator[tuple[str, str, str]]:
    """ECO code, name, and the position as EPD, its en passant square only where it can be taken."""
    with source.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            game = chess.pgn.read_game(io.StringIO(row["pgn"]))
            if game is None or game.errors:
                raise SystemExit(f"{source.name}: cannot be played: {row['pgn']}")
            yield row["eco"], row["name"], game.end().board().epd()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
