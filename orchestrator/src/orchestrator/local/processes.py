"""Starting children so that none outlives its owner, and knowing processes that are not children."""

from __future__ import annotations

import asyncio
import ctypes
import os
import platform
import signal
import time
from collections.abc import Callable
from pathlib import Path

from servicekit.errors import RookifyError

_LINUX = platform.system() == "Linux"
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with_owner(number: signal.Signals) -> Callable[[], None] | None:
    """A `preexec_fn`: on Linux the kernel sends `number` to the child when its owner ends, kill -9 included.

    None elsewhere. It is for children started from the main thread: the kernel watches the thread that
    forked, and may send the signal again for each further thread of the owner. subprocess runs it after the
    change of user, which would clear the setting. It only makes two system calls through what is loaded
    before the fork, so that no lock of another thread can hold it up.
    """
    if not _LINUX:
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    owner = os.getpid()

    def arm() -> None:
        prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != owner:  # it ended between fork and prctl
            os.kill(os.getpid(), signal.SIGKILL)

    return arm


def alive(pid: int) -> bool:
    """Whether the process runs. A zombie does not: in a container nobody may ever collect it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return not (_LINUX and _linux_state(pid) in "ZX")


def _linux_state(pid: int) -> str:
    """The letter after the name, which stands in parentheses and may hold any character."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return "X"


async def command_line(pid: int) -> str:
    """Arguments of any process, separated by blanks; empty where there is none, or a zombie."""
    if _LINUX:
        return _linux_command_line(pid)
    child = await asyncio.create_subprocess_exec(
        "ps", "-o", "args=", "-p", str(pid), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await child.communicate()
    return out.decode(errors="replace").strip()


def _linux_command_line(pid: int) -> str:
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()


async def until_gone(pid: int, seconds: float) -> bool:
    """Wait for a process that is no child of ours; False when it is still there."""
    deadline = time.monotonic() + seconds
    while alive(pid):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)  # the kernel tells only parents
    return True


def describe_exit(code: int) -> str:
    """`exit code 1`, or `signal SIGKILL` for asyncio's negative codes."""
    if code < 0:
        try:
            return f"signal {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code}"


class ProcessFailed(RookifyError):
    """A process of the local mode did not come up; starting it again may help."""

    default_reason = "PROCESS_FAILED"
