"""Every command and every option says what it is for, in one line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from orchestrator.cli.app import app


def commands(command: Any, path: str = "rookify") -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, f"{path} {name}")


ALL = dict(commands(typer.main.get_command(app)))


def test_every_command_of_the_contract_is_there() -> None:
    expected = ["sync", "watch", "jobs", "games", "show", "export", "cancel", "quota", "up", "token"]
    admin = ["active", "cleanup", "fail", "audit", "usage"]
    names = {f"rookify {name}" for name in expected} | {f"rookify admin {name}" for name in admin}
    assert names <= set(ALL)


@pytest.mark.parametrize("path", ALL)
def test_everything_has_one_line_of_help(path: str) -> None:
    command = ALL[path]
    assert command.help
    summary = command.help.strip().split("\n\n")[0]
    assert summary.endswith(".")
    assert len(summary.replace("\n", " ")) <= 100
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"{path} {parameter.name}"
