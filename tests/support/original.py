"""A Supabase project as the original application left it: tables, rights, policies, rows in every state."""

from __future__ import annotations

import asyncio

import psycopg

from orchestrator.store import migrate
from tests.support.postgres import Database, PostgresCluster

ALICE = "a11ce000-0000-4000-8000-000000000001"
BOB = "b0b00000-0000-4000-8000-000000000002"

# What a Supabase project has beyond the bootstrap, as far as an application's tables use it. uuid-ossp is
# not shipped with the embedded Postgres; only its function's name and type matter here.
PROJECT = """
create schema extensions;
grant usage on schema extensions to postgres, anon, authenticated, service_role;
create function extensions.uuid_generate_v4() returns uuid language sql as 'select gen_random_uuid()';
create table auth.users (id uuid primary key, email varchar);
grant references, select, trigger on auth.users to postgres;
grant all on schema public to postgres;
"""

USERS = """
create table public.users (
    id uuid primary key default extensions.uuid_generate_v4(),
    username varchar unique not null,
    email varchar unique not null,
    rating integer default 1200,
    playstyle varchar,
    chess_com_username varchar,
    lichess_username varchar,
    is_admin boolean default false,
    created_at timestamptz default now()
);
alter table public.users enable row level security;
create policy "Users can view own profile" on public.users for select using (auth.uid() = id);
create policy "Users can update own profile" on public.users for update using (auth.uid() = id);
create policy "Users can insert own profile" on public.users for insert with check (auth.uid() = id);
create policy "Users can delete own profile" on public.users for delete using (auth.uid() = id);
create table public.puzzles (
    id serial primary key, user_id uuid references public.users (id) on delete cascade
);
"""

# The compliance guide's, to the letter.
SYNC_JOBS = """
set search_path = public, extensions;
CREATE TABLE sync_jobs (
    id UUID DEFAULT uuid_generate_v4() PRIMARY KEY,
    user_id UUID REFERENCES users(id) ON DELETE CASCADE,
    platform VARCHAR NOT NULL,                -- 'chess.com' or 'lichess'
    username VARCHAR NOT NULL,                -- Platform username
    months_requested INTEGER DEFAULT 1,       -- Sync scope
    status VARCHAR DEFAULT 'pending',         -- Job status
    games_found INTEGER DEFAULT 0,           -- Total games discovered
    games_analyzed INTEGER DEFAULT 0,        -- Games processed so far
    error TEXT,                              -- Error message if failed
    created_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT NOW(),
    completed_at TIMESTAMP WITH TIME ZONE   -- When job finished
);
alter table sync_jobs enable row level security;
create policy "Users can view own sync jobs" on sync_jobs for select using (auth.uid() = user_id);
create policy "Users can insert own sync jobs" on sync_jobs for insert with check (auth.uid() = user_id);
create policy "Users can update own sync jobs" on sync_jobs for update using (auth.uid() = user_id);
reset search_path;
"""

GAME_ANALYSIS = """
create table public.game_analysis (
    id uuid primary key default extensions.uuid_generate_v4(),
    user_id uuid references public.users (id) on delete cascade,
    game_url text, platform varchar, game_id varchar, pgn text,
    white_username varchar, black_username varchar, white_rating integer, black_rating integer,
    user_color varchar, result varchar, time_control varchar, game_timestamp timestamptz,
    opening_name varchar, eco_code varchar, key_moments jsonb, analysis text, strengths text, weaknesses text,
    avg_accuracy double precision, total_moves integer, blunders_count integer, mistakes_count integer,
    inaccuracies_count integer, sync_job_id uuid,
    created_at timestamptz default now(), updated_at timestamptz default now()
);
alter table public.game_analysis enable row level security;
create policy "Users manage own analyses" on public.game_analysis using (auth.uid() = user_id);
"""

# `username` names the case; times are of a summer's day long ago where the case does not ask for others.
ROWS_OF_JOBS = f"""
insert into public.users (id, username, email, chess_com_username) values
    ('{ALICE}', 'alice', 'alice@example.com', 'AliceChess'), ('{BOB}', 'bob', 'bob@example.com', null);
insert into public.puzzles (user_id) values ('{ALICE}');

insert into public.sync_jobs
    (user_id, platform, username, status, games_found, games_analyzed, error, created_at, updated_at,
     completed_at)
select '{ALICE}', 'chess.com', name, status, found, analyzed, error, '2024-07-01 10:00Z',
       updated::timestamptz, completed::timestamptz
  from (values
    ('whole',          'completed',  10,   10,   null,           '2024-07-01 11:00Z', '2024-07-01 11:00Z'),
    ('not dated',      'completed',  10,   10,   null,           '2024-07-01 11:00Z', null),
    ('short',          'completed',  50,   40,   null,           '2024-07-01 11:00Z', '2024-07-01 11:00Z'),
    ('over',           'completed',  5,    8,    null,           '2024-07-01 11:00Z', '2024-07-01 11:00Z'),
    ('no counters',    'completed',  null, null, null,           '2024-07-01 11:00Z', '2024-07-01 11:00Z'),
    ('failed',         'failed',     9,    3,    'rate limited', '2024-07-01 11:00Z', '2024-07-01 11:00Z'),
    ('says nothing',   'failed',     9,    3,    '',             '2024-07-01 11:00Z', null),
    ('pending',        'pending',    0,    0,    null,           '2024-07-01 11:00Z', null),
    ('fetching',       'fetching',   20,   0,    null,           '2024-07-01 11:00Z', null),
    ('analyzing',      'analyzing',  20,   7,    'waiting',      '2024-07-01 11:00Z', null),
    ('active, dated',  'analyzing',  20,   20,   null,           '2024-07-01 11:00Z', '2024-07-01 11:30Z'),
    ('null status',    null,         2,    1,    null,           null,                null),
    ('unknown status', 'error',      2,    -1,   'oops',         '2024-07-01 11:00Z', null),
    ('cancelled',      'cancelled',  2,    1,    null,           '2024-07-01 11:00Z', null)
  ) as odd (name, status, found, analyzed, error, updated, completed);
insert into public.sync_jobs (user_id, platform, username, status, created_at, updated_at) values
    ('{ALICE}', 'chess.com', 'no times', 'completed', null, null);
insert into public.sync_jobs (user_id, platform, username, status) values
    (null, 'chess.com', 'nobody''s', 'completed'), ('{ALICE}', 'fics', 'nowhere', 'pending'),
    ('{BOB}', 'lichess', 'bob''s', 'completed');
"""
ROWS_OF_ANALYSES = f"""
insert into public.game_analysis (user_id, game_url, sync_job_id)
select user_id, 'linked', id from public.sync_jobs where username in ('whole', 'bob''s');
insert into public.game_analysis (user_id, game_url, sync_job_id)
select '{ALICE}', 'another''s job', id from public.sync_jobs where username = 'bob''s';
insert into public.game_analysis (user_id, game_url, sync_job_id) values
    ('{ALICE}', 'no job', null), ('{ALICE}', 'dangling', gen_random_uuid()), (null, 'nobody''s', null);
"""


def project(cluster: PostgresCluster, *statements: str) -> Database:
    """A project in which its owner `postgres` ran the statements, before our migrations."""
    made = cluster.create_database(migrated=False)
    asyncio.run(migrate.bootstrap(made.superuser_conninfo))
    with psycopg.connect(made.superuser_conninfo, autocommit=True) as connection:
        connection.execute(PROJECT)
    with psycopg.connect(made.owner_conninfo, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
    return made
