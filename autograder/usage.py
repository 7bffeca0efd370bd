"""What the processes of one submission use together.

Runs: candidate side, in the warden.

Memory is the sum of resident sets while that is below the limit, because it is cheap; it counts pages twice that forks
share, so past the limit proportional sets are summed instead (a page shared by two counts half in each). Page tables, which
a process can grow without owning a page, files in memory (the private file system, shared memory) and sockets are added.
"""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

from autograder.lifeline import PRIVATE

_TICKS = os.sysconf("SC_CLK_TCK")
_SOCKET_BYTES = 400_000
"""Two full buffers of the usual size, with what Linux adds to each."""


class Usage:
    """Looks at a tree of processes whenever asked."""

    def __init__(self, *, walled: bool, memory_limit_bytes: int) -> None:
        self.walled = walled
        self._memory_limit_bytes = memory_limit_bytes
        self.memory_bytes = 0
        self.cpu_seconds = 0.0
        self.peak_bytes = 0
        self._most_cpu: dict[tuple[int, str], float] = {}  # of every process ever seen, by its id and start

    def look(self) -> None:
        """Measure now."""
        pids = self.processes()
        besides = _file_bytes() + _socket_bytes() if self.walled else 0
        memory = besides + sum(map(_resident, pids))
        if memory > self._memory_limit_bytes:
            memory = besides + sum(map(_proportional, pids))
        self.memory_bytes = memory
        self.peak_bytes = max(self.peak_bytes, memory)
        self.cpu_seconds = max(self.cpu_seconds, own_cpu_seconds() + sum(map(self._cpu, pids)), self._cpu_seen())

    def close(self) -> None:
        """Measure the CPU for the last time: everything has been waited for."""
        self.cpu_seconds = max(self.cpu_seconds, own_cpu_seconds())

    def _cpu(self, pid: int) -> float:
        """User and system seconds of a process, with those of the children that it waited for."""
        fields = _fields(pid)
        if not fields:
            return 0.0
        own, waited = sum(map(int, fields[11:13])) / _TICKS, sum(map(int, fields[13:15])) / _TICKS
        self._most_cpu[pid, fields[19]] = own
        return own + waited

    def _cpu_seen(self) -> float:
        """What all processes ever seen used themselves: where a parent ignores its children's end, nobody is charged."""
        return own_cpu_seconds(children=False) + sum(self._most_cpu.values())

    def processes(self) -> list[int]:
        """Every process of the submission but this one."""
        own = os.getpid()
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != own]  # noqa: PTH208
        if self.walled:
            return pids  # the namespace holds nothing else
        parents = {pid: _parent(pid) for pid in pids}
        return [pid for pid in pids if _descends(pid, own, parents)]


def own_cpu_seconds(*, children: bool = True) -> float:
    """User and system seconds of this process and, with `children`, of all that it waited for."""
    found = [resource.getrusage(resource.RUSAGE_SELF)]
    if children:
        found.append(resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in found)


def _file_bytes() -> int:
    found = os.statvfs(PRIVATE)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def _socket_bytes() -> int:
    """What the namespace's sockets can hold at most: nobody is charged for it."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/net/sockstat").read_text().split()[2]) * _SOCKET_BYTES
    return 0


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


def _resident(pid: int) -> int:
    return sum(_sizes(f"/proc/{pid}/status", ("VmRSS:", "VmPTE:"))) or max(map(_resident_by_thread, _threads(pid)), default=0)


def _resident_by_thread(path: str) -> int:
    """As a thread sees its process, whose first thread has ended and sees nothing."""
    return sum(_sizes(path, ("VmRSS:", "VmPTE:")))


def _threads(pid: int) -> list[str]:
    with contextlib.suppress(OSError):
        return [f"/proc/{pid}/task/{name}/status" for name in os.listdir(f"/proc/{pid}/task")]  # noqa: PTH208
    return []


def _proportional(pid: int) -> int:
    exact = _sizes(f"/proc/{pid}/smaps_rollup", ("Pss:",))
    return sum(exact) + sum(_sizes(f"/proc/{pid}/status", ("VmPTE:",))) if exact else _resident(pid)


def _sizes(path: str, names: tuple[str, ...]) -> list[int]:
    """The sizes that lines of `path` name, in bytes; none when the process is gone."""
    with contextlib.suppress(OSError):
        lines = Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
        return [int(line.split()[1]) * 1024 for line in lines if line.startswith(names)]
    return []
