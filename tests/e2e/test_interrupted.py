"""Ctrl-C at any time: exit code 130 (or an orderly stop) and no traceback."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.support.rookify_cli import environment

ROOKIFY = Path(sys.executable).with_name("rookify")  # as users start it

# Python runs it before all else. The signal is a real one, sent in the middle of the imports.
_SITE = """
import os, signal, sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["INTERRUPTED_AT"]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
"""


@pytest.mark.parametrize("module", ["orchestrator.cli.app", "typer", "grpc", "orchestrator.local.stack"])
async def test_while_it_is_still_importing(tmp_path: Path, module: str) -> None:
    (tmp_path / "sitecustomize.py").write_text(_SITE)
    process = await asyncio.create_subprocess_exec(
        ROOKIFY,
        "up",
        "--data",
        tmp_path / "data",
        cwd=tmp_path,
        env=environment({"PYTHONPATH": str(tmp_path), "INTERRUPTED_AT": module}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert (process.returncode, out.decode()) == (130, "")
    assert not (tmp_path / "data").exists()


async def test_the_demo() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.demo",
        cwd=Path(__file__).parents[2],
        env=environment({}),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    said = (await process.stdout.readline()).decode()
    assert "are played by a local server" in said
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    said = (await process.stdout.read()).decode()
    assert (await process.wait(), "Traceback" in said) == (130, False), said
