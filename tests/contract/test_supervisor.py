"""The supervisor with real processes: small ones, which do what their environment says."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc.aio
import pytest

from orchestrator.local import child as child_module
from orchestrator.local import logfiles
from orchestrator.local import supervisor as supervisor_module
from orchestrator.local.child import Child, ChildSpec
from orchestrator.local.postgres import EmbeddedPostgres
from orchestrator.local.processes import ProcessFailed, alive, until_gone
from orchestrator.local.stack import claimable
from orchestrator.local.supervisor import Supervisor, supervising
from servicekit.backoff import Backoff
from servicekit.errors import ConfigurationError
from servicekit.tls import Options

SCRIPT = str(Path(__file__).parents[1] / "support" / "child.py")
QUICK = Backoff(first=0.01, most=0.01)


class WatchedChild(Child):
    """Its process id goes into `starts` whenever it is ready, its name into `stops` when stopped."""

    def __init__(self, spec: ChildSpec, folder: Path, stops: list[str] | None = None) -> None:
        super().__init__(spec, folder / f"{spec.name}.log")
        self.starts: asyncio.Queue[int] = asyncio.Queue()
        self.stops = stops if stops is not None else []

    async def start(self) -> None:
        await super().start()
        assert self.pid is not None
        self.starts.put_nowait(self.pid)

    async def stop(self, grace: float) -> None:
        await super().stop(grace)
        self.stops.append(self.name)


def make(folder: Path, name: str = "one", *, health: bool = False, **env: str) -> WatchedChild:
    address = claimable("127.0.0.1:0") if health else None
    environment = {**os.environ, **env, **({"CHILD_LISTEN": address} if address else {})}
    return WatchedChild(ChildSpec(name, [sys.executable, SCRIPT], environment, health=address), folder)


@asynccontextmanager
async def quick(notes: list[str] | None = None) -> AsyncIterator[Supervisor]:
    async with supervising((notes if notes is not None else []).append, QUICK) as supervisor:
        yield supervisor


async def test_starts_until_serving_and_stops_the_last_started_first(tmp_path: Path) -> None:
    one, two = make(tmp_path, "one", health=True), make(tmp_path, "two", health=True)
    two.stops = one.stops
    async with quick() as supervisor:
        await supervisor.start(one)
        await supervisor.start(two)
        pids = [one.starts.get_nowait(), two.starts.get_nowait()]
        assert all(alive(pid) for pid in pids)
    assert not any(alive(pid) for pid in pids)
    assert one.stops == ["two", "one"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_one_that_ends_is_started_again_and_its_own_children_end_with_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    one = make(tmp_path, health=True, CHILD_SPAWN="1")
    notes: list[str] = []
    async with quick(notes) as supervisor:
        await supervisor.start(one)
        first = one.starts.get_nowait()
        grandchild = int(one.log_file.read_text().rpartition("grandchild ")[2].split()[0])
        os.kill(first, number)
        second = await one.starts.get()
        assert second != first
        assert alive(second)
        assert await until_gone(grandchild, 30)
    how = "signal SIGKILL" if number is signal.SIGKILL else "exit code 0"
    assert [note for note in notes if f"one ended: {how}; starting it again" in note]


async def test_exit_code_2_ends_everything_with_its_message(tmp_path: Path) -> None:
    one, two = make(tmp_path, "one"), make(tmp_path, "two", health=True, CHILD_EXIT="2")
    with pytest.RaisesGroup(pytest.RaisesExc(ConfigurationError, match=r"^two: the frobnicator is missing$")):
        async with quick() as supervisor:
            await supervisor.start(one)
            await supervisor.start(two)
            pytest.fail("a service that cannot start counted as ready")
    assert not alive(one.starts.get_nowait())


async def test_one_that_was_ready_before_is_started_again_even_after_exit_code_2(tmp_path: Path) -> None:
    one = make(tmp_path, health=True)
    notes: list[str] = []
    async with quick(notes) as supervisor:
        await supervisor.start(one)
        healthy = one._spec
        one._spec = ChildSpec(
            healthy.name, healthy.argv, {**healthy.env, "CHILD_EXIT": "2"}, health=healthy.health
        )
        os.kill(one.starts.get_nowait(), signal.SIGKILL)
        while not any("the frobnicator is missing" in note for note in notes):  # noqa: ASYNC110  a list tells nobody
            await asyncio.sleep(0.01)
        one._spec = healthy
        assert alive(await one.starts.get())


async def test_one_that_never_comes_up_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    one = make(tmp_path, health=True, CHILD_EXIT="1")
    notes: list[str] = []
    with pytest.RaisesGroup(pytest.RaisesExc(ProcessFailed, match="frobnicator is missing.*one.log")):
        async with quick(notes) as supervisor:
            await supervisor.start(one)
    assert len(notes) == 2  # started three times


async def test_one_that_ignores_sigterm_is_killed_when_its_grace_is_over(tmp_path: Path) -> None:
    one = make(tmp_path, health=True, CHILD_DEAF="1", CHILD_SPAWN="1")
    await one.start()
    grandchild = int(one.log_file.read_text().rpartition("grandchild ")[2].split()[0])
    await one.stop(grace=0.1)
    assert one.pid is None
    assert await until_gone(grandchild, 30)


async def test_one_that_no_longer_answers_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "_HEALTH_INTERVAL", 0.05)
    monkeypatch.setattr(child_module, "_HEALTH_TIMEOUT", 1)
    one = make(tmp_path, health=True)
    async with quick() as supervisor:
        await supervisor.start(one)
        first = one.starts.get_nowait()
        os.kill(first, signal.SIGSTOP)
        assert await one.starts.get() != first
        assert not alive(first)


async def test_a_certificate_that_is_being_exchanged_does_not_blind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "_HEALTH_INTERVAL", 0.05)
    monkeypatch.setattr(child_module, "_HEALTH_TIMEOUT", 1)
    half_written, tried = False, asyncio.Event()

    async def open_channel(address: str, options: Options) -> grpc.aio.Channel:
        if half_written:
            tried.set()
            raise ConfigurationError("the certificate does not fit the key")
        return grpc.aio.insecure_channel(address, options=options)

    one = make(tmp_path, health=True)
    one._spec = replace(one._spec, open_health=open_channel)
    async with quick() as supervisor:
        await supervisor.start(one)
        first = one.starts.get_nowait()
        half_written = True
        await tried.wait()
        half_written = False
        os.kill(first, signal.SIGSTOP)
        assert await one.starts.get() != first


async def test_one_that_is_not_ready_in_time_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "_START_SECONDS", 0.3)
    one = make(tmp_path, health=True, CHILD_LISTEN="")  # runs, and serves nothing
    silent = ChildSpec("one", one._spec.argv, {**one._spec.env, "CHILD_LISTEN": ""}, health=one._spec.health)
    one._spec = silent
    with pytest.raises(ProcessFailed, match="not ready after"):
        await one.start()
    assert one.pid is None


async def test_cancelled_while_starting_leaves_nothing(tmp_path: Path) -> None:
    one = make(tmp_path)
    one._spec = ChildSpec(
        "one", one._spec.argv, one._spec.env, health=claimable("127.0.0.1:0")
    )  # never serves

    async def body() -> None:
        async with quick() as supervisor:
            await supervisor.start(one)

    task = asyncio.create_task(body())
    while one.pid is None:  # noqa: ASYNC110  the process has no way to say that it was started
        await asyncio.sleep(0.01)
    pid = one.pid
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(pid)


async def test_a_postgres_that_does_not_react_keeps_nobody_waiting(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "STOP_SECONDS", 0.5)
    server = EmbeddedPostgres(folder / "data", durable=False)
    loop = asyncio.get_running_loop()
    async with quick() as supervisor:
        await supervisor.start(server)
        pid = server.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        began = loop.time()
    assert not alive(pid)
    assert loop.time() - began < 0.5 + 1, "more than what is kept for it within the 10 s of all"


OWNER = """
import asyncio, os, sys
from pathlib import Path
from orchestrator.local.child import Child, ChildSpec
from orchestrator.local.supervisor import supervising

async def main():
    async with supervising(print) as supervisor:
        argv, listen, log = [sys.executable, sys.argv[1]], sys.argv[2], Path(sys.argv[3])
        child = Child(ChildSpec("one", argv, {**os.environ, "CHILD_LISTEN": listen}, health=listen), log)
        await supervisor.start(child)
        print(child.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has died")
async def test_an_owner_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, SCRIPT, claimable("127.0.0.1:0"), str(tmp_path / "one.log"),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert owner.stdout is not None
    pid = int(await owner.stdout.readline())
    assert alive(pid)
    owner.kill()
    await owner.communicate()
    assert await until_gone(pid, 30)


async def test_its_log_goes_to_a_file_for_the_owner_alone(tmp_path: Path) -> None:
    one = make(tmp_path, health=True)
    await one.start()
    pid = one.pid
    await one.stop(5)
    assert f"pid {pid}" in one.log_file.read_text()
    assert one.log_file.stat().st_mode & 0o077 == 0


def test_a_log_is_cut_while_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "one.log"
    with logfiles.append(path) as writer:
        writer.write(b"old " * 100)
        assert not logfiles.rotate(path, limit=400)
        writer.write(b"line\n")
        assert logfiles.rotate(path, limit=400)
        writer.write(b"new line\n")
    assert path.read_bytes() == b"new line\n"
    assert path.with_name("one.log.1").read_bytes() == b"old " * 100 + b"line\n"
    assert path.with_name("one.log.1").stat().st_mode & 0o077 == 0
    assert logfiles.read_from(path, 500) == "new line\n"  # an offset from before the cut
