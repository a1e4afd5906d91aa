"""Settings of the analyzer."""

from __future__ import annotations

import pytest

from analyzer import machine
from analyzer.settings import Settings


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 2), (4, 4), (5, 4), (64, 63)])
def test_one_engine_per_core_all_but_one_where_there_are_many(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int
) -> None:
    monkeypatch.setattr(machine, "usable_cores", lambda: cores)
    assert Settings(engine_workers=0).workers == workers
    assert Settings(engine_workers=3).workers == 3


def test_the_environment_sets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOKIFY_ENGINE_HASH_MB", "128")
    monkeypatch.setenv("ROOKIFY_ANALYZER_LISTEN", "0.0.0.0:50061")
    made = Settings()
    assert (made.engine_hash_mb, made.analyzer_listen) == (128, "0.0.0.0:50061")


@pytest.mark.parametrize(
    ("megabytes", "workers", "hash_mb"),
    [(16_384, 2, 64), (1024, 4, 64), (1200, 8, 13), (500, 2, 33), (128, 8, 8)],
)
def test_hash_tables_take_what_all_else_leaves(
    monkeypatch: pytest.MonkeyPatch, megabytes: int, workers: int, hash_mb: int
) -> None:
    monkeypatch.setattr(machine, "usable_memory", lambda: megabytes * 2**20)
    made = Settings(engine_workers=workers)
    assert made.hash_mb == hash_mb
    assert made.memory_mb <= megabytes or hash_mb == 8
    assert Settings(engine_workers=workers, engine_hash_mb=200).hash_mb == 200
