"""What every platform's client does in trouble: faults, limits, refusals, cancellation."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import prometheus_client
import pytest
import structlog

from orchestrator.domain import Platform
from orchestrator.platforms.base import FetchPage
from orchestrator.platforms.errors import PlatformError, PlatformRefused, PlatformUnavailable, UnknownPlayer
from servicekit.errors import InvalidInput
from tests.support.platforms import faults
from tests.support.platforms.bench import CONTACT, QUICK, WINDOW, asking, many, serving
from tests.support.platforms.lichess_server import LichessServer
from tests.support.platforms.making import PLAYER

pytestmark = pytest.mark.parametrize("platform", list(Platform))


FAULTS: dict[str, Callable[[], faults.Fault]] = {
    "500": lambda: faults.status(500),
    "502": lambda: faults.status(502),
    "503 with garbage": lambda: faults.status(503, "\x00" * 50_000),
    "half a body": faults.half_body,
    "garbage": faults.garbage,
    "not UTF-8": lambda: faults.garbage(b'{"games": ["\xff"]}\n'),
    "brackets without end": lambda: faults.garbage(b"[" * 100_000),
    "an empty object": lambda: faults.garbage(b"{}"),
    "a dropped connection": faults.drop,
    "silence": faults.silence,
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_passing_trouble_is_tried_again(platform: Platform, fault: str) -> None:
    async with serving(platform, many(30)) as bench:
        bench.server.faults.add(FAULTS[fault]())
        bench.server.faults.add(
            FAULTS[fault](), on="2024/01" if platform is Platform.CHESS_COM else "", times=2
        )
        games = await bench.games()
        assert len({game.platform_game_id for game in games}) == len(games) == 30
        assert bench.server.faults.left == 0
        assert bench.server.overlaps == 0


async def test_an_answer_that_takes_its_time_is_waited_for(platform: Platform) -> None:
    async with serving(platform, many(10)) as bench:
        await bench.fetch()
        requests_of_a_quick_run = len(bench.server.requests)
        bench.server.faults.add(faults.slowly(pause=0.05), times=2)  # together longer than the read timeout
        assert len(await bench.games()) == 10
        assert len(bench.server.requests) == 2 * requests_of_a_quick_run


async def test_trouble_that_stays_names_what_could_not_be_had(platform: Platform) -> None:
    async with serving(platform, many(300)) as bench:
        on = "2024/01" if platform is Platform.CHESS_COM else "until=1706"
        bench.server.faults.add(faults.status(500), on=on, times=100)
        pages: list[FetchPage] = []

        async def fetch() -> None:
            async for page in bench.client.fetch(asking()):
                pages.append(page)  # noqa: PERF401  what came before the error is the point

        with pytest.raises(PlatformUnavailable) as caught:
            await fetch()
        what = "the games of 2024-01" if platform is Platform.CHESS_COM else "the games of alice_a"
        assert what in caught.value.message
        assert re.search(r"\(500 Internal Server Error; \d+ tries\)", caught.value.message)
        assert caught.value.metadata == {"what": what}
        # What was fetched until then is whole, and a later run goes on from it.
        bench.server.faults.clear()
        stored = [game.platform_game_id for page in pages for game in page.games]
        rest = await bench.games(cursor=pages[-1].cursor if pages else None)
        assert len(set(stored) | {game.platform_game_id for game in rest}) == 300 == len(stored) + len(rest)


async def test_an_endless_answer_is_cut_off(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.platforms.chesscom.ARCHIVES_BYTES", 2**20)
    monkeypatch.setattr("orchestrator.platforms.lichess_export.LINE_BYTES", 2**20)
    async with serving(platform, policy=replace(QUICK, attempts=2)) as bench:
        bench.server.faults.add(faults.flood(b"x" * 65536), times=2)
        with pytest.raises(PlatformUnavailable, match="more than 1 MiB"):
            await bench.fetch()
        await asyncio.wait_for(bench.server.idle(), 5)


async def test_an_answer_that_trickles_ends_with_the_deadline(platform: Platform) -> None:
    async with serving(platform, many(1), policy=replace(QUICK, attempts=1, deadline=0.2)) as bench:
        bench.server.faults.add(faults.flood(b" ", pause=0.01))
        with pytest.raises(PlatformUnavailable, match=r"no whole answer within 0\.2 seconds"):
            await bench.fetch()
        await asyncio.wait_for(bench.server.idle(), 5)


async def test_one_request_at_a_time_however_many_fetch(platform: Platform) -> None:
    async with serving(platform, many(120)) as bench, asyncio.TaskGroup() as group:
        for fault in (faults.status(500), faults.drop(), faults.half_body()):
            bench.server.faults.add(fault)
        fetches = [group.create_task(bench.games()) for _ in range(8)]
        for number, fetch in enumerate(fetches):
            assert len(await fetch) == 120, number
        assert bench.server.overlaps == 0


async def test_fetches_take_turns_at_the_gate(platform: Platform) -> None:
    players = ["Alice_A", "Carol_C"]
    made = [
        replace(game, player=player, number=game.number + 1000 * index)
        for index, player in enumerate(players)
        for game in many(200)
    ]
    async with serving(platform, made) as bench:
        async with asyncio.TaskGroup() as group:
            for player in players:
                group.create_task(bench.games(username=player))
        asked = [
            seen.path.split("/player/")[-1].split("/user/")[-1].split("/")[0]
            for seen in bench.server.requests
        ]
    runs = [len(list(run)) for _, run in itertools.groupby(asked)]
    assert max(runs[:-1]) == 1, asked


async def test_429_holds_every_request_of_the_process(platform: Platform) -> None:
    async with serving(platform, many(60)) as bench:
        if isinstance(bench.server, LichessServer):
            bench.server.limit()  # the platform is in such a minute, for whatever reason
        else:
            bench.server.faults.add(faults.status(429, headers={"Retry-After": "1"}))
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            fetches = [group.create_task(bench.games()) for _ in range(4)]
            await bench.server.seen(1)
        waited = asyncio.get_running_loop().time() - began
        assert [len(fetch.result()) for fetch in fetches] == [60] * 4
        assert bench.server.overlaps == 0
        if isinstance(bench.server, LichessServer):
            assert bench.server.limited == 1, "somebody asked within the minute"
        else:
            assert waited > 1


async def test_a_hold_longer_than_a_job_may_wait_ends_it_with_the_time(platform: Platform) -> None:
    async with serving(platform, many(3), policy=replace(QUICK, patience=0.1)) as bench:
        bench.server.faults.add(faults.status(429, headers={"Retry-After": "7200"}))
        with pytest.raises(PlatformUnavailable, match="a pause of 120 minutes") as caught:
            await bench.fetch()
        assert caught.value.retry_after > timedelta(minutes=119)
        with pytest.raises(PlatformUnavailable, match="a pause of 120 minutes"):
            await bench.fetch()
        assert len(bench.server.requests) == 1


async def test_an_unknown_player(platform: Platform) -> None:
    async with serving(platform) as bench:
        with pytest.raises(UnknownPlayer, match="knows no player named nobody-here"):
            await bench.fetch(username="Nobody-Here")
        assert len(bench.server.requests) == 1


async def test_a_known_player_without_games(platform: Platform) -> None:
    async with serving(platform) as bench:
        assert await bench.games() == []


@pytest.mark.parametrize(
    "name", ["", "  ", "a", "a b", "x" * 31, "../admin", "Ünal", "name?", "na\nme", "a/b"]
)
async def test_a_name_that_nobody_can_have_is_never_asked_for(platform: Platform, name: str) -> None:
    async with serving(platform) as bench:
        with pytest.raises(InvalidInput) as caught:
            await bench.fetch(username=name)
        assert [violation.field for violation in caught.value.violations] == ["username"]
        assert bench.server.requests == []


async def test_another_refusal_is_final_and_says_what_the_platform_says(platform: Platform) -> None:
    async with serving(platform) as bench:
        bench.server.faults.add(faults.status(418, "no tea\nfor you"))
        with pytest.raises(PlatformRefused, match=r"\(418\)\. It says: “no tea for you”"):
            await bench.fetch()
        assert len(bench.server.requests) == 1


async def test_a_cancelled_fetch_leaves_no_request_open(platform: Platform) -> None:
    async with serving(platform, many(10), policy=replace(QUICK, read_timeout=30)) as bench:
        bench.server.faults.add(faults.silence())
        fetch = asyncio.create_task(bench.games())
        await bench.server.seen(1)
        assert bench.server.open_requests == 1
        fetch.cancel()
        with pytest.raises(asyncio.CancelledError):
            await fetch
        await asyncio.wait_for(bench.server.idle(), 5)
        assert len(await bench.games()) == 10, "the gate is free again"


async def test_nothing_is_open_while_a_page_is_out(platform: Platform) -> None:
    async with serving(platform, many(250)) as bench:
        pages = bench.client.fetch(asking())
        await anext(pages)
        await asyncio.wait_for(bench.server.idle(), 5)
        assert len(await bench.games(max_games=1)) == 1, "another fetch need not wait for a slow reader"


async def test_a_platform_that_is_not_there(platform: Platform) -> None:
    async with serving(platform, policy=replace(QUICK, attempts=2)) as bench:
        await bench.server.__aexit__(None, None, None)
        with pytest.raises(PlatformUnavailable, match="it cannot be reached; 2 tries"):
            await bench.fetch()


async def test_requests_say_who_asks(platform: Platform) -> None:
    async with serving(platform, many(1)) as bench:
        await bench.fetch()
        agents = {seen.headers["User-Agent"] for seen in bench.server.requests}
    assert agents == {f"rookify-sync/0.1.0 ({CONTACT})"}


async def test_no_error_of_the_library_below_comes_through(platform: Platform) -> None:
    """Whatever status a platform thinks of, the caller sees the project's own errors."""
    for status in (300, 302, 304, 400, 401, 403, 405, 409, 451, 599):
        async with serving(platform, policy=replace(QUICK, attempts=1)) as bench:
            bench.server.faults.add(faults.status(status))
            with pytest.raises(PlatformError):
                await bench.fetch()


async def test_logs_name_the_platform_and_what_is_tried_again(platform: Platform) -> None:
    with structlog.testing.capture_logs() as logs:
        async with serving(platform, many(1)) as bench:
            bench.server.faults.add(faults.status(500))
            await bench.fetch(window=WINDOW)
    (retry,) = [line for line in logs if line["event"] == "stamina.retry_scheduled"]
    assert retry["callable"].startswith(f"{platform}: ")
    assert retry["kwargs"]["what"].startswith("the ")


async def test_no_metric_names_a_player(platform: Platform) -> None:
    """Else each player would be a series of their own for as long as the process lives."""
    async with serving(platform, many(1)) as bench:
        bench.server.faults.add(faults.status(500))
        await bench.fetch(window=WINDOW)
    counted = prometheus_client.generate_latest().decode()
    assert f'stamina_retries_total{{callable="{platform}: ' in counted
    assert PLAYER.lower() not in counted.lower()
