"""What is chess.com's own: archives, months, renamed and closed accounts, Retry-After."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from orchestrator.domain import DateWindow, Platform, TimeClass
from orchestrator.platforms.chesscom import ChessComClient
from orchestrator.platforms.errors import AccountClosed, PlatformRefused, PlatformUnavailable
from servicekit.errors import ConfigurationError
from tests.support.platforms import faults
from tests.support.platforms.bench import CONTACT, QUICK, Bench, serving
from tests.support.platforms.chesscom_server import ChessComServer
from tests.support.platforms.making import PLAYER, Made

CHESS_COM = Platform.CHESS_COM


def each_month(year: int = 2023) -> list[Made]:
    return [Made(n, ended=datetime(year, n, 15, tzinfo=UTC)) for n in range(1, 13)]


def paths(bench: Bench) -> list[str]:
    return [seen.path for seen in bench.server.requests]


async def test_only_the_months_of_the_window_are_asked_for_newest_first() -> None:
    async with serving(CHESS_COM, each_month()) as bench:
        await bench.fetch(window=DateWindow(date(2023, 3, 31), date(2023, 5, 1)))
        root = "/player/alice_a/games/"
        assert paths(bench) == [root + last for last in ("archives", "2023/05", "2023/04", "2023/03")]


async def test_a_month_that_is_not_listed_is_not_asked_for() -> None:
    made = [game for game in each_month() if game.ended.month != 4]
    async with serving(CHESS_COM, made) as bench:
        pages = await bench.fetch(window=DateWindow(date(2023, 3, 1), date(2023, 5, 31)))
        assert len(bench.server.requests) == 3
        assert [page.cursor["month"] for page in pages] == ["2023-05", "2023-03"]


async def test_max_games_stops_before_older_months() -> None:
    async with serving(CHESS_COM, each_month()) as bench:
        games = await bench.games(window=DateWindow(date(2023, 1, 1), date(2023, 12, 31)), max_games=2)
        assert [game.played_at.month for game in games] == [12, 11]
        assert len(bench.server.requests) == 3


async def test_a_finished_month_is_not_asked_for_again() -> None:
    year = DateWindow(date(2023, 1, 1), date(2023, 12, 31))
    async with serving(CHESS_COM, each_month()) as bench:
        pages = await bench.fetch(window=year)
        bench.server.requests.clear()
        await bench.fetch(window=year, cursor=pages[9].cursor)
        assert [path[-7:] for path in paths(bench)] == ["rchives", "2023/02", "2023/01"]


async def test_a_month_that_is_listed_and_then_missing_is_named() -> None:
    async with serving(CHESS_COM, each_month()) as bench:
        bench.server.faults.add(faults.status(404), on="2023/11")
        with pytest.raises(PlatformUnavailable, match="the games of 2023-11") as caught:
            await bench.fetch(window=DateWindow(date(2023, 1, 1), date(2023, 12, 31)))
        assert caught.value.metadata == {"what": "the games of 2023-11"}


async def test_a_renamed_player_is_followed() -> None:
    async with serving(CHESS_COM, [Made(0), Made(1)], renamed={"Old_Name": PLAYER}) as bench:
        assert len(await bench.games(username="OLD_name")) == 2
        assert paths(bench)[0].startswith("/player/old_name/")
        assert paths(bench)[-1].startswith("/player/alice_a/")


async def test_redirects_in_a_circle_end() -> None:
    async with serving(CHESS_COM, renamed={"one": "two", "two": "one"}) as bench:
        with pytest.raises(PlatformUnavailable, match="redirects in circles"):
            await bench.fetch(username="one", window=DateWindow(date(2023, 1, 1), date(2023, 12, 31)))


@pytest.mark.parametrize("status", [410, 403])
async def test_a_closed_account(status: int) -> None:
    async with serving(CHESS_COM, closed={"alice_a": status}) as bench:
        with pytest.raises(AccountClosed, match="account alice_a is closed"):
            await bench.fetch()
        assert len(bench.server.requests) == 1


async def test_a_403_that_says_nothing_names_both_reasons() -> None:
    async with serving(CHESS_COM) as bench:
        bench.server.faults.add(faults.status(403, ""))
        with pytest.raises(PlatformRefused, match=r"Either the account is closed, or .* ROOKIFY_CONTACT"):
            await bench.fetch()


async def test_daily_games_are_correspondence_and_belong_to_the_day_of_their_end() -> None:
    daily = Made(
        1,
        ended=datetime(2024, 2, 1, tzinfo=UTC),
        lasted=timedelta(days=400),
        time_class=TimeClass.CORRESPONDENCE,
    )
    async with serving(CHESS_COM, [daily]) as bench:
        (game,) = await bench.games(window=DateWindow(date(2024, 2, 1), date(2024, 2, 1)))
    assert (game.time_class, game.time_control) == (TimeClass.CORRESPONDENCE, "1/86400")
    assert game.platform_game_id.startswith("daily/")


async def test_429_without_retry_after_doubles_the_pause_for_everyone() -> None:
    async with serving(CHESS_COM, [Made(0)], policy=replace(QUICK, first_wait=0.1, longest_wait=1)) as bench:
        bench.server.faults.add(faults.status(429), times=3)
        began = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(bench.games())
        assert asyncio.get_running_loop().time() - began >= 0.1 + 0.2 + 0.4
        assert len(bench.server.requests) == 3 + 3 * 2


async def test_two_clients_at_once_get_429_and_come_through() -> None:
    """Two processes share no gate; the platform's 429 sorts them out."""
    made = [Made(n) for n in range(50)]
    policy = replace(QUICK, attempts=30, first_wait=0.01, longest_wait=0.05, jitter=0.05)
    async with serving(CHESS_COM, made, policy=policy) as one:
        other = ChessComClient(one.server.url, CONTACT, policy=policy)
        one.server.faults.add(faults.slowly(pause=0.02), times=2)
        async with asyncio.TaskGroup() as group:
            both = [group.create_task(bench.games()) for bench in (one, Bench(one.server, other))]
        await other.aclose()
        assert [len(task.result()) for task in both] == [50, 50]
        assert one.server.overlaps > 0


async def test_a_game_listed_twice_comes_once() -> None:
    games = [Made(0).chesscom(), Made(0).chesscom(), Made(1).chesscom()]
    async with ChessComServer(games) as server:
        client = ChessComClient(server.url, CONTACT, policy=QUICK)
        assert len(await Bench(server, client).games()) == 2
        await client.aclose()


@pytest.mark.parametrize("contact", ["me@example.org\r\nX-Evil: 1", "müller@example.org"])
def test_a_contact_that_cannot_be_sent_is_a_wrong_setting(contact: str) -> None:
    with pytest.raises(ConfigurationError, match="ROOKIFY_CONTACT"):
        ChessComClient("http://127.0.0.1:1", contact)


@pytest.mark.parametrize("url", ["", "api.chess.com/pub", "file:///etc/passwd"])
def test_a_base_url_without_its_scheme_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"chess\.com must begin with https"):
        ChessComClient(url, CONTACT)
