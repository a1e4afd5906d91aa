"""Time spent per move, as chess.com's and lichess's clocks tell it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyzer import pgn
from analyzer.clocks import seconds_spent


def spent(control: str, *clocks: str) -> list[float | None]:
    """Of 1. Nf3 Nf6 2. Ng1 Ng8 … with these clocks; an empty one is missing."""
    sans = ("Nf3", "Nf6", "Ng1", "Ng8")
    moves = " ".join(
        f"{sans[ply % 4]} {{[%clk {clock}]}}" if clock else sans[ply % 4] for ply, clock in enumerate(clocks)
    )
    return seconds_spent(pgn.parse(f'[TimeControl "{control}"]\n\n{moves}'))


@pytest.mark.parametrize(
    ("control", "clocks", "seconds"),
    [
        # chess.com: the first move counts, and has its increment
        ("180+2", ["0:02:59.9", "0:03:01", "0:02:58.1", "0:02:00"], [2.1, 1.0, 3.8, 63.0]),
        ("600", ["0:09:50", "0:09:59.3", "0:09:50"], [10.0, 0.7, 0.0]),
        # lichess: the first move takes no time; half the time is berserk, without increment
        ("180+2", ["0:03:00", "0:01:30", "0:03:01", "0:01:20"], [0.0, 0.0, 1.0, 10.0]),
        # a clock that gained more than its increment was changed by hand
        ("60+1", ["0:00:50", "0:00:50", "0:01:10", "0:00:45"], [11.0, 11.0, None, 6.0]),
        # whole seconds may seem to gain one
        ("60", ["0:00:50", "0:00:50", "0:00:50.9"], [10.0, 10.0, 0.0]),
        ("600", ["0:09:50", "", "0:09:40", "0:09:00"], [10.0, None, 10.0, None]),
        ("5400+30", ["1:30:00", "1:20:15"], [0.0, 615.0]),
        ("1/86400", ["23:00:00", "22:00:00"], [None, None]),
        ("40/7200:3600", ["1:50:00", "1:40:00"], [None, None]),
        ("1209600", ["335:59:00"], [60.0]),
        ("9" * 400, ["0:01:00"], [None]),  # beyond any float
        ("60+" + "9" * 400, ["0:01:00"], [None]),
        ("-", ["0:01:00"], [None]),
        ("?", ["0:01:00"], [None]),
        ("", ["0:01:00"], [None]),
    ],
)
def test_seconds_spent(control: str, clocks: list[str], seconds: list[float | None]) -> None:
    assert spent(control, *clocks) == seconds


@given(st.integers(0, 7200), st.integers(0, 60), st.lists(st.integers(0, 9000), min_size=1, max_size=20))
def test_never_less_than_nothing(base: int, increment: int, clocks: list[int]) -> None:
    texts = [f"{clock // 3600}:{clock // 60 % 60:02}:{clock % 60:02}" for clock in clocks]
    assert all(seconds is None or seconds >= 0 for seconds in spent(f"{base}+{increment}", *texts))
