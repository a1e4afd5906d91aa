-- Supabase Realtime sends a user what changes in their own rows, of the tables in its publication: the job's progress,
-- its finished games, their moments. Not the queue (tokens), nor the rows that the counters of sync_jobs sum up.
-- The replica identity is the primary key: by it Realtime looks up whether the subscriber may read the row, and of
-- deleted rows it tells nothing else. FULL would write each old row to the log a second time, for nobody.

do $$
declare
    v_table name;
begin
    if not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime' and not puballtables) then
        return;  -- a plain Postgres; or every table is in it, and the rights alone say who hears of what
    end if;
    foreach v_table in array array['sync_jobs', 'game_analyses', 'moments'] loop
        if not exists (select from pg_catalog.pg_publication_tables where pubname = 'supabase_realtime'
                          and schemaname = 'public' and tablename = v_table) then
            execute format('alter publication supabase_realtime add table public.%I', v_table);
        end if;
    end loop;
end $$;
