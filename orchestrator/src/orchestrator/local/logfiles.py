"""The log files of children: they write to them directly, so that no log line waits for the supervisor."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import BinaryIO

MAX_BYTES = 10 * 1024 * 1024  # some 50,000 lines; one older file of that size is kept
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def append(path: Path) -> BinaryIO:
    """Open for a child, at the end. Readable by the owner alone."""
    rotate(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    stream = os.fdopen(descriptor, "wb", buffering=0)
    stream.seek(0, os.SEEK_END)
    return stream


def rotate(path: Path, limit: int = MAX_BYTES) -> bool:
    """Copy a log past `limit` bytes to `NAME.1` and empty it; a child that appends goes on at the start.

    Lines written between the copy and the cut are lost, which a log can bear.
    """
    try:
        if path.stat().st_size <= limit:
            return False
    except FileNotFoundError:
        return False
    shutil.copy2(path, path.with_name(f"{path.name}.1"))
    os.truncate(path, 0)
    return True


def read_from(path: Path, offset: int, limit: int = 64 * 1024) -> str:
    """What was written since `offset`, its last `limit` bytes; all of it when the file was emptied since."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            begin = offset if offset <= size else 0
            stream.seek(max(begin, size - limit))
            return stream.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def last_message(text: str) -> str:
    """What the last line says: of a JSON log line its error or event, else the line without colors."""
    lines = [line for line in (_ANSI.sub("", raw).strip() for raw in text.splitlines()) if line]
    if not lines:
        return ""
    try:
        entry = json.loads(lines[-1])
    except ValueError:
        return lines[-1]
    if not isinstance(entry, dict):
        return lines[-1]
    return str(entry.get("error") or entry.get("message") or entry.get("event") or lines[-1])
