"""Settings of the analyzer."""

from __future__ import annotations

import pytest

from analyzer import settings
from analyzer.settings import Settings


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 2), (4, 4), (5, 4), (64, 63)])
def test_one_engine_per_core_all_but_one_where_there_are_many(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int
) -> None:
    monkeypatch.setattr(settings, "usable_cores", lambda: cores)
    assert Settings(engine_workers=0).workers == workers
    assert Settings(engine_workers=3).workers == 3


def test_the_environment_sets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOKIFY_ENGINE_HASH_MB", "128")
    monkeypatch.setenv("ROOKIFY_ANALYZER_LISTEN", "0.0.0.0:50061")
    made = Settings()
    assert (made.engine_hash_mb, made.analyzer_listen) == (128, "0.0.0.0:50061")


def test_usable_cores() -> None:
    assert settings.usable_cores() >= 1
