"""The evaluation graph: what each column, mark and label stands for."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from orchestrator.cli.graph import Point, evaluation_graph, legend
from rookify.analysis.v1 import analysis_pb2

BLUNDER = analysis_pb2.JUDGEMENT_BLUNDER
MISTAKE = analysis_pb2.JUDGEMENT_MISTAKE
INACCURACY = analysis_pb2.JUDGEMENT_INACCURACY


def game(*percents: float) -> list[Point]:
    return [Point(value, index // 2 + 1, index % 2 == 0) for index, value in enumerate(percents)]


def rows(points: list[Point], width: int = 80, height: int = 4) -> list[str]:
    return evaluation_graph(points, width=width, height=height).plain.split("\n")


def test_blocks_are_whites_share() -> None:
    assert rows(game(100, 50, 25, 0), width=9) == [
        "100 ┤█   ",
        " 50 ┤█   ",
        "    │██  ",
        "  0 ┤███ ",
        "     1",
    ]


def test_a_column_has_eight_steps_a_row() -> None:
    steps = [100 * eighth / 32 for eighth in range(9)]
    assert rows(game(*steps), width=14)[3] == "  0 ┤ ▁▂▃▄▅▆▇█"


def test_a_short_game_is_drawn_wide() -> None:
    assert rows(game(100, 0), width=80)[0] == "100 ┤████    "
    assert rows(game(100, 0), width=10)[0] == "100 ┤██  "


def test_a_long_game_shares_columns_and_keeps_to_the_width() -> None:
    lines = rows(game(*[100.0] * 400, *[0.0] * 400, *[50.0] * 400), width=80, height=2)
    assert lines[0] == "100 ┤" + "█" * 25 + " " * 50
    assert lines[1] == "  0 ┤" + "█" * 25 + " " * 25 + "█" * 25
    assert cell_len(lines[-1]) <= 80


def test_plies_that_share_a_column_are_averaged() -> None:
    assert rows(game(*[100.0, 0.0] * 100), width=25, height=2)[1] == "  0 ┤" + "█" * 20


def test_marks_stand_in_the_column_of_their_move_below_for_white_above_for_black() -> None:
    points = game(50, 50, 50, 50, 50, 50)
    points[2] = Point(20, 2, white_moved=True, judgement=BLUNDER)
    points[5] = Point(60, 3, white_moved=False, judgement=INACCURACY)
    lines = rows(points, width=11)
    assert lines[0] == "     " + "     ⁈"
    assert lines[-2] == "     " + "  ⁇"


def test_a_crowded_column_shows_the_worst() -> None:
    points = game(*[50.0] * 40)
    points[0] = Point(50, 1, white_moved=True, judgement=INACCURACY)
    points[2] = Point(50, 2, white_moved=True, judgement=BLUNDER)
    points[4] = Point(50, 3, white_moved=True, judgement=MISTAKE)
    lines = rows(points, width=5 + 4)  # ten plies a column
    assert lines[-2] == "     ⁇"


def test_every_mark_falls_into_the_column_that_shows_its_ply() -> None:
    for plies in (1, 7, 74, 75, 76, 149, 600):
        for index in (0, plies // 2, plies - 1):
            points = game(*[0.0] * plies)
            points[index] = Point(100, index // 2 + 1, white_moved=True, judgement=BLUNDER)
            lines = rows(points, width=80, height=1)
            mark = lines[1].index("⁇")
            assert lines[0][mark] != " ", (plies, index)


def test_move_numbers_are_at_their_moves() -> None:
    lines = rows(game(*[50.0] * 60), width=65)
    labels = lines[-1]
    for number in (5, 10, 15, 20, 25):
        assert labels[5 + 2 * (number - 1) :].startswith(f"{number} ") or number == 25
    assert labels.split() == ["1", "5", "10", "15", "20", "25", "30"]


def test_a_game_from_the_middle_starts_with_its_own_number() -> None:
    points = [Point(50, 40 + (index + 1) // 2, index % 2 == 1) for index in range(30)]  # Black to move
    assert rows(points, width=80)[-1].split()[0] == "40"


@pytest.mark.parametrize("value", [-20, 0, 100, 250])
def test_values_are_held_to_the_scale(value: float) -> None:
    lines = rows(game(value), width=6, height=2)
    assert lines[0][-1] == ("█" if value >= 100 else " ")


def test_no_moves_no_graph() -> None:
    assert evaluation_graph([], width=80).plain == ""


def test_a_terminal_too_narrow_for_anything_still_gets_one_column() -> None:
    assert rows(game(100, 100, 100), width=1, height=2)[0] == "100 ┤█"


def test_the_legend_names_the_marks_there_are() -> None:
    points = [Point(50, 1, True, INACCURACY), Point(50, 1, False, BLUNDER), Point(50, 2, True)]
    assert legend(points).plain == "⁇ blunder  ⁈ inaccuracy"
    assert legend(points[2:]).plain == ""
