"""Reads use their indexes, whatever plan is kept.

Before Postgres 18 a function in SQL is always planned without the values of its parameters:
`plan_cache_mode = force_generic_plan` does that to it on 18.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import LiteralString

import psycopg
import pytest

from tests.support.postgres import Database

# 200 users with 20 jobs of one game each, a user's rows all over the tables: enough for any planner to prefer
# an index.
_FILLING = """
set session_replication_role = replica;
insert into users (username) select 'u' || n from generate_series(1, 200) n;
insert into sync_jobs (user_id, platform, username, status, completed_at, created_at, updated_at, request)
select u.id, 'chess.com', 'x', 'completed', at, at, at, '{}'
  from generate_series(1, 20) n, users u, lateral (select now() - n * interval '1 day' as at) t;
insert into games (id, user_id, platform, platform_game_id, url, pgn, white, black, user_color, result,
                   time_class, time_control, rated, variant, played_at)
select id, user_id, platform, id, 'u', repeat('x', 200), 'a', 'b', 'white', '*',
       'blitz', '60', true, 'standard', created_at
  from sync_jobs order by created_at;
insert into sync_job_games (sync_job_id, game_id, user_id, ordinal, outcome, finished_ordinal)
select id, id, user_id, 1, 'analyzed', 1 from sync_jobs order by created_at;
insert into sync_job_events (sync_job_id, user_id, to_status, cause)
select id, user_id, 'pending', 'started' from sync_jobs order by created_at;
insert into game_analyses (
    id, sync_job_id, game_id, user_id, preset, start_fen, moves, annotated_pgn,
    white_accuracy, black_accuracy, white_average_centipawn_loss, black_average_centipawn_loss,
    white_inaccuracies, black_inaccuracies,
    white_mistakes, black_mistakes, white_blunders, black_blunders, engine, engine_nodes, engine_seconds,
    positions_searched, positions_from_cache, created_at)
select id, id, id, user_id, 'fast', 's', '[]', 'p', 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 'e', 1, 1, 1, 1, created_at
  from sync_jobs order by created_at;
insert into moments (game_analysis_id, user_id, ply, judgement, fen_before, move_san, best_san,
                     win_percent_lost, created_at)
select id, user_id, 1, 'JUDGEMENT_BLUNDER', repeat('x', 70), 'e4', 'd4', 10, created_at from game_analyses;
"""
_TABLES = ("users", "sync_jobs", "games", "sync_job_games", "sync_job_events", "game_analyses", "moments")


@pytest.fixture
def filled(database: Database) -> Iterator[psycopg.Connection]:
    """A session of the superuser's, in which functions are planned without their parameters' values."""
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
        connection.execute(_FILLING)
        for table in _TABLES:
            connection.execute(f"vacuum analyze public.{table}".encode())
    with psycopg.connect(database.superuser_conninfo, autocommit=True) as connection:
        connection.execute("set plan_cache_mode = force_generic_plan")
        yield connection


def rows_scanned(connection: psycopg.Connection, call: LiteralString) -> dict[str, int]:
    """Rows that the call read by going through a whole table, by table; and it must give some."""
    before = _scanned(connection)
    assert connection.execute(call).fetchall(), "the call gives nothing"
    after = _scanned(connection)
    return {table: rows - before[table] for table, rows in after.items() if rows > before[table]}


def _scanned(connection: psycopg.Connection) -> dict[str, int]:
    cursor = connection.execute(
        "select relname, seq_tup_read from pg_stat_xact_user_tables where schemaname = 'public'"
    )
    return dict(cursor.fetchall())


@pytest.mark.parametrize(
    "call",
    [
        "select list_sync_jobs(id, false, 21) from users where username = 'u7'",
        "select list_sync_jobs(id, false, 5, now() - interval '3 days', id) from users where username = 'u7'",
        "select list_sync_jobs(null, false, 21)",
        "select get_sync_jobs(array[id]) from sync_jobs limit 1",
        "select list_game_analyses(id, null, null, 21) from users where username = 'u7'",
        "select list_game_analyses(user_id, id, 'chess.com', 21) from sync_jobs limit 1",
        "select list_games_by_offset(id, null, null, 5, 0) from users where username = 'u7'",
        "select list_games_by_offset(user_id, id, null, 1, 0) from game_analyses limit 1",
        "select get_usage_v2(now() - interval '1 hour')",
        (
            'select count(*) from audit_sync_jobs(\'{"starts": 9, "window_seconds": 600, "queued_jobs": 99, '
            '"games_per_day": 99, "within_seconds": 7200}\')'
        ),
    ],
)
def test_what_a_call_reads_does_not_grow_with_the_table(
    filled: psycopg.Connection, call: LiteralString
) -> None:
    with filled.transaction():
        scanned = rows_scanned(filled, call)
    scanned.pop("users", None)  # by the question itself, as is the one row of `limit 1`
    assert all(rows <= 1 for rows in scanned.values()), scanned


@pytest.mark.parametrize("table", [table for table in _TABLES if table != "users"])
def test_a_user_reads_their_rows_by_an_index(filled: psycopg.Connection, table: str) -> None:
    """Row level security asks for the user's rows of each table that a front end may read."""
    (user_id,) = filled.execute("select id::text from users where username = 'u7'").fetchone() or ("",)
    with filled.transaction():
        filled.execute("set local role authenticated")
        claims = json.dumps({"sub": user_id, "role": "authenticated"})
        filled.execute("select set_config('request.jwt.claims', %s, true)", (claims,))
        before = _scanned(filled)
        rows = filled.execute(f"select * from public.{table}".encode()).fetchall()
        assert len(rows) == 20
        assert _scanned(filled) == before
