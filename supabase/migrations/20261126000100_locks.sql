-- Locks that let a claim by. Handing a lease on writes a row of sync_job_events, whose foreign key takes KEY SHARE on the
-- job while the queue's row is locked; who locked the job `for update`, and waited for the queue's row, was waited for
-- in turn. Nothing here changes a job's key: `for no key update` keeps writers apart just as well, and lets that by.
-- All else is as before.

create or replace function public.lock_leased_job(p_sync_job_id uuid, p_lease_token uuid) returns public.sync_jobs
language plpgsql set search_path = '' as $$
declare
    v_job public.sync_jobs;
begin
    select * into v_job from public.sync_jobs where id = p_sync_job_id for no key update;
    perform from public.sync_queue
      where sync_job_id = p_sync_job_id and lease_token = p_lease_token for no key update;
    if not found then
        raise exception 'the lease of sync job % is not held by this worker any more', p_sync_job_id
            using errcode = 'RK004', detail = jsonb_build_object('status', v_job.status)::text;
    end if;
    return v_job;
end $$;

create or replace function public.cancel_sync_job(p_sync_job_id uuid, p_user_id uuid) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
    v_job public.sync_jobs;
begin
    select * into v_job from public.sync_jobs
     where id = p_sync_job_id and (p_user_id is null or user_id = p_user_id) for no key update;
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

create or replace function public.fail_sync_job(p_sync_job_id uuid, p_reason text) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
    v_job public.sync_jobs;
begin
    select * into v_job from public.sync_jobs where id = p_sync_job_id for no key update;
    if not found then
        raise exception 'there is no sync job %', p_sync_job_id using errcode = 'RK001';
    end if;
    if v_job.status in ('completed', 'failed', 'cancelled') then
        raise exception 'sync job % is % already', p_sync_job_id, v_job.status using errcode = 'RK006';
    end if;
    update public.sync_jobs set status = 'failed', error = p_reason where id = p_sync_job_id returning * into v_job;
    return public.sync_job_json(v_job);
end $$;

create or replace function public.cleanup_stuck_sync_jobs(p_older_than_seconds double precision, p_dry_run boolean) returns setof jsonb
language plpgsql security definer set search_path = '' as $$
declare
    v_job public.sync_jobs;
begin
    for v_job in
        select * from public.sync_jobs
         where status in ('pending', 'fetching', 'analyzing')
           and updated_at < now() - make_interval(secs => p_older_than_seconds)
         order by created_at for no key update skip locked
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
