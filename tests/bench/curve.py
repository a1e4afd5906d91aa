"""The curve of a budget bench as SVG: nodes for each ply (logarithmic) against F1 and equal labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

_WIDTH, _HEIGHT = 420, 330  # of one panel, its axes included
_LEFT, _TOP, _RIGHT, _BOTTOM = 50, 30, 20, 45
_COLORS = {"nodes": "#7a7a7a", "depth": "#3b74b8", "old": "#b8723b"}  # anything else is a preset
_PRESET = "#b83b5e"


def svg(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as of `bench_budget`. Those of one kind (`nodes:…`, `depth:…`, presets) are joined by a line."""
    panels = (_panel(rows, "F1", "F1 of mistake or worse", 0), _panel(rows, "equal", "equal labels", _WIDTH))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * _WIDTH} {_HEIGHT}" '
        'font-family="sans-serif" font-size="11" fill="#333">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n{"".join(panels)}</svg>\n'
    )


def _panel(rows: Sequence[Mapping[str, Any]], key: str, title: str, shift: int) -> str:
    nodes: list[float] = [math.log10(row["nodes/ply"]) for row in rows]
    low_x, high_x = math.floor(min(nodes) * 5) / 5, math.ceil(max(nodes) * 5) / 5
    values: list[float] = [row[key] for row in rows]
    low_y, high_y = math.floor(min(values) * 50) / 50, math.ceil(max(values) * 50) / 50

    def x(value: float) -> float:
        return shift + _LEFT + (math.log10(value) - low_x) / (high_x - low_x) * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (value - low_y) / (high_y - low_y) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [f'<text x="{shift + _LEFT}" y="18" font-size="13">{title}</text>\n']
    for step in range(round((high_y - low_y) * 50) + 1):
        value = low_y + step / 50
        parts.append(
            f'<path d="M{shift + _LEFT} {y(value):.1f}H{shift + _WIDTH - _RIGHT}" stroke="#e4e4e4"/>'
            f'<text x="{shift + _LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.2f}</text>\n'
        )
    marks = (digit * 10**zeros for zeros in range(2, 8) for digit in (1, 2, 5))
    parts += [
        f'<path d="M{x(value):.1f} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="#e4e4e4"/>'
        f'<text x="{x(value):.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{_short(value)}</text>\n'
        for value in marks
        if low_x <= math.log10(value) <= high_x
    ]
    middle = shift + (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">nodes for each ply</text>\n')
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row["nodes/ply"]):
        name = row["way"].partition(":")[0]
        kinds.setdefault(_COLORS.get(name, _PRESET), []).append(row)
    for color, group in kinds.items():
        points = " ".join(f"{x(row['nodes/ply']):.1f},{y(row[key]):.1f}" for row in group)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5"/>\n')
    for color, group in kinds.items():  # above all lines, so that no line runs through a label
        for row in group:
            at = x(row["nodes/ply"]), y(row[key])
            # The last labels stand left of their points, so that they stay in the picture.
            side = (-6, "end") if at[0] > shift + _WIDTH - 90 else (6, "start")
            parts.append(
                f'<circle cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="3" fill="{color}"/>'
                f'<text x="{at[0] + side[0]:.1f}" y="{at[1] + 12:.1f}" text-anchor="{side[1]}" '
                f'fill="{color}" stroke="#fff" stroke-width="3" paint-order="stroke">'
                f"{row['way'].replace(':', ' ')}</text>\n"
            )
    return "".join(parts)


def _short(value: float) -> str:
    return f"{value / 1000:g}k" if value < 1_000_000 else f"{value / 1_000_000:g}M"
