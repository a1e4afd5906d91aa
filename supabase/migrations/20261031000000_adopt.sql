-- Before the tables: what the original application left in a Supabase project is made to fit their rules. No row and
-- no column goes; what a row said that cannot stay is kept in its `error`. Where nothing was left, or the tables are
-- there already, nothing happens.
-- Its number is before the others' because the index of active jobs cannot be made over what may lie there.

do $$
declare
    v_policy name;
begin
    if to_regclass('public.users') is not null and not exists (
        select from pg_catalog.pg_index i
          join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
         where i.indrelid = to_regclass('public.users') and i.indisunique and i.indnkeyatts = 1 and i.indpred is null
           and a.attname = 'id' and a.atttypid = 'uuid'::regtype
    ) then
        raise exception 'public.users has no unique column "id" of type uuid, which sync jobs could refer to'
            using hint = 'Give it a primary key: alter table public.users add primary key (id).';
    end if;

    if to_regclass('public.sync_jobs') is null or exists (
        select from pg_catalog.pg_attribute
         where attrelid = to_regclass('public.sync_jobs') and attname = 'revision' and not attisdropped
    ) then
        return;
    end if;

    -- Users wrote their own jobs by these. The ones of now are made with the rights (…_access.sql).
    for v_policy in select policyname from pg_catalog.pg_policies where schemaname = 'public' and tablename = 'sync_jobs'
    loop
        execute format('drop policy %I on public.sync_jobs', v_policy);
    end loop;

    if not exists (select from pg_catalog.pg_constraint
                    where conrelid = to_regclass('public.sync_jobs') and contype = 'p') then
        alter table public.sync_jobs add primary key (id);
    end if;
    alter table public.sync_jobs replica identity default;  -- see …_realtime.sql
    alter table public.sync_jobs add column if not exists games_failed integer not null default 0;

    with fitting as (
        select id,
               -- Nobody works the active ones any more, and nobody can: their window of days was not kept.
               case when ended then status else 'failed' end as status,
               case when status in ('pending', 'fetching', 'analyzing') then
                        concat_ws(' It said before: ', 'The sync was cut off when the system that ran it was replaced. '
                                  'Please start it again.', nullif(error, ''))
                    when not ended then
                        concat_ws(' It said before: ', format('The sync was left with the unknown status %s.',
                                  coalesce(quote_literal(status), 'null')), nullif(error, ''))
                    when status = 'failed' and coalesce(error, '') = '' then
                        'The sync failed; the system that ran it did not keep why.'
                    when status = 'completed' and done < total then
                        concat_ws(' It said before: ', format('%s of %s games were not analyzed.', total - done, total),
                                  nullif(error, ''))
                    else error end as error,
               total as games_found, done as games_analyzed,
               -- A completed job accounts for every game: what was found and never analyzed counts as failed.
               case when status = 'completed' then total - done else 0 end as games_failed,
               coalesce(username, '') as username,
               coalesce(created_at, updated_at, completed_at, now()) as created_at,
               case when ended then coalesce(updated_at, completed_at, created_at, now()) else now() end as updated_at,
               coalesce(completed_at, case when ended then coalesce(updated_at, created_at) end, now()) as completed_at
          from (select *, coalesce(status in ('completed', 'failed', 'cancelled'), false) as ended,
                       greatest(games_found, games_analyzed, 0) as total, greatest(games_analyzed, 0) as done
                  from public.sync_jobs) left_over
    )
    update public.sync_jobs j
       set status = f.status, error = f.error, games_found = f.games_found, games_analyzed = f.games_analyzed,
           games_failed = f.games_failed, username = f.username, created_at = f.created_at, updated_at = f.updated_at,
           completed_at = f.completed_at
      from fitting f
     where f.id = j.id
       and (f.status, f.error, f.games_found, f.games_analyzed, f.games_failed, f.username, f.created_at, f.updated_at,
            f.completed_at)
           is distinct from (j.status, j.error, j.games_found, j.games_analyzed, j.games_failed, j.username, j.created_at,
                             j.updated_at, j.completed_at);
end $$;
