"""When a service is started again and when it is given up, with services that only play their part."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from orchestrator.local import supervisor as module
from orchestrator.local.postgres import FORCE_SECONDS
from orchestrator.local.processes import ProcessFailed
from orchestrator.local.supervisor import supervising
from servicekit.backoff import Backoff
from servicekit.errors import ConfigurationError


class ScriptedService:
    """Each start takes the next step: an error to raise, or a code to end with; after them it runs on."""

    def __init__(self, *steps: Exception | int, name: str = "scripted") -> None:
        self.name = name
        self.log_file = Path("/nowhere/scripted.log")
        self.steps = list(steps)
        self.starts = 0
        self.running_on = asyncio.Event()
        self.graces: list[float] = []

    async def start(self) -> None:
        self.starts += 1
        if self.steps and isinstance(self.steps[0], Exception):
            raise self.steps.pop(0)  # type: ignore[misc]  # an exception, as just seen

    async def wait(self) -> int:
        if self.steps:
            return self.steps.pop(0)  # type: ignore[return-value]  # a code, as it was started
        self.running_on.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def stop(self, grace: float) -> None:
        self.graces.append(grace)


class RecordingBackoff(Backoff):
    """No waiting; `seen` collects how many ends in a row there were."""

    seen: list[int] = []  # noqa: RUF012  emptied by each test

    def delay(self, failures: int) -> float:
        self.seen.append(failures)
        return 0


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    RecordingBackoff.seen.clear()


async def test_ends_in_a_row_are_counted() -> None:
    service = ScriptedService(1, -9, ProcessFailed("no room"), ConfigurationError("disk full"), 2)
    notes: list[str] = []
    async with supervising(notes.append, RecordingBackoff(1, 1)) as supervisor:
        await supervisor.start(service)
        await service.running_on.wait()
    assert RecordingBackoff.seen == [1, 2, 3, 4, 5]
    assert [note.partition(";")[0] for note in notes] == [
        "scripted ended: exit code 1",
        "scripted ended: signal SIGKILL",
        "scripted ended: no room",
        "scripted ended: disk full",
        "scripted ended: exit code 2",
    ]
    assert all("/nowhere/scripted.log" in note for note in notes)


async def test_a_healthy_run_starts_the_count_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_HEALTHY_SECONDS", 0)
    service = ScriptedService(1, 1, 1)
    async with supervising(lambda _note: None, RecordingBackoff(1, 1)) as supervisor:
        await supervisor.start(service)
        await service.running_on.wait()
    assert RecordingBackoff.seen == [1, 1, 1]


async def test_what_cannot_start_as_it_is_set_up_is_tried_once() -> None:
    service = ScriptedService(ConfigurationError("no engine: install one"))
    with pytest.RaisesGroup(pytest.RaisesExc(ConfigurationError, match="no engine: install one")):
        async with supervising(lambda _note: None, RecordingBackoff(1, 1)) as supervisor:
            await supervisor.start(service)
    assert service.starts == 1


async def test_what_never_came_up_is_tried_three_times() -> None:
    service = ScriptedService(*[ProcessFailed("boom")] * 5)
    with pytest.RaisesGroup(
        pytest.RaisesExc(ProcessFailed, match=r"scripted does not start: boom .*scripted\.log")
    ):
        async with supervising(lambda _note: None, RecordingBackoff(1, 1)) as supervisor:
            await supervisor.start(service)
    assert service.starts == 3


async def test_nothing_is_started_while_all_is_stopped() -> None:
    class SlowBackoff(Backoff):
        def delay(self, failures: int) -> float:
            waiting.set()
            return 3600

    waiting = asyncio.Event()
    service = ScriptedService(1)
    async with supervising(lambda _note: None, SlowBackoff(1, 1)) as supervisor:
        await supervisor.start(service)
        await waiting.wait()
    assert service.starts == 1
    assert len(service.graces) == 1


async def test_the_time_to_stop_is_shared_so_that_the_last_has_some() -> None:
    services = [ScriptedService(name=name) for name in ("postgres", "analyzer", "orchestrator")]
    async with supervising(lambda _note: None) as supervisor:
        for service in services:
            await supervisor.start(service)
    postgres, analyzer, orchestrator = (service.graces[0] for service in services)
    assert orchestrator == pytest.approx(module.STOP_SECONDS - 3.0, abs=0.2)
    assert analyzer == pytest.approx(module.STOP_SECONDS - 1.5, abs=0.2)
    assert postgres == pytest.approx(module.STOP_SECONDS, abs=0.2)
    assert module.STOP_SECONDS + 2 * FORCE_SECONDS <= 9.5, "Postgres may need that beyond its grace"


async def test_one_that_cannot_be_stopped_does_not_keep_the_others_running() -> None:
    class Stubborn(ScriptedService):
        async def stop(self, grace: float) -> None:
            raise PermissionError("not yours")

    first, second = ScriptedService(), Stubborn()
    async with supervising(lambda _note: None) as supervisor:
        await supervisor.start(first)
        await supervisor.start(second)
    assert len(first.graces) == 1
