-- As before, except that a job starts only for a name that there can be on its platform: one that cannot be failed later,
-- as a defect. The rule is that of orchestrator/platforms/usernames.py, which says where it comes from.
create or replace function public.start_sync_job(
    p_user_id uuid, p_platform text, p_username text, p_from_date date, p_to_date date, p_months integer,
    p_filter jsonb, p_max_games integer, p_preset text, p_request_id uuid, p_request jsonb, p_limits jsonb,
    p_lichess_token_encrypted text default null
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
    v_job public.sync_jobs;
    v_user public.users;
    v_username text;
    v_used integer;
    v_limit integer;
    v_oldest timestamp with time zone;
    v_window interval := make_interval(secs => (p_limits ->> 'window_seconds')::integer);
begin
    -- One start of a user after the other: the quotas below are exact however many come at once.
    perform pg_advisory_xact_lock(hashtextextended('start_sync_job ' || p_user_id, 0));

    select * into v_user from public.users where id = p_user_id;
    if not found then
        raise exception 'there is no user %', p_user_id using errcode = 'RK001';
    end if;

    if p_request_id is not null then
        select * into v_job from public.sync_jobs where user_id = p_user_id and request_id = p_request_id;
        if found then
            if v_job.request is distinct from p_request then
                raise exception 'this request_id started another sync with other fields; use a new one'
                    using errcode = 'RK007', detail = '{"field": "request_id"}';
            end if;
            return public.sync_job_json(v_job);
        end if;
    end if;

    v_username := coalesce(nullif(p_username, ''), btrim(case p_platform
        when 'chess.com' then v_user.chess_com_username else v_user.lichess_username end, E' \t\r\n'));
    if coalesce(v_username, '') = '' then
        raise exception 'name the player, or set the % username in the user''s profile', p_platform
            using errcode = 'RK007', detail = '{"field": "username"}';
    end if;
    -- What the caller names was checked before; the profile's name was not, and its user may have pasted an address.
    if v_username !~ (case p_platform when 'chess.com' then '^[A-Za-z0-9_-]{3,25}$'
                                      else '^[A-Za-z0-9][A-Za-z0-9_-]{0,28}[A-Za-z0-9]$' end) then
        raise exception '% cannot be a name on %; correct the % username in the user''s profile, or name the player',
            quote_literal(left(v_username, 40)), p_platform, p_platform
            using errcode = 'RK007', detail = '{"field": "username"}';
    end if;

    select * into v_job from public.sync_jobs
     where user_id = p_user_id and platform = p_platform and status in ('pending', 'fetching', 'analyzing');
    if found then
        raise exception 'A sync job is already running for %. Please wait for it to complete.', p_platform
            using errcode = 'RK002', detail = jsonb_build_object('sync_job_id', v_job.id)::text;
    end if;

    v_limit := (p_limits ->> 'starts')::integer;
    select count(*), min(created_at) into v_used, v_oldest from public.sync_jobs
     where user_id = p_user_id and created_at > now() - v_window;
    if v_used >= v_limit then
        -- Room again when the newest starts alone are below the limit.
        select created_at into v_oldest from public.sync_jobs
         where user_id = p_user_id and created_at > now() - v_window
         order by created_at desc offset v_limit - 1 limit 1;
        perform public.refuse_for_quota('syncs_per_window', v_limit, v_used, v_oldest + v_window,
            format('%s syncs were started within %s minutes; at most %s are allowed', v_used,
                   round(extract(epoch from v_window) / 60, 1), v_limit));
    end if;

    v_limit := (p_limits ->> 'games_per_day')::integer;
    v_used := public.games_analyzed_today(p_user_id);
    if v_used >= v_limit then
        perform public.refuse_for_quota('games_per_day', v_limit, v_used, public.next_utc_day(),
            format('%s games were analyzed today; at most %s a day are allowed', v_used, v_limit));
    end if;

    v_limit := (p_limits ->> 'queued_jobs')::integer;
    v_used := public.waiting_jobs();
    -- Near the limit one start waits for the other, so that it is exact; far from it nobody need wait. Between this
    -- count and its commit stand at most as many other starts as there are connections: far fewer than a hundred.
    if v_used >= v_limit - 100 then
        perform pg_advisory_xact_lock(hashtextextended('queued_jobs', 0));
        v_used := public.waiting_jobs();
    end if;
    if v_used >= v_limit then
        perform public.refuse_for_quota('queued_jobs', v_limit, v_used, now() + interval '1 minute',
            'the system has as many syncs waiting as it takes; try again soon');
    end if;

    insert into public.sync_jobs (user_id, platform, username, from_date, to_date, months_requested, filter, max_games,
                                  preset, request_id, request)
    values (p_user_id, p_platform, v_username, p_from_date, p_to_date, p_months, p_filter,
            -- What is left of today's games bounds the sync, newest first.
            least(nullif(p_max_games, 0), (p_limits ->> 'games_per_day')::integer - public.games_analyzed_today(p_user_id)),
            p_preset, p_request_id, p_request)
    returning * into v_job;
    if p_lichess_token_encrypted is not null then
        update public.sync_queue set lichess_token_encrypted = p_lichess_token_encrypted where sync_job_id = v_job.id;
    end if;
    return public.sync_job_json(v_job);
end $$;
