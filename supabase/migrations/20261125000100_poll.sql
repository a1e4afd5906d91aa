-- For replicas that reach the database over PostgREST, where nobody can LISTEN: one cheap question, asked again and
-- again, about which jobs changed and whether one waits for a worker.

-- Apart from sync_jobs: an index on a column that every write changes would make each of them touch all indexes there.
create table public.sync_job_changes (
    sync_job_id uuid primary key references public.sync_jobs (id) on delete cascade,
    changed_in xid8 not null                 -- the transaction that changed the job last
);
create index sync_job_changes_changed_in on public.sync_job_changes (changed_in);
insert into public.sync_job_changes (sync_job_id, changed_in) select id, pg_current_xact_id() from public.sync_jobs;

create function public.sync_jobs_changed() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    insert into public.sync_job_changes as c (sync_job_id, changed_in) values (new.id, pg_current_xact_id())
    on conflict (sync_job_id) do update set changed_in = excluded.changed_in where c.changed_in <> excluded.changed_in;
    return null;
end $$;
-- The last by name, so that locks are taken in the order sync_jobs, sync_queue, sync_job_changes.
create trigger sync_jobs_z_changed after insert or update on public.sync_jobs
    for each row execute function public.sync_jobs_changed();

-- {cursor, changed, work_waits}. p_since: the cursor of the last answer, or null for the first question.
-- changed: [{id, status, job}] of the jobs that changed since, each once and as it is now, whole for those that are
-- watched; null where that cannot be said (the first question, more than 1,000 jobs, another cluster): look at everything.
--
-- The cursor is a snapshot, not a time or a number: transactions commit in another order than they begin, and whoever
-- asks for "later than the last one I saw" misses one that began before it and commits after. A snapshot names the
-- transactions that were still open, so that each change is told exactly once, however long its transaction took.
create function public.poll_sync_jobs(p_since text, p_watched uuid[]) returns jsonb
-- stable: one snapshot for the cursor and for what is read.
language plpgsql stable security definer set search_path = '' as $$
declare
    v_since pg_snapshot := p_since;
    v_changed jsonb;
begin
    if pg_snapshot_xmax(v_since) <= pg_snapshot_xmax(pg_current_snapshot()) then
        select case when count(*) <= 1000 then coalesce(jsonb_agg(jsonb_build_object(
                   'id', j.id, 'status', j.status,
                   'job', case when j.id = any (p_watched) then public.sync_job_json(j) end)), '[]') end
          into v_changed
          from (select sync_job_id from public.sync_job_changes
                 where changed_in >= pg_snapshot_xmin(v_since) and not pg_visible_in_snapshot(changed_in, v_since)
                 -- In this order, so that it reads the index whatever the planner believes of the table.
                 order by changed_in limit 1001) c
          join public.sync_jobs j on j.id = c.sync_job_id;
    end if;
    return jsonb_build_object(
        'cursor', pg_current_snapshot()::text,
        'changed', v_changed,
        'work_waits', exists (select from public.sync_queue where lease_expires_at < now()));
end $$;

alter table public.sync_job_changes enable row level security;
revoke all on public.sync_job_changes from public, anon, authenticated, service_role;
revoke all on function public.sync_jobs_changed() from public, anon, authenticated, service_role;
revoke all on function public.poll_sync_jobs(text, uuid[]) from public, anon, authenticated;
grant execute on function public.poll_sync_jobs(text, uuid[]) to service_role;
