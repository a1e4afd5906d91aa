"""docs/api: the OpenAPI document is current, the running gateway keeps to it, the example gateway works."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts import openapi
from tests.support.gateway import running_gateway
from tests.support.orchestrator import PLAYER, Orchestrator, running_orchestrator
from tests.support.platforms.__main__ import SHIPPED
from tests.support.platforms.chesscom_server import ChessComServer, read_months
from tests.support.postgres import Database
from tests.support.scripted_analyzer import ScriptedAnalyzer, analyzed

DOCS = Path(__file__).parents[2] / "docs" / "api"
EXAMPLES = 5  # of each operation, beside those at the bounds; more found nothing else


@pytest.fixture
async def orchestrator(database: Database) -> AsyncIterator[Orchestrator]:
    async with (
        ChessComServer(read_months(SHIPPED / "chesscom")) as platform,
        ScriptedAnalyzer(script=analyzed, credits=4) as analyzer,
        running_orchestrator(database, chesscom_url=platform.url, analyzers=analyzer.address) as running,
    ):
        yield running


def test_the_document_is_current() -> None:
    assert (DOCS / "openapi.json").read_text(encoding="utf-8") == openapi.text(), "run `make openapi`"


async def test_the_gateway_keeps_to_the_document(orchestrator: Orchestrator, tmp_path: Path) -> None:
    """Schemathesis makes requests, good ones and bad, from the document, and holds the answers against it."""
    service = orchestrator.service()
    async with running_gateway(f"127.0.0.1:{orchestrator.port}") as address:
        checks = (
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
        )
        run = await asyncio.create_subprocess_exec(
            str(Path(sys.executable).with_name("schemathesis")), "run", str(DOCS / "openapi.json"),
            "--url", f"http://{address}", "--header", f"Authorization: Bearer {service.token}",
            "--phases", "coverage,fuzzing", "--max-examples", str(EXAMPLES), "--seed", "1", "--no-color",
            "--exclude-operation-id", "SyncService.WatchSync",  # a stream
            "--checks", checks,
            cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await run.communicate()
    assert run.returncode == 0, said.decode()
    assert b"19 selected" in said


async def test_the_example_gateway(orchestrator: Orchestrator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOKIFY_ORCHESTRATOR", f"127.0.0.1:{orchestrator.port}")
    spec = importlib.util.spec_from_file_location("fastapi_gateway", DOCS / "fastapi_gateway.py")
    assert spec is not None
    assert spec.loader is not None
    example: Any = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "fastapi_gateway", example)
    spec.loader.exec_module(example)
    user = await orchestrator.user()
    token = {"authorization": f"Bearer {user.token}"}
    async with (
        example.lifespan(example.app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(example.app), base_url="http://gateway", headers=token
        ) as http,
    ):
        body = {
            "platform": "PLATFORM_CHESS_COM",
            "username": PLAYER,
            "from_date": {"year": 2024, "month": 1, "day": 1},
            "to_date": {"year": 2024, "month": 1, "day": 31},
        }
        started = await http.post(f"/users/{user.user_id}/syncs", json=body)
        assert started.status_code == 200, started.text
        job_id = started.json()["id"]
        told = (await http.get(f"/syncs/{job_id}/events")).text
        events = [json.loads(event.removeprefix("data: ")) for event in told.split("\n\n") if event]
        assert events[-1]["syncJob"]["status"] == "SYNC_STATUS_COMPLETED"
        assert (await http.get(f"/syncs/{job_id}")).json()["status"] == "SYNC_STATUS_COMPLETED"

        bad = await http.post(f"/users/{user.user_id}/syncs", json={"months": 13})
        assert bad.status_code == 400
        assert set(bad.json()["fields"]) == {"platform", "months"}
        other = await orchestrator.user()
        theirs = {"authorization": f"Bearer {other.token}"}
        for path in (f"/syncs/{job_id}", f"/syncs/{job_id}/events"):
            assert (await http.get(path, headers=theirs)).status_code == 404
        assert (await http.get(f"/syncs/{job_id}", headers={"authorization": "Bearer x"})).status_code == 401
