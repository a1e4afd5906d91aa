"""The embedded Postgres: a real server in the data folder, whose life this process owns."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from pathlib import Path

import psycopg
import structlog
from psycopg.conninfo import make_conninfo

from orchestrator.local import cluster as files
from orchestrator.local import folder, logfiles, pghost
from orchestrator.local.cluster import APP_USER, DATABASE, OWNER, SUPERUSER
from orchestrator.local.lock import FolderLock
from orchestrator.local.processes import (
    ProcessFailed,
    command_line,
    describe_exit,
    die_with_owner,
    until_gone,
)
from servicekit.errors import ConfigurationError

__all__ = ["APP_USER", "DATABASE", "OWNER", "SUPERUSER", "EmbeddedPostgres", "running_conninfo"]

log = structlog.get_logger()

_START_SECONDS = 120.0  # crash recovery reads up to max_wal_size again; a slow disk does 10 MB/s
FORCE_SECONDS = 0.5  # for SIGQUIT, by which it ends without a checkpoint, and then for SIGKILL
_LEFTOVER_SECONDS = 10.0  # what a fast shutdown of an earlier owner's server may take
_NO_PROCESS = 2**30  # above the process ids of any system (Linux: up to 2**22)
# Its answers to a connection while it is on its way up, or down.
_NOT_YET = ("starting up", "not yet accepting", "shutting down", "in recovery mode")


class EmbeddedPostgres:
    """`start`, then `conninfo`; `wait` returns when the server has ended; `stop`. May be started again.

    `programs` is the folder with initdb and postgres, the PyPI package's unless given. `durable=False` is
    for tests. A folder or machine that does not fit raises ConfigurationError.
    """

    name = "postgres"

    def __init__(self, data_dir: Path, *, programs: Path | None = None, durable: bool = True) -> None:
        self.data_dir = data_dir.absolute()
        self.cluster = self.data_dir / "postgres"
        self.log_file = self.data_dir / folder.LOGS / "postgres.log"
        self._programs = programs
        self._durable = durable
        self._lock = FolderLock(self.data_dir / "postgres.lock", f"the Postgres of {self.data_dir}")
        self._socket_folder: Path | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Of the postmaster, while it runs."""
        if self._process is None or self._process.returncode is not None:
            return None
        return self._process.pid

    def conninfo(self, user: str = APP_USER, dbname: str = DATABASE) -> str:
        """For psycopg, from the first start on. Holds no secret."""
        if self._socket_folder is None:
            raise ProcessFailed("Postgres has not been started")
        return _conninfo(self._socket_folder, user, dbname)

    async def start(self) -> None:
        """Run the server and wait until it answers.

        Makes the cluster where there is none, and first stops the server of an owner that was killed.
        After a failure or a cancellation `stop` clears up.
        """
        folder.prepare_folder(self.data_dir)
        self._lock.acquire()
        try:
            user = pghost.choose_user(self.cluster)
            await pghost.check_reach(self.data_dir, user)
            programs = self._programs or await pghost.find_programs(self.data_dir, user)
            await _stop_leftover(self.cluster)
            if not self.cluster.exists():
                await files.create(self.cluster, programs, user, durable=self._durable)
            files.check_version(self.cluster, await files.major_version(programs))
            files.write_access_rules(self.cluster, user)
            if self._socket_folder is None:
                self._socket_folder = folder.make_socket_folder(self.data_dir, files.SOCKET_NAME, user)
            await self._run(programs, user)
        except OSError as error:
            raise folder.folder_error(self.data_dir, error) from error
        finally:
            if self.pid is None:
                self._lock.release()

    async def wait(self) -> int:
        """The server's exit code, when it has ended; negative for a signal."""
        if self._process is None:
            raise ProcessFailed("Postgres has not been started")
        return await self._process.wait()

    async def stop(self, grace: float = 5.0) -> None:
        """Disconnect the clients, write a checkpoint, end.

        Past `grace` seconds it ends without, within twice FORCE_SECONDS; the next start then recovers.
        """
        await self._end(grace)
        if self._socket_folder is not None and self._socket_folder.parent != self.data_dir:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
        self._socket_folder = None
        self._lock.release()

    async def _end(self, grace: float) -> None:
        process = self._process
        if process is not None:
            for number, seconds in (
                (signal.SIGINT, grace),
                (signal.SIGQUIT, FORCE_SECONDS),
                (signal.SIGKILL, FORCE_SECONDS),
            ):
                if process.returncode is not None:
                    break
                process.send_signal(number)
                try:
                    async with asyncio.timeout(seconds):
                        await process.wait()
                except TimeoutError:
                    log.warning("postgres did not stop", signal=number.name, seconds=seconds)

    async def _run(self, programs: Path, user: pghost.SystemUser) -> None:
        settings = {**files.SETTINGS, **({} if self._durable else files.NOT_DURABLE)}
        settings["unix_socket_directories"] = str(self._socket_folder)
        arguments = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        deadline = time.monotonic() + _START_SECONDS
        while True:
            with logfiles.append(self.log_file) as output:
                begin = output.tell()
                self._process = await asyncio.create_subprocess_exec(
                    programs / "postgres", "-D", str(self.cluster), *arguments,
                    cwd=self.data_dir, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
                    start_new_session=True,  # Ctrl-C is the owner's to handle
                    preexec_fn=die_with_owner(signal.SIGINT),  # fast shutdown
                    **user.spawn_options(),
                )  # fmt: skip
            if await self._answers(deadline):
                return
            said = logfiles.read_from(self.log_file, begin)
            # Sessions of a postmaster that was killed hold its memory until they notice.
            if "pre-existing shared memory block" in said and time.monotonic() < deadline:
                await asyncio.sleep(0.1)
                continue
            await self._end(grace=0)
            raise ConfigurationError(
                f"Postgres did not start in {self.data_dir}: {files.reason_of(said)} (see {self.log_file})",
                reason="POSTGRES_START_FAILED",
            )

    async def _answers(self, deadline: float) -> bool:
        """True when it takes connections, False when it has ended or the time is up."""
        ended = asyncio.ensure_future(self.wait())
        probe = asyncio.ensure_future(_connect(self.conninfo(SUPERUSER, "postgres")))
        try:
            await asyncio.wait(
                {ended, probe}, timeout=deadline - time.monotonic(), return_when=asyncio.FIRST_COMPLETED
            )
            if ended.done():
                log.info("postgres ended at its start", how=describe_exit(ended.result()))
                return False
            if probe.done():
                probe.result()
            return probe.done()
        finally:
            ended.cancel()
            probe.cancel()
            await asyncio.gather(ended, probe, return_exceptions=True)


def running_conninfo(data_dir: Path, user: str = APP_USER) -> str | None:
    """How to reach the server that another process runs in this data folder; None when none does.

    The record of the socket's folder stays when a server stops, the socket itself does not.
    """
    found = folder.find_socket_folder(data_dir.absolute())
    if found is None or not os.path.lexists(found / files.SOCKET_NAME):
        return None
    return _conninfo(found, user, DATABASE)


def _conninfo(socket_folder: Path, user: str, dbname: str) -> str:
    return make_conninfo(host=str(socket_folder), port=files.PORT, user=user, dbname=dbname)


async def _connect(conninfo: str) -> None:
    """Returns once the server took a connection; raises when it refuses for good."""
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(conninfo, connect_timeout=2)
        except psycopg.OperationalError as error:
            if "FATAL" in str(error) and not any(sign in str(error) for sign in _NOT_YET):
                raise ConfigurationError(f"Postgres runs and refuses its owner: {error}") from error
            await asyncio.sleep(0.02)  # it gives no sign that could be waited for
            continue
        await connection.close()
        return


async def _stop_leftover(cluster: Path) -> None:
    """A server whose owner was killed: ours is the lock, so nobody else can want it."""
    record = cluster / "postmaster.pid"
    try:
        first, _, rest = record.read_text().partition("\n")
        pid = int(first)
    except (FileNotFoundError, ValueError):
        return
    # Process ids are used again, in containers at once: it must be a server of this cluster.
    arguments = await command_line(pid)
    if f"-D {cluster} " not in f"{arguments} ":
        if Path(arguments.partition(" ")[0]).name not in ("postgres", "postmaster"):
            # Postgres would take any process of its user for the server. Without a process it still looks
            # for the old server's shared memory, which removing the file would keep it from.
            record.write_text(f"{_NO_PROCESS}\n{rest}")
        return
    log.warning("stopping the Postgres that an earlier run left behind", pid=pid)
    for number in (signal.SIGINT, signal.SIGQUIT):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        if await until_gone(pid, _LEFTOVER_SECONDS):
            return
    raise ConfigurationError(
        f"process {pid}, a Postgres of {cluster} that an earlier run left behind, does not stop: end it",
        reason="POSTGRES_LEFTOVER",
    )
