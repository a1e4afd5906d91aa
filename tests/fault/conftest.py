"""Fixtures of the fault tests: the table of what was measured; and the services' logs beside what failed."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.faults import UpSite
from tests.support.faults_table import Table

_WRITTEN = Path(__file__).parents[2] / "bench-results" / "faults.md"


@pytest.fixture(scope="session")
def table() -> Iterator[Table]:
    """What was measured, written to bench-results/faults.md at the end."""
    made = Table()
    yield made
    made.write(_WRITTEN)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, Any, pytest.TestReport]:
    report: pytest.TestReport = yield
    site = item.funcargs.get("site")
    if report.failed and isinstance(site, UpSite):
        report.sections.append(("what the services said", site.last_words()))
    return report
