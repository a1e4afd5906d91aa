-- What row level security asks for: a user's rows. No index began with user_id in these three, so that whoever read their
-- own rows read everybody's; those by job, game and analysis do not serve. user_id alone: what a front end sorts or
-- filters by besides is its own affair, and a user's rows are few. No statement updates user_id.
create index moments_by_user on public.moments (user_id);
create index sync_job_games_by_user on public.sync_job_games (user_id);
create index sync_job_events_by_user on public.sync_job_events (user_id);
