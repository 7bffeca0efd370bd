"""Runs a command and counts what it and everything that it started spent, orphans included.

Runs: trusted side.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from autograder.errors import AutograderError
from autograder.linux import adopt_orphans

_ORPHAN_SECONDS = 30.0
"""How long those may live on that the command left behind."""
_ALONE = "import sys; from autograder.counted import count_here; count_here(sys.argv[1], sys.argv[2:])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a command took."""

    status: int
    wall_seconds: float
    cpu_seconds: float
    """User and system seconds of every process."""
    output: str
    """What it printed, without its log."""


def count(command: Sequence[str], folder: Path) -> Counted:
    """Run `command` in `folder` below a process of its own, which adopts whatever the command leaves behind.

    Raises:
        AutograderError: it left something behind that does not end.
    """
    with tempfile.TemporaryDirectory(prefix="autograder-") as place:
        told = Path(place) / "counted.json"
        done = subprocess.run(
            [sys.executable, "-c", _ALONE, str(told), *command], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise AutograderError(f"`{' '.join(command)}` could not be counted: {done.stderr.strip().splitlines()[-1:]}")
        return Counted(**json.loads(told.read_text(encoding="utf-8")))


def count_here(told: str, command: Sequence[str]) -> None:
    """Run `command` and write what it took to the file `told`; for a process that does nothing else."""
    adopt_orphans()
    began = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    wall = time.monotonic() - began
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0] or time.monotonic() - began - wall < _ORPHAN_SECONDS:
            time.sleep(0.01)
        sys.exit("what it left behind does not end")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = Counted(status=done.returncode, wall_seconds=wall, cpu_seconds=used.ru_utime + used.ru_stime, output=done.stdout)
    Path(told).write_text(json.dumps(asdict(found)), encoding="utf-8")
