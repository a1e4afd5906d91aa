-- Whoever signs users up does so with the service's key. Supabase's defaults gave it the right; newer projects are made
-- without them.
grant select, insert, update, delete on public.users to service_role;
