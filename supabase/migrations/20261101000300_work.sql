-- What a worker writes: the games that it fetched, and how each of them ended. All fenced by the lease token, all
-- harmless to repeat: a call whose answer was lost is simply made again.

-- Stores a page of fetched games with the cursor behind it. p_games: [{platform_game_id, url, pgn, white, black,
-- white_rating, black_rating, user_color, result, time_class, time_control, rated, variant, played_at}], newest first.
-- p_excluded: {reason: count} of games left out, added to what is known. Returns the job.
-- A game that the user has analyzed already, at least as deep as this job asks, counts as skipped. Of the rest no
-- more are taken than p_games_per_day leaves, over all of the user's jobs; others are excluded as "games_per_day".
create function public.record_games(
    p_sync_job_id uuid, p_lease_token uuid, p_games jsonb, p_excluded jsonb, p_fetch_cursor jsonb,
    p_games_per_day integer
) returns jsonb
-- A plan kept from a young, small table would read all of a job's games for each game of a page: measured at 20,000
-- games found, 517 ms a page instead of 38.
language plpgsql security definer set search_path = '' set plan_cache_mode = 'force_custom_plan' as $$
declare
    v_job public.sync_jobs := public.lock_leased_job(p_sync_job_id, p_lease_token);
    v_excluded jsonb;
    v_room bigint;
    v_left_out bigint;
begin
    if v_job.status <> 'fetching' then
        raise exception 'games are found only by a sync job that is fetching' using errcode = 'RK005';
    end if;
    -- The page is stored already: its answer was lost, and the worker sends it again.
    if exists (select from public.sync_queue where sync_job_id = p_sync_job_id and fetch_cursor = p_fetch_cursor) then
        return public.sync_job_json(v_job);
    end if;

    insert into public.games as g (user_id, platform, platform_game_id, url, pgn, white, black, white_rating, black_rating,
                                   user_color, result, time_class, time_control, rated, variant, played_at)
    select v_job.user_id, v_job.platform, n.platform_game_id, n.url, n.pgn, n.white, n.black, n.white_rating,
           n.black_rating, n.user_color, n.result, n.time_class, n.time_control, n.rated, n.variant, n.played_at
      from jsonb_populate_recordset(null::public.games, p_games) n
    on conflict (user_id, platform, platform_game_id) do update
       set pgn = excluded.pgn, result = excluded.result, played_at = excluded.played_at
     where (g.pgn, g.result, g.played_at) is distinct from (excluded.pgn, excluded.result, excluded.played_at);

    -- One page of a user after the other, so that two jobs cannot both take the last room of the day.
    perform pg_advisory_xact_lock(hashtextextended('games_per_day ' || v_job.user_id, 0));
    v_room := p_games_per_day - public.games_analyzed_today(v_job.user_id) - (
        select count(*) from public.sync_job_games k
          join public.sync_queue q on q.sync_job_id = k.sync_job_id and q.user_id = v_job.user_id
         where k.outcome = 'queued');
    with found as (
        select g.id, n.ordinality, exists (
                   select from public.game_analyses a
                    where a.game_id = g.id and public.preset_rank(a.preset) >= public.preset_rank(v_job.preset)
               ) as skipped
          from jsonb_array_elements(p_games) with ordinality n
          join public.games g on g.user_id = v_job.user_id and g.platform = v_job.platform
                             and g.platform_game_id = n.value ->> 'platform_game_id'
         where not exists (
             select from public.sync_job_games k where k.sync_job_id = p_sync_job_id and k.game_id = g.id)
    ), counted as (
        select *, count(*) filter (where not skipped) over (order by ordinality) as place from found
    ), taken as (
        insert into public.sync_job_games (sync_job_id, game_id, user_id, ordinal, outcome)
        select p_sync_job_id, id, v_job.user_id, v_job.games_found + row_number() over (order by ordinality),
               case when skipped then 'skipped' else 'queued' end
          from counted where skipped or place <= v_room
        returning 1
    )
    select (select count(*) from found) - (select count(*) from taken) into v_left_out;

    select coalesce(jsonb_object_agg(reason, games), '{}') into v_excluded from (
        select reason, sum(games::integer) as games
          from (select * from jsonb_each_text(v_job.games_excluded) union all select * from jsonb_each_text(p_excluded)
                union all select 'games_per_day', v_left_out::text where v_left_out > 0) as e (reason, games)
         group by reason) s;
    -- The time is set by name: a page that brought nothing is progress too.
    update public.sync_jobs set games_excluded = v_excluded, updated_at = clock_timestamp() where id = p_sync_job_id returning * into v_job;
    update public.sync_queue set fetch_cursor = p_fetch_cursor where sync_job_id = p_sync_job_id;
    return public.sync_job_json(v_job);
end $$;

create function public.preset_rank(p_preset text) returns integer
language sql immutable set search_path = '' as $$
    select array_position(array['fast', 'standard', 'deep'], p_preset)
$$;

-- The next games without an analysis, newest first: [{game_id, ordinal, pgn}], those after p_after_ordinal.
create function public.take_games(p_sync_job_id uuid, p_lease_token uuid, p_after_ordinal integer, p_limit integer)
returns setof jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
    if not exists (select from public.sync_queue where sync_job_id = p_sync_job_id and lease_token = p_lease_token) then
        raise exception 'the lease of sync job % is not held by this worker any more', p_sync_job_id
            using errcode = 'RK004';
    end if;
    return query
        select jsonb_build_object('game_id', k.game_id, 'ordinal', k.ordinal, 'pgn', g.pgn, 'url', g.url)
          from public.sync_job_games k join public.games g on g.id = k.game_id
         where k.sync_job_id = p_sync_job_id and k.outcome = 'queued' and k.ordinal > p_after_ordinal
         order by k.ordinal limit p_limit;
end $$;

-- Writes how games ended, in the order given. p_results: [{game_id, moves, annotated_pgn, …the columns of
-- game_analyses} or {game_id, failure, failure_message}]. A game that ended before is left as it is. Returns the job.
create function public.record_analyses(p_sync_job_id uuid, p_lease_token uuid, p_results jsonb) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
    v_job public.sync_jobs := public.lock_leased_job(p_sync_job_id, p_lease_token);
begin
    insert into public.game_analyses (
        sync_job_id, game_id, user_id, preset, start_fen, moves, annotated_pgn, opening_eco, opening_name,
        opening_ply_count, white_accuracy, black_accuracy, white_average_centipawn_loss, black_average_centipawn_loss,
        white_inaccuracies, black_inaccuracies, white_mistakes, black_mistakes, white_blunders, black_blunders,
        engine, engine_nodes, engine_seconds, positions_searched, positions_from_cache)
    select p_sync_job_id, r.game_id, v_job.user_id, v_job.preset, r.start_fen, r.moves, r.annotated_pgn, r.opening_eco,
           r.opening_name, r.opening_ply_count, r.white_accuracy, r.black_accuracy, r.white_average_centipawn_loss,
           r.black_average_centipawn_loss, r.white_inaccuracies, r.black_inaccuracies, r.white_mistakes,
           r.black_mistakes, r.white_blunders, r.black_blunders, r.engine, r.engine_nodes, r.engine_seconds,
           r.positions_searched, r.positions_from_cache
      from jsonb_populate_recordset(null::public.game_analyses, p_results) r
      join public.sync_job_games k on k.sync_job_id = p_sync_job_id and k.game_id = r.game_id and k.outcome = 'queued'
     where r.moves is not null
    on conflict (sync_job_id, game_id) do nothing;

    with ended as (
        select distinct on (k.game_id) k.game_id, n.ordinality, n.value ->> 'failure' as failure,
               n.value ->> 'failure_message' as failure_message
          from jsonb_array_elements(p_results) with ordinality n
          join public.sync_job_games k on k.sync_job_id = p_sync_job_id
                                      and k.game_id = (n.value ->> 'game_id')::uuid and k.outcome = 'queued'
         order by k.game_id, n.ordinality
    )
    update public.sync_job_games k
       set outcome = case when e.failure is null then 'analyzed' else 'failed' end,
           failure = e.failure, failure_message = e.failure_message,
           -- Analyzed and failed games of the job until now: numbers without a gap, in the order of writing.
           finished_ordinal = v_job.games_analyzed + v_job.games_failed + e.place
      from (select *, row_number() over (order by ordinality) as place from ended) e
     where k.sync_job_id = p_sync_job_id and k.game_id = e.game_id;

    select * into v_job from public.sync_jobs where id = p_sync_job_id;
    return public.sync_job_json(v_job);
end $$;
