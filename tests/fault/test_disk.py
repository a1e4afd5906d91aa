"""The disk of the data folder is full: on a small file system of its own, mounted for the test."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support import faults
from tests.support.faults_table import Table
from tests.support.platforms.chesscom_server import ChessComServer
from tests.support.postgres import reachable_folder

pytestmark = pytest.mark.timeout(120)

GAMES = faults.some_games(4, 4, 2)
SIZE = "160m"  # a new cluster with its log takes 60 MB
FULL_SECONDS = 6.0


@pytest.fixture
def small_disk() -> Iterator[Path]:
    folder = reachable_folder("rookify-disk-")
    options = f"size={SIZE},mode=0755"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


def fill(file: Path) -> int:
    """Takes what is left of the disk; how much that was."""
    with file.open("wb", buffering=0) as stream, suppress(OSError):
        while True:
            stream.write(bytes(2**20))
    with file.open("ab", buffering=0) as stream, suppress(OSError):
        while True:
            stream.write(bytes(2**9))
    return file.stat().st_size


async def test_the_disk_is_full_for_a_while(table: Table, small_disk: Path) -> None:
    """And everything is killed in the middle of it: on a full disk Postgres cannot start again."""
    async with ChessComServer(GAMES) as chesscom, faults.running(chesscom.url, folder=small_disk) as site:
        user = await site.user()
        job = await user.start(preset=faults.FAST)
        ballast = small_disk / "ballast"
        async with faults.following(user, job.id) as seen:
            await seen.until(lambda job: job.games_analyzed >= 1)
            await asyncio.to_thread(fill, ballast)
            await asyncio.sleep(FULL_SECONDS / 2)  # the fault's length
            await faults.kill(site.postgres(), site.orchestrator(), site.analyzer())
            written = seen.job.games_analyzed
            await asyncio.sleep(FULL_SECONDS / 2)  # likewise
            assert seen.job.games_analyzed == written < len(GAMES)
            await asyncio.to_thread(ballast.unlink)
            back = faults.now()
            job = await seen.end()
        repeated = await site.whole(user, job, games=len(GAMES), seen=seen, logged=False)
        fault = f"the disk is full for {FULL_SECONDS:.0f} s, and all are killed meanwhile"
        what = "calls UNAVAILABLE, workers wait; the seconds are from the room on"
        table.add(fault, "analyzing", what, seen.pause(back), repeated)


async def test_a_start_on_a_full_disk_says_so(small_disk: Path) -> None:
    await asyncio.to_thread(fill, small_disk / "ballast")
    with pytest.raises(AssertionError) as failed:
        async with faults.running(folder=small_disk, ROOKIFY_LOG_LEVEL="info"):
            pass
    assert "No space left on device" in str(failed.value)
    assert "Traceback" not in str(failed.value)
