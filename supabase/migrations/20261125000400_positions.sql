-- Known evaluations: what engines have found of the positions that games begin with, for other games that begin alike.
-- It holds nothing of any game or user.

create table public.position_evaluations (
    moves text not null check (length(moves) <= 200),   -- from the usual start, SAN without + and #: 'e4 e5 Nf3'
    engine varchar not null,                 -- name and version
    preset varchar not null check (preset in ('fast', 'standard', 'deep')),
    score jsonb not null,                    -- rookify.analysis.v1.Score, as proto JSON
    best_line text[] not null check (cardinality(best_line) > 0),   -- UCI
    depth integer not null,
    nodes bigint not null,
    learned_at timestamp with time zone not null default now(),
    primary key (moves, engine, preset)
);
create index position_evaluations_by_age on public.position_evaluations (learned_at);

-- Keeps what new analyses say of their first 17 positions. Grows like a tree: of what is not known yet, a game adds
-- the two positions next to what is. So there are at most two rows for each game, of 300 bytes, and they are about
-- positions that come up again and again: measured over 196 games of one player, 92 % of what could be served from
-- all positions is served from a sixth of them. After 90 days a row goes: what it says may come from an engine, or
-- a preset, that is not used any more; what is still played is learned again.
-- A row that exists is written again, and so locked, only where the new evaluation is deeper: all games share the
-- first positions, and must not wait for each other.
create function public.learn_positions() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    delete from public.position_evaluations where (moves, engine, preset) in (
        select p.moves, p.engine, p.preset from public.position_evaluations p
         where p.learned_at < now() - interval '90 days' order by p.learned_at limit 100 for update skip locked);

    insert into public.position_evaluations as p (moves, engine, preset, score, best_line, depth, nodes)
    select distinct on (n.moves, n.engine, n.preset) n.moves, n.engine, n.preset, n.move -> 'score_before',
           array(select jsonb_array_elements_text(n.move -> 'best_line_uci')), n.depth,
           coalesce((n.move ->> 'nodes')::bigint, 0)
      from (
          select o.*, k.depth as known_depth,
                 count(*) filter (where k.moves is null) over (partition by o.id order by o.ply) as unknown
            from (
                select a.id, a.engine, a.preset, m.ordinality as ply, m.value as move,
                       coalesce((m.value ->> 'depth')::integer, 0) as depth,
                       coalesce(string_agg(translate(m.value ->> 'san', '+#', ''), ' ') over (
                           partition by a.id order by m.ordinality rows between unbounded preceding and 1 preceding
                       ), '') as moves
                  from added a
                  join public.games g on g.id = a.game_id and g.variant = 'standard'
                 cross join jsonb_array_elements(jsonb_path_query_array(a.moves, '$[0 to 16]'))
                       with ordinality as m (value, ordinality)
                 where a.start_fen = 'rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1') o
            left join public.position_evaluations k
                   on k.moves = o.moves and k.engine = o.engine and k.preset = o.preset) n
     where (n.known_depth is null and n.unknown <= 2 or n.depth > n.known_depth)
       and n.move ? 'score_before' and jsonb_array_length(n.move -> 'best_line_uci') > 0
     order by n.moves, n.engine, n.preset, n.depth desc
    on conflict (moves, engine, preset) do update
       set score = excluded.score, best_line = excluded.best_line, depth = excluded.depth, nodes = excluded.nodes,
           learned_at = excluded.learned_at
     where excluded.depth > p.depth;
    return null;
end $$;

create trigger game_analyses_learn after insert on public.game_analyses
    referencing new table as added for each statement execute function public.learn_positions();

-- What is known of the positions of some openings, as this preset or a deeper one found it; p_openings: moves as
-- above. One row {moves, engine, score, best_line, depth, nodes} for each position and engine.
create function public.known_positions(p_openings text[], p_preset text) returns setof jsonb
language sql stable security definer set search_path = '' as $$
    select distinct on (k.moves, k.engine) jsonb_build_object(
               'moves', k.moves, 'engine', k.engine, 'score', k.score, 'best_line', k.best_line, 'depth', k.depth,
               'nodes', k.nodes)
      from (select distinct array_to_string(((string_to_array(o.opening, ' '))[1:n.plies]), ' ') as moves
              from unnest(p_openings) as o (opening), generate_series(0, 16) as n (plies)) w
      join public.position_evaluations k
        on k.moves = w.moves and public.preset_rank(k.preset) >= public.preset_rank(p_preset)
     order by k.moves, k.engine, public.preset_rank(k.preset) desc
$$;

alter table public.position_evaluations enable row level security;
revoke all on public.position_evaluations from public, anon, authenticated, service_role;
revoke all on function public.learn_positions() from public, anon, authenticated, service_role;
revoke all on function public.known_positions(text[], text) from public, anon, authenticated;
grant execute on function public.known_positions(text[], text) to service_role;
