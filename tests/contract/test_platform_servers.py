"""The local platforms themselves: what tests of the clients, the demo and the end-to-end tests rely on."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.domain import Color, DateWindow, GameFilter, GameResult, Platform, TimeClass
from orchestrator.platforms.base import FetchRequest, PlatformClient
from orchestrator.platforms.chesscom import ChessComClient
from orchestrator.platforms.lichess import LichessClient
from tests.support.platforms.bench import CONTACT, QUICK, excluded
from tests.support.platforms.chesscom_server import ChessComServer, read_months
from tests.support.platforms.lichess_server import LichessServer, read_export
from tests.support.platforms.making import NOON, PLAYER, Made

REPOSITORY = Path(__file__).parents[2]
SHARED_DATA = Path(os.environ.get("ROOKIFY_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
SHIPPED_MONTHS = DateWindow(date(2024, 1, 1), date(2024, 3, 31))


@asynccontextmanager
async def asking(server: ChessComServer | LichessServer) -> AsyncIterator[httpx.AsyncClient]:
    async with server, httpx.AsyncClient(base_url=server.url) as http:
        yield http


async def test_chesscom_archives_months_and_validators() -> None:
    made = [Made(0), Made(1, ended=NOON - timedelta(days=40)), Made(2, ended=NOON - timedelta(hours=1))]
    server = ChessComServer([game.chesscom() for game in made])
    async with asking(server) as http:
        listed = (await http.get("/player/ALICE_A/games/archives")).json()
        root = f"{server.url}/player/alice_a/games"
        assert listed == {"archives": [f"{root}/2024/01", f"{root}/2024/02"]}
        month = await http.get(f"{root}/2024/02")
        assert [game["end_time"] for game in month.json()["games"]] == [
            int(made[n].ended.timestamp()) for n in (2, 0)
        ]
        assert month.headers["Last-Modified"] == "Sat, 10 Feb 2024 12:00:00 GMT"
        for validator in (
            {"If-None-Match": month.headers["ETag"]},
            {"If-Modified-Since": month.headers["Last-Modified"]},
        ):
            again = await http.get(f"{root}/2024/02", headers=validator)
            assert (again.status_code, again.content) == (304, b"")
        changed = await http.get(f"{root}/2024/02", headers={"If-None-Match": 'W/"other"'})
        assert changed.status_code == 200
        assert (await http.get(f"{root}/2023/02")).json() == {"games": []}


async def test_chesscom_errors() -> None:
    server = ChessComServer([Made(0).chesscom()], closed={"gone": 410}, renamed={"was": "alice_a"})
    async with asking(server) as http:
        bare = await http.get("/player/alice_a/games/archives", headers={"User-Agent": ""})
        assert bare.status_code == 403
        unknown = await http.get("/player/nobody/games/archives")
        assert (unknown.status_code, unknown.json()["code"]) == (404, 0)
        assert "nobody" in unknown.json()["message"]
        assert (await http.get("/player/gone/games/2024/02")).status_code == 410
        moved = await http.get("/player/was/games/archives")
        assert (moved.status_code, moved.headers["Location"]) == (
            301,
            f"{server.url}/player/alice_a/games/archives",
        )
        assert (await http.get("/player/alice_a/stats")).status_code == 404


async def test_chesscom_answers_429_to_the_second_of_two_requests() -> None:
    server = ChessComServer([Made(0).chesscom()], retry_after=7)
    async with asking(server) as http:
        release = asyncio.Event()

        async def held(request: Any, right: Any) -> Any:
            await release.wait()
            return await right.send(request)

        server.faults.add(held)
        first = asyncio.create_task(http.get("/player/alice_a/games/archives"))
        await server.seen(1)
        second = await http.get("/player/alice_a/games/archives")
        release.set()
        assert (second.status_code, second.headers["Retry-After"]) == (429, "7")
        assert (await first).status_code == 200
        assert server.overlaps == 1


async def test_lichess_honours_its_parameters() -> None:
    made = [
        Made(0),
        Made(1, ended=NOON + timedelta(hours=1), time_class=TimeClass.BULLET),
        Made(2, ended=NOON + timedelta(hours=2), rated=False),
        Made(3, ended=NOON + timedelta(hours=3), color=Color.BLACK),
        Made(4, ended=NOON + timedelta(hours=4), variant="atomic"),
    ]
    raws = [game.lichess() for game in made]
    ids = [raw["id"] for raw in raws]
    server = LichessServer(raws, speed_up=10_000)
    async with asking(server) as http:

        async def export(**query: Any) -> list[dict[str, Any]]:
            answer = await http.get("/api/games/user/alice_a", params=query)
            assert answer.headers["Content-Type"] == "application/x-ndjson"
            return [json.loads(line) for line in answer.text.splitlines()]

        async def which(**query: Any) -> list[int]:
            return [ids.index(game["id"]) for game in await export(**query)]

        assert await which() == [4, 3, 2, 1, 0]
        assert await which(sort="dateAsc", max=2) == [0, 1]
        assert await which(perfType="bullet,atomic") == [4, 1]
        assert await which(rated="true") == [4, 3, 1, 0]
        assert await which(color="black") == [3]
        begins = [raw["createdAt"] for raw in raws]
        assert await which(since=begins[1], until=begins[3]) == [2, 1]
        (plain,) = await export(max=1)
        assert plain["moves"]
        assert not {"pgn", "clocks", "opening"} & set(plain)
        (full,) = await export(max=1, pgnInJson="true", clocks="true", moves="false")
        assert "moves" not in full
        assert full["clocks"]
        assert "{ [%clk 0:0" in full["pgn"]
        (no_clocks,) = await export(max=1, pgnInJson="true")
        assert "%clk" not in no_clocks["pgn"]


async def test_lichess_throttles_and_a_token_makes_it_faster() -> None:
    raws = [Made(n).lichess() for n in range(30)]
    server = LichessServer(raws, tokens={"one": "somebody", "own": PLAYER}, speed_up=10)
    async with asking(server) as http:

        async def seconds(token: str) -> float:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            began = asyncio.get_running_loop().time()
            assert (await http.get("/api/games/user/alice_a", headers=headers)).status_code == 200
            return asyncio.get_running_loop().time() - began

        assert await seconds("") >= 30 / 20 / 10
        assert await seconds("one") >= 30 / 30 / 10
        assert await seconds("own") >= 30 / 60 / 10
        assert (
            await http.get("/api/games/user/alice_a", headers={"Authorization": "Bearer no"})
        ).status_code == 401
        assert (await http.get("/api/games/user/nobody")).json() == {"error": "Not found"}


async def test_both_platforms_run_as_one_process_over_the_games_that_ship() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.platforms", "--port", "0"),
        cwd=REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
    ready = re.fullmatch(r"platforms ready chesscom=(\S+/chesscom/pub) lichess=(\S+/lichess)\n", line)
    assert ready, line
    clients: list[PlatformClient] = [
        ChessComClient(ready[1], CONTACT, policy=QUICK),
        LichessClient(ready[2], CONTACT, policy=QUICK),
    ]
    found: dict[Platform, tuple[int, dict[str, int]]] = {}
    for client in clients:
        pages = [page async for page in client.fetch(FetchRequest("paulmorphy", SHIPPED_MONTHS))]
        found[client.platform] = (sum(len(page.games) for page in pages), excluded(pages))
        await client.aclose()
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 10) == 0
    variants = {"variant:crazyhouse": 1, "variant:kingofthehill": 1}
    assert found[Platform.CHESS_COM] == (34, {"no_moves": 2} | variants)
    assert found[Platform.LICHESS] == (14, {"aborted": 1, "variant:antichess": 1})


@pytest.mark.skipif(not (SHARED_DATA / "chesscom").is_dir(), reason="the shared data is not here")
async def test_real_months_of_chesscom() -> None:
    raws = read_months(SHARED_DATA / "chesscom")
    player, count = Counter(
        raw[color]["username"] for raw in raws for color in ("white", "black")
    ).most_common(1)[0]
    async with ChessComServer(raws) as server:
        client = ChessComClient(server.url, CONTACT, policy=QUICK)
        quarter = DateWindow(date(2022, 3, 1), date(2022, 5, 31))
        pages = [page async for page in client.fetch(FetchRequest(player.lower(), quarter))]
        games = [game for page in pages for game in page.games]
        lost = GameFilter(results=frozenset({GameResult.LOSS}))
        losses = [page async for page in client.fetch(FetchRequest(player, quarter, lost))]
        await client.aclose()
    assert len(games) == count == len(raws)
    assert excluded(pages) == {}
    by_url = {raw["url"]: raw for raw in raws}
    for game in games:
        raw = by_url[game.url]
        assert game.pgn == raw["pgn"]
        assert game.played_at == datetime.fromtimestamp(raw["end_time"], UTC)
        assert f'[Result "{game.result}"]' in game.pgn
        assert f'[TimeControl "{game.time_control}"]' in game.pgn
        assert raw[game.user_color]["username"] == player
    draws = {"stalemate", "insufficient", "repetition", "agreed", "50move", "timevsinsufficient"}
    own = Counter(
        next(raw[c]["result"] for c in ("white", "black") if raw[c]["username"] == player) for raw in raws
    )
    expected = sum(number for result, number in own.items() if result not in {"win", *draws})
    assert sum(len(page.games) for page in losses) == expected


@pytest.mark.skipif(not (SHARED_DATA / "lichess").is_dir(), reason="the shared data is not here")
async def test_real_games_of_lichess() -> None:
    raws = read_export(SHARED_DATA / "lichess" / "games.ndjson")
    for raw in raws:
        async with LichessServer(raws, speed_up=10_000) as server:
            client = LichessClient(server.url, CONTACT, policy=QUICK)
            asked = FetchRequest(
                raw["players"]["black"]["user"]["name"], DateWindow(date(2013, 1, 1), date.max)
            )
            games = [game async for page in client.fetch(asked) for game in page.games]
            await client.aclose()
        (game,) = [game for game in games if game.platform_game_id == raw["id"]]
        assert game.user_color is Color.BLACK
        assert game.result == {"white": "1-0", "black": "0-1"}[raw["winner"]]
        assert game.time_class == raw["speed"]
        assert game.time_control == f"{raw['clock']['initial']}+{raw['clock']['increment']}"
        assert game.played_at.timestamp() == raw["lastMoveAt"] / 1000
        assert (game.white_rating, game.black_rating) == tuple(
            raw["players"][color]["rating"] for color in ("white", "black")
        )
