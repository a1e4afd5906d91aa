"""What several benches start: a Postgres as `rookify up` runs it, with the project's database in it."""

from __future__ import annotations

import math
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orchestrator.local import database as local_database
from orchestrator.local.postgres import APP_USER, OWNER, SUPERUSER, EmbeddedPostgres
from tests.support.postgres import Database, reachable_folder

_NAME = "bench"


@asynccontextmanager
async def postgres() -> AsyncIterator[Database]:
    """Durable, in a folder of its own that goes with it."""
    folder = reachable_folder("rookify-bench-")
    server = EmbeddedPostgres(folder / "data")
    try:
        await server.start()
        await local_database.prepare(server, _NAME)
        yield Database(
            _NAME,
            superuser_conninfo=server.conninfo(SUPERUSER, _NAME),
            owner_conninfo=server.conninfo(OWNER, _NAME),
            app_conninfo=server.conninfo(APP_USER, _NAME),
        )
    finally:
        await server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def percentile(values: list[float], part: float) -> float:
    """The smallest value that at least `part` (0..1) of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]
