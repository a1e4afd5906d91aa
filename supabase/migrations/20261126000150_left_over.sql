-- Games that were analyzed by a sync which ended before it came to their moments (cancelled, failed, cleaned up) are skipped
-- by every later one, and so had none for good. The next sync that finds them writes them.

-- The skipped games of a job, from behind the p_after-th game that it found, whose latest analysis for its player has
-- no moment at all, though an error is there to make one of: what has moments is not explained anew, and what can have
-- none is not listed by every sync. As list_moment_candidates lists games; a game has no finished_ordinal here, and is
-- numbered below zero by its place in the job, so that no two games of a job have the same number.
create function public.list_left_over_candidates(p_sync_job_id uuid, p_after integer, p_limit integer)
returns setof jsonb
language sql stable security definer set search_path = '' as $$
    -- By itself, so that no moves are read of games that have moments.
    with bare as materialized (
        select k.ordinal, k.user_id, s.color, a.id
          from public.sync_job_games k
          join public.games g on g.id = k.game_id
          cross join lateral (select coalesce(k.user_color, g.user_color) as color) s
          cross join lateral (
              select a.id from public.game_analyses a
                join public.sync_job_games o on o.sync_job_id = a.sync_job_id and o.game_id = a.game_id
               where a.game_id = k.game_id and coalesce(o.user_color, g.user_color) = s.color
               order by a.created_at desc limit 1) a
         where k.sync_job_id = p_sync_job_id and k.outcome = 'skipped' and k.ordinal > p_after
           and not exists (select from public.moments m where m.game_analysis_id = a.id)
    )
    select jsonb_build_object(
               'finished_ordinal', -b.ordinal, 'game_analysis_id', b.id, 'user_color', b.color, 'rating', c.rating,
               'profile_rating', (select u.rating from public.users u where u.id = b.user_id),
               'chess960', c.chess960, 'opening_eco', c.opening_eco, 'moves', c.moves, 'explained', '{}'::jsonb)
      -- In order, and game by game: it stops at p_limit, and judges no more of them.
      from (select * from bare order by ordinal) b
      cross join lateral (
          select public.candidate_moves(a.moves, b.color) as moves, a.opening_eco, g.variant = 'chess960' as chess960,
                 case b.color when 'white' then g.white_rating else g.black_rating end as rating
            from public.game_analyses a join public.games g on g.id = a.game_id
           where a.id = b.id offset 0) c
     where exists (
         -- explain/candidates.py: what cost less than a point is no error.
         select from jsonb_array_elements(c.moves) m
          where m ->> 'uci' <> m ->> 'best_uci'
            and coalesce(m ->> 'judgement', '') not in ('JUDGEMENT_GREAT', 'JUDGEMENT_BRILLIANT')
            and coalesce((m ->> 'win_percent_before')::double precision, 0)
                - coalesce((m ->> 'win_percent_after')::double precision, 0) >= 1)
     order by b.ordinal limit p_limit
$$;

-- As before, and the moments of such games, which belong to the analysis of an earlier job.
create or replace function public.record_moments(
    p_sync_job_id uuid, p_lease_token uuid, p_moments jsonb, p_usage jsonb, p_explanations jsonb
) returns void
language plpgsql security definer set search_path = '' as $$
declare
    v_job public.sync_jobs := public.lock_leased_job(p_sync_job_id, p_lease_token);
begin
    insert into public.moments as m (game_analysis_id, user_id, ply, judgement, fen_before, move_san, best_san,
                                     win_percent_lost, themes, explanation, explained_by, why)
    select n.game_analysis_id, v_job.user_id, n.ply, n.judgement, n.fen_before, n.move_san, n.best_san,
           n.win_percent_lost, n.themes, n.explanation, n.explained_by, n.why
      from jsonb_populate_recordset(null::public.moments, p_moments) n
      join public.game_analyses a on a.id = n.game_analysis_id and a.user_id = v_job.user_id
     where a.sync_job_id = p_sync_job_id
        or exists (select from public.sync_job_games k where k.sync_job_id = p_sync_job_id
                      and k.game_id = a.game_id and k.outcome = 'skipped')
    on conflict (game_analysis_id, ply) do update
       set explanation = excluded.explanation, explained_by = excluded.explained_by, why = excluded.why
     where excluded.explained_by <> 'template' or m.explained_by = 'template';

    delete from public.llm_usage u using jsonb_populate_recordset(null::public.llm_usage, p_usage) n
     where u.id = n.id and u.sync_job_id = p_sync_job_id and n.outcome = 'not_sent';
    insert into public.llm_usage as u (id, sync_job_id, user_id, model, outcome, moments, explained, calls, input_tokens,
                                       cached_input_tokens, output_tokens, latency_seconds)
    select n.id, p_sync_job_id, v_job.user_id, n.model, n.outcome, n.moments, n.explained, n.calls, n.input_tokens,
           n.cached_input_tokens, n.output_tokens, n.latency_seconds
      from jsonb_populate_recordset(null::public.llm_usage, p_usage) n
     where n.outcome <> 'not_sent'
    on conflict (id) do update
       set outcome = excluded.outcome, moments = excluded.moments, explained = excluded.explained,
           calls = excluded.calls, input_tokens = excluded.input_tokens,
           cached_input_tokens = excluded.cached_input_tokens, output_tokens = excluded.output_tokens,
           latency_seconds = excluded.latency_seconds
     where u.sync_job_id = p_sync_job_id and u.outcome = 'reserved';

    if jsonb_array_length(p_explanations) > 0 then
        insert into public.explanations (position, move_uci, band, explained_by, explanation)
        select n.position, n.move_uci, n.band, n.explained_by, n.explanation
          from jsonb_populate_recordset(null::public.explanations, p_explanations) n
        on conflict do nothing;
        perform public.prune_explanations(interval '180 days', 500000);
    end if;
end $$;

revoke all on function public.list_left_over_candidates(uuid, integer, integer) from public, anon, authenticated;
grant execute on function public.list_left_over_candidates(uuid, integer, integer) to service_role;
