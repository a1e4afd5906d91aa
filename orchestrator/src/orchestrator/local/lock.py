"""One owner per folder: a lock that the kernel drops with its process, however that one ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from servicekit.errors import ConfigurationError


class FolderLock:
    """An exclusive lock on the file at `path`, which then holds its owner's process id.

    The descriptor is not inherited, so children that outlive their owner do not keep the lock.
    """

    def __init__(self, path: Path, purpose: str) -> None:
        self.path = path
        self._purpose = purpose
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Taken at once, or ConfigurationError naming the process that has it. Taking it twice is fine."""
        if self._descriptor is not None:
            return
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise ConfigurationError(
                f"{self._purpose} is in use by process {owner}: stop that one first, "
                "or choose another folder by --data or ROOKIFY_DATA",
                reason="ALREADY_RUNNING",
                metadata={"pid": owner},
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """The file stays: removing it would let two owners lock two files of the same name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
