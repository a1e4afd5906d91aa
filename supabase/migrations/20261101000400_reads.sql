-- What is read: jobs, finished games, analyses, quotas, usage, and the audit of the compliance rules.

create function public.get_user(p_user_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
    select jsonb_build_object('id', u.id, 'is_admin', coalesce(u.is_admin, false), 'rating', u.rating,
                              'chess_com_username', u.chess_com_username, 'lichess_username', u.lichess_username)
      from public.users u where u.id = p_user_id
$$;

-- Makes the user's row where there is none; the embedded mode has no sign-up.
create function public.ensure_user(p_user_id uuid) returns void
language sql security definer set search_path = '' as $$
    insert into public.users (id, username) values (p_user_id, 'user-' || left(p_user_id::text, 13))
    on conflict do nothing
$$;

create function public.get_sync_jobs(p_sync_job_ids uuid[]) returns setof jsonb
language sql stable security definer set search_path = '' as $$
    select public.sync_job_json(j) from public.sync_jobs j where j.id = any (p_sync_job_ids)
$$;

-- Newest first, from behind (p_before_time, p_before_id) where these are given. p_user_id null: all users' jobs.
create function public.list_sync_jobs(
    p_user_id uuid, p_active_only boolean, p_limit integer,
    p_before_time timestamp with time zone default null, p_before_id uuid default null
) returns setof jsonb
language sql stable security definer set search_path = '' as $$
    select public.sync_job_json(j) from public.sync_jobs j
     where (p_user_id is null or j.user_id = p_user_id)
       and (not p_active_only or j.status in ('pending', 'fetching', 'analyzing'))
       and (p_before_time is null or (j.created_at, j.id) < (p_before_time, p_before_id))
     order by j.created_at desc, j.id desc limit p_limit
$$;

-- How many games of a job failed, by reason: {reason: count}.
create function public.sync_job_failures(p_sync_job_id uuid) returns jsonb
language sql stable security definer set search_path = '' as $$
    select coalesce(jsonb_object_agg(failure, games), '{}') from (
        select failure, count(*) as games from public.sync_job_games
         where sync_job_id = p_sync_job_id and outcome = 'failed' group by failure) f
$$;

-- The games of a job that ended after the p_after-th one, in the order in which they ended.
create function public.list_finished_games(p_sync_job_id uuid, p_after integer, p_limit integer) returns setof jsonb
language sql stable security definer set search_path = '' as $$
    select jsonb_build_object(
               'finished_ordinal', k.finished_ordinal, 'game_analysis_id', a.id, 'game_url', g.url, 'white', g.white,
               'black', g.black, 'result', g.result, 'failure_message', k.failure_message,
               'user_accuracy', case g.user_color when 'white' then a.white_accuracy else a.black_accuracy end,
               'user_blunders', case g.user_color when 'white' then a.white_blunders else a.black_blunders end)
      from public.sync_job_games k
      join public.games g on g.id = k.game_id
      left join public.game_analyses a on a.sync_job_id = k.sync_job_id and a.game_id = k.game_id
     where k.sync_job_id = p_sync_job_id and k.finished_ordinal > p_after
     order by k.finished_ordinal limit p_limit
$$;

-- An analysis with its game, without the moves and PGNs.
create function public.game_summary_json(p_analysis public.game_analyses, p_game public.games) returns jsonb
language sql stable set search_path = '' as $$
    select (to_jsonb(p_game) - array['pgn', 'id', 'created_at'])
        || (to_jsonb(p_analysis) - array['moves', 'annotated_pgn'])
$$;

-- The user's analyses, latest played first, from behind (p_before_time, p_before_id) where these are given.
create function public.list_game_analyses(
    p_user_id uuid, p_sync_job_id uuid, p_platform text, p_limit integer,
    p_before_time timestamp with time zone default null, p_before_id uuid default null
) returns setof jsonb
language sql stable security definer set search_path = '' as $$
    select public.game_summary_json(a, g)
      from public.game_analyses a join public.games g on g.id = a.game_id
     where a.user_id = p_user_id
       and (p_sync_job_id is null or a.sync_job_id = p_sync_job_id)
       and (p_platform is null or g.platform = p_platform)
       and (p_before_time is null or (g.played_at, a.id) < (p_before_time, p_before_id))
     order by g.played_at desc, a.id desc limit p_limit
$$;

create function public.get_game_analysis(p_user_id uuid, p_game_analysis_id uuid) returns setof jsonb
language sql stable security definer set search_path = '' as $$
    select public.game_summary_json(a, g) || jsonb_build_object(
               'moves', a.moves, 'annotated_pgn', a.annotated_pgn, 'pgn', g.pgn,
               'moments', coalesce((select jsonb_agg(to_jsonb(m) order by m.ply)
                                      from public.moments m where m.game_analysis_id = a.id), '[]'))
      from public.game_analyses a join public.games g on g.id = a.game_id
     where a.user_id = p_user_id and a.id = p_game_analysis_id
$$;

-- Limits, use and time of reset. p_limits as for start_sync_job.
create function public.get_quota(p_user_id uuid, p_limits jsonb) returns setof jsonb
language sql stable security definer set search_path = '' as $$
    select jsonb_build_object('name', 'active_syncs_per_platform', 'limit', 1, 'used', coalesce(max(n), 0), 'reset_at', null)
      from (select count(*) as n from public.sync_jobs
             where user_id = p_user_id and status in ('pending', 'fetching', 'analyzing') group by platform) active
    union all
    select jsonb_build_object('name', 'syncs_per_window', 'limit', (p_limits ->> 'starts')::integer, 'used', count(*),
               'reset_at', min(created_at) + make_interval(secs => (p_limits ->> 'window_seconds')::integer))
      from public.sync_jobs
     where user_id = p_user_id and created_at > now() - make_interval(secs => (p_limits ->> 'window_seconds')::integer)
    union all
    select jsonb_build_object('name', 'games_per_day', 'limit', (p_limits ->> 'games_per_day')::integer,
               'used', public.games_analyzed_today(p_user_id), 'reset_at', public.next_utc_day())
    union all
    select jsonb_build_object('name', 'queued_jobs', 'limit', (p_limits ->> 'queued_jobs')::integer,
               'used', public.waiting_jobs(), 'reset_at', null)
$$;

create function public.get_usage(p_since timestamp with time zone) returns jsonb
language sql stable security definer set search_path = '' as $$
    select jsonb_build_object(
        'jobs_started', (select count(*) from public.sync_jobs where created_at >= p_since),
        'jobs_completed', (select count(*) from public.sync_jobs where completed_at >= p_since and status = 'completed'),
        'jobs_failed', (select count(*) from public.sync_jobs where completed_at >= p_since and status = 'failed'),
        'games_analyzed', count(*),
        'engine_nodes', coalesce(sum(engine_nodes), 0),
        'moments_explained', (select count(*) from public.moments where created_at >= p_since and explanation <> ''))
      from public.game_analyses where created_at >= p_since
$$;
