"""A table as data, shown two ways: fitted to a terminal, or as plain aligned lines with nothing cut off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

Cell = Text | str
_GAP = 2  # cells between two columns


@dataclass(frozen=True, slots=True)
class Column:
    """`shrinks`: 0 never; where the terminal is narrow those with 1 give way first, then those with 2.

    No narrower than `least` cells; a column whose least is 0 is left out rather than shown as a stump.
    """

    header: str
    right: bool = False
    shrinks: int = 0
    least: int = 8


@dataclass(slots=True)
class Grid:
    columns: Sequence[Column]
    rows: list[Sequence[Cell]] = field(default_factory=list)

    def add(self, *cells: Cell) -> None:
        """One cell per column."""
        if len(cells) != len(self.columns):
            raise ValueError(f"{len(cells)} cells for {len(self.columns)} columns")
        self.rows.append(cells)

    def to_table(self, width: int) -> Table:
        """For a terminal `width` cells wide: one line a row; what does not fit ends in an ellipsis."""
        table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold underline")
        widths = fit(self._widths(), self.columns, width)
        kept = [index for index, column in enumerate(self.columns) if widths[index] or not column.shrinks]
        for index in kept:
            column = self.columns[index]
            table.add_column(
                column.header,
                justify="right" if column.right else "left",
                no_wrap=True,
                overflow="ellipsis",
                width=widths[index],
            )
        for row in self.rows:
            table.add_row(*(row[index] for index in kept))
        return table

    def to_lines(self) -> Iterator[str]:
        """For files and pipes: no styles, no trailing spaces."""
        widths = self._widths()
        for row in ([column.header for column in self.columns], *self.rows):
            cells = [
                _pad(str(cell), width, column.right)
                for cell, width, column in zip(row, widths, self.columns, strict=True)
            ]
            yield (" " * _GAP).join(cells).rstrip()

    def _widths(self) -> list[int]:
        """Of each column, to show all of it."""
        return [
            max([cell_len(column.header), *(cell_len(str(row[index])) for row in self.rows)])
            for index, column in enumerate(self.columns)
        ]


def fit(natural: Sequence[int], columns: Sequence[Column], width: int) -> list[int]:
    """Column widths that fill at most `width` cells, gaps included, as far as the columns can shrink.

    Within a rank the widest gives first, so that its columns end equally wide.
    """
    widths = list(natural)
    for rank in (1, 2):
        ranked = [index for index, column in enumerate(columns) if column.shrinks == rank]
        while (over := _total(widths) - width) > 0:
            able = [index for index in ranked if widths[index] > columns[index].least]
            if not able:
                break
            widest = max(able, key=lambda index: widths[index])
            widths[widest] -= 1 if len(able) > 1 else min(over, widths[widest] - columns[widest].least)
        stumps = {
            index for index in ranked if not columns[index].least and widths[index] < min(natural[index], 6)
        }
        if any(natural[index] for index in stumps):  # without them there may be room for the others again
            return fit([0 if i in stumps else each for i, each in enumerate(natural)], columns, width)
    return widths


def _total(widths: Sequence[int]) -> int:
    shown = [width for width in widths if width]
    return sum(shown) + _GAP * (len(shown) - 1)


def _pad(text: str, width: int, right: bool) -> str:
    space = " " * (width - cell_len(text))
    return space + text if right else text + space
