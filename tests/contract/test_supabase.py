"""What is the supabase transport's own: its keys, trouble on the way, and the poll for changes."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import traceback
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
import stamina

from orchestrator.store import supabase
from orchestrator.store.store import Store
from orchestrator.store.supabase import SupabaseTransport
from orchestrator.store.transport import Change, Throttled, TooManyRows
from servicekit.backoff import Backoff
from servicekit.errors import ConfigurationError, RookifyError, Unavailable
from tests.contract.test_store import execute, start, told
from tests.support.postgres import Database
from tests.support.postgrest import PUBLISHABLE_KEY, SECRET_KEY, Fault, PostgrestStandIn, legacy_key
from tests.support.samples import LIMITS, new_sync, new_user

DROPPED = Fault()
LOST_ANSWER = Fault(carry_out=True)
NEVER = 3600.0
FAULTS = [
    DROPPED,
    LOST_ANSWER,
    Fault(429, {"Retry-After": "0"}),
    Fault(500),
    Fault(502),
    Fault(503, body='{"message": "name resolution failed"}', content_type="application/json"),
    Fault(504),
    Fault(520),
    Fault(405, body='{"code": "25006", "message": "read only"}', content_type="application/json"),
]


@pytest.fixture
async def server(database: Database) -> AsyncIterator[PostgrestStandIn]:
    async with PostgrestStandIn(database.app_conninfo) as running:
        yield running


@pytest.fixture
async def transport(server: PostgrestStandIn) -> AsyncIterator[SupabaseTransport]:
    async with SupabaseTransport(server.url, SECRET_KEY) as opened:
        yield opened


@pytest.fixture
def store(transport: SupabaseTransport) -> Store:
    return Store(transport)


class TestKeys:
    async def test_a_secret_key_is_sent_as_apikey_alone(self, server: PostgrestStandIn, store: Store) -> None:
        """It is no JWT: PostgREST refuses it as a bearer token."""
        await new_user(store)
        assert server.headers[-1]["apikey"] == SECRET_KEY
        assert "Authorization" not in server.headers[-1]

    async def test_a_legacy_key_is_the_bearer_token_too(self, server: PostgrestStandIn) -> None:
        key = legacy_key("service_role")
        async with SupabaseTransport(server.url, key) as transport:
            await new_user(Store(transport))
        assert server.headers[-1]["apikey"] == key
        assert server.headers[-1]["Authorization"] == f"Bearer {key}"

    @pytest.mark.parametrize(
        "key",
        [
            PUBLISHABLE_KEY,
            legacy_key("anon"),
            legacy_key("service_role", exp=1),
            "sb_secret_of_another_project",
        ],
        ids=["publishable", "anon", "expired", "unknown"],
    )
    async def test_other_keys_are_refused_by_name_and_never_shown(
        self, server: PostgrestStandIn, key: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        async with SupabaseTransport(server.url, key) as transport:
            with pytest.raises(ConfigurationError, match="SUPABASE_SERVICE_ROLE_KEY") as refused:
                await Store(transport).get_user(uuid4())
            said = [repr(transport), caplog.text, *traceback.format_exception(refused.value)]
        assert refused.value.reason == "KEY_REFUSED"
        assert sum(server.calls.values()) == 1, "tried again in vain"
        assert not [text for text in said if key in text]

    async def test_an_url_that_is_none(self) -> None:
        for url in ("localhost", "http://", "http://[::1", "http://a:b"):
            with pytest.raises(ConfigurationError, match="SUPABASE_URL"):
                async with SupabaseTransport(url, SECRET_KEY):
                    pass

    async def test_an_url_of_something_else(self, server: PostgrestStandIn, store: Store) -> None:
        for status in (200, 301, 404, 405):
            server.faults.append(Fault(status, {"Location": "https://elsewhere.example"}))
            with pytest.raises(ConfigurationError, match=f"SUPABASE_URL .* {status}"):
                await store.get_user(uuid4())


class TestTrouble:
    async def test_what_may_succeed_is_repeated_by_the_store_and_by_nobody_else(
        self, server: PostgrestStandIn, transport: SupabaseTransport
    ) -> None:
        store = Store(transport)
        for fault in FAULTS:
            user_id = await new_user(store)
            server.calls.clear()
            server.faults.append(fault)
            with pytest.raises(Unavailable):
                await transport.call("get_user", {"p_user_id": user_id})
            assert server.calls["get_user"] == 1, fault

            server.faults += [fault, DROPPED]
            with stamina.set_testing(True, attempts=3):  # without the pauses
                job = await store.start_sync_job(new_sync(user_id), LIMITS)
            assert server.calls["start_sync_job"] == 3, fault
            assert await store.list_sync_jobs(user_id, active_only=False, limit=9, after=None) == [job], fault

    async def test_silence_ends_in_time(
        self, server: PostgrestStandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(supabase, "_TIMEOUT", httpx.Timeout(0.1))
        async with SupabaseTransport(server.url, SECRET_KEY) as transport:
            server.faults.append(Fault(seconds=NEVER))
            with pytest.raises(Unavailable):
                await transport.call("get_user", {"p_user_id": uuid4()})

    async def test_a_server_that_is_not_there(self) -> None:
        async with SupabaseTransport("http://127.0.0.1:1", SECRET_KEY) as transport:
            with pytest.raises(Unavailable):
                await transport.call("get_user", {"p_user_id": uuid4()})

    async def test_no_call_comes_before_the_time_that_a_busy_gateway_names(
        self, server: PostgrestStandIn, store: Store
    ) -> None:
        loop = asyncio.get_running_loop()
        server.faults.append(Fault(429, {"Retry-After": "1"}))
        began = loop.time()
        await store.get_user(uuid4())
        assert loop.time() - began >= 1

        server.faults.append(Fault(429, {"Retry-After": "60"}))
        with pytest.raises(Throttled) as refused:  # beyond a client's patience: it is told when
            await store.get_user(uuid4())
        assert refused.value.retry_after == timedelta(seconds=60)

    async def test_what_cannot_succeed_is_not_repeated(
        self, server: PostgrestStandIn, store: Store, database: Database
    ) -> None:
        await execute(database, "revoke execute on function get_user(uuid) from service_role")
        await execute(database, "drop function take_games(uuid, uuid, integer, integer)")
        calls: list[tuple[str, dict[str, Any], str]] = [
            ("get_user", {"p_user_id": uuid4()}, "NOT_GRANTED"),
            ("take_games", {"p_limit": 1}, "MIGRATIONS_MISSING"),
            ("get_user", {"p_somebody": uuid4()}, "MIGRATIONS_MISSING"),
            ("get_sync_jobs", {"p_sync_job_ids": "nonsense"}, "DATABASE"),
        ]
        for function, parameters, reason in calls:
            server.calls.clear()
            with pytest.raises(RookifyError) as refused:
                await store._call(function, **parameters)
            assert (refused.value.reason, server.calls[function]) == (reason, 1)

    async def test_rows_that_the_api_keeps_back_are_no_answer(
        self, server: PostgrestStandIn, store: Store
    ) -> None:
        ids = [(await start(store)).id for _ in range(3)]
        server.max_rows = 3
        assert len(await store.get_sync_jobs(ids)) == 3
        server.max_rows = 2
        with pytest.raises(ConfigurationError, match="2 of 3 rows"):
            await store.get_sync_jobs(ids)

    async def test_many_ids_go_in_several_calls(self, server: PostgrestStandIn, store: Store) -> None:
        ids = [(await start(store)).id, *(uuid4() for _ in range(1200)), (await start(store)).id]
        server.calls.clear()
        assert [job.id for job in await store.get_sync_jobs(ids)] == [ids[0], ids[-1]]
        assert server.calls["get_sync_jobs"] == 3

    @pytest.mark.parametrize(("engines", "first", "later"), [(1, 1, 1), (2, 3, 2), (40, 53, 48)])
    async def test_what_many_engines_know_comes_in_several_answers(
        self, server: PostgrestStandIn, store: Store, database: Database, engines: int, first: int, later: int
    ) -> None:
        """A page of games that leave one another early has up to 17 positions a game, by each engine."""
        openings = [
            f"{white} {black} " + "Nf3 Nf6 Ng1 Ng8 " * 3 + "Nf3 Nf6"
            for white, black in itertools.product(
                ("a3", "b3", "c3", "d3", "e3", "f3", "g3", "h3"), ("a6", "b6", "d6", "e6", "g6", "h6")
            )
        ]
        known = {" ".join(each.split()[:plies]) for each in openings for plies in range(17)}
        assert len(known) > 700
        await execute(
            database,
            "insert into position_evaluations (moves, engine, preset, score, best_line, depth, nodes) "
            "select moves, 'Stockfish ' || n, 'standard', '{\"centipawns\": 1}', '{e2e4}', 20, 1 "
            "from unnest(%s::text[]) as k (moves), generate_series(1, %s) as n",
            list(known),
            engines,
        )
        for calls in (first, later):  # it learns how many go at once
            server.calls.clear()
            rows = await store.known_positions(openings, "standard")
            assert len(rows) == len(known) * engines
            assert {row.moves for row in rows} == known
            assert server.calls["known_positions"] == calls

    async def test_one_opening_that_is_too_much_says_so(
        self, server: PostgrestStandIn, store: Store, database: Database
    ) -> None:
        await execute(
            database,
            "insert into position_evaluations (moves, engine, preset, score, best_line, depth, nodes) "
            "select moves, 'Stockfish', 'standard', '{\"centipawns\": 1}', '{e2e4}', 20, 1 "
            "from unnest('{e4,e4 e5}'::text[]) as k (moves)",
        )
        server.max_rows = 1
        with pytest.raises(TooManyRows):
            await store.known_positions(["d4 d5", "e4 e5", "c4 c5"], "standard")


class TestChanges:
    async def test_nobody_watches_and_own_news_are_told_at_once(
        self, server: PostgrestStandIn, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(supabase, "_UNWATCHED_SECONDS", NEVER)
        store.set_watched([])
        changes = told(store)
        await anext(changes)
        job = await start(store)
        assert await anext(changes) == Change(job.id, "pending")
        assert server.calls["poll_sync_jobs"] <= 3

    async def test_the_first_watcher_need_not_wait_for_the_next_poll(
        self, store: Store, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(supabase, "_UNWATCHED_SECONDS", NEVER)
        job = await start(store)
        store.set_watched([])
        changes = told(store)
        await anext(changes)
        await execute(database, "update sync_jobs set error = 'elsewhere' where id = %s", job.id)
        coming = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)  # it pauses now, for an hour
        store.set_watched([job.id])
        change = await coming
        assert change == Change(job.id, "pending")
        assert store.job_of(change) == (await store.get_sync_jobs([job.id]))[0], "it brings the job along"

    async def test_what_changed_during_an_outage_is_told_afterwards(
        self,
        server: PostgrestStandIn,
        store: Store,
        database: Database,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(supabase, "_RETRY", Backoff(0.01, 0.02))
        job = await start(store)
        store.set_watched([job.id])
        changes = told(store)
        await anext(changes)
        server.faults += [Fault(503), DROPPED, LOST_ANSWER, Fault(429, {"Retry-After": "0"}), Fault(401)]
        await execute(database, "update sync_jobs set error = 'meanwhile' where id = %s", job.id)
        assert await anext(changes) == Change(job.id, "pending")
        assert not server.faults

    async def test_too_many_changes_are_told_as_one(self, store: Store, database: Database) -> None:
        store.set_watched([uuid4()])
        changes = told(store)
        await anext(changes)
        await execute(
            database,
            "with them as ("
            "  insert into users (id) select gen_random_uuid() from generate_series(1, 1001) returning id"
            ") insert into sync_jobs (user_id, platform, username) select id, 'lichess', 'x' from them",
        )
        assert await anext(changes) == Change(None)

    async def test_a_cursor_of_another_cluster_says_nothing(self, transport: SupabaseTransport) -> None:
        (news,) = await transport.call(
            "poll_sync_jobs", {"p_since": f"{2**40 + 3}:{2**40 + 3}:", "p_watched": []}
        )
        assert news["changed"] is None
        (news,) = await transport.call("poll_sync_jobs", {"p_since": news["cursor"], "p_watched": []})
        assert news["changed"] == []

    async def test_a_poll_reads_the_index_however_many_jobs_there_are(self, database: Database) -> None:
        async with await psycopg.AsyncConnection.connect(database.superuser_conninfo) as connection:
            await connection.execute("set session_replication_role = replica")  # rows without their jobs
            await connection.execute(
                "insert into sync_job_changes "
                "select gen_random_uuid(), '7'::xid8 from generate_series(1, 20000)"
            )
            await connection.execute("select poll_sync_jobs(pg_current_snapshot()::text, '{}')")
            cursor = await connection.execute(
                "select seq_scan, idx_scan from pg_stat_xact_user_tables where relname = 'sync_job_changes'"
            )
            assert await cursor.fetchone() == (0, 1)


async def test_polls_are_one_for_all_watchers(server: PostgrestStandIn, store: Store) -> None:
    """Whoever reads the changes reads them once; the transport asks only while somebody does."""
    job = await start(store)
    store.set_watched([job.id])
    async with contextlib.aclosing(told(store)) as changes:
        await anext(changes)
        await store.cancel_sync_job(job.id, None)
        await anext(changes)
    polls = server.calls["poll_sync_jobs"]
    await start(store)
    assert server.calls["poll_sync_jobs"] == polls
