-- As before, except that a name which somebody has already is no reason to leave the user without a row: then the name
-- is the whole id. It is a placeholder until the user has one.
create or replace function public.ensure_user(p_user_id uuid) returns void
language sql security definer set search_path = '' as $$
    insert into public.users (id, username)
    select p_user_id, case when exists (select from public.users where username = 'user-' || left(p_user_id::text, 8))
                           then 'user-' || p_user_id else 'user-' || left(p_user_id::text, 8) end
    on conflict (id) do nothing
$$;
