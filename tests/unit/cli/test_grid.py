"""Tables: whole in a pipe, fitted on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from orchestrator.cli.grid import Column, Grid, fit


def a_grid() -> Grid:
    grid = Grid(
        [Column("id"), Column("player", shrinks=2), Column("n", right=True), Column("note", shrinks=1)]
    )
    grid.add(Text("a1", style="cyan"), "Kasparov, Garry Kimovich", "7", "a long remark that says a lot")
    grid.add("b2", "王 小明", "1,234", "")
    return grid


def on_terminal(grid: Grid, width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=True, color_system=None).print(grid.to_table(width))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_plain_lines_are_aligned_and_whole() -> None:
    assert list(a_grid().to_lines()) == [
        "id  player                        n  note",
        "a1  Kasparov, Garry Kimovich      7  a long remark that says a lot",
        "b2  王 小明                   1,234",
    ]


def test_a_wide_terminal_shows_all() -> None:
    lines = on_terminal(a_grid(), 100)
    assert len(lines) == 3
    assert not any("…" in line for line in lines)
    assert "a long remark that says a lot" in lines[1]


@pytest.mark.parametrize("width", [80, 60, 50, 40, 30])
def test_a_narrow_one_cuts_what_may_shrink_and_keeps_one_line_a_row(width: int) -> None:
    lines = on_terminal(a_grid(), width)
    assert len(lines) == 3
    assert all(cell_len(line) <= width for line in lines)
    assert lines[1].startswith("a1  Kasparo")
    assert "1,234" in lines[2]


def test_the_first_rank_gives_way_before_the_second() -> None:
    columns = [
        Column("a"),
        Column("b", shrinks=2, least=10),
        Column("c", shrinks=2, least=10),
        Column("d", shrinks=1),
    ]
    natural = [8, 30, 20, 40]
    assert fit(natural, columns, 104) == natural
    assert fit(natural, columns, 90) == [8, 30, 20, 26]
    assert fit(natural, columns, 72) == [8, 30, 20, 8]
    assert fit(natural, columns, 62) == [8, 20, 20, 8]
    assert fit(natural, columns, 52) == [8, 15, 15, 8]
    assert fit(natural, columns, 20) == [8, 10, 10, 8]  # no further: the rest is the terminal's to cut


def test_a_column_that_may_go_goes_rather_than_be_a_stump() -> None:
    columns = [Column("a"), Column("b", shrinks=1, least=0)]
    assert fit([10, 20], columns, 22) == [10, 10]
    assert fit([10, 20], columns, 16) == [10, 0]
    assert fit([10, 3], columns, 15) == [10, 3]


def test_what_a_dropped_column_leaves_goes_to_the_others() -> None:
    columns = [Column("a"), Column("b", shrinks=1, least=4), Column("c", shrinks=1, least=0)]
    assert fit([10, 20, 4], columns, 38) == [10, 20, 4]
    assert fit([10, 20, 4], columns, 30) == [10, 12, 4]
    assert fit([10, 20, 4], columns, 21) == [10, 9, 0]


def test_a_row_has_a_cell_for_each_column() -> None:
    with pytest.raises(ValueError, match="1 cells for 4 columns"):
        a_grid().add("x")
