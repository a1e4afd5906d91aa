-- Who may do what. A user reads their own rows and writes nothing; the service reads, and writes by the functions
-- alone: even with its key nothing gets around the rules. anon may do nothing at all.

alter table public.users enable row level security;
alter table public.sync_jobs enable row level security;
alter table public.sync_queue enable row level security;
alter table public.games enable row level security;
alter table public.sync_job_games enable row level security;
alter table public.game_analyses enable row level security;
alter table public.moments enable row level security;

-- (select auth.uid()) is evaluated once a query, not once a row.
create policy sync_jobs_own on public.sync_jobs for select to authenticated using (user_id = (select auth.uid()));
create policy games_own on public.games for select to authenticated using (user_id = (select auth.uid()));
create policy sync_job_games_own on public.sync_job_games for select to authenticated using (user_id = (select auth.uid()));
create policy game_analyses_own on public.game_analyses for select to authenticated using (user_id = (select auth.uid()));
create policy moments_own on public.moments for select to authenticated using (user_id = (select auth.uid()));

revoke all on public.sync_jobs, public.sync_queue, public.games, public.sync_job_games, public.game_analyses, public.moments
    from public, anon, authenticated, service_role;
grant select on public.sync_jobs, public.games, public.sync_job_games, public.game_analyses, public.moments
    to authenticated, service_role;
grant select on public.sync_queue to service_role;
grant select on public.users to service_role;

do $$
declare
    v_function regprocedure;
begin
    for v_function in
        select p.oid::regprocedure from pg_catalog.pg_proc p
         where p.pronamespace = 'public'::regnamespace and p.proname in (
             'sync_jobs_guard', 'sync_jobs_enqueue', 'sync_jobs_notify', 'sync_job_games_count', 'sync_job_games_guard',
             'game_analyses_count', 'game_analyses_guard', 'game_analyses_kept', 'lock_leased_job', 'refuse_for_quota',
             'sync_job_json', 'game_summary_json', 'preset_rank', 'games_analyzed_today', 'next_utc_day',
             'waiting_jobs')
    loop
        execute format('revoke all on function %s from public, anon, authenticated, service_role', v_function);
    end loop;
    for v_function in
        select p.oid::regprocedure from pg_catalog.pg_proc p
         where p.pronamespace = 'public'::regnamespace and p.proname in (
             'start_sync_job', 'claim_sync_job', 'fail_abandoned_sync_jobs', 'renew_leases', 'release_sync_job',
             'advance_sync_job', 'note_sync_job', 'cancel_sync_job', 'fail_sync_job', 'cleanup_stuck_sync_jobs', 'record_games',
             'take_games', 'record_analyses', 'get_user', 'ensure_user', 'get_sync_jobs', 'list_sync_jobs',
             'sync_job_failures', 'list_finished_games', 'list_game_analyses', 'get_game_analysis', 'get_quota',
             'get_usage')
    loop
        execute format('revoke all on function %s from public, anon, authenticated', v_function);
        execute format('grant execute on function %s to service_role', v_function);
    end loop;
end $$;
