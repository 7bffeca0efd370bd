"""What one submission may use. One object, units in the names.

Runs: trusted side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from autograder.errors import ManifestError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one submission; each docstring says what the program experiences at the limit."""

    cell_seconds: float = 60.0
    """Wall seconds for one cell. Past it the cell is interrupted (KeyboardInterrupt) and its verdict is `timeout`."""
    notebook_seconds: float = 600.0
    """Wall seconds for all cells together. Past it the running cell is interrupted and the rest get `timeout`."""
    interrupt_seconds: float = 5.0
    """How long an interrupted cell may take to stop. Past it the kernel is killed and a fresh one goes on."""
    start_seconds: float = 120.0
    """How long a kernel may take to start. Past it the start counts as the grader's failure, not the student's."""
    output_bytes: int = 1_000_000
    """How much of one cell's output is kept. More is dropped as it arrives, with a notice; no points are lost."""
    flood_bytes: int = 100_000_000
    """How much one cell may print at all. Past it the cell is interrupted and its verdict is `output_limit`."""

    cpu_seconds: float = 1200.0
    """CPU seconds of everything that one submission runs. Past it all of it is killed and the rest gets `timeout`."""
    memory_bytes: int = 4_000_000_000
    """Memory of everything that one submission runs. One allocation past it raises MemoryError; past it all together, the
    processes are killed, the verdict is `memory`, and a fresh kernel goes on."""
    processes: int = 128
    """Processes and threads at once, those of the kernel itself (about ten) included. Past it starting one fails (OSError)."""
    open_files: int = 256
    """Files, sockets and pipes that one process may have open. Past it opening one fails (OSError)."""
    disk_bytes: int = 1_000_000_000
    """Files written: home folder, /tmp and shared memory together. Past it writing fails (OSError: no space left)."""
    kept_bytes: int = 50_000_000
    """How much of what the notebook wrote into its working folder is kept for staff. The rest is thrown away."""
    threads: int = 1
    """Threads that NumPy and PyTorch compute with. More can change the last digits of a sum."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise ManifestError(f"limit {field.name} = {value!r} is not a number above 0")

    def updated(self, changes: Mapping[str, Any], *, where: str) -> Limits:
        """These limits with `changes` applied; `where` names their origin in the error for an unknown name."""
        known = {field.name for field in fields(self)}
        unknown = sorted(set(changes) - known)
        if unknown:
            raise ManifestError(f"{where}: unknown limit {', '.join(unknown)}; known are {', '.join(sorted(known))}")
        try:
            return replace(self, **changes)
        except ManifestError as error:
            raise ManifestError(f"{where}: {error}") from None
