"""What the hub keeps of a watched job's finished games."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.hub import _TAIL, _Watched
from orchestrator.store.rows import FinishedGame


def games(first: int, last: int) -> list[FinishedGame]:
    return [
        FinishedGame(number, f"https://chess.example/{number}", "White", "Black", "1-0")
        for number in range(first, last + 1)
    ]


def ordinals(some: list[FinishedGame]) -> list[int]:
    return [game.finished_ordinal for game in some]


@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 100)), max_size=12),
    st.integers(0, 500),
)
def test_the_tail_is_short_and_whole_and_gives_what_follows_an_ordinal(
    reads: list[tuple[int, int]], after: int
) -> None:
    """Reads come from watchers that are anywhere."""
    watched = _Watched()
    newest = 0
    for behind, count in reads:
        watched.extend(games(behind + 1, behind + count))
        newest = max(newest, behind + count if count else 0)
        tail = ordinals(watched.tail)
        assert len(tail) <= _TAIL
        assert tail == list(range(newest - len(tail) + 1, newest + 1)), "a gap"
    following = ordinals(watched.finished_after(after))
    assert following == [] or following == list(range(after + 1, newest + 1))
    if watched.tail and watched.tail[0].finished_ordinal <= after + 1 <= newest:
        assert following


def test_nothing_is_known_before_the_first_read() -> None:
    assert _Watched().finished_after(0) == []


def test_what_lies_before_the_tail_is_read_again() -> None:
    watched = _Watched()
    watched.extend(games(1, 100))
    assert watched.finished_after(0) == []
    assert ordinals(watched.finished_after(100 - _TAIL))[0] == 100 - _TAIL + 1
