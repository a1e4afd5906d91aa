"""What the database learns of the positions that games begin with, and what it knows of an opening."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, LiteralString
from uuid import UUID

import chess
import psycopg
import pytest

from orchestrator.store.postgres import PostgresTransport
from orchestrator.store.rows import Claim
from orchestrator.store.store import Store
from tests.contract.test_store import analyzing
from tests.support.postgres import Database
from tests.support.samples import analysis

ENGINE = "Stockfish 17"


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    async with PostgresTransport(database.app_conninfo) as transport:
        yield Store(transport)


def played(game_id: UUID, moves: str, *, depth: int = 11, **changes: Any) -> dict[str, Any]:
    """The analysis of a game that begins so; the engine would always have played a3 or a6."""
    rows = [
        {
            "ply": ply,
            "san": san,
            "score_before": {"centipawns": ply},
            "best_line_uci": ["a2a3" if ply % 2 else "a7a6", "h2h3"],
            "depth": depth,
            "nodes": str(1000 * depth),
        }
        for ply, san in enumerate(moves.split(), start=1)
    ]
    return analysis(game_id, start_fen=chess.STARTING_FEN, moves=rows, engine=ENGINE, **changes)


async def record(store: Store, claim: Claim, ids: Sequence[UUID], *games: str, **changes: Any) -> None:
    """One call for each game: what one call learns is not known within it."""
    for game_id, moves in zip(ids, games, strict=False):
        await store.record_analyses(claim, [played(game_id, moves, **changes)])


async def known(store: Store, *openings: str, preset: str = "standard") -> dict[str, int]:
    """Moves to depth."""
    return {row.moves: row.depth for row in await store.known_positions(openings, preset)}


async def test_what_comes_again_is_learned_two_positions_a_game(store: Store) -> None:
    claim, ids = await analyzing(store, 4)
    await record(store, claim, ids[:1], "e4 e5 Nf3 Nc6 Bc4+ a6")
    assert await known(store, "e4 e5 Nf3 Nc6 Bc4") == {"": 11, "e4": 11}
    await record(store, claim, ids[1:3], "e4 e5 Nf3 Nc6 Bc4+ a6", "e4 e5 Nf3 Nc6 Bc4+ a6")
    assert set(await known(store, "e4 e5 Nf3 Nc6 Bc4")) == {
        "", "e4", "e4 e5", "e4 e5 Nf3", "e4 e5 Nf3 Nc6", "e4 e5 Nf3 Nc6 Bc4",
    }  # fmt: skip
    await record(store, claim, ids[3:], "e4 c5 Nf3")
    assert await known(store, "e4 c5", "d4 d5") == {"": 11, "e4": 11, "e4 c5": 11}


async def test_what_is_known_comes_back_whole(store: Store) -> None:
    claim, ids = await analyzing(store, 1)
    await record(store, claim, ids, "e4 e5")
    found = {row.moves: row for row in await store.known_positions(["e4 e5"], "standard")}
    assert found["e4"].engine == ENGINE
    assert found["e4"].score == {"centipawns": 2}
    assert list(found["e4"].best_line) == ["a7a6", "h2h3"]
    assert (found["e4"].depth, found["e4"].nodes) == (11, 11_000)


async def test_the_deeper_evaluation_stays(store: Store) -> None:
    claim, ids = await analyzing(store, 3)
    for game_id, depth in zip(ids, (11, 15, 13), strict=True):
        await record(store, claim, [game_id], "e4", depth=depth)
    assert await known(store, "e4") == {"": 15}


async def test_only_what_is_as_deep_as_asked_is_good_enough(store: Store) -> None:
    for preset, depth in (("fast", 7), ("standard", 11), ("deep", 17)):
        claim, ids = await analyzing(store, 1, preset=preset)
        await record(store, claim, ids, "e4", depth=depth)
        assert await known(store, "e4", preset=preset) == {"": depth}
    assert await known(store, "e4", preset="fast") == {"": 17}


async def test_no_more_than_17_positions(store: Store) -> None:
    claim, ids = await analyzing(store, 12)
    await record(store, claim, ids, *(["Nf3 Nf6 Ng1 Ng8 " * 6] * 12))
    found = await known(store, "Nf3 Nf6 Ng1 Ng8 " * 6)
    assert len(found) == 17
    assert max(moves.count(" ") for moves in found) == 15


async def test_games_written_together_learn_as_well(store: Store) -> None:
    claim, ids = await analyzing(store, 3)
    openings = ("e4 e5 Nf3", "e4 e5 Nf3", "d4 d5")
    games = [
        played(game_id, moves, depth=9 + at)
        for at, (game_id, moves) in enumerate(zip(ids, openings, strict=True))
    ]
    await store.record_analyses(claim, games)
    assert await known(store, "e4 e5", "d4 d5") == {"": 11, "e4": 10, "d4": 11}


async def test_other_starts_and_what_is_no_evaluation_are_left_out(store: Store, database: Database) -> None:
    claim, ids = await analyzing(store, 4)
    await execute(database, "update games set variant = 'chess960' where id = %s", ids[0])
    elsewhere = played(ids[1], "e4 e5") | {"start_fen": "4k3/8/8/8/8/8/4P3/4K3 w - - 0 1"}
    without = analysis(ids[2], start_fen=chess.STARTING_FEN, engine=ENGINE)
    await store.record_analyses(claim, [played(ids[0], "e4 e5"), elsewhere, without])
    assert await known(store, "e4 e5") == {}
    assert (await store.get_sync_jobs([claim.job.id]))[0].games_analyzed == 3


async def test_what_is_old_goes(store: Store, database: Database) -> None:
    claim, ids = await analyzing(store, 2)
    await record(store, claim, ids[:1], "e4 e5")
    await execute(database, "update position_evaluations set learned_at = now() - interval '91 days'")
    await record(store, claim, ids[1:], "d4 d5")
    assert set(await known(store, "e4 e5", "d4 d5")) == {"", "d4"}


async def execute(database: Database, statement: LiteralString, *parameters: object) -> None:
    async with await psycopg.AsyncConnection.connect(database.owner_conninfo, autocommit=True) as owner:
        await owner.execute(statement, parameters)
