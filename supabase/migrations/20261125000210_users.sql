-- Who may do what with `users`. The table may be the application's own, with its rows, columns and policies: those
-- stay. But nothing that the rules of a sync rest upon is written by whoever asks for one.

alter table public.users enable row level security;
drop policy if exists users_own on public.users;
create policy users_own on public.users for select to authenticated using (id = (select auth.uid()));

-- Row level security does not hold TRUNCATE; and with a user's row go their jobs, by which their quotas are counted.
revoke delete, truncate, references, trigger on public.users from public, anon, authenticated;
do $$
begin
    -- The rights come with Supabase's defaults, and serve nothing where no policy of the application uses them.
    if not exists (select from pg_catalog.pg_policies
                    where schemaname = 'public' and tablename = 'users' and policyname <> 'users_own') then
        revoke all on public.users from public, anon, authenticated;
    end if;
end $$;
grant select on public.users to authenticated;

-- An application may let users edit their own row. Who is an administrator here is not theirs to say.
create function public.users_guard() returns trigger
language plpgsql set search_path = '' as $$
begin
    if current_user in ('anon', 'authenticated') then
        raise exception 'is_admin is set by the service alone' using errcode = 'insufficient_privilege';
    end if;
    return new;
end $$;
create trigger users_guard_new before insert on public.users
    for each row when (new.is_admin) execute function public.users_guard();
create trigger users_guard before update on public.users
    for each row when (new.is_admin is distinct from old.is_admin) execute function public.users_guard();
revoke all on function public.users_guard() from public, anon, authenticated, service_role;

-- Its numbers are nobody's to draw; reading needs none.
revoke all on sequence public.sync_job_events_id_seq from public, anon, authenticated, service_role;
