-- The history of every job: each change of status with its time and cause, each worker that took over. Append-only.

create table public.sync_job_events (
    id bigint generated always as identity primary key,
    sync_job_id uuid not null references public.sync_jobs (id) on delete cascade,
    user_id uuid not null,
    at timestamp with time zone not null default clock_timestamp(),
    from_status varchar,                     -- null: the job was started
    to_status varchar not null,              -- equal to from_status where only the worker changed
    cause text not null
);
create index sync_job_events_by_job on public.sync_job_events (sync_job_id, id);

create function public.sync_job_events_append() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
    v_owner text;
begin
    if tg_op = 'UPDATE' and new.status = old.status then
        return null;
    end if;
    select lease_owner into v_owner from public.sync_queue where sync_job_id = new.id;
    insert into public.sync_job_events (sync_job_id, user_id, from_status, to_status, cause)
    values (new.id, new.user_id, case when tg_op = 'UPDATE' then old.status end, new.status, case new.status
        when 'pending' then format('started for %s on %s, %s to %s', new.username, new.platform, new.from_date, new.to_date)
        when 'fetching' then 'claimed by ' || coalesce(v_owner, 'nobody')
        when 'analyzing' then format('%s games found, %s of them analyzed before', new.games_found, new.games_skipped)
        when 'cancelled' then 'cancelled by the user or for them'
        else coalesce(new.error, format('%s games analyzed', new.games_analyzed)) end);
    return null;
end $$;
-- Before sync_jobs_enqueue by name, which takes the queue's row (and the owner's name) away.
create trigger sync_jobs_b_history after insert or update of status on public.sync_jobs
    for each row execute function public.sync_job_events_append();

-- Who has the job now, where that changes without its status.
create function public.sync_queue_history() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    insert into public.sync_job_events (sync_job_id, user_id, from_status, to_status, cause)
    select j.id, j.user_id, j.status, j.status, case
               when new.lease_token is null then 'given back by ' || coalesce(old.lease_owner, 'nobody')
               when new.takeovers > old.takeovers then
                   format('taken over by %s: %s was lost', new.lease_owner, coalesce(old.lease_owner, 'a worker'))
               else 'claimed by ' || new.lease_owner end
      from public.sync_jobs j
     where j.id = new.sync_job_id and j.status <> 'pending';
    return null;
end $$;
create trigger sync_queue_history after update of lease_token on public.sync_queue
    for each row when (old.lease_token is distinct from new.lease_token)
    execute function public.sync_queue_history();

create function public.sync_job_events_guard() returns trigger
language plpgsql set search_path = '' as $$
begin
    if tg_op = 'DELETE' and not exists (select from public.sync_jobs where id = old.sync_job_id) then
        return old;  -- together with its job
    end if;
    raise exception 'the history of a sync job is only added to' using errcode = 'RK005';
end $$;
create trigger sync_job_events_guard before update or delete on public.sync_job_events
    for each row execute function public.sync_job_events_guard();

create function public.list_sync_job_events(p_sync_job_id uuid) returns setof jsonb
language sql stable security definer set search_path = '' as $$
    select to_jsonb(e) - array['id', 'user_id'] from public.sync_job_events e
     where e.sync_job_id = p_sync_job_id order by e.id
$$;

alter table public.sync_job_events enable row level security;
create policy sync_job_events_own on public.sync_job_events for select to authenticated
    using (user_id = (select auth.uid()));
revoke all on public.sync_job_events from public, anon, authenticated, service_role;
grant select on public.sync_job_events to authenticated, service_role;
revoke all on function public.sync_job_events_append(), public.sync_queue_history(), public.sync_job_events_guard()
    from public, anon, authenticated, service_role;
revoke all on function public.list_sync_job_events(uuid) from public, anon, authenticated;
grant execute on function public.list_sync_job_events(uuid) to service_role;
