"""`rookify jobs --history`: from the database itself, for an id or the beginning of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.local import access
from orchestrator.store.postgres import PostgresTransport
from orchestrator.store.store import Store
from tests.support.postgres import Database
from tests.support.rookify_cli import answered
from tests.support.samples import LIMITS, new_sync, new_user


async def test_the_beginning_of_an_id_will_do(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with PostgresTransport(database.app_conninfo) as transport:
        store = Store(transport)
        started = [await store.start_sync_job(new_sync(await new_user(store)), LIMITS) for _ in range(3)]
    ids = [str(job.id) for job in started]
    settings = {"DATABASE_URL": database.app_conninfo}
    monkeypatch.setattr(access, "_PAGE", 2)  # more than one
    for job_id in ids:
        whole = await answered("jobs", "--history", job_id, settings=settings, folder=tmp_path)
        assert whole.code == 0
        assert [line.split()[3] for line in whole.out.splitlines()[1:]] == ["pending"]
        for typed in (job_id[:8], job_id[:8].upper()):
            assert await answered("jobs", "--history", typed, settings=settings, folder=tmp_path) == whole

    nobody = next(f"{n:08x}" for n in range(4) if not any(each.startswith(f"{n:08x}") for each in ids))
    none = await answered("jobs", "--history", nobody, settings=settings, folder=tmp_path)
    assert (none.code, none.out) == (1, "")
    assert none.err == f"rookify: there is no sync among the latest whose id begins with '{nobody}'.\n"
    nonsense = await answered("jobs", "--history", "x", settings=settings, folder=tmp_path)
    assert nonsense.code == 2
    assert "is not a UUID" in nonsense.err
