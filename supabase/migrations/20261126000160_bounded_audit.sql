-- As before, and bounded where it is asked for again and again: the audit read every job, game and analysis there is.
-- p_limits as for start_sync_job, and two more, either of which may be missing:
--   "within_seconds": jobs that are active, were started or ended within so long, and analyses written then; else all.
--     What is older was looked at while it was young. Found by indexes, so that its cost is that of the work done since.
--   "stuck_after_seconds": how long a job may be without progress; else two hours.
create or replace function public.audit_sync_jobs(p_limits jsonb) returns setof jsonb
language plpgsql stable security definer set search_path = '' set plan_cache_mode = 'force_custom_plan' as $$
declare
    v_since timestamp with time zone := coalesce(
        now() - make_interval(secs => (p_limits ->> 'within_seconds')::double precision), '-infinity');
    v_stuck interval := make_interval(secs => coalesce((p_limits ->> 'stuck_after_seconds')::double precision, 7200));
begin
    return query
    -- Not materialized: in the whole audit each rule goes through the table by itself, as it is quickest then.
    with jobs as not materialized (
        select j.id, j.user_id, j.status, j.error, j.completed_at, j.request is not null as has_request,
               j.games_found, j.games_analyzed, j.games_skipped, j.games_failed
          from public.sync_jobs j
         where j.created_at >= v_since or j.completed_at >= v_since or j.status in ('pending', 'fetching', 'analyzing')
    ), counted as (
        select j.*,
               (select count(*) from public.game_analyses a where a.sync_job_id = j.id) as true_analyzed,
               k.found as true_found, k.skipped as true_skipped, k.failed as true_failed, k.queued as true_queued
          from jobs j
          cross join lateral (
              select count(*) as found, count(*) filter (where outcome = 'skipped') as skipped,
                     count(*) filter (where outcome = 'failed') as failed,
                     count(*) filter (where outcome = 'queued') as queued
                from public.sync_job_games g where g.sync_job_id = j.id) k
    ), breaches (rule, sync_job_id, game_analysis_id, detail) as (
        select 'analysis_without_job', a.sync_job_id, a.id, 'the analysis names no sync job that exists'
          from public.game_analyses a left join public.sync_jobs j on j.id = a.sync_job_id
         where j.id is null and a.created_at >= v_since
        union all
        select 'analysis_of_another_user', a.sync_job_id, a.id, 'the analysis belongs to another user than its job'
          from public.game_analyses a join public.sync_jobs j on j.id = a.sync_job_id
         where a.user_id <> j.user_id and a.created_at >= v_since
        union all
        select 'counters_differ', c.id, null, format(
                   'found %s (rows %s), analyzed %s (%s), skipped %s (%s), failed %s (%s)', c.games_found, c.true_found,
                   c.games_analyzed, c.true_analyzed, c.games_skipped, c.true_skipped, c.games_failed, c.true_failed)
          from counted c
         where c.has_request
           and (c.games_analyzed <> c.true_analyzed or c.games_found <> c.true_found
            or c.games_skipped <> c.true_skipped or c.games_failed <> c.true_failed)
        union all
        select 'completed_with_open_games', c.id, null, format('%s games are neither analyzed, skipped nor failed', c.true_queued)
          from counted c where c.status = 'completed' and c.true_queued > 0
        union all
        select 'unknown_status', id, null, format('status is %L', status) from jobs
         where status is null or status not in ('pending', 'fetching', 'analyzing', 'completed', 'failed', 'cancelled')
        union all
        select 'completed_at', id, null, format('status is %s, completed_at is %s', status, coalesce(completed_at::text, 'not set'))
          from jobs
         where (status in ('completed', 'failed', 'cancelled')) is distinct from (completed_at is not null)
        union all
        select 'failed_without_reason', id, null, 'the job failed and does not say why'
          from jobs where status = 'failed' and coalesce(error, '') = ''
        union all
        select 'no_progress', id, null, format('%s since %s', status, updated_at)
          from public.sync_jobs
         where status in ('pending', 'fetching', 'analyzing') and updated_at < now() - v_stuck
        union all
        select 'active_job_not_queued', j.id, null, 'no worker can ever claim the job'
          from public.sync_jobs j left join public.sync_queue q on q.sync_job_id = j.id
         where j.status in ('pending', 'fetching', 'analyzing') and q.sync_job_id is null
        union all
        select 'lease_long_past', q.sync_job_id, null, format('held by %s until %s', q.lease_owner, q.lease_expires_at)
          from public.sync_queue q
         where q.lease_expires_at > '-infinity' and q.lease_expires_at < now() - interval '10 minutes'
        union all
        select 'status_out_of_order', e.sync_job_id, null, format('%s after %s at %s', e.to_status, e.before, e.at)
          from (select *, lag(to_status) over (partition by sync_job_id order by id) as before
                  from public.sync_job_events where sync_job_id in (select id from jobs)) e
         where e.from_status is distinct from e.before
            or (coalesce(e.before, ''), e.to_status) not in (
                   ('', 'pending'), ('pending', 'fetching'), ('fetching', 'analyzing'), ('analyzing', 'completed'))
               and e.to_status not in ('failed', 'cancelled') and e.to_status is distinct from e.before
        union all
        select 'status_without_history', j.id, null, format('the job is %s, its history ends as %s', j.status,
                   coalesce(e.to_status, 'nothing'))
          from jobs j
          left join lateral (select to_status from public.sync_job_events where sync_job_id = j.id
                              order by id desc limit 1) e on true
         where j.has_request and e.to_status is distinct from j.status
        union all
        select 'starts_above_quota', s.id, null, format('%s starts of user %s within %s seconds', s.starts, s.user_id,
                   p_limits ->> 'window_seconds')
          from (select id, user_id, created_at, count(*) over (
                           partition by user_id order by created_at
                           range between make_interval(secs => (p_limits ->> 'window_seconds')::integer) preceding
                           and current row) as starts
                  from public.sync_jobs where created_at > now() - interval '1 day') s
         where s.starts > (p_limits ->> 'starts')::integer
        union all
        select 'games_above_quota', null, null, format('%s games of user %s were analyzed today', count(*), user_id)
          from public.game_analyses where created_at >= date_trunc('day', now(), 'UTC')
         group by user_id having count(*) > (p_limits ->> 'games_per_day')::integer
        union all
        select 'several_active_jobs', max(id::text)::uuid, null, format('user %s has %s active syncs of %s', user_id, count(*), platform)
          from public.sync_jobs where status in ('pending', 'fetching', 'analyzing')
         group by user_id, platform having count(*) > 1
    )
    select to_jsonb(b) from breaches b order by b.rule, b.sync_job_id;
end $$;
