"""The files of the embedded Postgres: making a cluster, its settings, who may connect, what went wrong.

Who may connect: only over the unix socket, whose folder is open to the server's user alone, and only the
system user that started the server, by peer authentication: the kernel vouches for the other end, so there
is no password to keep. That user may log in as any of ROLES.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
from pathlib import Path

import structlog

from orchestrator.local.pghost import SystemUser, owner_name
from orchestrator.local.processes import die_with_owner
from servicekit.errors import ConfigurationError

log = structlog.get_logger()

SUPERUSER = "supabase_admin"  # for the bootstrap alone; named as on Supabase
OWNER = "postgres"  # owns the database and runs the migrations; no superuser, as on Supabase
APP_USER = "authenticator"  # what the services connect as; may become anon, authenticated, service_role
ROLES = (SUPERUSER, OWNER, APP_USER)
DATABASE = "rookify"
PORT = 5432  # part of the socket's file name only: the server does not listen on TCP
SOCKET_NAME = f".s.PGSQL.{PORT}"

# A server for one orchestrator on a machine whose cores and memory are the engines'. The rest is Postgres's
# own default, fsync and checksums among it: these are the user's data.
SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",  # an orchestrator's pool is 10 to 20; a few replicas and a psql fit beside it
    "shared_buffers": "64MB",  # several thousand games' rows; the system's cache holds the rest
    "max_wal_size": "256MB",
    "jit": "off",  # the queries here take milliseconds; compiling one takes longer
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
# For throw-away clusters: nothing survives a crash of the machine, and nothing waits for the disk.
NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


async def create(cluster: Path, programs: Path, user: SystemUser, *, durable: bool) -> None:
    """By rename, so that a cluster is either whole or not there."""
    partial = cluster.with_name(f"{cluster.name}.partial")
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(mode=0o700)
    user.own(partial)
    # Sorted by code point, upper and lower case by Unicode, alike on every machine.
    locale = ["--no-locale", "--encoding=UTF8"]
    if await major_version(programs) >= 17:
        locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    child = await asyncio.create_subprocess_exec(
        programs / "initdb", f"--pgdata={partial}", f"--username={SUPERUSER}", "--auth=peer", *locale,
        *([] if durable else ["--no-sync"]),
        cwd=cluster.parent, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, preexec_fn=die_with_owner(signal.SIGTERM), **user.spawn_options(),
    )  # fmt: skip
    try:
        said, _ = await child.communicate()
    finally:
        if child.returncode is None:  # cancelled
            child.kill()
            await child.wait()
    if child.returncode != 0:
        shutil.rmtree(partial, ignore_errors=True)
        reason = reason_of(said.decode(errors="replace"))
        raise ConfigurationError(
            f"Postgres could not set up its files in {cluster.parent}: {reason}. Set that right, "
            "or choose another folder by --data or ROOKIFY_DATA",
            reason="INITDB_FAILED",
        )
    partial.rename(cluster)
    log.info("postgres cluster created", folder=str(cluster), user=user.name)


def check_version(cluster: Path, major: int) -> None:
    """A cluster belongs to one major version of Postgres."""
    made_by = (cluster / "PG_VERSION").read_text().strip()
    if made_by != str(major):
        raise ConfigurationError(
            f"{cluster} was made by Postgres {made_by}, and this is Postgres {major}: carry the data over "
            "with pg_upgrade or pg_dump, or choose another folder by --data or ROOKIFY_DATA",
            reason="POSTGRES_VERSION",
        )


def write_access_rules(cluster: Path, user: SystemUser) -> None:
    """At every start, as the owner may have changed from one system user to another."""
    name = owner_name()
    rules = {
        "pg_hba.conf": "local all all peer map=owner\n",
        "pg_ident.conf": "".join(f'owner "{name}" {role}\n' for role in ROLES),
    }
    for file, text in rules.items():
        path = cluster / file
        path.write_text(text)
        user.own(path)


async def major_version(programs: Path) -> int:
    """From `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, or the same without the last part."""
    child = await asyncio.create_subprocess_exec(
        programs / "postgres", "--version", stdout=asyncio.subprocess.PIPE, cwd="/"
    )
    out, _ = await child.communicate()
    return int(out.decode().split()[2].partition(".")[0])


def reason_of(said: str) -> str:
    """The line of Postgres's output that says what was wrong, and the hint where it gives one."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    lines = [line for line in lines if "FATAL:  the database system is" not in line]  # told to a client
    for mark in ("FATAL:", "PANIC:", "ERROR:", "error:", "could not"):
        for index, line in enumerate(lines):
            if mark in line:
                hints = [after for after in lines[index + 1 : index + 3] if "HINT:" in after]
                return " ".join(part.rpartition(":  ")[2] for part in [line, *hints])
    return lines[-1] if lines else "it said nothing"
