-- What operators watch of the whole system, in one cheap read: only active jobs are looked at.
create function public.get_figures() returns jsonb
language sql stable security definer set search_path = '' as $$
    select jsonb_build_object(
               'pending', count(*) filter (where j.status = 'pending'),
               'fetching', count(*) filter (where j.status = 'fetching'),
               'analyzing', count(*) filter (where j.status = 'analyzing'),
               'queue_age_seconds', coalesce(extract(epoch from now() - min(q.enqueued_at)
                   filter (where q.lease_expires_at = '-infinity')), 0),
               'stuck', count(*) filter (where j.updated_at < now() - interval '15 minutes'),
               'backlog_games', coalesce(sum(j.games_found - j.games_analyzed - j.games_skipped - j.games_failed), 0))
      from public.sync_queue q join public.sync_jobs j on j.id = q.sync_job_id
$$;

revoke all on function public.get_figures() from public, anon, authenticated;
grant execute on function public.get_figures() to service_role;
