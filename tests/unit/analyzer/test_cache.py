"""Which positions count as the same, and what is kept of them."""

from __future__ import annotations

import pytest

from analyzer import pgn
from analyzer.engine.request import Limit
from analyzer.evaluation import Evaluation, Source
from analyzer.scores import Centipawns
from analyzer.search.budget import Pass, Plan
from analyzer.search.cache import ENTRY_BYTES, Kept, PositionCache, position_keys

ONCE: Plan = (Pass(Limit(nodes=1000)),)
TWICE: Plan = (Pass(Limit(nodes=1000)), Pass(Limit(nodes=5000)))


def evaluation(centipawns: int = 0) -> Evaluation:
    return Evaluation(Centipawns(centipawns), ("e2e4", "e7e5"), Source.SEARCHED, depth=9, nodes=1000)


def keys(text: str, engine: str = "Stockfish 15.1", plan: Plan = ONCE) -> list[bytes | None]:
    return position_keys(pgn.parse(text), engine, plan)


def last(text: str) -> bytes:
    key = keys(text)[-1]
    assert key is not None
    return key


def test_every_position_of_a_game_is_its_own() -> None:
    found = keys("1. e4 e5 2. Nf3 Nc6 3. Bb5 a6")
    assert len(set(found)) == len(found) == 7
    assert found[:4] == keys("1. e4 e5 2. Nf3 Nf6")[:4]


def test_another_order_of_moves_leads_to_the_same_position() -> None:
    assert last("1. e4 e5 2. Nf3 Nc6 3. d3") == last("1. Nf3 Nc6 2. e4 e5 3. d3")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("1. e4 e5 2. Nf3 Nc6", "1. Nf3 Nc6 2. e4 e5", id="the half-move clock"),
        pytest.param("1. e3 e5 2. e4", "1. e4 e5", id="the side to move"),
        pytest.param(
            '[FEN "r3k2r/8/8/8/8/8/8/4K3 b kq - 0 1"]\n\n1... Ra8b8 2. Kd1 Ra8 3. Ke1',
            '[FEN "r3k2r/8/8/8/8/8/8/4K3 b kq - 0 1"]\n\n1... Rh8g8 2. Kd1 Rh8 3. Ke1',
            id="castling",
        ),
        pytest.param(
            '[FEN "4k3/8/8/8/3p4/8/4P3/4K3 w - - 0 1"]\n\n1. e4',
            '[FEN "4k3/8/8/8/3p4/4P3/8/4K3 w - - 0 1"]\n\n1. e4',
            id="a pawn that may be taken in passing",
        ),
        pytest.param("1. e4", '[Variant "Chess960"]\n\n1. e4', id="the notation of castling"),
    ],
)
def test_what_makes_positions_differ(one: str, other: str) -> None:
    assert last(one) != last(other)


def test_a_pawn_that_nobody_can_take_in_passing_makes_no_difference() -> None:
    double = '[FEN "4k3/8/8/8/8/8/4P3/4K3 w - - 0 1"]\n\n1. e4'
    single = '[FEN "4k3/8/8/8/8/4P3/8/4K3 w - - 0 1"]\n\n1. e4'
    assert last(double) == last(single)


def test_engine_and_budget_are_part_of_the_key() -> None:
    made = [
        keys("1. e4", engine, plan)[0]
        for engine in ("Stockfish 15.1", "Stockfish 17")
        for plan in (ONCE, TWICE)
    ]
    assert len(set(made)) == 4


def test_positions_behind_a_repetition_are_left_out_until_it_cannot_matter() -> None:
    """The start stands on the board again after 2... Ng8; 3. e4 makes an end of what was before."""
    found = keys("1. Nf3 Nf6 2. Ng1 Ng8 3. Nf3 e5 4. Nc3")
    assert [key is None for key in found] == [False] * 4 + [True] * 2 + [False] * 2


def test_a_deeper_pass_serves_a_shallower_one_and_not_the_other_way_round() -> None:
    cache = PositionCache(1)
    cache.put(b"shallow", 0, evaluation(1))
    cache.put(b"deep", 1, evaluation(2))
    assert cache.get(b"shallow", 0) == Kept(evaluation(1), 0)
    assert cache.get(b"shallow", 1) is None
    assert cache.get(b"deep", 0) == cache.get(b"deep", 1) == Kept(evaluation(2), 1)
    assert cache.get(b"other", 0) is None


def test_without_a_key_nothing_is_kept_or_looked_for() -> None:
    cache = PositionCache(1)
    cache.put(None, 0, evaluation())
    assert cache.get(None, 0) is None
    assert len(cache) == 0


def test_it_holds_so_many_and_forgets_what_was_not_used_for_longest() -> None:
    cache = PositionCache(3 * ENTRY_BYTES / 1024 / 1024)
    for name in (b"a", b"b", b"c"):
        cache.put(name, 0, evaluation())
    cache.get(b"a", 0)
    cache.put(b"d", 0, evaluation())
    assert len(cache) == cache.capacity == 3
    assert [cache.get(name, 0) is not None for name in (b"a", b"b", b"c", b"d")] == [True, False, True, True]


def test_without_room_it_holds_nothing() -> None:
    cache = PositionCache(0)
    cache.put(b"a", 0, evaluation())
    assert len(cache) == 0
