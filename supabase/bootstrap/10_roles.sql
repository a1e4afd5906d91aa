-- The roles of a Supabase project, for a plain Postgres. Run once by a superuser, in the database that is
-- to be set up; running it again changes nothing. A Supabase project has all of this already.
-- After https://github.com/supabase/postgres, migrations/db/init-scripts.

do $$
begin
    -- What requests become: nobody, a signed-in user, a service that row level security does not hold.
    if to_regrole('anon') is null then
        create role anon nologin;
    end if;
    if to_regrole('authenticated') is null then
        create role authenticated nologin;
    end if;
    if to_regrole('service_role') is null then
        create role service_role nologin bypassrls;
    end if;
    -- What services connect as. It has no rights of its own; it becomes one of the three by SET ROLE.
    if to_regrole('authenticator') is null then
        create role authenticator login noinherit;
    end if;
    -- What migrations run as, and what then owns the tables. Supabase's is no superuser either.
    if to_regrole('postgres') is null then
        create role postgres login createdb createrole bypassrls;
    end if;
end
$$;

grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role to postgres;

-- As on Supabase, and as there in force by the role that logs in, SET ROLE or not.
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';

grant usage on schema public to anon, authenticated, service_role;
grant all on schema public to postgres;
do $$
begin
    execute format('grant create on database %I to postgres', current_database());
end
$$;

-- Whatever is created in `public` is open to all three until a migration takes it away: Supabase's default,
-- and the reason why ours revoke by name. Both for who runs this and for `postgres`.
alter default privileges in schema public grant all on tables to postgres, anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to postgres, anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to postgres, anon, authenticated, service_role;
alter default privileges for role postgres in schema public
    grant all on tables to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
    grant all on functions to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
    grant all on sequences to anon, authenticated, service_role;
