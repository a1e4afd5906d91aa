-- The compliance rules, as triggers: no code path, and no plain SQL, gets around them.
--
-- SQLSTATEs of class RK, which the clients map to one error tree:
--   RK001 not found          RK002 already running     RK003 quota used up    RK004 stale lease
--   RK005 against a rule     RK006 the job is over     RK007 invalid input

-- The life of a job: pending → fetching → analyzing → completed, to failed or cancelled from any of the first three.
create function public.sync_jobs_guard() returns trigger
language plpgsql set search_path = '' as $$
declare
    v_true record;
begin
    if tg_op = 'INSERT' then
        if new.status is distinct from 'pending' or new.completed_at is not null
           or (new.games_found, new.games_analyzed, new.games_skipped, new.games_failed) <> (0, 0, 0, 0) then
            raise exception 'a sync job starts as pending, with no games' using errcode = 'RK005';
        end if;
        return new;
    end if;

    if (new.id, new.user_id, new.platform, new.created_at)
       is distinct from (old.id, old.user_id, old.platform, old.created_at) then
        raise exception 'a sync job keeps its id, user, platform and time of creation' using errcode = 'RK005';
    end if;
    if new is not distinct from old then
        return new;
    end if;
    if old.status in ('completed', 'failed', 'cancelled') then
        raise exception 'sync job % is %: it cannot change any more', old.id, old.status using errcode = 'RK006';
    end if;
    if new.status is distinct from old.status and not (
        new.status in ('failed', 'cancelled')
        or (old.status, new.status) in (('pending', 'fetching'), ('fetching', 'analyzing'), ('analyzing', 'completed'))
    ) then
        raise exception 'a sync job cannot go from % to %', old.status, new.status using errcode = 'RK005';
    end if;

    -- A counter can only be what its rows say.
    if (new.games_found, new.games_skipped, new.games_failed)
       is distinct from (old.games_found, old.games_skipped, old.games_failed) then
        select count(*) as found,
               count(*) filter (where outcome = 'skipped') as skipped,
               count(*) filter (where outcome = 'failed') as failed
          into v_true from public.sync_job_games where sync_job_id = new.id;
        if (new.games_found, new.games_skipped, new.games_failed)
           is distinct from (v_true.found::integer, v_true.skipped::integer, v_true.failed::integer) then
            raise exception 'counters of sync job % differ from its games', new.id using errcode = 'RK005';
        end if;
    end if;
    if new.games_analyzed is distinct from old.games_analyzed and new.games_analyzed is distinct from
       (select count(*)::integer from public.game_analyses where sync_job_id = new.id) then
        raise exception 'games_analyzed of sync job % differs from its analyses', new.id using errcode = 'RK005';
    end if;

    if new.status = 'analyzing' and old.status <> 'analyzing' then
        new.analyzing_since := now();
    end if;
    new.completed_at := case when new.status in ('completed', 'failed', 'cancelled') then now() end;
    new.updated_at := now();
    new.revision := old.revision + 1;
    return new;
end $$;
create trigger sync_jobs_guard before insert or update on public.sync_jobs
    for each row execute function public.sync_jobs_guard();

-- A job is in the queue exactly while it is active; its end takes the lease and the token away.
create function public.sync_jobs_enqueue() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        insert into public.sync_queue (sync_job_id, user_id) values (new.id, new.user_id);
    elsif new.status in ('completed', 'failed', 'cancelled') and old.status <> new.status then
        delete from public.sync_queue where sync_job_id = new.id;
    end if;
    return null;
end $$;
create trigger sync_jobs_enqueue after insert or update of status on public.sync_jobs
    for each row execute function public.sync_jobs_enqueue();

-- Wakes watchers and workers: "<job id> <status>". Equal payloads of a transaction arrive once.
create function public.sync_jobs_notify() returns trigger
language plpgsql set search_path = '' as $$
begin
    perform pg_notify('sync_jobs', new.id || ' ' || new.status);
    return null;
end $$;
create trigger sync_jobs_notify after insert or update on public.sync_jobs
    for each row execute function public.sync_jobs_notify();

-- The counters follow the rows, in the same transaction.
create function public.sync_job_games_count() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        update public.sync_jobs j
           set games_found = j.games_found + n.found, games_skipped = j.games_skipped + n.skipped
          from (select sync_job_id, count(*) as found, count(*) filter (where outcome = 'skipped') as skipped
                  from new_rows group by sync_job_id) n
         where j.id = n.sync_job_id;
    else
        update public.sync_jobs j set games_failed = j.games_failed + n.failed
          from (select new_rows.sync_job_id, count(*) as failed
                  from new_rows join old_rows using (sync_job_id, game_id)
                 where new_rows.outcome = 'failed' and old_rows.outcome <> 'failed'
                 group by new_rows.sync_job_id) n
         where j.id = n.sync_job_id;
    end if;
    return null;
end $$;
create trigger sync_job_games_count_new after insert on public.sync_job_games
    referencing new table as new_rows for each statement execute function public.sync_job_games_count();
create trigger sync_job_games_count_done after update on public.sync_job_games
    referencing old table as old_rows new table as new_rows
    for each statement execute function public.sync_job_games_count();

-- How a game ended is final.
create function public.sync_job_games_guard() returns trigger
language plpgsql set search_path = '' as $$
begin
    if tg_op = 'INSERT' then
        if new.outcome not in ('queued', 'skipped') then
            raise exception 'a game of a sync job starts as queued or skipped' using errcode = 'RK005';
        end if;
    elsif (new.sync_job_id, new.game_id, new.user_id, new.ordinal)
          is distinct from (old.sync_job_id, old.game_id, old.user_id, old.ordinal) then
        raise exception 'a game of a sync job keeps its place' using errcode = 'RK005';
    elsif old.outcome <> 'queued' and new is distinct from old then
        raise exception 'game % of sync job % is % already', old.game_id, old.sync_job_id, old.outcome
            using errcode = 'RK005';
    elsif new.outcome = 'skipped' and old.outcome <> 'skipped' then
        raise exception 'a game is skipped when it is found, not later' using errcode = 'RK005';
    elsif new.outcome = 'analyzed' and not exists (
        select from public.game_analyses a where a.sync_job_id = new.sync_job_id and a.game_id = new.game_id
    ) then
        raise exception 'game % of sync job % has no analysis', new.game_id, new.sync_job_id using errcode = 'RK005';
    end if;
    return new;
end $$;
create trigger sync_job_games_guard before insert or update on public.sync_job_games
    for each row execute function public.sync_job_games_guard();

-- An analysis is written while its job is analyzing, and raises games_analyzed in the same transaction.
create function public.game_analyses_count() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if exists (select from new_rows n join public.sync_jobs j on j.id = n.sync_job_id where j.status <> 'analyzing') then
        raise exception 'games are analyzed only by a sync job that is analyzing' using errcode = 'RK005';
    end if;
    update public.sync_jobs j set games_analyzed = j.games_analyzed + n.analyzed
      from (select sync_job_id, count(*) as analyzed from new_rows group by sync_job_id) n
     where j.id = n.sync_job_id;
    return null;
end $$;
create trigger game_analyses_count after insert on public.game_analyses
    referencing new table as new_rows for each statement execute function public.game_analyses_count();

create function public.game_analyses_guard() returns trigger
language plpgsql set search_path = '' as $$
begin
    raise exception 'an analysis keeps its job, game and user' using errcode = 'RK005';
end $$;
create trigger game_analyses_guard before update of id, sync_job_id, game_id, user_id on public.game_analyses
    for each row execute function public.game_analyses_guard();

-- An analysis goes only together with its job.
create function public.game_analyses_kept() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    if exists (select from old_rows o join public.sync_jobs j on j.id = o.sync_job_id) then
        raise exception 'an analysis cannot be removed while its sync job exists' using errcode = 'RK005';
    end if;
    return null;
end $$;
create trigger game_analyses_kept after delete on public.game_analyses
    referencing old table as old_rows for each statement execute function public.game_analyses_kept();
create trigger sync_job_games_kept after delete on public.sync_job_games
    referencing old table as old_rows for each statement execute function public.game_analyses_kept();
