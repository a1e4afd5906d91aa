"""What the machine has for this process: cores and memory, as far as a container's limits let it use them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/")


def usable_cores(root: Path = _ROOT) -> int:
    """Whole cores, at least 1: those that it may run on, within its cgroup's share of processor time."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [quota / period for quota, period in _processor_quotas(root)]
    return max(1, min([cores, *map(int, quotas)]))


def usable_memory(root: Path = _ROOT) -> int:
    """Bytes: what the machine has, within its cgroup's limit."""
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limits = [*_read(root, "", "memory.max"), *_read(root, "memory", "memory.limit_in_bytes")]
    return min([physical, *(int(limit) for limit in limits if limit.isdigit())])


def _processor_quotas(root: Path) -> Iterator[tuple[int, int]]:
    """Microseconds of processor time, and in which time, of each limit that is set."""
    for line in _read(root, "", "cpu.max"):
        quota, period = line.split()
        if quota != "max":
            yield int(quota), int(period)
    for controller in ("cpu", "cpu,cpuacct"):
        quotas = _read(root, controller, "cpu.cfs_quota_us")
        periods = _read(root, controller, "cpu.cfs_period_us")
        yield from ((int(q), int(p)) for q, p in zip(quotas, periods, strict=False) if int(q) > 0)


def _read(root: Path, controller: str, name: str) -> list[str]:
    """A file of this process's cgroup and of all above it; version 2 has no controller in the path.

    In a container the path may be the host's, with only its end mounted: what is missing is passed over.
    """
    try:
        memberships = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for membership in memberships:
        _, controllers, path = membership.split(":", 2)
        if controllers == controller or controller in controllers.split(","):
            own = root / "sys/fs/cgroup" / controller / path.lstrip("/")
            for folder in (own, *own.parents):
                if folder == root / "sys/fs":
                    break
                try:
                    found.append((folder / name).read_text().strip())
                except OSError:
                    continue
    return found
