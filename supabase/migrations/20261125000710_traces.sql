-- A sync's trace goes on from the call that started it to the worker that claims it.
alter table public.sync_queue add column traceparent text;  -- W3C trace context

-- As start_sync_job, in the same transaction, so that no worker comes before it is there.
create function public.start_traced_sync_job(
    p_user_id uuid, p_platform text, p_username text, p_from_date date, p_to_date date, p_months integer,
    p_filter jsonb, p_max_games integer, p_preset text, p_request_id uuid, p_request jsonb, p_limits jsonb,
    p_lichess_token_encrypted text, p_traceparent text
) returns jsonb
language plpgsql security definer set search_path = '' as $$
declare
    v_job jsonb := public.start_sync_job(p_user_id, p_platform, p_username, p_from_date, p_to_date, p_months, p_filter,
        p_max_games, p_preset, p_request_id, p_request, p_limits, p_lichess_token_encrypted);
begin
    update public.sync_queue set traceparent = p_traceparent
     where sync_job_id = (v_job ->> 'id')::uuid and traceparent is null;
    return v_job;
end $$;

-- Null where the job was started without a trace, or is over.
create function public.get_traceparent(p_sync_job_id uuid) returns text
language sql stable security definer set search_path = '' as $$
    select traceparent from public.sync_queue where sync_job_id = p_sync_job_id
$$;

revoke all on function
    public.start_traced_sync_job(uuid, text, text, date, date, integer, jsonb, integer, text, uuid, jsonb, jsonb, text, text),
    public.get_traceparent(uuid)
    from public, anon, authenticated;
grant execute on function
    public.start_traced_sync_job(uuid, text, text, date, date, integer, jsonb, integer, text, uuid, jsonb, jsonb, text, text),
    public.get_traceparent(uuid)
    to service_role;
