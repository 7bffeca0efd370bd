"""What the processes of one submission use together.

Runs: candidate side, in the warden.

Memory is the sum of resident sets while that is below everything that could matter, because it is cheap; it counts pages
twice that forks share, so past `_EXACT_FROM_BYTES` proportional sets are summed instead (a page shared by two counts half
in each). Page tables, which a process can grow without owning a page, and files in memory (the private file system,
shared memory) are added.
"""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

from autograder.lifeline import PRIVATE

_TICKS = os.sysconf("SC_CLK_TCK")
_EXACT_FROM_BYTES = 1_000_000_000


class Usage:
    """Looks at a tree of processes whenever asked."""

    def __init__(self, *, walled: bool, spent_seconds: float) -> None:
        self.walled = walled
        self._spent_seconds = spent_seconds  # by what led here and has ended
        self.memory_bytes = 0
        self.cpu_seconds = 0.0
        self.peak_bytes = 0

    def look(self) -> None:
        """Measure now."""
        pids = self.processes()
        files = self._file_bytes()
        memory = files + sum(map(_resident, pids))
        if memory > _EXACT_FROM_BYTES:
            memory = files + sum(map(_proportional, pids))
        self.memory_bytes = memory
        self.peak_bytes = max(self.peak_bytes, memory)
        self.cpu_seconds = self._spent_seconds + own_cpu_seconds() + sum(map(_cpu, pids))

    def close(self) -> None:
        """Measure the CPU for the last time: everything has been waited for."""
        self.cpu_seconds = max(self.cpu_seconds, self._spent_seconds + own_cpu_seconds())

    def processes(self) -> list[int]:
        """Every process of the submission but this one."""
        own = os.getpid()
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != own]  # noqa: PTH208
        if self.walled:
            return pids  # the namespace holds nothing else
        parents = {pid: _parent(pid) for pid in pids}
        return [pid for pid in pids if _descends(pid, own, parents)]

    def _file_bytes(self) -> int:
        if not self.walled:
            return 0
        found = os.statvfs(PRIVATE)
        return (found.f_blocks - found.f_bfree) * found.f_frsize


def own_cpu_seconds() -> float:
    """User and system seconds of this process and of all children that it waited for."""
    own, ended = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def _fields(pid: int) -> list[str]:
    """/proc/<pid>/stat after the name, which may hold anything; empty when the process is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return []


def _parent(pid: int) -> int:
    fields = _fields(pid)
    return int(fields[1]) if fields else 0


def _descends(pid: int, ancestor: int, parents: dict[int, int]) -> bool:
    seen = set()
    while pid in parents and pid not in seen:
        seen.add(pid)
        pid = parents[pid]
        if pid == ancestor:
            return True
    return False


def _cpu(pid: int) -> float:
    """User and system seconds, with those of the children that it waited for."""
    fields = _fields(pid)
    return sum(map(int, fields[11:15])) / _TICKS if fields else 0.0


def _resident(pid: int) -> int:
    return sum(_sizes(f"/proc/{pid}/status", ("VmRSS:", "VmPTE:")))


def _proportional(pid: int) -> int:
    exact = _sizes(f"/proc/{pid}/smaps_rollup", ("Pss:",))
    return sum(exact) + sum(_sizes(f"/proc/{pid}/status", ("VmPTE:",))) if exact else _resident(pid)


def _sizes(path: str, names: tuple[str, ...]) -> list[int]:
    """The sizes that lines of `path` name, in bytes; none when the process is gone."""
    with contextlib.suppress(OSError):
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        return [int(line.split()[1]) * 1024 for line in lines if line.startswith(names)]
    return []
