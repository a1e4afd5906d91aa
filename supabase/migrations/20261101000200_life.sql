-- The life of a job: start, claim, heartbeat, status, end. Every function that a worker calls takes its lease token
-- and refuses a stale one. Locks are always taken in the order sync_jobs, sync_queue; claims and heartbeats touch
-- sync_queue alone: no two of them can wait for each other.

-- What clients see of a job.
create function public.sync_job_json(p_job public.sync_jobs) returns jsonb
language sql stable set search_path = '' as $$
    select to_jsonb(p_job) - array['request', 'request_id']
$$;

-- Starts a job, or returns the one that the same request started before.
-- p_request: the caller's fields as they came, to compare a repeated request_id with.
-- p_limits: {"starts", "window_seconds", "games_per_day", "queued_jobs"}, all integers.
create function public.start_sync_job(
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

    v_username := coalesce(nullif(p_username, ''), case p_platform
        when 'chess.com' then v_user.chess_com_username else v_user.lichess_username end);
    if coalesce(v_username, '') = '' then
        raise exception 'name the player, or set the % username in the user''s profile', p_platform
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

create function public.refuse_for_quota(
    p_quota text, p_limit integer, p_used integer, p_reset timestamp with time zone, p_message text
) returns void
language plpgsql set search_path = '' as $$
begin
    raise exception '%', p_message using errcode = 'RK003', detail = jsonb_build_object(
        'quota', p_quota, 'limit', p_limit, 'used', p_used,
        'retry_seconds', ceil(greatest(extract(epoch from p_reset - now()), 1)))::text;
end $$;

create function public.waiting_jobs() returns integer
language sql volatile security definer set search_path = '' as $$
    select count(*)::integer from public.sync_queue where lease_expires_at = '-infinity'
$$;

create function public.games_analyzed_today(p_user_id uuid) returns integer
language sql stable security definer set search_path = '' as $$
    select count(*)::integer from public.game_analyses
     where user_id = p_user_id and created_at >= date_trunc('day', now(), 'UTC')
$$;

create function public.next_utc_day() returns timestamp with time zone
language sql stable set search_path = '' as $$
    select date_trunc('day', now(), 'UTC') + interval '1 day'
$$;

-- Takes one waiting job, or one whose worker was lost: at most one row. Fair between users: whose jobs hold the
-- fewest leases comes first, then who waited longest. p_held: jobs that the worker holds already; where their leases
-- ran out because the database was away, it renews them, and does not take them over from itself.
create function public.claim_sync_job(
    p_owner text, p_lease_seconds double precision, p_max_takeovers integer, p_held uuid[]
) returns setof jsonb
language plpgsql security definer set search_path = '' as $$
declare
    v_queue public.sync_queue;
begin
    select q.* into v_queue from public.sync_queue q
     where q.lease_expires_at < now() and q.takeovers < p_max_takeovers and q.sync_job_id <> all (p_held)
     order by (select count(*) from public.sync_queue h where h.user_id = q.user_id and h.lease_expires_at >= now()),
              q.enqueued_at
     limit 1 for update of q skip locked;
    if not found then
        return;
    end if;
    update public.sync_queue
       set lease_token = gen_random_uuid(), lease_owner = p_owner,
           lease_expires_at = now() + make_interval(secs => p_lease_seconds),
           -- A lease that ran out belonged to a worker that was lost; one given back is '-infinity'.
           takeovers = takeovers + case when lease_expires_at > '-infinity' then 1 else 0 end
     where sync_job_id = v_queue.sync_job_id
    returning * into v_queue;
    return query
        select public.sync_job_json(j) || jsonb_build_object(
                   'lease_token', v_queue.lease_token, 'fetch_cursor', v_queue.fetch_cursor,
                   'lichess_token_encrypted', v_queue.lichess_token_encrypted, 'takeovers', v_queue.takeovers)
          from public.sync_jobs j where j.id = v_queue.sync_job_id;
end $$;

-- Jobs taken over too often end here, so that one that kills its workers cannot do so for ever.
create function public.fail_abandoned_sync_jobs(p_max_takeovers integer) returns setof jsonb
language plpgsql security definer set search_path = '' as $$
declare
    v_id uuid;
begin
    for v_id in select sync_job_id from public.sync_queue where takeovers >= p_max_takeovers and lease_expires_at < now()
    loop
        return query
            update public.sync_jobs j set status = 'failed', error = format(
                'The sync was interrupted %s times and has been given up. Start it again; if this repeats, tell us.',
                p_max_takeovers)
             where j.id = v_id and j.status in ('pending', 'fetching', 'analyzing')
            returning public.sync_job_json(j);
    end loop;
end $$;

-- Heartbeat of all of a replica's jobs in one call. p_leases: [{"sync_job_id", "lease_token"}].
-- Returns the ids still held; a job that is missing there is lost to its worker.
create function public.renew_leases(p_leases jsonb, p_lease_seconds double precision) returns setof uuid
language sql security definer set search_path = '' as $$
    update public.sync_queue q set lease_expires_at = now() + make_interval(secs => p_lease_seconds)
      from jsonb_to_recordset(p_leases) as l (sync_job_id uuid, lease_token uuid)
     where q.sync_job_id = l.sync_job_id and q.lease_token = l.lease_token
    returning q.sync_job_id
$$;

-- Gives a job back as it stands; another worker goes on with it at once. Releasing a lost lease does nothing.
create function public.release_sync_job(p_sync_job_id uuid, p_lease_token uuid) returns void
language plpgsql security definer set search_path = '' as $$
begin
    update public.sync_queue set lease_token = null, lease_owner = null, lease_expires_at = '-infinity'
     where sync_job_id = p_sync_job_id and lease_token = p_lease_token;
    if found then
        perform pg_notify('sync_jobs', p_sync_job_id || ' released');
    end if;
end $$;

-- The fence. Locks the job for the rest of the transaction, or refuses a worker that does not hold its lease.
create function public.lock_leased_job(p_sync_job_id uuid, p_lease_token uuid) returns public.sync_jobs
language plpgsql set search_path = '' as $$
declare
    v_job public.sync_jobs;
begin
    select * into v_job from public.sync_jobs where id = p_sync_job_id for update;
    perform from public.sync_queue
      where sync_job_id = p_sync_job_id and lease_token = p_lease_token for no key update;
    if not found then
        raise exception 'the lease of sync job % is not held by this worker any more', p_sync_job_id
            using errcode = 'RK004', detail = jsonb_build_object('status', v_job.status)::text;
    end if;
    return v_job;
end $$;

-- pending → fetching → analyzing → completed, or failed with its reason. The same again changes nothing.
create function public.advance_sync_job(
    p_sync_job_id uuid, p_lease_token uuid, p_status text, p_error text default null
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
    v_job public.sync_jobs := public.lock_leased_job(p_sync_job_id, p_lease_token);
begin
    if v_job.status <> p_status then
        update public.sync_jobs set status = p_status, error = p_error where id = p_sync_job_id returning * into v_job;
    end if;
    return public.sync_job_json(v_job);
end $$;

-- Says what an active job waits for, in its `error`, until its status changes or '' is said.
create function public.note_sync_job(p_sync_job_id uuid, p_lease_token uuid, p_notice text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
    v_job public.sync_jobs := public.lock_leased_job(p_sync_job_id, p_lease_token);
begin
    update public.sync_jobs set error = nullif(p_notice, '') where id = p_sync_job_id returning * into v_job;
    return public.sync_job_json(v_job);
end $$;

-- Cancels an active job of the user (null: of any). A cancelled one stays so; one that ended otherwise is refused.
create function public.cancel_sync_job(p_sync_job_id uuid, p_user_id uuid) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
    v_job public.sync_jobs;
begin
    select * into v_job from public.sync_jobs
     where id = p_sync_job_id and (p_user_id is null or user_id = p_user_id) for update;
    if not found then
        raise exception 'there is no sync job %', p_sync_job_id using errcode = 'RK001';
    end if;
    if v_job.status in ('completed', 'failed') then
        raise exception 'sync job % is % already', p_sync_job_id, v_job.status using errcode = 'RK006';
    end if;
    if v_job.status <> 'cancelled' then
        -- Whatever it waited for, it does so no more.
        update public.sync_jobs set status = 'cancelled', error = null where id = p_sync_job_id returning * into v_job;
    end if;
    return public.sync_job_json(v_job);
end $$;

-- An operator ends a job; its worker is fenced off by the missing lease.
create function public.fail_sync_job(p_sync_job_id uuid, p_reason text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
    v_job public.sync_jobs;
begin
    select * into v_job from public.sync_jobs where id = p_sync_job_id for update;
    if not found then
        raise exception 'there is no sync job %', p_sync_job_id using errcode = 'RK001';
    end if;
    if v_job.status in ('completed', 'failed', 'cancelled') then
        raise exception 'sync job % is % already', p_sync_job_id, v_job.status using errcode = 'RK006';
    end if;
    update public.sync_jobs set status = 'failed', error = p_reason where id = p_sync_job_id returning * into v_job;
    return public.sync_job_json(v_job);
end $$;

-- Fails every active job without progress for so long. Returns them, as they are then.
create function public.cleanup_stuck_sync_jobs(p_older_than_seconds double precision, p_dry_run boolean) returns setof jsonb
language plpgsql security definer set search_path = '' as $$
declare
    v_job public.sync_jobs;
begin
    for v_job in
        select * from public.sync_jobs
         where status in ('pending', 'fetching', 'analyzing')
           and updated_at < now() - make_interval(secs => p_older_than_seconds)
         order by created_at for update skip locked
    loop
        if not p_dry_run then
            update public.sync_jobs set status = 'failed', error = format(
                'The sync made no progress since %s UTC and was cleaned up. Please start it again.',
                to_char(v_job.updated_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'))
             where id = v_job.id returning * into v_job;
        end if;
        return next public.sync_job_json(v_job);
    end loop;
end $$;
