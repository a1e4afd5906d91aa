"""`rookify` before a person: the live bar, Ctrl-C, a terminal that can do nothing."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.cli_bench import JOB, Bench, a_job, cli_bench, end, game, state, told
from tests.support.rookify_cli import on_terminal


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with cli_bench(tmp_path) as made:
        yield made


async def test_ctrl_c_ends_the_watch_and_not_the_sync(bench: Bench) -> None:
    bench.server.watches = [[game(1), asyncio.Event()]]
    bench.server.jobs = [a_job()]
    async with on_terminal("watch", JOB[:8], settings=bench.settings, folder=bench.folder) as terminal:
        await terminal.see("rival1")
        terminal.process.send_signal(signal.SIGINT)
        assert await terminal.end() == 130
    said = " ".join(terminal.screen.split())
    assert "the sync goes on" in said
    assert f"`rookify watch {JOB}`" in said
    assert f"`rookify cancel {JOB}`" in said
    assert "Traceback" not in said
    assert terminal.screen.count("\x1b[?25h") == terminal.screen.count("\x1b[?25l")  # the cursor is back
    assert bench.server.requests("CancelSync") == []


async def test_ctrl_c_before_the_answer_says_where_to_look(bench: Bench) -> None:
    bench.server.silent = True
    async with on_terminal("sync", "lichess", "x", settings=bench.settings, folder=bench.folder) as terminal:
        await bench.server.heard.wait()
        terminal.process.send_signal(signal.SIGINT)
        assert await terminal.end() == 130
    assert "`rookify jobs --active`" in " ".join(terminal.screen.split())


async def test_a_terminal_shows_a_bar_and_leaves_none_behind(bench: Bench) -> None:
    bench.give_games(3)
    hold = asyncio.Event()
    bench.server.watches = [[state("1", games_found=3), game(1), game(2), hold, game(3), end()]]
    async with on_terminal("watch", JOB, settings=bench.settings, folder=bench.folder) as terminal:
        await terminal.see("2 of 3 games")
        assert "━" in terminal.screen
        assert re.search(r"0:(30|29|28) left", terminal.screen)
        hold.set()
        assert await terminal.end() == 0
    after = terminal.screen.rpartition("\x1b[?25h")[2]  # once the bar is gone
    assert "━" not in after
    assert "Synced thibault on lichess in 1:01" in after
    assert terminal.screen.count("✓") == 3


async def test_a_dumb_terminal_gets_plain_lines(bench: Bench) -> None:
    bench.server.watches = [[game(1, found=1), end(0)]]
    settings = {**bench.settings, "TERM": "dumb"}
    async with on_terminal("watch", JOB, settings=settings, folder=bench.folder) as terminal:
        assert await terminal.end() == 0
    assert "\x1b" not in terminal.screen
    assert told(terminal.screen) == ["rival1"]
