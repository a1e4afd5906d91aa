-- Explanations of moments: what there is to explain, the budget of LLM calls and tokens, the account of every call,
-- and the cache that lets one user's explanation serve all others of like rating.

-- Why the moment was chosen, and why it is explained as it is: short sentences, for people.
alter table public.moments add column why text[] not null default '{}';

-- Moves of the game; counting them where they are used would read every analysis as a whole.
alter table public.game_analyses add column ply_count integer not null
    generated always as (jsonb_array_length(moves)) stored;

-- One row for each request to the LLM, however often it had to be sent, and for each use of the cache. It is written
-- before the request goes out, with what that may cost: so the budget holds however many workers ask at once, and
-- what a worker that was lost had asked is not forgotten.
create table public.llm_usage (
    id uuid primary key,
    sync_job_id uuid not null,
    user_id uuid not null,
    model varchar not null,
    outcome varchar not null check (outcome in (
        'reserved',          -- about to be asked; or its worker was lost
        'answered', 'cached',
        'refused', 'cut_off', 'wrong_shape',              -- answers that cannot be used
        'rate_limited', 'timeout', 'unavailable', 'rejected', 'abandoned')),   -- no answer
    moments integer not null check (moments >= 0),        -- asked about
    explained integer not null default 0 check (explained between 0 and moments),   -- good answers among them
    calls integer not null check (calls >= 0),            -- how often it was sent; 0: served by the cache
    input_tokens bigint not null check (input_tokens >= 0),
    cached_input_tokens bigint not null default 0 check (cached_input_tokens >= 0),   -- of these, as the service says
    output_tokens bigint not null default 0 check (output_tokens >= 0),
    cached boolean not null generated always as (outcome = 'cached') stored,
    latency_seconds double precision not null default 0 check (latency_seconds >= 0),
    created_at timestamp with time zone not null default now(),
    foreign key (sync_job_id, user_id) references public.sync_jobs (id, user_id) on delete cascade
);
create index llm_usage_by_user on public.llm_usage (user_id, created_at);
create index llm_usage_by_job on public.llm_usage (sync_job_id);
create index llm_usage_by_time on public.llm_usage (created_at);

-- What a model has said of a move in a position, to players of one rating band. It holds nothing of any game or user.
create table public.explanations (
    position text not null,                  -- FEN without its counters
    move_uci varchar not null,
    band varchar not null,
    explained_by varchar not null,           -- the model's name
    explanation text not null check (explanation <> ''),
    created_at timestamp with time zone not null default now(),
    used_at timestamp with time zone not null default now(),
    primary key (position, move_uci, band, explained_by)
);
create index explanations_by_use on public.explanations (used_at);

-- The analyzed games of a job that ended after the p_after-th, in the order in which they ended, each with the moves
-- of the user's that may be worth a moment: verdicts from a mistake on, great and brilliant moves, and the three that
-- cost most. Each move is its MoveAnalysis (as far as it is needed) with the moves around it; `explained` maps plies
-- that are explained already to who did it.
create function public.list_moment_candidates(p_sync_job_id uuid, p_after integer, p_limit integer) returns setof jsonb
language sql stable security definer set search_path = '' as $$
    select jsonb_build_object(
               'finished_ordinal', k.finished_ordinal, 'game_analysis_id', a.id, 'user_color', g.user_color,
               'rating', case g.user_color when 'white' then g.white_rating else g.black_rating end,
               'chess960', g.variant = 'chess960', 'opening_eco', a.opening_eco, 'moves', coalesce(c.moves, '[]'),
               'explained', coalesce((select jsonb_object_agg(m.ply, m.explained_by)
                                        from public.moments m where m.game_analysis_id = a.id), '{}'))
      from public.sync_job_games k
      join public.games g on g.id = k.game_id
      join public.game_analyses a on a.sync_job_id = k.sync_job_id and a.game_id = k.game_id
      cross join lateral (
          select jsonb_agg(
                     (r.move - array['accuracy', 'clock', 'depth', 'nodes', 'forced'])
                     || jsonb_build_object(
                            'previous_uci', r.previous ->> 'uci', 'previous_judgement', r.previous ->> 'judgement',
                            'reply_line_uci', r.next -> 'best_line_uci')
                     order by r.n) as moves
            from (select m.*, row_number() over (partition by mine order by lost desc, n) as place
                    from (select e.n, e.move, lag(e.move) over w as previous, lead(e.move) over w as next,
                                 split_part(e.move ->> 'fen_before', ' ', 2) = left(g.user_color, 1) as mine,
                                 -- Proto JSON leaves out what is 0.
                                 coalesce((e.move ->> 'win_percent_before')::double precision, 0)
                                 - coalesce((e.move ->> 'win_percent_after')::double precision, 0) as lost
                            from jsonb_array_elements(a.moves) with ordinality as e (move, n)
                          window w as (order by e.n)) m) r
           where r.mine and (r.place <= 3 or r.move ->> 'judgement' in (
                     'JUDGEMENT_MISTAKE', 'JUDGEMENT_BLUNDER', 'JUDGEMENT_GREAT', 'JUDGEMENT_BRILLIANT'))) c
     where k.sync_job_id = p_sync_job_id and k.finished_ordinal > p_after
     order by k.finished_ordinal limit p_limit
$$;

-- Calls and tokens of a user's since midnight UTC, those under way included.
create function public.llm_used_today(p_user_id uuid) returns table (calls bigint, tokens bigint)
language sql stable security definer set search_path = '' as $$
    select coalesce(sum(u.calls), 0)::bigint, coalesce(sum(u.input_tokens + u.output_tokens), 0)::bigint
      from public.llm_usage u
     where u.user_id = p_user_id and u.created_at >= date_trunc('day', now(), 'UTC')
$$;

-- Before the LLM is asked: what the cache knows, and how many requests the budget lets through.
-- p_wanted: [{position, move_uci}]. p_requests: [{id, moments, tokens}], the most urgent first; `tokens` is what the
-- request may cost, answer included. p_limits: {"calls_per_job", "tokens_per_job", "calls_per_day", "tokens_per_day"}.
-- Returns {"known": [{position, move_uci, explanation}], "granted": [id], "over": the budget that said no, or null}.
-- What is granted counts as used until record_moments says what it did cost.
create function public.plan_explanations(
    p_sync_job_id uuid, p_lease_token uuid, p_model text, p_band text, p_wanted jsonb, p_requests jsonb, p_limits jsonb
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
    v_job public.sync_jobs := public.lock_leased_job(p_sync_job_id, p_lease_token);
    v_job_calls bigint;
    v_job_tokens bigint;
    v_day record;
    v_request record;
    v_granted uuid[] := '{}';
    v_over text;
    v_known jsonb;
begin
    with found as (
        select e.position, e.move_uci, e.explanation, e.used_at
          from jsonb_to_recordset(p_wanted) as w (position text, move_uci text)
          join public.explanations e on e.position = w.position and e.move_uci = w.move_uci
                                    and e.band = p_band and e.explained_by = p_model
    ), used as (
        update public.explanations e set used_at = now() from found f
         where e.position = f.position and e.move_uci = f.move_uci and e.band = p_band and e.explained_by = p_model
           and f.used_at < now() - interval '1 day'
    )
    select coalesce(jsonb_agg(to_jsonb(f) - 'used_at'), '[]') into v_known from found f;

    -- One plan of a user's after the other, so that two jobs cannot both take the last of the day.
    perform pg_advisory_xact_lock(hashtextextended('plan_explanations ' || v_job.user_id, 0));
    select coalesce(sum(calls), 0), coalesce(sum(input_tokens + output_tokens), 0) into v_job_calls, v_job_tokens
      from public.llm_usage where sync_job_id = p_sync_job_id;
    select * into v_day from public.llm_used_today(v_job.user_id);
    for v_request in select * from jsonb_to_recordset(p_requests) as r (id uuid, moments integer, tokens bigint) loop
        if exists (select from public.llm_usage where id = v_request.id) then
            -- Granted before: that answer was lost, and is asked for again.
            v_granted := v_granted || v_request.id;
            continue;
        end if;
        v_over := case
            when v_job_calls + 1 > (p_limits ->> 'calls_per_job')::bigint then 'calls_per_job'
            when v_job_tokens + v_request.tokens > (p_limits ->> 'tokens_per_job')::bigint then 'tokens_per_job'
            when v_day.calls + 1 > (p_limits ->> 'calls_per_day')::bigint then 'calls_per_day'
            when v_day.tokens + v_request.tokens > (p_limits ->> 'tokens_per_day')::bigint then 'tokens_per_day' end;
        exit when v_over is not null;
        insert into public.llm_usage (id, sync_job_id, user_id, model, outcome, moments, calls, input_tokens)
        values (v_request.id, p_sync_job_id, v_job.user_id, p_model, 'reserved', v_request.moments, 1, v_request.tokens);
        v_granted := v_granted || v_request.id;
        v_job_calls := v_job_calls + 1;
        v_job_tokens := v_job_tokens + v_request.tokens;
        v_day.calls := v_day.calls + 1;
        v_day.tokens := v_day.tokens + v_request.tokens;
    end loop;
    return jsonb_build_object('known', v_known, 'granted', to_jsonb(v_granted), 'over', v_over);
end $$;

-- Writes moments with their explanations, what the LLM was asked for them, and what may serve others. Harmless to
-- repeat; a template never replaces a model's words.
-- p_moments: [{game_analysis_id, ply, judgement, fen_before, move_san, best_san, win_percent_lost, themes,
-- explanation, explained_by, why}]. p_usage: [the columns of llm_usage]; what was granted and not needed has the
-- outcome "not_sent" and leaves no trace. p_explanations: [{position, move_uci, band, explained_by, explanation}].
create function public.record_moments(
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
      join public.game_analyses a on a.id = n.game_analysis_id and a.sync_job_id = p_sync_job_id
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

-- Keeps the cache in bounds: what nobody has asked for so long goes, and the least lately used of what is more than
-- so many rows (as the planner estimates them; 500,000 are 250 MB). Somewhat more rows at a time than a call brings.
create function public.prune_explanations(p_unused interval, p_most_rows bigint) returns void
language sql security definer set search_path = '' as $$
    delete from public.explanations e using (
        select position, move_uci, band, explained_by from public.explanations
         where used_at < now() - p_unused
            or (select reltuples from pg_catalog.pg_class where oid = 'public.explanations'::regclass) > p_most_rows
         order by used_at limit 20) old
     where (e.position, e.move_uci, e.band, e.explained_by)
           = (old.position, old.move_uci, old.band, old.explained_by)
$$;

-- As get_quota, and the LLM's budget of the day where p_limits has "llm_calls_per_day" and "llm_tokens_per_day".
create function public.get_quota_v2(p_user_id uuid, p_limits jsonb) returns setof jsonb
language sql stable security definer set search_path = '' as $$
    select public.get_quota(p_user_id, p_limits)
    union all
    select jsonb_build_object('name', q.name, 'limit', q."limit", 'used', q.used,
                              'reset_at', case when q.used > 0 then public.next_utc_day() end)
      from public.llm_used_today(p_user_id) u,
           lateral (values ('llm_calls_per_day', (p_limits ->> 'llm_calls_per_day')::bigint, u.calls),
                           ('llm_tokens_per_day', (p_limits ->> 'llm_tokens_per_day')::bigint, u.tokens))
               as q (name, "limit", used)
     where q."limit" is not null
$$;

-- As get_usage, and the moves analyzed and what the LLM was asked for them.
create function public.get_usage_v2(p_since timestamp with time zone) returns jsonb
language sql stable security definer set search_path = '' as $$
    select public.get_usage(p_since)
        || jsonb_build_object('moves_analyzed', (select coalesce(sum(ply_count), 0) from public.game_analyses
                                                  where created_at >= p_since))
        || (select jsonb_build_object(
                       'llm_calls', coalesce(sum(calls), 0), 'llm_input_tokens', coalesce(sum(input_tokens), 0),
                       'llm_output_tokens', coalesce(sum(output_tokens), 0))
              from public.llm_usage where created_at >= p_since)
$$;

alter table public.llm_usage enable row level security;
alter table public.explanations enable row level security;
create policy llm_usage_own on public.llm_usage for select to authenticated using (user_id = (select auth.uid()));
revoke all on public.llm_usage, public.explanations from public, anon, authenticated, service_role;
grant select on public.llm_usage to authenticated, service_role;
grant select on public.explanations to service_role;

revoke all on function public.llm_used_today(uuid), public.prune_explanations(interval, bigint)
    from public, anon, authenticated, service_role;
revoke all on function public.list_moment_candidates(uuid, integer, integer),
    public.plan_explanations(uuid, uuid, text, text, jsonb, jsonb, jsonb),
    public.record_moments(uuid, uuid, jsonb, jsonb, jsonb), public.get_quota_v2(uuid, jsonb),
    public.get_usage_v2(timestamp with time zone)
    from public, anon, authenticated;
grant execute on function public.list_moment_candidates(uuid, integer, integer),
    public.plan_explanations(uuid, uuid, text, text, jsonb, jsonb, jsonb),
    public.record_moments(uuid, uuid, jsonb, jsonb, jsonb), public.get_quota_v2(uuid, jsonb),
    public.get_usage_v2(timestamp with time zone)
    to service_role;
