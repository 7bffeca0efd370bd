"""Runs the prover in a process of its own, in a folder that holds what a student's folder would, and collects what it finds.

Runs: trusted side. No wait is without end, whatever the notebook does: see `_lines`.
"""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from autograder.errors import SourceError
from autograder.prover import Job, Outcome

_FRAME = re.compile(r'File "<(?!frozen)([^>]+)>", line (\d+)')
"""Where a cell stood when its process was ended: its name and a line."""


def run_prover(
    job: Job, files: Sequence[tuple[Path, str]] = (), progress: Callable[[int, int], None] | None = None
) -> dict[str, Outcome]:
    """Name -> outcome of everything that `job` asks for.

    files: pairs of a file and its path beside the notebook. progress: called with (done, total) after each run.

    Raises:
        SourceError: the prover ended early, or said nothing for longer than everything in it may take.
    """
    folder = Path(tempfile.mkdtemp(prefix="autograder-check-"))
    try:
        for original, name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(original, folder / name)
        job_path = folder / ".job.json"
        job_path.write_text(job.to_json(), encoding="utf-8")
        with (folder / ".errors").open("w+", encoding="utf-8", errors="replace") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "autograder.prover", str(job_path)],
                cwd=folder,
                env=_environment(folder),
                stdout=subprocess.PIPE,
                stderr=errors,  # a file: a pipe that nobody reads would stop it
                start_new_session=True,
            )
            try:
                outcomes = _collect(process, 3 + len(job.variants), job.patience_seconds, progress)
            finally:
                _end(process)
            errors.seek(0)
            if len(outcomes) != 3 + len(job.variants):
                raise SourceError(_why_early(errors.read(), process.returncode, job))
        return outcomes
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the prover and whatever it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _why_early(said: str, status: int, job: Job) -> str:
    """Why the prover ended before all was run."""
    frames = _FRAME.findall(said)
    if "Timeout (" in said and frames:  # as faulthandler writes it
        cell, line = frames[0]
        limit = job.test_seconds if cell in {known.name for known in job.cells if known.kind == "test"} else job.cell_seconds
        return (
            f"reference: {cell} took longer than {limit:g} s and cannot be interrupted, in line {line}; raise limits or mend it"
        )
    if status == -signal.SIGKILL:
        return (
            f"the prover said nothing for {job.patience_seconds:.0f} s, longer than everything in it may take, or was killed. "
            "Does the machine stand still, or lack memory?"
        )
    return f"the prover ended early with status {status}: {(said.strip().splitlines() or ['it said nothing'])[-1]}"


def _environment(folder: Path) -> dict[str, str]:
    """One thread, no window, and the staged files importable."""
    return {
        **os.environ,
        "MPLBACKEND": "agg",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
    }


def _collect(
    process: subprocess.Popen[bytes], total: int, patience_seconds: float, progress: Callable[[int, int], None] | None
) -> dict[str, Outcome]:
    """The outcomes by name: all, or fewer where the prover ended, or said nothing for too long."""
    outcomes: dict[str, Outcome] = {}
    for line in _lines(process, patience_seconds):
        outcome = Outcome(**json.loads(line))
        outcomes[outcome.name] = outcome
        if progress is not None:
            progress(len(outcomes), total)
        if len(outcomes) == total:
            break
    return outcomes


def _lines(process: subprocess.Popen[bytes], patience_seconds: float) -> Iterator[bytes]:
    """What `process` writes to its output, till it ends or writes nothing for so long.

    Whether it has ended is looked at each second: what it started and left behind may hold the output open for ever.
    """
    assert process.stdout is not None
    rest, last = b"", time.monotonic()
    while time.monotonic() - last < patience_seconds:
        if select.select([process.stdout], [], [], 1.0)[0]:
            chunk = os.read(process.stdout.fileno(), 1 << 16)
            if not chunk:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(patience_seconds)
                return
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            last = time.monotonic()
        elif process.poll() is not None:
            return
