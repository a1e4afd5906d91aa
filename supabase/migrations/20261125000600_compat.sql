-- The games as clients of the original application read them: whole rows, by offset.

-- The user's analyses with PGN and moments, latest played first; or the one that p_game_analysis_id names.
create function public.list_games_by_offset(
    p_user_id uuid, p_game_analysis_id uuid, p_platform text, p_limit integer, p_offset integer
) returns setof jsonb
language sql stable security definer set search_path = '' as $$
    select public.game_summary_json(a, g) || jsonb_build_object(
               'pgn', g.pgn, 'plies', jsonb_array_length(a.moves),
               'moments', coalesce((select jsonb_agg(to_jsonb(m) order by m.ply)
                                      from public.moments m where m.game_analysis_id = a.id), '[]'))
      from public.game_analyses a join public.games g on g.id = a.game_id
     where a.user_id = p_user_id
       and (p_game_analysis_id is null or a.id = p_game_analysis_id)
       and (p_platform is null or g.platform = p_platform)
     order by g.played_at desc, a.id desc limit p_limit offset p_offset
$$;

revoke all on function public.list_games_by_offset(uuid, uuid, text, integer, integer) from public, anon, authenticated;
grant execute on function public.list_games_by_offset(uuid, uuid, text, integer, integer) to service_role;
