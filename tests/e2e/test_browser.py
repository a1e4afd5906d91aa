"""A real Chromium before a real `rookify up --gateway`: the original front end, events, gRPC-Web."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Page, async_playwright

from rookify.sync.v1 import sync_pb2 as pb
from tests.support.platforms.__main__ import SHIPPED
from tests.support.platforms.chesscom_server import ChessComServer, read_months
from tests.support.postgres import reachable_folder
from tests.support.up import Up, rookify

PAGE = Path(__file__).parents[1] / "support" / "browser" / "front_end.html"
USER = "4f3c2b1a-0d9e-4c7b-8a65-1f2e3d4c5b6a"
# Two games: a few polls long.
REQUEST = {
    "platform": "chess.com",
    "username": "PaulMorphy",
    "months": 2,
    "fromDate": "2024-01-01",
    "toDate": "2024-02-29",
    "game_types": ["bullet"],
}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.skipif(
    CHROMIUM is None and not os.environ.get("CI"), reason="no Chromium: apt-get install chromium"
)


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """The front end, open, on an origin of its own that the gateway's settings name."""
    folder = reachable_folder()
    app = web.Application()
    app.router.add_get("/", _front_end)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    origin = "http://{}:{}".format(*runner.addresses[0][:2])
    async with ChessComServer(read_months(SHIPPED / "chesscom")) as platform:
        env = {"ROOKIFY_CHESSCOM_URL": platform.url, "ROOKIFY_CORS_ORIGINS": origin}
        up = await Up.start(folder / "data", "--engine-workers", "1", "--gateway", "0", env=env)
        try:
            assert up.process.stdout is not None
            said = (await up.process.stdout.readline()).decode()
            gateway = said.removeprefix("the gateway is at ").strip()
            minted = await rookify("token", "--user", USER, "--data", str(up.data), cwd=folder)
            about = {"base": gateway, "token": minted.out.strip(), "user": USER}
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(
                    executable_path=CHROMIUM,
                    args=[
                        "--no-sandbox",
                        "--disable-gpu",
                        "--no-first-run",
                        "--disable-background-networking",
                    ],
                )
                opened = await browser.new_page()
                await opened.add_init_script(f"window.rookify = {about}")
                await opened.goto(origin)
                yield opened
                await browser.close()
        finally:
            await up.stop()
            await runner.cleanup()
            shutil.rmtree(folder)


async def _front_end(_: web.Request) -> web.StreamResponse:
    return web.FileResponse(PAGE)


async def test_the_original_front_end_events_and_grpc_web(page: Page) -> None:
    job_id: str = await page.evaluate("request => startSync(request)", REQUEST)
    # The page is opened anew in the middle: the history has the job, and it is followed again.
    await page.reload()
    by_events = asyncio.create_task(page.evaluate("id => watchEvents(id)", job_id))
    resumed: dict[str, Any] = await page.evaluate("resume()")
    assert resumed["id"] == job_id
    assert resumed["seen"][-1] == "completed"
    shown = await page.text_content("#status")
    assert shown is not None
    status, platform, username, count = shown.split()
    assert (status, platform, username) == ("completed", "chess.com", "PaulMorphy")
    analyzed, found = map(int, count.split("/"))
    assert analyzed == found == 2

    watched = await by_events
    assert watched["type"] == "text/event-stream"
    assert watched["events"][-1]["sync_job"]["status"] == "SYNC_STATUS_COMPLETED"
    assert sum("game" in event for event in watched["events"]) == found

    # Over now: the same watch by gRPC-Web tells all of it again, and ends with OK.
    watch = base64.b64encode(
        pb.WatchSyncRequest(sync_job_id=job_id, include_games=True).SerializeToString()
    ).decode()
    spoken = await page.evaluate(
        "request => grpcWeb('/rookify.sync.v1.SyncService/WatchSync', request)", watch
    )
    messages = [pb.WatchSyncResponse.FromString(base64.b64decode(answer)) for answer in spoken["answers"]]
    assert "grpc-status:0" in spoken["trailers"].replace(" ", "")
    assert messages[-1].sync_job.status == pb.SYNC_STATUS_COMPLETED
    assert sum(message.HasField("game") for message in messages) == found

    # And what is refused can be read by the page.
    refused = await page.evaluate("call('GET', '/sync-status/no-uuid').catch(error => error.status)")
    assert refused == 400
    history = (await page.evaluate("resume()"))["history"]
    assert [job["id"] for job in history] == [job_id]
