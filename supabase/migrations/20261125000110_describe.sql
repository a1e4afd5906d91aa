-- What the database says of itself, so that a service can tell at its start, and `rookify doctor` at any time, what
-- is missing: {server_version, migrations, functions, tables}. Of the names given, those that there are.
create function public.describe_database(p_functions text[], p_tables text[]) returns jsonb
language plpgsql stable security definer set search_path = '' as $$
declare
    v_migrations jsonb;
begin
    begin
        -- By name at run time: whoever applies SQL by hand has no such table.
        if to_regclass('supabase_migrations.schema_migrations') is not null then
            execute 'select jsonb_agg(version order by version) from supabase_migrations.schema_migrations' into v_migrations;
        end if;
    exception when insufficient_privilege then
        v_migrations := null;
    end;
    return jsonb_build_object(
        'server_version', current_setting('server_version'),
        'migrations', v_migrations,
        'functions', (
            select coalesce(jsonb_object_agg(p.proname, jsonb_build_object(
                       'service_role', has_function_privilege('service_role', p.oid, 'execute'),
                       'others', has_function_privilege('anon', p.oid, 'execute')
                              or has_function_privilege('authenticated', p.oid, 'execute'))), '{}')
              from pg_catalog.pg_proc p
             where p.pronamespace = 'public'::regnamespace and p.proname = any (p_functions)),
        'tables', (
            select coalesce(jsonb_object_agg(c.relname, c.relrowsecurity), '{}') from pg_catalog.pg_class c
             where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname = any (p_tables)));
end $$;
revoke all on function public.describe_database(text[], text[]) from public, anon, authenticated;
grant execute on function public.describe_database(text[], text[]) to service_role;
