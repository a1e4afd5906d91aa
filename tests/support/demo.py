"""`make demo`: the main job from an empty folder, over shipped games. No network, no account.

Starts a local server that behaves as both platforms, `rookify up` on a fresh data folder, and then runs the
commands that a user would type, showing each.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from uuid import uuid4

from rich.console import Console

from rookify.sync.v1 import sync_pb2 as pb
from tests.support.orchestrator import PLAYER
from tests.support.postgres import reachable_folder
from tests.support.system import System, platforms, rookify_up

_CHOSEN = "DukeKarl"  # whose Opera Game is shown: Morphy's most famous one, short and full of tactics


async def main() -> None:
    console = Console()
    folder = reachable_folder("rookify-demo-")
    began = time.monotonic()
    try:
        async with platforms() as servers:
            console.print(
                f"[dim]chess.com and lichess are played by a local server at {servers.chesscom_url}[/]"
            )
            console.print(f"[bold]$ rookify up --data {folder / 'data'}[/]")
            async with rookify_up(folder / "data", servers.settings) as system:
                console.print(f"rookify is up at {system.address}   [dim]{_since(began)}[/]\n")
                await _play(console, system)
                console.print(f"[dim]stopping; {_since(began)} in all[/]")
        console.print("Stopped. Your turn: [bold]make up[/], then [bold].venv/bin/rookify --help[/].")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _play(console: Console, system: System) -> None:
    user = str(uuid4())
    console.print(f"[bold]$ export ROOKIFY_TOKEN=$(rookify token --user {user})[/]")
    token = await system.token(user)
    window = ("--from", "2024-01-01", "--to", "2024-03-31", "--preset", "fast")
    console.print(f"[bold]$ rookify sync chess.com {PLAYER} {' '.join(window)}[/]")
    await system.rookify("sync", "chess.com", PLAYER, *window, token=token, show=True)
    async with system.client("service_role") as service:
        page = await service.call("ListGameAnalyses", pb.ListGameAnalysesRequest(user_id=user, page_size=100))
        shown = min(page.games, key=lambda game: (_CHOSEN not in game.black, game.play_time.seconds))
        audit = await service.call("AuditSyncJobs", pb.AuditSyncJobsRequest())
    console.print(f"\n[bold]$ rookify show {shown.id[:8]}[/]")
    await system.rookify("show", shown.id, token=token, show=True)
    console.print(f"\n[bold]$ rookify admin audit[/]\n{len(audit.findings)} findings\n")
    if audit.findings:
        sys.exit(1)


def _since(began: float) -> str:
    return f"{time.monotonic() - began:.0f} s"


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)  # 128 + SIGINT, as shells count
