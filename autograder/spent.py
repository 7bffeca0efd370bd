"""What processes of this machine have spent, read from /proc.

Runs: trusted side.

Linux counts in hundredths of a second here, so a difference is exact to one of them for each process.
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterable
from pathlib import Path


def descendants() -> frozenset[int]:
    """Every living process below this one."""
    parents = {int(path.name): int(fields[1]) for path in Path("/proc").glob("[0-9]*") if (fields := _stat(int(path.name)))}
    found: set[int] = set()
    newest = {os.getpid()}
    while newest:
        newest = {pid for pid, parent in parents.items() if parent in newest} - found
        found |= newest
    return frozenset(found)


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system seconds of `pids`, with those of the children that they waited for; 0 for one that is gone."""
    return sum(sum(map(int, _stat(pid)[11:15])) for pid in pids) / os.sysconf("SC_CLK_TCK")


def own_cpu_seconds() -> float:
    """User and system seconds of this process and of the children that it waited for."""
    found = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in found)


def _stat(pid: int) -> list[str]:
    """/proc/<pid>/stat after the name; empty when the process is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return []
