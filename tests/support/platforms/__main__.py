"""Both platforms on one port, over the games that ship with the project: `python -m tests.support.platforms`.

Prints one line when it is ready, `platforms ready chesscom=URL lichess=URL`, and serves until it is stopped.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from aiohttp import web

from tests.support.platforms.chesscom_server import ChessComServer, read_months
from tests.support.platforms.lichess_server import LichessServer, read_export

SHIPPED = Path(__file__).parents[1] / "games"


async def serve(port: int, chesscom_games: Path, lichess_games: Path) -> None:
    app = web.Application()
    app.add_subapp("/chesscom/pub", ChessComServer(read_months(chesscom_games)).app())
    app.add_subapp("/lichess", LichessServer(read_export(lichess_games)).app())
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    root = "http://{}:{}".format(*runner.addresses[0][:2])
    sys.stdout.write(f"platforms ready chesscom={root}/chesscom/pub lichess={root}/lichess\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.support.platforms", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 (the default): a free one")
    parser.add_argument(
        "--games", type=Path, default=SHIPPED / "chesscom", help="folder of chess.com month files to serve"
    )
    parser.add_argument(
        "--lichess-games",
        type=Path,
        default=SHIPPED / "lichess" / "games.ndjson",
        help="lichess export (ndjson) to serve",
    )
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.games, options.lichess_games))


if __name__ == "__main__":
    main()
