-- For code that works a job of its own, beside the orchestrator: starts it, and gives it its lease in the same
-- transaction, so that no other worker can claim it in between. p_lease_token is the starter's own choice: with it the
-- call may be repeated. Returns the job as claim_sync_job does. Where the lease runs out, any worker goes on with it.
create function public.start_held_sync_job(
    p_user_id uuid, p_platform text, p_username text, p_from_date date, p_to_date date, p_months integer,
    p_filter jsonb, p_max_games integer, p_preset text, p_request_id uuid, p_request jsonb, p_limits jsonb,
    p_owner text, p_lease_seconds double precision, p_lease_token uuid
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
    v_job jsonb := public.start_sync_job(p_user_id, p_platform, p_username, p_from_date, p_to_date, p_months, p_filter,
                                         p_max_games, p_preset, p_request_id, p_request, p_limits);
    v_queue public.sync_queue;
begin
    update public.sync_queue
       set lease_token = p_lease_token, lease_owner = p_owner,
           lease_expires_at = now() + make_interval(secs => p_lease_seconds)
     where sync_job_id = (v_job ->> 'id')::uuid and (lease_expires_at = '-infinity' or lease_token = p_lease_token)
    returning * into v_queue;
    if not found then
        raise exception 'sync job % was started before, and is not this worker''s any more', v_job ->> 'id'
            using errcode = 'RK004', detail = jsonb_build_object('status', v_job ->> 'status')::text;
    end if;
    return v_job || jsonb_build_object('lease_token', v_queue.lease_token, 'takeovers', v_queue.takeovers);
end $$;

revoke all on function public.start_held_sync_job(uuid, text, text, date, date, integer, jsonb, integer, text, uuid,
    jsonb, jsonb, text, double precision, uuid) from public, anon, authenticated;
grant execute on function public.start_held_sync_job(uuid, text, text, date, date, integer, jsonb, integer, text, uuid,
    jsonb, jsonb, text, double precision, uuid) to service_role;
