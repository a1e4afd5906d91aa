"""Cores and memory as a container's limits leave them: cgroup files of both versions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from analyzer.machine import usable_cores, usable_memory

GIB = 2**30


def written(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    return root


@pytest.fixture(autouse=True)
def sixteen_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """And 64 GiB."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    pages = {"SC_PHYS_PAGES": 16 * GIB // 1024, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)


def test_without_limits_it_is_the_machines(tmp_path: Path) -> None:
    assert (usable_cores(tmp_path), usable_memory(tmp_path)) == (16, 64 * GIB)
    free = {
        "proc/self/cgroup": "0::/",
        "sys/fs/cgroup/cpu.max": "max 100000",
        "sys/fs/cgroup/memory.max": "max",
    }
    assert (usable_cores(written(tmp_path, free)), usable_memory(tmp_path)) == (16, 64 * GIB)


def test_a_container_of_version_2(tmp_path: Path) -> None:
    """Docker and Kubernetes: the cgroup's own root is mounted."""
    limited = {
        "proc/self/cgroup": "0::/",
        "sys/fs/cgroup/cpu.max": "400000 100000",
        "sys/fs/cgroup/memory.max": str(GIB),
    }
    assert (usable_cores(written(tmp_path, limited)), usable_memory(tmp_path)) == (4, GIB)


def test_the_least_of_all_above_counts(tmp_path: Path) -> None:
    """systemd: a service within a slice."""
    nested = {
        "proc/self/cgroup": "0::/system.slice/rookify.service",
        "sys/fs/cgroup/system.slice/cpu.max": "250000 100000",
        "sys/fs/cgroup/system.slice/rookify.service/cpu.max": "800000 100000",
        "sys/fs/cgroup/system.slice/memory.max": "max",
        "sys/fs/cgroup/system.slice/rookify.service/memory.max": str(2 * GIB),
    }
    assert (usable_cores(written(tmp_path, nested)), usable_memory(tmp_path)) == (2, 2 * GIB)


def test_a_container_of_version_1(tmp_path: Path) -> None:
    """The path is the host's; in the container only its end is there, mounted as the root."""
    limited = {
        "proc/self/cgroup": "5:memory:/docker/0123\n4:cpu,cpuacct:/docker/0123\n1:name=systemd:/docker/0123",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": str(GIB // 2),
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "150000",
        "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "50000",
    }
    assert (usable_cores(written(tmp_path, limited)), usable_memory(tmp_path)) == (3, GIB // 2)


def test_version_1_without_limits(tmp_path: Path) -> None:
    free = {
        "proc/self/cgroup": "5:memory:/\n4:cpu:/",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
    }
    assert (usable_cores(written(tmp_path, free)), usable_memory(tmp_path)) == (16, 64 * GIB)


def test_less_than_a_core_is_one(tmp_path: Path) -> None:
    limited = {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "50000 100000"}
    assert usable_cores(written(tmp_path, limited)) == 1


def test_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert usable_cores() >= 1
    assert usable_memory() > 100 * 2**20
