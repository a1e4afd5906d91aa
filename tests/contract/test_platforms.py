"""What every platform's client promises, held against a local server that behaves as the platform does."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from orchestrator.domain import Color, DateWindow, GameFilter, GameResult, Platform, TimeClass
from orchestrator.platforms.base import PAGE_GAMES
from tests.support.platforms import faults
from tests.support.platforms.bench import asking, excluded, many, serving
from tests.support.platforms.making import NOON, PLAYER, Made

pytestmark = pytest.mark.parametrize("platform", list(Platform))


async def test_each_game_comes_once_newest_first_with_what_the_platform_says(platform: Platform) -> None:
    made = [Made(n, ended=NOON + timedelta(days=9 * n), color=list(Color)[n % 2]) for n in range(5)]
    async with serving(platform, made) as bench:
        games = await bench.games()
    assert [game.played_at for game in games] == sorted((m.ended for m in made), reverse=True)
    newest, raw = games[0], made[-1]
    asked = raw.chesscom() if platform is Platform.CHESS_COM else raw.lichess()
    expected_id = asked["url"].removeprefix("https://www.chess.com/game/") if "url" in asked else asked["id"]
    assert newest.platform is platform
    assert newest.platform_game_id == expected_id
    assert newest.url == asked.get("url", f"https://lichess.org/{expected_id}")
    assert "1. e4 " in newest.pgn
    assert "[%clk 0:0" in newest.pgn
    assert (newest.white, newest.white_rating, newest.black_rating) == (PLAYER, 1500, 1501)
    assert (newest.user_color, newest.result, newest.variant) == (Color.WHITE, "1-0", "standard")
    assert (newest.time_class, newest.time_control, newest.rated) == (TimeClass.BLITZ, "180+2", True)
    assert games[1].user_color is Color.BLACK


async def test_the_window_holds_by_the_second_of_the_end(platform: Platform) -> None:
    first, last = datetime(2024, 1, 31, tzinfo=UTC), datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC)
    second = timedelta(seconds=1)
    ends = [first - second, first, last, last + second]
    async with serving(platform, [Made(n, ended=end) for n, end in enumerate(ends)]) as bench:
        games = await bench.games(window=DateWindow(date(2024, 1, 31), date(2024, 2, 29)))
    assert [game.played_at for game in games] == [last, first]


async def test_a_window_of_one_day_and_one_without_games(platform: Platform) -> None:
    async with serving(platform, [Made(0), Made(1, ended=NOON + timedelta(days=1))]) as bench:
        assert len(await bench.games(window=DateWindow(NOON.date(), NOON.date()))) == 1
        assert await bench.games(window=DateWindow(date(2023, 6, 1), date(2023, 12, 31))) == []


@pytest.mark.parametrize(
    ("wanted", "passing"),
    [
        (GameFilter(), {0, 1, 2, 3, 4, 5}),
        (GameFilter(time_classes=frozenset({TimeClass.BULLET, TimeClass.RAPID})), {1, 3}),
        (GameFilter(time_classes=frozenset({TimeClass.CORRESPONDENCE})), {5}),
        (GameFilter(results=frozenset({GameResult.WIN})), {0, 2}),
        (GameFilter(results=frozenset({GameResult.LOSS, GameResult.DRAW})), {1, 3, 4, 5}),
        (GameFilter(colors=frozenset({Color.BLACK})), {1, 2}),
        (GameFilter(rated_only=True), {0, 1, 2, 3, 4}),
        (GameFilter(colors=frozenset({Color.WHITE}), results=frozenset({GameResult.DRAW})), {4, 5}),
    ],
)
async def test_filters_see_the_game_from_the_players_side(
    platform: Platform, wanted: GameFilter, passing: set[int]
) -> None:
    made = [
        Made(0),
        Made(1, color=Color.BLACK, time_class=TimeClass.BULLET),
        Made(2, color=Color.BLACK, result="0-1"),
        Made(3, result="0-1", time_class=TimeClass.RAPID),
        Made(4, result="1/2-1/2"),
        Made(5, result="1/2-1/2", rated=False, time_class=TimeClass.CORRESPONDENCE),
    ]
    made = [replace(game, ended=NOON + timedelta(hours=n)) for n, game in enumerate(made)]
    async with serving(platform, made) as bench:
        pages = await bench.fetch(filter=wanted)
    ends = {NOON + timedelta(hours=n) for n in passing}
    assert {game.played_at for page in pages for game in page.games} == ends
    assert excluded(pages) == {}


async def test_max_games_takes_the_newest_that_pass(platform: Platform) -> None:
    made = [Made(n, ended=NOON + timedelta(days=n), rated=n % 2 == 0) for n in range(40)]
    async with serving(platform, made) as bench:
        games = await bench.games(max_games=5, filter=GameFilter(rated_only=True))
        assert [game.played_at for game in games] == [NOON + timedelta(days=n) for n in (38, 36, 34, 32, 30)]
        assert len(await bench.games(max_games=5, already_fetched=3)) == 2
        before = len(bench.server.requests)
        assert await bench.games(max_games=5, already_fetched=5) == []
        assert len(bench.server.requests) == before


@pytest.mark.parametrize("name", ["alice_a", "ALICE_A", " Alice_A "])
async def test_usernames_are_the_same_in_any_case(platform: Platform, name: str) -> None:
    async with serving(platform, [Made(0), Made(1, color=Color.BLACK)]) as bench:
        games = await bench.games(username=name)
    assert {game.user_color for game in games} == {Color.WHITE, Color.BLACK}


async def test_what_no_sync_can_take_is_counted_by_its_reason(platform: Platform) -> None:
    house = "crazyhouse"
    made = [
        Made(0),
        Made(1, variant="chess960"),
        Made(2, variant=house),
        Made(3, variant=house, rated=False),
        Made(4, variant="threeCheck"),
        Made(5, sans=()),
        Made(6, variant=house, ended=NOON - timedelta(days=200)),
    ]
    if platform is Platform.LICHESS:
        made.append(Made(7, sans=(), ending="aborted"))
    async with serving(platform, made) as bench:
        pages = await bench.fetch(filter=GameFilter(rated_only=True))
    assert {game.variant for page in pages for game in page.games} == {"standard", "chess960"}
    three = "threecheck" if platform is Platform.CHESS_COM else "threeCheck"
    expected = {f"variant:{house}": 2, f"variant:{three}": 1, "no_moves": 1}
    assert excluded(pages) == expected | ({"aborted": 1} if platform is Platform.LICHESS else {})


async def test_a_malformed_game_is_counted_and_the_rest_comes(platform: Platform) -> None:
    """One with a NUL, which Postgres cannot store, and one without the player."""
    made = [Made(0), Made(1), Made(2, player="Someone_else")]
    raws = [game.chesscom() if platform is Platform.CHESS_COM else game.lichess() for game in made]
    for raw in raws:
        raw["pgn"] = "1. e4 e5 *"
    raws[1]["pgn"] = "1. e4 {\x00} e5 *"
    lines = "\n".join(map(json.dumps, raws))
    body = json.dumps({"games": raws}) if platform is Platform.CHESS_COM else lines
    async with serving(platform, made[:1]) as bench:
        bench.server.faults.add(
            faults.garbage(body.encode()), on="/2024/02" if platform is Platform.CHESS_COM else ""
        )
        pages = await bench.fetch()
    assert excluded(pages) == {"malformed": 2}
    assert [len(page.games) for page in pages if page.games] == [1]


async def test_a_run_that_was_cut_off_goes_on_after_any_page(platform: Platform) -> None:
    async with serving(platform, many(330)) as bench:
        pages = await bench.fetch()
        ids = [game.platform_game_id for page in pages for game in page.games]
        assert len(ids) == len(set(ids)) == 330
        assert max(len(page.games) for page in pages) == PAGE_GAMES
        for done in range(1, len(pages) + 1):
            cursor = json.loads(json.dumps(pages[done - 1].cursor))
            stored = [game.platform_game_id for page in pages[:done] for game in page.games]
            rest = await bench.games(cursor=cursor, already_fetched=len(stored), max_games=1000)
            assert stored + [game.platform_game_id for game in rest] == ids


async def test_max_games_counts_over_all_runs(platform: Platform) -> None:
    async with serving(platform, many(250)) as bench:
        every = [game.platform_game_id for game in await bench.games()]
        first = bench.client.fetch(asking(max_games=170))
        page = await anext(first)
        rest = await bench.games(max_games=170, already_fetched=len(page.games), cursor=page.cursor)
    got = [game.platform_game_id for game in (*page.games, *rest)]
    assert got == every[:170]
