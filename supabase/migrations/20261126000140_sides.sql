-- Whose side of a game a sync is about is kept with the sync: two players whose games one user syncs may have met. Each of
-- them has an analysis of that game then, in the sync of their own, with its figures and moments; so an analysis made
-- for the one is no reason to skip the game for the other. `games.user_color` remains the side of the sync that found
-- the game first.
alter table public.sync_job_games add column user_color varchar check (user_color in ('white', 'black'));
comment on column public.sync_job_games.user_color is
    'the side of the player whom the sync is about; null in rows older than it: that of the game';

create function public.user_side(p_sync_job_id uuid, p_game public.games) returns text
language sql stable set search_path = '' as $$
    select coalesce((select k.user_color from public.sync_job_games k
                      where k.sync_job_id = p_sync_job_id and k.game_id = p_game.id), p_game.user_color)
$$;

-- As before; by side.
create or replace function public.record_games(
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
        select g.id, n.ordinality, n.value ->> 'user_color' as user_color, exists (
                   select from public.game_analyses a
                    where a.game_id = g.id and public.preset_rank(a.preset) >= public.preset_rank(v_job.preset)
                      and public.user_side(a.sync_job_id, g) = n.value ->> 'user_color'
               ) as skipped
          from jsonb_array_elements(p_games) with ordinality n
          join public.games g on g.user_id = v_job.user_id and g.platform = v_job.platform
                             and g.platform_game_id = n.value ->> 'platform_game_id'
         where not exists (
             select from public.sync_job_games k where k.sync_job_id = p_sync_job_id and k.game_id = g.id)
    ), counted as (
        select *, count(*) filter (where not skipped) over (order by ordinality) as place from found
    ), taken as (
        insert into public.sync_job_games (sync_job_id, game_id, user_id, ordinal, outcome, user_color)
        select p_sync_job_id, id, v_job.user_id, v_job.games_found + row_number() over (order by ordinality),
               case when skipped then 'skipped' else 'queued' end, user_color
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

create or replace function public.list_finished_games(p_sync_job_id uuid, p_after integer, p_limit integer) returns setof jsonb
language sql stable security definer set search_path = '' as $$
    select jsonb_build_object(
               'finished_ordinal', k.finished_ordinal, 'game_analysis_id', a.id, 'game_url', g.url, 'white', g.white,
               'black', g.black, 'result', g.result, 'failure_message', k.failure_message,
               'user_accuracy', case coalesce(k.user_color, g.user_color) when 'white' then a.white_accuracy else a.black_accuracy end,
               'user_blunders', case coalesce(k.user_color, g.user_color) when 'white' then a.white_blunders else a.black_blunders end)
      from public.sync_job_games k
      join public.games g on g.id = k.game_id
      left join public.game_analyses a on a.sync_job_id = k.sync_job_id and a.game_id = k.game_id
     where k.sync_job_id = p_sync_job_id and k.finished_ordinal > p_after
     order by k.finished_ordinal limit p_limit
$$;

create or replace function public.game_summary_json(p_analysis public.game_analyses, p_game public.games) returns jsonb
language sql stable set search_path = '' as $$
    select (to_jsonb(p_game) - array['pgn', 'id', 'created_at'])
        || (to_jsonb(p_analysis) - array['moves', 'annotated_pgn'])
        || jsonb_build_object('user_color', public.user_side(p_analysis.sync_job_id, p_game))
$$;

-- Of a game's moves those of one side that may be worth a moment; see list_moment_candidates. Null where there are none.
create function public.candidate_moves(p_moves jsonb, p_color text) returns jsonb
language sql stable set search_path = '' as $$
    select jsonb_agg(
               (r.move - array['accuracy', 'clock', 'depth', 'nodes', 'forced'])
               || jsonb_build_object(
                      'previous_uci', r.previous ->> 'uci', 'previous_judgement', r.previous ->> 'judgement',
                      'reply_line_uci', r.next -> 'best_line_uci')
               order by r.n)
      from (select m.*, row_number() over (partition by mine and not first_choice order by lost desc, n) as place
              from (select e.n, e.move, lag(e.move) over w as previous, lead(e.move) over w as next,
                           split_part(e.move ->> 'fen_before', ' ', 2) = left(p_color, 1) as mine,
                           e.move ->> 'uci' = e.move ->> 'best_uci' as first_choice,
                           -- Proto JSON leaves out what is 0.
                           coalesce((e.move ->> 'win_percent_before')::double precision, 0)
                           - coalesce((e.move ->> 'win_percent_after')::double precision, 0) as lost
                      from jsonb_array_elements(p_moves) with ordinality as e (move, n)
                    window w as (order by e.n)) m) r
     where r.mine and (r.place <= 3 and not r.first_choice or r.move ->> 'judgement' in (
               'JUDGEMENT_MISTAKE', 'JUDGEMENT_BLUNDER', 'JUDGEMENT_GREAT', 'JUDGEMENT_BRILLIANT'))
$$;

create or replace function public.list_moment_candidates(p_sync_job_id uuid, p_after integer, p_limit integer) returns setof jsonb
language sql stable security definer set search_path = '' as $$
    select jsonb_build_object(
               'finished_ordinal', k.finished_ordinal, 'game_analysis_id', a.id, 'user_color', s.color,
               'rating', case s.color when 'white' then g.white_rating else g.black_rating end,
               'profile_rating', u.rating,
               'chess960', g.variant = 'chess960', 'opening_eco', a.opening_eco,
               'moves', coalesce(public.candidate_moves(a.moves, s.color), '[]'),
               'explained', coalesce((select jsonb_object_agg(m.ply, m.explained_by)
                                        from public.moments m where m.game_analysis_id = a.id), '{}'))
      from public.sync_job_games k
      join public.games g on g.id = k.game_id
      join public.users u on u.id = k.user_id
      join public.game_analyses a on a.sync_job_id = k.sync_job_id and a.game_id = k.game_id
      cross join lateral (select coalesce(k.user_color, g.user_color) as color) s
     where k.sync_job_id = p_sync_job_id and k.finished_ordinal > p_after
     order by k.finished_ordinal limit p_limit
$$;

revoke all on function public.user_side(uuid, public.games), public.candidate_moves(jsonb, text)
    from public, anon, authenticated, service_role;
