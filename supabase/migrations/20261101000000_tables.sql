-- The tables. A Supabase project that has `users` and `sync_jobs` already keeps them: columns are added, none dropped.
--
--   users ─┬─< sync_jobs ─┬── sync_queue       one row while a job is active: its lease and where its fetching stands
--          │              └─< sync_job_games   what the job is about, and how each game ended
--          └─< games ───────<┘      │
--                                   └── game_analyses ─< moments

create table if not exists public.users (
    id uuid default gen_random_uuid() primary key,
    username varchar unique,
    email varchar unique,
    rating integer default 1200,
    playstyle varchar,
    chess_com_username varchar,
    lichess_username varchar,
    is_admin boolean default false,
    created_at timestamp with time zone default now()
);
alter table public.users add column if not exists username varchar;
alter table public.users add column if not exists rating integer default 1200;
alter table public.users add column if not exists chess_com_username varchar;
alter table public.users add column if not exists lichess_username varchar;
alter table public.users add column if not exists is_admin boolean default false;

-- The compliance guide's schema: same names, types and defaults.
create table if not exists public.sync_jobs (
    id uuid default gen_random_uuid() primary key,
    user_id uuid references public.users (id) on delete cascade,
    platform varchar not null,                -- 'chess.com' or 'lichess'
    username varchar not null,                -- the player's name there
    months_requested integer default 1,       -- months that the window spans
    status varchar default 'pending',
    games_found integer default 0,            -- every game that the sync is about
    games_analyzed integer default 0,         -- equals the rows of game_analyses, always
    error text,                               -- why it failed, or which games could not be analyzed
    created_at timestamp with time zone default now(),
    updated_at timestamp with time zone default now(),   -- the last progress
    completed_at timestamp with time zone                -- set exactly when the status is terminal
);

-- What the guide's schema lacks.
alter table public.sync_jobs
    add column if not exists from_date date,                              -- the window, both days inclusive, UTC
    add column if not exists to_date date,
    add column if not exists filter jsonb not null default '{}',          -- time_classes, results, colors, rated_only
    add column if not exists max_games integer not null default 0,        -- newest first; 0: no limit
    add column if not exists preset varchar not null default 'standard',  -- how deep the engine searches
    add column if not exists games_skipped integer not null default 0,    -- analyzed by an earlier job of the user
    add column if not exists games_failed integer not null default 0,     -- could not be analyzed, each with its reason
    add column if not exists games_excluded jsonb not null default '{}',  -- left out of the sync: reason to count
    add column if not exists request_id uuid,                             -- the same id returns the same job
    add column if not exists request jsonb,                               -- the fields it came with
    add column if not exists analyzing_since timestamp with time zone,
    add column if not exists revision bigint not null default 1;          -- grows with every change

alter table public.sync_jobs
    add constraint sync_jobs_owner check (user_id is not null) not valid,
    add constraint sync_jobs_platform check (platform in ('chess.com', 'lichess')) not valid,
    add constraint sync_jobs_status check (
        status is not null
        and status in ('pending', 'fetching', 'analyzing', 'completed', 'failed', 'cancelled')
    ) not valid,
    add constraint sync_jobs_preset check (preset in ('fast', 'standard', 'deep')) not valid,
    add constraint sync_jobs_window check (from_date <= to_date) not valid,
    -- completed_at is set exactly when the job is over.
    add constraint sync_jobs_completed_at check (
        (status in ('completed', 'failed', 'cancelled')) = (completed_at is not null)
    ) not valid,
    add constraint sync_jobs_failed_says_why check (status <> 'failed' or coalesce(error, '') <> '') not valid,
    add constraint sync_jobs_counters check (
        games_found >= 0 and games_analyzed >= 0 and games_skipped >= 0 and games_failed >= 0
        and games_analyzed + games_skipped + games_failed <= games_found
    ) not valid,
    -- Nothing is lost: a completed job accounts for every game that it found.
    add constraint sync_jobs_completed_is_whole check (
        status <> 'completed' or games_analyzed + games_skipped + games_failed = games_found
    ) not valid;

-- What the tables below refer to, so that a row can only belong to a job of its own user.
create unique index sync_jobs_id_user on public.sync_jobs (id, user_id);
-- One active sync per user and platform.
create unique index sync_jobs_one_active on public.sync_jobs (user_id, platform)
    where status in ('pending', 'fetching', 'analyzing');
create unique index sync_jobs_request on public.sync_jobs (user_id, request_id) where request_id is not null;
create index sync_jobs_history on public.sync_jobs (user_id, created_at desc, id desc);

-- The queue: one row for each active job, gone when it ends. Apart from sync_jobs because front ends read and
-- subscribe to that table: heartbeats would wake them for nothing, and tokens are not theirs to see.
create table public.sync_queue (
    sync_job_id uuid primary key references public.sync_jobs (id) on delete cascade,
    user_id uuid not null,
    enqueued_at timestamp with time zone not null default now(),
    lease_token uuid,                        -- who holds it may write; a new claim makes a new one
    lease_owner text,                        -- for people: host and process
    lease_expires_at timestamp with time zone not null default '-infinity',
    takeovers integer not null default 0,    -- claims of a job whose worker was lost
    fetch_cursor jsonb,                      -- the platform client's own: where fetching goes on
    lichess_token_encrypted text             -- erased with the row
);
create index sync_queue_by_user on public.sync_queue (user_id, lease_expires_at);

-- One row per user, platform and platform game: the PGN as fetched.
create table public.games (
    id uuid default gen_random_uuid() primary key,
    user_id uuid not null references public.users (id) on delete cascade,
    platform varchar not null check (platform in ('chess.com', 'lichess')),
    platform_game_id varchar not null,
    url text not null,
    pgn text not null,
    white varchar not null,
    black varchar not null,
    white_rating integer,
    black_rating integer,
    user_color varchar not null check (user_color in ('white', 'black')),
    result varchar not null check (result in ('1-0', '0-1', '1/2-1/2', '*')),
    time_class varchar not null check (time_class in ('bullet', 'blitz', 'rapid', 'classical', 'correspondence')),
    time_control varchar not null,
    rated boolean not null,
    variant varchar not null,
    played_at timestamp with time zone not null,   -- when it ended
    created_at timestamp with time zone not null default now(),
    unique (user_id, platform, platform_game_id),
    unique (id, user_id)
);

-- What a job is about: each game that it found, and how that game ended.
create table public.sync_job_games (
    sync_job_id uuid not null,
    game_id uuid not null,
    user_id uuid not null,
    ordinal integer not null,                -- 1 is the newest game
    outcome varchar not null default 'queued' check (outcome in ('queued', 'analyzed', 'skipped', 'failed')),
    failure varchar,                         -- REASON_… of the analysis contract
    failure_message text,
    finished_ordinal integer,                -- 1 is the first game of the job that was analyzed or failed
    primary key (sync_job_id, game_id),
    foreign key (sync_job_id, user_id) references public.sync_jobs (id, user_id) on delete cascade,
    foreign key (game_id, user_id) references public.games (id, user_id),
    constraint sync_job_games_failed_says_why check ((outcome = 'failed') = (failure is not null)),
    constraint sync_job_games_finished check ((outcome in ('analyzed', 'failed')) = (finished_ordinal is not null))
);
create unique index sync_job_games_order on public.sync_job_games (sync_job_id, ordinal);
create unique index sync_job_games_finished on public.sync_job_games (sync_job_id, finished_ordinal)
    where finished_ordinal is not null;
create index sync_job_games_queued on public.sync_job_games (sync_job_id, ordinal) where outcome = 'queued';
create index sync_job_games_by_game on public.sync_job_games (game_id);

-- One row per game and job that analyzed it. It cannot exist without the job, nor for another user's.
create table public.game_analyses (
    id uuid default gen_random_uuid() primary key,
    sync_job_id uuid not null references public.sync_jobs (id) on delete cascade,
    game_id uuid not null,
    user_id uuid not null,
    preset varchar not null check (preset in ('fast', 'standard', 'deep')),
    start_fen text not null,
    moves jsonb not null,                    -- rookify.analysis.v1.MoveAnalysis each, as proto JSON
    annotated_pgn text not null,
    opening_eco varchar,
    opening_name varchar,
    opening_ply_count integer,
    white_accuracy double precision not null,               -- 0..100
    black_accuracy double precision not null,
    white_average_centipawn_loss double precision not null,
    black_average_centipawn_loss double precision not null,
    white_inaccuracies integer not null,
    black_inaccuracies integer not null,
    white_mistakes integer not null,
    black_mistakes integer not null,
    white_blunders integer not null,
    black_blunders integer not null,
    engine varchar not null,
    engine_nodes bigint not null,
    engine_seconds double precision not null,
    positions_searched integer not null,
    positions_from_cache integer not null,
    created_at timestamp with time zone not null default now(),
    unique (sync_job_id, game_id),
    foreign key (sync_job_id, game_id) references public.sync_job_games (sync_job_id, game_id) on delete cascade,
    foreign key (sync_job_id, user_id) references public.sync_jobs (id, user_id) on delete cascade,
    foreign key (game_id, user_id) references public.games (id, user_id)
);
create index game_analyses_by_game on public.game_analyses (game_id);
create index game_analyses_by_user on public.game_analyses (user_id, created_at desc);

-- A move worth a lesson.
create table public.moments (
    id uuid default gen_random_uuid() primary key,
    game_analysis_id uuid not null references public.game_analyses (id) on delete cascade,
    user_id uuid not null,
    ply integer not null check (ply >= 1),
    judgement varchar not null,
    fen_before text not null,
    move_san varchar not null,
    best_san varchar not null,
    win_percent_lost double precision not null,
    themes text[] not null default '{}',
    explanation text not null default '',
    explained_by varchar not null default '',   -- 'template', or the model's name
    created_at timestamp with time zone not null default now(),
    unique (game_analysis_id, ply)
);
