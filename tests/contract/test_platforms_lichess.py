"""What is lichess's own: the stream and its breaks, tokens, correspondence, variants, its minute."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest
import structlog

from orchestrator.domain import DateWindow, GameFilter, Platform, TimeClass
from orchestrator.platforms.base import PAGE_GAMES
from orchestrator.platforms.errors import BadToken, PlatformRefused, UnknownPlayer
from orchestrator.platforms.lichess import LichessClient
from tests.support.platforms import faults
from tests.support.platforms.bench import CONTACT, QUICK, Bench, asking, serving
from tests.support.platforms.faults import Answer
from tests.support.platforms.lichess_server import LichessServer
from tests.support.platforms.making import NOON, PLAYER, Made

LICHESS = Platform.LICHESS
TOKEN = "lip_abcDEF123456"


def many(count: int) -> list[Made]:
    return [Made(n, ended=NOON - timedelta(minutes=10 * n)) for n in range(count)]


@asynccontextmanager
async def serving_raw(games: list[dict[str, Any]]) -> AsyncIterator[Bench]:
    async with LichessServer(games, speed_up=10_000) as server:
        client = LichessClient(server.url, CONTACT, policy=QUICK)
        yield Bench(server, client)
        await client.aclose()


async def test_a_stream_that_breaks_goes_on_from_where_it_broke() -> None:
    async with serving(LICHESS, many(30)) as bench:
        bench.server.faults.add(faults.break_after(10))
        bench.server.faults.add(faults.break_after(5))
        pages = await bench.fetch()
        # The second stream begins with the tenth game again: its millisecond is asked for, in case of others.
        assert [len(page.games) for page in pages] == [10, 4, 16, 0]
        ids = [game.platform_game_id for page in pages for game in page.games]
        assert len(ids) == len(set(ids)) == 30
        untils = [int(seen.query["until"]) for seen in bench.server.requests if "until" in seen.query]
        begins = [int((NOON - timedelta(minutes=10 * n + 5)).timestamp() * 1000) for n in range(30)]
        assert untils[1:3] == [begins[9] + 1, begins[13] + 1]


async def test_a_stream_that_ends_too_early_is_not_taken_for_the_end() -> None:
    async with serving(LICHESS, many(30)) as bench:
        bench.server.faults.add(faults.end_after(7))
        assert len(await bench.games()) == 30


async def test_a_stream_that_falls_silent_is_a_break() -> None:
    async with serving(LICHESS, many(30)) as bench:
        bench.server.faults.add(faults.silence_after(3))
        pages = await bench.fetch()
        assert [len(page.games) for page in pages] == [3, 27, 0]


@pytest.mark.parametrize("inclusive", [False, True])
async def test_games_of_one_millisecond_are_neither_lost_nor_repeated(inclusive: bool) -> None:
    """More of them than a page holds, whether `until` includes its millisecond or not."""
    same = [Made(n) for n in range(PAGE_GAMES + 30)]
    rest = [Made(1000 + n, ended=NOON - timedelta(milliseconds=1)) for n in range(PAGE_GAMES + 30)]
    rest += [Made(2000 + n, ended=NOON - timedelta(minutes=n + 1)) for n in range(30)]
    async with serving(LICHESS, same + rest, inclusive_until=inclusive) as bench:
        ids = [game.platform_game_id for game in await bench.games()]
    assert len(ids) == len(set(ids)) == len(same) + len(rest)


async def test_filters_are_not_left_to_the_search_index() -> None:
    async with serving(LICHESS, many(3)) as bench:
        wanted = GameFilter(time_classes=frozenset({TimeClass.BLITZ}), rated_only=True)
        assert len(await bench.games(filter=wanted)) == 3
        for seen in bench.server.requests:
            assert not {"perfType", "rated", "color", "analysed"} & set(seen.query)


async def test_what_is_asked_for() -> None:
    async with serving(LICHESS, many(3)) as bench:
        await bench.fetch(window=DateWindow(date(2024, 2, 1), date(2024, 2, 29)))
        first = bench.server.requests[0]
    end = int(datetime(2024, 3, 1, tzinfo=UTC).timestamp() * 1000)
    assert int(first.query["until"]) == end
    assert int(first.query["since"]) == int(datetime(2024, 1, 29, tzinfo=UTC).timestamp() * 1000)
    assert first.query["max"] == str(PAGE_GAMES)
    assert {name: first.query[name] for name in ("pgnInJson", "clocks", "opening", "evals", "sort")} == {
        "pgnInJson": "true",
        "clocks": "true",
        "opening": "true",
        "evals": "false",
        "sort": "dateDesc",
    }
    assert first.headers["Accept"] == "application/x-ndjson"


async def test_dates_before_lichess_are_not_sent() -> None:
    async with serving(LICHESS, many(1)) as bench:
        assert await bench.games(window=DateWindow(date(1, 1, 1), date(2009, 1, 1))) == []
        assert len(await bench.games(window=DateWindow(date(2007, 1, 1), date.max))) == 1
        assert min(int(seen.query["since"]) for seen in bench.server.requests) == 1356998400070


def correspondence(number: int, ended: datetime, days: int, **fields: Any) -> Made:
    return Made(
        number, ended=ended, lasted=timedelta(days=days), time_class=TimeClass.CORRESPONDENCE, **fields
    )


LONG = [
    correspondence(1, NOON, 2),
    correspondence(2, NOON - timedelta(hours=1), 60),
    correspondence(3, NOON - timedelta(hours=3), 300),
    correspondence(4, NOON - timedelta(hours=2), 100, rated=False),
    correspondence(5, NOON - timedelta(days=40), 100),
    correspondence(6, NOON + timedelta(days=40), 200),
    Made(7, ended=NOON + timedelta(hours=1)),
]
FEBRUARY = DateWindow(date(2024, 2, 1), date(2024, 2, 29))


async def test_correspondence_games_belong_to_the_day_of_their_end() -> None:
    async with serving(LICHESS, LONG) as bench:
        games = await bench.games(window=FEBRUARY)
    assert [(NOON - game.played_at) // timedelta(hours=1) for game in games] == [-1, 0, 1, 2, 3]


async def test_old_correspondence_games_are_resumed_and_counted_like_others() -> None:
    made = LONG + [correspondence(100 + n, NOON - timedelta(minutes=n), 90) for n in range(230)]
    async with serving(LICHESS, made) as bench:
        pages = await bench.fetch(window=FEBRUARY)
        ids = [game.platform_game_id for page in pages for game in page.games]
        assert len(ids) == len(set(ids)) == 235
        for done in range(1, len(pages) + 1):
            cursor = json.loads(json.dumps(pages[done - 1].cursor))
            stored = [game.platform_game_id for page in pages[:done] for game in page.games]
            rest = await bench.games(window=FEBRUARY, cursor=cursor)
            assert stored + [game.platform_game_id for game in rest] == ids
        assert len(await bench.games(window=FEBRUARY, max_games=150)) == 150


async def test_without_correspondence_in_the_filter_the_old_games_are_not_asked_for() -> None:
    async with serving(LICHESS, LONG) as bench:
        blitz = GameFilter(time_classes=frozenset({TimeClass.BLITZ}))
        assert len(await bench.games(window=FEBRUARY, filter=blitz)) == 1
        asked = len(bench.server.requests)
        only = GameFilter(time_classes=frozenset({TimeClass.CORRESPONDENCE}))
        assert len(await bench.games(window=FEBRUARY, filter=only)) == 4
        assert len(bench.server.requests) == asked + asked + 1


async def test_variants_results_and_opponents() -> None:
    opponents: list[dict[str, Any]] = [{"aiLevel": 3}, {}]
    raws = [Made(n, ended=NOON - timedelta(minutes=n)).lichess() for n in range(6)]
    raws[0]["players"]["black"], raws[1]["players"]["black"] = opponents
    raws[2] |= {"variant": "fromPosition", "initialFen": "8/8/8/8/8/k7/p7/K7 b - - 0 40", "moves": "Kb3"}
    raws[3] |= {"status": "outoftime"}
    del raws[3]["winner"]
    raws[4] |= {"status": "unknownFinish"}
    del raws[4]["winner"]
    raws[5] |= {"speed": "ultraBullet", "perf": "ultraBullet"}
    async with serving_raw(raws) as bench:
        games = await bench.games()
    assert [game.black for game in games[:2]] == ["Stockfish level 3", "Anonymous"]
    assert [game.black_rating for game in games[:2]] == [None, None]
    assert games[2].variant == "standard"
    assert "40... Kb3" in games[2].pgn
    assert [game.result for game in games] == ["1-0", "1-0", "1-0", "1/2-1/2", "*", "1-0"]
    assert games[5].time_class is TimeClass.BULLET


async def test_a_game_between_start_and_end_is_left_out_as_unfinished() -> None:
    async with serving_raw([Made(0).lichess() | {"status": "started"}]) as bench:
        (page, *_) = await bench.fetch()
    assert page.excluded == {"unfinished": 1}


async def test_the_token_goes_to_lichess_and_nowhere_else() -> None:
    request = asking(token=TOKEN)
    assert TOKEN not in repr(request)
    with structlog.testing.capture_logs() as logs:
        async with serving(LICHESS, many(120), tokens={TOKEN: PLAYER}) as bench:
            bench.server.faults.add(faults.status(500))
            bench.server.faults.add(faults.drop())
            pages = [page async for page in bench.client.fetch(request)]
            assert {seen.headers["Authorization"] for seen in bench.server.requests} == {f"Bearer {TOKEN}"}
            assert sum(len(page.games) for page in pages) == 120
            await bench.fetch()
            assert "Authorization" not in bench.server.requests[-1].headers
    assert TOKEN not in repr(logs)
    assert TOKEN not in repr(pages)


async def test_a_redirect_takes_no_token_along() -> None:
    async with serving(LICHESS, tokens={TOKEN: PLAYER}) as bench, serving(LICHESS) as elsewhere:
        there = {"Location": f"{elsewhere.server.url}/api/games/user/alice_a"}
        bench.server.faults.add(faults.status(302, headers=there))
        with pytest.raises(PlatformRefused, match=r"\(302\)"):
            await bench.fetch(token=TOKEN)
        assert elsewhere.server.requests == []


async def test_a_token_that_lichess_does_not_know() -> None:
    async with serving(LICHESS, many(1)) as bench:
        with pytest.raises(BadToken, match="does not accept the token") as caught:
            await bench.fetch(token=TOKEN)
        assert len(bench.server.requests) == 1
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("token", ["lip_abc\r\nX-Evil: 1", "lip abc", "lip_ü", "\x00"])
async def test_a_token_that_cannot_be_one_is_never_sent_nor_shown(token: str) -> None:
    async with serving(LICHESS, many(1)) as bench:
        with pytest.raises(BadToken) as caught:
            await bench.fetch(token=token)
        assert bench.server.requests == []
    assert token not in str(caught.value)


async def test_a_message_that_repeats_the_token_is_not_passed_on() -> None:
    async with serving(LICHESS, tokens={TOKEN: PLAYER}) as bench:
        bench.server.faults.add(faults.status(403, f"token {TOKEN} has no rights"))
        with pytest.raises(PlatformRefused) as caught:
            await bench.fetch(token=TOKEN)
    assert TOKEN not in str(caught.value)


async def test_a_closed_account_looks_like_an_unknown_one() -> None:
    async with serving(LICHESS, players=[]) as bench:
        with pytest.raises(UnknownPlayer, match="or the account is closed"):
            await bench.fetch()


async def test_asking_within_the_minute_keeps_it_running() -> None:
    """The local server is as strict as lichess: this is what the client's whole minute is for."""
    async with LichessServer([Made(0).lichess()], minute=30) as server, httpx.AsyncClient() as impatient:
        server.limit()
        url = f"{server.url}/api/games/user/alice_a"
        assert [(await impatient.get(url)).status_code for _ in range(3)] == [429] * 3
        assert server.limited == 3


async def test_a_slow_page_gives_the_gate_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.platforms.lichess_export.PAGE_SECONDS", 0.1)
    async with serving(LICHESS, many(12)) as bench:
        bench.server.faults.add(faults.slowly(pause=0.06))
        pages = await bench.fetch()
        assert 1 <= len(pages[0].games) < 12
        assert sum(len(page.games) for page in pages) == 12


async def test_a_line_over_the_bound_is_not_kept_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.platforms.lichess_export.LINE_BYTES", 2**20)
    async with serving(LICHESS, many(3), policy=replace(QUICK, attempts=2)) as bench:
        bench.server.faults.add(faults.garbage(b" " * (2**20 + 1) + b"{}\n"))
        assert len(await bench.games()) == 3


class Boundless(LichessServer):
    """Gives no heed to `max`."""

    def _export(self, query: Mapping[str, str], name: str, rate: float) -> Answer:
        return super()._export({key: value for key, value in query.items() if key != "max"}, name, rate)


async def test_pages_stay_bounded_where_max_is_ignored() -> None:
    async with Boundless([game.lichess() for game in many(350)], speed_up=10_000, minute=60) as server:
        client = LichessClient(server.url, CONTACT, policy=QUICK)
        pages = await Bench(server, client).fetch()
        await client.aclose()
        assert server.limited == 0
    assert max(len(page.games) for page in pages) == PAGE_GAMES
    assert len({game.platform_game_id for page in pages for game in page.games}) == 350


async def test_who_comes_after_a_cancelled_fetch_leaves_lichess_time_to_notice() -> None:
    async with serving(LICHESS, many(50), speed_up=1, policy=replace(QUICK, first_wait=0.1)) as bench:
        cut = asyncio.create_task(bench.games())
        await bench.server.seen(1)
        after = asyncio.create_task(bench.games(max_games=1, username="bob-1x"))
        await asyncio.sleep(0)
        cut.cancel()
        await asyncio.wait([cut])
        left_at = asyncio.get_running_loop().time()
        assert len(await after) == 1
        assert bench.server.requests[1].at - left_at >= 0.09
        assert bench.server.overlaps == 0
