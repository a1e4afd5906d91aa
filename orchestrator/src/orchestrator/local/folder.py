"""The data folder of the embedded mode, and how others find the server that runs in it.

Everything in it, each made by whoever needs it first:

    postgres/           the cluster, owned by the user that runs the server
    postgres.lock       held by the owner of the server while it runs
    postgres.socket     one line: the folder of the server's unix socket
    run/                that folder, unless its path is too long for a socket
    secret              the signing secret of tokens
    up.lock             held by `rookify up`
    logs/               what the processes print, NAME.log and the older NAME.log.1
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from orchestrator.local.pghost import SystemUser
from servicekit.errors import ConfigurationError

LOGS = "logs"
_SOCKET_RECORD = "postgres.socket"
_SOCKET_FOLDER = "run"
_SOCKET_PATH_BYTES = 103  # the least sun_path of our systems (macOS 104, Linux 108), less the closing NUL


def prepare_folder(data_dir: Path) -> None:
    """Make it, with `logs/` inside. Root's may be entered by all, as Postgres's user has to."""
    try:
        if not data_dir.is_dir():
            data_dir.mkdir(parents=True)
            data_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)
        (data_dir / LOGS).mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryFile(dir=data_dir):  # access(2) knows nothing of read-only mounts
            pass
    except OSError as error:
        raise folder_error(data_dir, error) from error


def folder_error(data_dir: Path, error: OSError) -> ConfigurationError:
    """What the system said of it, and what to do."""
    where = f" ({error.filename})" if error.filename and str(error.filename) != str(data_dir) else ""
    return ConfigurationError(
        f"the data folder {data_dir} cannot be used: {error.strerror or error}{where}. "
        "Make it writable, or choose another by --data or ROOKIFY_DATA",
        reason="DATA_FOLDER",
        metadata={"folder": str(data_dir)},
    )


def make_socket_folder(data_dir: Path, socket_name: str, user: SystemUser) -> Path:
    """`run/`, or where that makes too long a path for a socket a folder under /tmp; recorded for others.

    Open to `user` alone, whose the socket will be.
    """
    found = data_dir / _SOCKET_FOLDER
    if len(os.fsencode(found / socket_name)) <= _SOCKET_PATH_BYTES:
        found.mkdir(mode=0o700, exist_ok=True)
    else:
        before = find_socket_folder(data_dir)  # left by an owner that was killed
        if before is not None and _private(before, user):
            return before
        # Not $TMPDIR, which may be long itself (macOS) or closed to Postgres's user.
        found = Path(tempfile.mkdtemp(prefix="rookify-", dir="/tmp"))
    user.own(found)
    partial = data_dir / f"{_SOCKET_RECORD}.partial"
    partial.write_text(f"{found}\n")
    partial.rename(data_dir / _SOCKET_RECORD)
    return found


def _private(path: Path, user: SystemUser) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == user.uid and stat.S_IMODE(found.st_mode) == 0o700


def find_socket_folder(data_dir: Path) -> Path | None:
    """As recorded by the last server of this data folder, which may be gone."""
    try:
        return Path((data_dir / _SOCKET_RECORD).read_text().strip())
    except FileNotFoundError:
        return None
