-- Fewer calls for the explanations of a job, since each costs milliseconds over a Supabase project's API.

-- The analyzed games of a job that ended after the p_after-th, in the order in which they ended, each with the moves
-- of the user's that may be worth a moment: verdicts from a mistake on, great and brilliant moves, and the three that
-- cost most of those that the engine would not have played (what its own choice seems to cost is the next search's
-- doubt; it took the place of a true error before). Each move is its MoveAnalysis, as far as it is needed, with the
-- moves around it; `explained` maps plies that are explained already to who did it, `profile_rating` is the user's own.
create or replace function public.list_moment_candidates(p_sync_job_id uuid, p_after integer, p_limit integer) returns setof jsonb
language sql stable security definer set search_path = '' as $$
    select jsonb_build_object(
               'finished_ordinal', k.finished_ordinal, 'game_analysis_id', a.id, 'user_color', g.user_color,
               'rating', case g.user_color when 'white' then g.white_rating else g.black_rating end,
               'profile_rating', u.rating,
               'chess960', g.variant = 'chess960', 'opening_eco', a.opening_eco, 'moves', coalesce(c.moves, '[]'),
               'explained', coalesce((select jsonb_object_agg(m.ply, m.explained_by)
                                        from public.moments m where m.game_analysis_id = a.id), '{}'))
      from public.sync_job_games k
      join public.games g on g.id = k.game_id
      join public.users u on u.id = k.user_id
      join public.game_analyses a on a.sync_job_id = k.sync_job_id and a.game_id = k.game_id
      cross join lateral (
          select jsonb_agg(
                     (r.move - array['accuracy', 'clock', 'depth', 'nodes', 'forced'])
                     || jsonb_build_object(
                            'previous_uci', r.previous ->> 'uci', 'previous_judgement', r.previous ->> 'judgement',
                            'reply_line_uci', r.next -> 'best_line_uci')
                     order by r.n) as moves
            from (select m.*, row_number() over (partition by mine and not first_choice order by lost desc, n) as place
                    from (select e.n, e.move, lag(e.move) over w as previous, lead(e.move) over w as next,
                                 split_part(e.move ->> 'fen_before', ' ', 2) = left(g.user_color, 1) as mine,
                                 e.move ->> 'uci' = e.move ->> 'best_uci' as first_choice,
                                 -- Proto JSON leaves out what is 0.
                                 coalesce((e.move ->> 'win_percent_before')::double precision, 0)
                                 - coalesce((e.move ->> 'win_percent_after')::double precision, 0) as lost
                            from jsonb_array_elements(a.moves) with ordinality as e (move, n)
                          window w as (order by e.n)) m) r
           where r.mine and (r.place <= 3 and not r.first_choice or r.move ->> 'judgement' in (
                     'JUDGEMENT_MISTAKE', 'JUDGEMENT_BLUNDER', 'JUDGEMENT_GREAT', 'JUDGEMENT_BRILLIANT'))) c
     where k.sync_job_id = p_sync_job_id and k.finished_ordinal > p_after
     order by k.finished_ordinal limit p_limit
$$;

-- As plan_explanations, and first writes moments (as record_moments takes them), so that one call does both.
create function public.plan_explanations_v2(
    p_sync_job_id uuid, p_lease_token uuid, p_moments jsonb, p_model text, p_band text, p_wanted jsonb,
    p_requests jsonb, p_limits jsonb
) returns jsonb
language plpgsql security definer set search_path = '' as $$
begin
    perform public.record_moments(p_sync_job_id, p_lease_token, p_moments, '[]', '[]');
    return public.plan_explanations(p_sync_job_id, p_lease_token, p_model, p_band, p_wanted, p_requests, p_limits);
end $$;

revoke all on function public.plan_explanations_v2(uuid, uuid, jsonb, text, text, jsonb, jsonb, jsonb)
    from public, anon, authenticated;
grant execute on function public.plan_explanations_v2(uuid, uuid, jsonb, text, text, jsonb, jsonb, jsonb)
    to service_role;
