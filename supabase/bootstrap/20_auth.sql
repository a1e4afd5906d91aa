-- What row level security asks about the caller, for a plain Postgres; running it again changes nothing.
-- The claims of the caller's token are settings of the transaction: `request.jwt.claims` as one JSON object
-- (PostgREST 9 and later), or one setting per claim (older ones). As defined by
-- https://github.com/supabase/auth, migrations/*_update_auth_functions and *_add_auth_jwt_function.

create schema if not exists auth;
grant usage on schema auth to postgres, anon, authenticated, service_role;

-- On a Supabase project these belong to another role, and are left as they are.
do $bootstrap$
begin
    if to_regprocedure('auth.uid()') is null then
        create function auth.uid() returns uuid language sql stable as $$
            select coalesce(
                nullif(current_setting('request.jwt.claim.sub', true), ''),
                nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
            )::uuid
        $$;
    end if;
    if to_regprocedure('auth.role()') is null then
        create function auth.role() returns text language sql stable as $$
            select coalesce(
                nullif(current_setting('request.jwt.claim.role', true), ''),
                nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
            )
        $$;
    end if;
    if to_regprocedure('auth.jwt()') is null then
        create function auth.jwt() returns jsonb language sql stable as $$
            select coalesce(
                nullif(current_setting('request.jwt.claim', true), ''),
                nullif(current_setting('request.jwt.claims', true), '')
            )::jsonb
        $$;
    end if;
end
$bootstrap$;
