"""An evaluation graph in Unicode blocks: White's win percent after each move. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from rookify.analysis.v1 import analysis_pb2

_BLOCKS = " ▁▂▃▄▅▆▇█"  # a cell filled from below by 0..8 eighths
_WHITE_ON_BLACK = "grey93 on grey27"
_GUTTER = 5  # "100 ┤"
_WIDEST_PLY = 4  # columns per ply in a short game, so that ten moves are not a smear
_LABEL_ROOM = 6  # columns between two move numbers

# One character each, the worst of a crowded column last. Annotation signs as every chess book has them.
_SIGNS: Mapping[analysis_pb2.Judgement.ValueType, tuple[str, str]] = {
    analysis_pb2.JUDGEMENT_GREAT: ("!", "green"),
    analysis_pb2.JUDGEMENT_BRILLIANT: ("‼", "bright_green"),
    analysis_pb2.JUDGEMENT_INACCURACY: ("⁈", "cyan"),
    analysis_pb2.JUDGEMENT_MISTAKE: ("?", "yellow"),
    analysis_pb2.JUDGEMENT_BLUNDER: ("⁇", "bright_red"),
}
_GRAVITY = tuple(_SIGNS)


@dataclass(frozen=True, slots=True)
class Point:
    """One move: White's win percent (0..100) after it, the move's number, who moved, and the verdict."""

    white_percent: float
    move_number: int
    white_moved: bool
    judgement: analysis_pb2.Judgement.ValueType = analysis_pb2.JUDGEMENT_UNSPECIFIED


def evaluation_graph(points: Sequence[Point], *, width: int, height: int = 8) -> Text:
    """White's part rises from below, Black's hangs from above; at most `width` cells wide.

    Black's judged moves are marked above the graph, White's below it, then come the move numbers. Without
    color it reads the same: blocks are White's, blank is Black's. Empty for a game without moves.
    """
    if not points:
        return Text()
    room = max(1, width - _GUTTER)
    plies = len(points)
    columns = plies * min(_WIDEST_PLY, room // plies) if plies <= room else room
    levels = [round(value / 100 * height * 8) for value in _column_values(points, columns)]
    lines = [_marks(points, columns, white=False)]
    for row in range(height - 1, -1, -1):
        cells = "".join(_BLOCKS[min(8, max(0, level - row * 8))] for level in levels)
        lines.append(Text.assemble((_axis_label(row, height), "dim"), (cells, _WHITE_ON_BLACK)))
    lines.append(_marks(points, columns, white=True))
    lines.append(_move_numbers(points, columns))
    return Text("\n").join(line for line in lines if line.plain.strip())


def legend(points: Sequence[Point]) -> Text:
    """What the marks of this game mean, as "⁇ blunder  ? mistake"; empty where there is none."""
    present = {point.judgement for point in points}
    parts = [
        Text.assemble((sign, style), " ", analysis_pb2.Judgement.Name(judgement)[len("JUDGEMENT_") :].lower())
        for judgement, (sign, style) in reversed(list(_SIGNS.items()))
        if judgement in present
    ]
    return Text("  ").join(parts)


def _column_values(points: Sequence[Point], columns: int) -> list[float]:
    """The percent of each column: a ply's own, or the mean of those that share the column."""
    values = []
    for column in range(columns):
        first = column * len(points) // columns
        last = max(first + 1, (column + 1) * len(points) // columns)
        shared = points[first:last]
        values.append(sum(min(100.0, max(0.0, point.white_percent)) for point in shared) / len(shared))
    return values


def _column_of(index: int, plies: int, columns: int) -> int:
    """The first column that shows the ply at `index`; undoes the division in `_column_values`."""
    return (
        index * columns // plies
        if columns >= plies
        else min(columns - 1, ((index + 1) * columns - 1) // plies)
    )


def _marks(points: Sequence[Point], columns: int, *, white: bool) -> Text:
    worst: dict[int, int] = {}
    for index, point in enumerate(points):
        if point.white_moved is white and point.judgement in _SIGNS:
            column = _column_of(index, len(points), columns)
            worst[column] = max(worst.get(column, 0), _GRAVITY.index(point.judgement))
    line = Text(" " * _GUTTER)
    for column in range(columns):
        sign, style = _SIGNS[_GRAVITY[worst[column]]] if column in worst else (" ", "")
        line.append(sign, style)
    line.rstrip()
    return line


def _axis_label(row: int, height: int) -> str:
    if row == height - 1:
        return "100 ┤"
    if row == 0:
        return "  0 ┤"
    return " 50 ┤" if row == height // 2 else "    │"


def _move_numbers(points: Sequence[Point], columns: int) -> Text:
    """Move numbers where there is room: the first, then round ones."""
    moves = points[-1].move_number - points[0].move_number + 1
    step = next(
        (n for n in (1, 2, 5, 10, 20, 25, 50, 100, 200, 500) if n * columns >= _LABEL_ROOM * moves), 1000
    )
    line = " " * _GUTTER
    for index, point in enumerate(points):
        starts_move = index == 0 or point.move_number != points[index - 1].move_number
        column = _GUTTER + _column_of(index, len(points), columns)
        label = str(point.move_number)
        fits = (len(line) < column or index == 0) and column + len(label) <= _GUTTER + columns
        if starts_move and (index == 0 or point.move_number % step == 0) and fits:
            line = line.ljust(column) + label
    return Text(line, style="dim")
