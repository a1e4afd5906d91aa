"""How the positions of a pass are divided: each taken once, by one lane or by several."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analyzer.search.shares import Shares


def take(shares: Shares, lane: str, times: int = 1) -> list[int | None]:
    """Positions that the lane takes one after the other; it is at work on the last one."""
    taken = []
    for number in range(times):
        if number:
            shares.done(lane)
        taken.append(shares.take(lane))
        if taken[-1] is None:
            break
    return taken


def test_one_lane_takes_all_from_the_last_to_the_first() -> None:
    shares = Shares([3, 1, 5, 4])
    assert take(shares, "a", 5) == [5, 4, 3, 1, None]
    assert shares.left == shares.spare == 0


def test_another_lane_takes_over_the_earlier_half_of_what_is_to_come() -> None:
    shares = Shares(range(9))
    assert take(shares, "a") == [8]
    assert shares.spare == 4
    assert take(shares, "b") == [3]
    shares.done("a")
    assert take(shares, "a", 2) == [7, 6]
    assert shares.spare == 1  # of b's; two are left to a, too few to split
    shares.done("b")
    assert take(shares, "b", 4) == [2, 1, 0, None]
    shares.done("a")
    assert take(shares, "a", 3) == [5, 4, None]


def test_a_third_lane_halves_the_longest_window() -> None:
    shares = Shares(range(13))
    assert take(shares, "a") == [12]
    assert take(shares, "b") == [5]  # of 0..5
    shares.done("a")
    assert take(shares, "a", 2) == [11, 10]
    assert take(shares, "c") == [1]  # of b's 0..4; a has 6..9
    assert shares.left == 13 - 2  # 12 and 11 are done


def test_what_a_lane_leaves_behind_is_free() -> None:
    shares = Shares(range(9))
    assert take(shares, "a") == [8]
    assert take(shares, "b") == [3]
    shares.leave("b")  # in the middle of 3
    assert shares.spare == 4
    shares.done("a")
    assert take(shares, "a", 4) == [7, 6, 5, 4]
    assert shares.left == 5
    shares.done("a")
    assert take(shares, "a", 5) == [3, 2, 1, 0, None]


def test_what_is_done_is_not_left_behind() -> None:
    shares = Shares([0, 1])
    shares.take("a")
    shares.done("a")
    shares.leave("a")
    assert shares.left == shares.spare == 1
    assert take(shares, "b", 2) == [0, None]


def test_a_position_at_work_is_left_until_it_is_done() -> None:
    shares = Shares([0])
    shares.take("a")
    assert (shares.left, shares.spare) == (1, 0)
    assert shares.take("b") is None
    shares.leave("a")
    assert shares.spare == 1
    assert take(shares, "b", 2) == [0, None]
    assert shares.left == 0


@given(st.sets(st.integers(0, 40)), st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 5))))
def test_each_is_searched_once_whoever_comes_and_goes(
    positions: set[int], steps: list[tuple[str, int]]
) -> None:
    """`steps`: who is next; it finishes a position and takes another, or leaves where the number is 0."""
    shares, at_work, done = Shares(positions), dict[str, int](), list[int]()

    def go_on(lane: str) -> bool:
        if lane in at_work:
            done.append(at_work.pop(lane))
            shares.done(lane)
        could = shares.spare > 0
        taken = shares.take(lane)
        assert taken is not None or not could
        if taken is not None:
            at_work[lane] = taken
        return taken is not None

    def leave(lane: str) -> None:
        at_work.pop(lane, None)
        shares.leave(lane)

    for lane, number in steps:
        if number:
            go_on(lane)
        else:
            leave(lane)
        assert shares.left == len(positions) - len(done)
    for lane in "bcd":
        leave(lane)
    while go_on("a"):
        pass
    assert sorted(done) == sorted(positions)
    assert shares.left == 0
