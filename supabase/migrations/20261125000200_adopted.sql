-- After the tables: what …_adopt.sql made ready is held to the same rules as every new row, and the analyses of the
-- original application are taken in. On a project that began empty the first part finds nothing to do, and the second
-- nothing to take in.

-- Part one: sync_jobs.

do $$
declare
    v_rule name;
begin
    if not exists (select from pg_catalog.pg_constraint where conrelid = 'public.sync_jobs'::regclass
                      and contype = 'f' and confrelid = 'public.users'::regclass) then
        -- Jobs whose user is gone may lie there: not valid.
        alter table public.sync_jobs add constraint sync_jobs_user foreign key (user_id) references public.users (id)
            on delete cascade not valid;
    end if;
    for v_rule in select conname from pg_catalog.pg_constraint
                   where conrelid = 'public.sync_jobs'::regclass and not convalidated
    loop
        begin
            execute format('alter table public.sync_jobs validate constraint %I', v_rule);
        exception when check_violation or foreign_key_violation then
            -- A job without an owner, or of a platform that is none: it holds for new rows, and the audit names the old.
            raise warning 'old rows of sync_jobs break the rule %: see `rookify admin audit`', v_rule;
        end;
    end loop;
end $$;

alter table public.sync_jobs
    alter column status set not null,
    alter column games_found set not null,
    alter column games_analyzed set not null,
    alter column created_at set not null,
    alter column updated_at set not null;

-- A job that belongs to nobody, or to no platform there is, can only come from the original application. It is kept,
-- and the audit names it; whoever asks for jobs does not get what no client could read.
create or replace function public.get_sync_jobs(p_sync_job_ids uuid[]) returns setof jsonb
language sql stable security definer set search_path = '' as $$
    select public.sync_job_json(j) from public.sync_jobs j
     where j.id = any (p_sync_job_ids) and j.user_id is not null and j.platform in ('chess.com', 'lichess')
$$;

create or replace function public.list_sync_jobs(
    p_user_id uuid, p_active_only boolean, p_limit integer,
    p_before_time timestamp with time zone default null, p_before_id uuid default null
) returns setof jsonb
language sql stable security definer set search_path = '' as $$
    select public.sync_job_json(j) from public.sync_jobs j
     where (p_user_id is null or j.user_id = p_user_id)
       and (not p_active_only or j.status in ('pending', 'fetching', 'analyzing'))
       and (p_before_time is null or (j.created_at, j.id) < (p_before_time, p_before_id))
       and j.user_id is not null and j.platform in ('chess.com', 'lichess')
     order by j.created_at desc, j.id desc limit p_limit
$$;

-- Part two: `game_analysis`, one row per game, its `sync_job_id` held by nothing. It stays a table of its own: its rows
-- lack what game_analyses must have (moves, scores, which engine), and to make that up would be a lie. So:
--   * every row stays, and its user reads it as before; nobody else does;
--   * the service alone writes (the original backend, for as long as it runs beside this one), and removes nothing;
--   * a new row names an existing job of its user; an old one may be linked, and stays linked then;
--   * it goes with its job, as every analysis does; the audit counts what is not linked.

create function public.game_analysis_guard() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'UPDATE' and (new.sync_job_id, new.user_id) is not distinct from (old.sync_job_id, old.user_id) then
        return new;
    end if;
    if not exists (select from public.sync_jobs j where j.id = new.sync_job_id and j.user_id = new.user_id) then
        raise exception 'an analysis names a sync job of its user: create the job first, and give its id as sync_job_id'
            using errcode = 'RK005';
    end if;
    return new;
end $$;

do $$
declare
    v_policy name;
begin
    if to_regclass('public.game_analysis') is null then
        return;
    end if;
    alter table public.game_analysis add column if not exists sync_job_id uuid;
    if exists (select from pg_catalog.pg_attribute
                where attrelid = to_regclass('public.game_analysis') and attname in ('sync_job_id', 'user_id')
                  and atttypid <> 'uuid'::regtype) then
        raise exception 'game_analysis.sync_job_id and game_analysis.user_id must be of type uuid, as what they refer to'
            using hint = 'alter table public.game_analysis alter column sync_job_id type uuid using sync_job_id::uuid;';
    end if;

    create trigger game_analysis_guard before insert or update on public.game_analysis
        for each row execute function public.game_analysis_guard();
    alter table public.game_analysis add constraint game_analysis_job foreign key (sync_job_id, user_id)
        references public.sync_jobs (id, user_id) on delete cascade not valid;
    create index game_analysis_by_job on public.game_analysis (sync_job_id);

    for v_policy in select policyname from pg_catalog.pg_policies
                     where schemaname = 'public' and tablename = 'game_analysis'
    loop
        execute format('drop policy %I on public.game_analysis', v_policy);
    end loop;
    alter table public.game_analysis enable row level security;
    create policy game_analysis_own on public.game_analysis for select to authenticated
        using (user_id = (select auth.uid()));
    revoke all on public.game_analysis from public, anon, authenticated, service_role;
    grant select on public.game_analysis to authenticated;
    grant select, insert, update on public.game_analysis to service_role;
end $$;

-- What was left and fits no rule: {rule, sync_job_id, game_analysis_id, detail}, as audit_sync_jobs returns it. Old
-- analyses can be many: they are counted by user.
create function public.audit_adopted() returns setof jsonb
language plpgsql stable security definer set search_path = '' as $$
begin
    return query
        select jsonb_build_object('rule', 'job_without_user', 'sync_job_id', j.id, 'game_analysis_id', null,
                   'detail', format('user %s does not exist', coalesce(j.user_id::text, 'null')))
          from public.sync_jobs j left join public.users u on u.id = j.user_id where u.id is null
        union all
        select jsonb_build_object('rule', 'unknown_platform', 'sync_job_id', j.id, 'game_analysis_id', null,
                   'detail', format('platform is %L', j.platform))
          from public.sync_jobs j where j.platform is null or j.platform not in ('chess.com', 'lichess');
    if to_regclass('public.game_analysis') is not null then
        return query execute $query$
            select jsonb_build_object('rule', 'unlinked_game_analysis', 'sync_job_id', null, 'game_analysis_id', null,
                       'detail', format('%s rows of game_analysis of user %s name no sync job of that user', count(*),
                                        coalesce(a.user_id::text, 'null')))
              from public.game_analysis a
              left join public.sync_jobs j on j.id = a.sync_job_id and j.user_id = a.user_id
             where j.id is null group by a.user_id order by a.user_id
        $query$;
    end if;
end $$;

revoke all on function public.game_analysis_guard() from public, anon, authenticated, service_role;
revoke all on function public.audit_adopted() from public, anon, authenticated;
grant execute on function public.audit_adopted() to service_role;
