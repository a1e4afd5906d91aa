"""`python -m analyzer`: serve until SIGTERM or SIGINT. Exit codes: 0 stopped, 1 defect, 2 cannot run so.

With `--engine` it only says which engine it would use, after a word with it.
"""

from __future__ import annotations

import asyncio
import sys
from typing import NoReturn

import structlog

from analyzer.app import Analyzer
from analyzer.engine.choice import fastest
from analyzer.engine.discovery import find_all, unusable
from analyzer.engine.errors import EngineError
from analyzer.engine.process import EngineProcess
from analyzer.settings import Settings
from servicekit import logs
from servicekit.errors import ConfigurationError
from servicekit.server import stop_signals
from servicekit.settings import load_settings

log = structlog.get_logger()


def main() -> None:
    try:
        settings = load_settings(Settings)
        logs.configure("analyzer", settings.log_level, settings.log_format)
        asyncio.run(_say_engine(settings) if sys.argv[1:] == ["--engine"] else _run(settings))
    except ConfigurationError as error:
        _refuse(error.message)


async def _run(settings: Settings) -> None:
    stop = stop_signals()
    async with Analyzer(settings) as analyzer:
        waits = [asyncio.create_task(stop.wait()), asyncio.create_task(analyzer.broken())]
        done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        for task in done:
            task.result()
    log.info("stopped")


async def _say_engine(settings: Settings) -> None:
    path = await fastest(find_all(settings.stockfish))
    try:
        engine = await EngineProcess.start(path, hash_mb=settings.hash_mb)
    except EngineError as error:
        raise unusable(path, error) from error
    await engine.close()
    sys.stdout.write(f"{engine.name} at {path}, for {settings.workers} workers\n")


def _refuse(message: str) -> NoReturn:
    sys.stderr.write(f"rookify-analyzer: {message}\n")
    sys.exit(2)


if __name__ == "__main__":
    main()
