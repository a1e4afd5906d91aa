"""What comes from outside: platforms that answer wrongly or not at all, engines that misbehave.

One `rookify up` with one engine, so that a job feels what happens to it. All the while lichess is silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from google.type import date_pb2

from rookify.sync.v1 import sync_pb2 as pb
from tests.support import faults
from tests.support.faults_engine import Trouble, TroubledEngine
from tests.support.faults_table import Table
from tests.support.orchestrator import Client
from tests.support.platforms import faults as scripted
from tests.support.platforms.__main__ import SHIPPED
from tests.support.platforms.chesscom_server import ChessComServer, read_months
from tests.support.platforms.faults import Fault
from tests.support.platforms.lichess_server import LichessServer, read_export

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]

OPERA_GAME = next(
    game for game in read_months(SHIPPED / "chesscom") if "DukeKarl" in game["black"]["username"]
)
GAMES = [OPERA_GAME, *faults.some_games(4, 2, 3)]
MONTH = "/2024/01"  # the older of two: the other is stored by then
TWO_MONTHS = {"to_date": date_pb2.Date(year=2024, month=2, day=29), "max_games": 3}
LICHESS_GAMES = [
    game
    for game in read_export(SHIPPED / "lichess" / "games.ndjson")
    if game["variant"] == "standard" and 10 < len(game["moves"].split()) < 41
][:4]
SILENT_SECONDS = 60.0  # two requests, each given up after 30 s without a byte
DOWN_SECONDS = 12.0

ANSWERS: dict[str, Fault] = {
    "500": scripted.status(500),
    "429 and Retry-After: 2": scripted.status(429, headers={"Retry-After": "2"}),
    "half an answer": scripted.half_body(),
    "garbage": scripted.garbage(),
}
# What is wrong with an engine, and what the analyzer's log calls it.
TROUBLES: dict[Trouble, tuple[str, str]] = {
    "garbage": ("prints garbage", "EngineNonsense"),
    "close": ("closes its pipe", "EngineDied"),
    "no_score": ("answers with no score", "EngineNonsense"),
    "stop": ("is stopped (SIGSTOP)", "EngineHung"),
}
POISON = "e2e4 e7e5 g1f3 d7d6 d2d4 c8g4"  # of these only the Opera Game goes there
ENGINES_PER_TRY, TRIES = 3, 3


@dataclass
class Outside:
    chesscom: ChessComServer
    lichess: LichessServer
    engine: TroubledEngine


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outside(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Outside]:
    engine = TroubledEngine.make(tmp_path_factory.mktemp("engine"))
    async with ChessComServer(GAMES) as chesscom, LichessServer(LICHESS_GAMES) as lichess:
        yield Outside(chesscom, lichess, engine)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(outside: Outside) -> AsyncIterator[faults.UpSite]:
    async with faults.running(
        outside.chesscom.url,
        outside.lichess.url,
        arguments=("--engine-workers", "1"),
        ROOKIFY_STOCKFISH=str(outside.engine.path),
    ) as made:
        yield made


@dataclass
class Silence:
    """The sync of lichess's games, and how long it took to find them all."""

    user: Client
    job: pb.SyncJob
    seen: faults.Follower
    seconds: float


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def silence(site: faults.UpSite, outside: Outside) -> AsyncIterator[asyncio.Task[Silence]]:
    """lichess says nothing, and nothing again when it is asked again."""
    for _ in range(2):
        outside.lichess.faults.add(scripted.silence())

    async def synced() -> Silence:
        user = await site.user()
        job = await user.start(platform=pb.PLATFORM_LICHESS, preset=faults.FAST)
        async with faults.following(user, job.id) as seen:
            await outside.lichess.seen(1)
            at = faults.now()
            await seen.until(lambda job: job.games_found == len(LICHESS_GAMES))
            took = faults.now() - at
            return Silence(user, await seen.end(), seen, took)

    task = asyncio.create_task(synced())
    yield task
    task.cancel()


@pytest.mark.parametrize("name", ANSWERS)
async def test_chesscom_answers(site: faults.UpSite, outside: Outside, name: str, table: Table) -> None:
    user = await site.user()
    outside.chesscom.faults.add(ANSWERS[name], on=MONTH)
    job = await user.start(preset=faults.FAST, **TWO_MONTHS)
    async with faults.following(user, job.id) as seen:
        await seen.until(lambda job: job.games_found == 2)
        at = faults.now()
        await seen.until(lambda job: job.games_found == 3)
        pause = seen.pause(at)
        job = await seen.end()
    repeated = await site.whole(user, job, games=3, seen=seen)
    assert outside.chesscom.faults.left == 0
    table.add(f"chess.com answers {name}", "fetching", "asked again", pause, repeated)


async def test_chesscom_is_down(site: faults.UpSite, outside: Outside, table: Table) -> None:
    """Every connection is closed without a word: the job waits, says so, and leaves it alone meanwhile."""
    chesscom, plenty = outside.chesscom, 1000
    user = await site.user()
    chesscom.faults.add(scripted.drop(), times=plenty, on=MONTH)
    job = await user.start(preset=faults.FAST, **TWO_MONTHS)
    async with faults.following(user, job.id) as seen:
        await seen.until(lambda job: job.games_found == 2)
        await seen.until(lambda job: "chess.com does not answer" in job.error)
        await asyncio.sleep(DOWN_SECONDS)  # so much longer
        asked = plenty - chesscom.faults.left
        chesscom.faults.clear()
        back = faults.now()
        assert seen.job.status == pb.SYNC_STATUS_FETCHING
        job = await seen.end()
    repeated = await site.whole(user, job, games=3, seen=seen)
    assert 3 <= asked <= 6
    fault = f"chess.com drops every connection, for {DOWN_SECONDS:.0f} s more once that is said"
    what = f"left alone after 3 tries, {asked} in all; the seconds are from its return on"
    table.add(fault, "fetching", what, seen.pause(back), repeated)


async def test_engines_that_cannot_be_trusted(site: faults.UpSite, outside: Outside, table: Table) -> None:
    """All in one job, one after the other."""
    engine, earlier = outside.engine, len(site.log_events("analyzer", "engine discarded"))
    user = await site.user()
    job = await user.start(preset=faults.FAST)
    pauses = []
    async with faults.following(user, job.id) as seen:
        await seen.until(lambda job: job.games_analyzed >= 1)
        for trouble in TROUBLES:
            engine.arm(trouble)
            await faults.appears(lambda: not engine.armed, f"a search with {trouble}")
            at, before = faults.now(), seen.job.games_analyzed
            await seen.until(lambda job, before=before: job.games_analyzed > before)  # type: ignore[misc]
            pauses.append(seen.pause(at))
        job = await seen.end()
    repeated = await site.whole(user, job, games=len(GAMES), seen=seen)
    discarded = [event["error"] for event in site.log_events("analyzer", "engine discarded")[earlier:]]
    assert discarded == [error for _, error in TROUBLES.values()]
    await faults.appears(lambda: not engine.left(), "the end of every engine that was discarded")
    for (what, error), pause in zip(TROUBLES.values(), pauses, strict=True):
        followed = f"{error}: the position on a fresh one"
        table.add(f"a Stockfish {what}", "analyzing", followed, pause, repeated)


async def test_a_game_that_kills_engines(site: faults.UpSite, outside: Outside, table: Table) -> None:
    engine = outside.engine
    engine.poison(POISON)
    user = await site.user()
    began = faults.now()
    january = date_pb2.Date(year=2024, month=1, day=31)
    job = await user.start(preset=faults.FAST, to_date=january)
    async with faults.following(user, job.id) as seen:
        job = await seen.end()
    repeated = await site.whole(user, job, games=5, failed=1, seen=seen)
    assert engine.poisoned == ENGINES_PER_TRY * TRIES
    sentence = "1 of 5 games could not be analyzed: 1 made the engine fail again and again."
    assert job.error == sentence
    rows = await site.rows(
        "select k.failure, g.white from sync_job_games k join games g on g.id = k.game_id"
        " where k.sync_job_id = %s and k.outcome = 'failed'",
        job.id,
    )
    assert rows == [("ENGINE", "PaulMorphy")]
    assert len(site.log_events("orchestrator", "game failed on an analyzer")) == TRIES
    what = f"failed after {TRIES} tries, with its reason; the rest completed"
    table.add("a game that kills every engine", "analyzing", what, seen.pause(began), repeated)


async def test_lichess_says_nothing_for_a_minute(
    site: faults.UpSite, outside: Outside, silence: asyncio.Task[Silence], table: Table
) -> None:
    """The last one here, as the minute passes meanwhile."""
    ended = await silence
    repeated = await site.whole(ended.user, ended.job, games=len(LICHESS_GAMES), seen=ended.seen)
    assert outside.lichess.faults.left == 0
    assert outside.lichess.limited == 0
    assert ended.seconds > SILENT_SECONDS
    fault = f"lichess says nothing for {SILENT_SECONDS:.0f} s"
    what = "given up twice after 30 s, asked again; the seconds are those beyond its silence"
    table.add(fault, "fetching", what, ended.seconds - SILENT_SECONDS, repeated)
