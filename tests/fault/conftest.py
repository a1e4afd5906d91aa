"""Fixtures of the fault tests: the table of what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.support.faults")

from tests.support.faults_table import Table  # noqa: E402  after what asserts in it are to be rewritten

_WRITTEN = Path(__file__).parents[2] / "bench-results" / "faults.md"


@pytest.fixture(scope="session")
def table() -> Iterator[Table]:
    """What was measured, written to bench-results/faults.md at the end."""
    made = Table()
    yield made
    made.write(_WRITTEN)
