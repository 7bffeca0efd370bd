"""Shows that test cells which run apart, in the examiner, give the verdicts that they give when all runs in one process.

Runs: trusted side.

    reference, blank release     the main path twice, unexamined and examined: the same verdict and points for each cell
    mutants, alternatives        what the prover found in one process, and what `variants` finds: the same verdicts

Something may be left in a used pair of kernels. So where there is a difference the variant is tried once more in a fresh pair,
and only that counts.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
from jupyter_core.utils import ensure_event_loop

from autograder.cells import blank_of
from autograder.check import MutantResult
from autograder.manifest import Manifest
from autograder.variants import PASSED, Bench, Said, Setting, read_setting, said_by_prover
from autograder.warm import WarmKernels

WORKERS = 2
"""Pairs of kernels at work at a time. Threads will do: they only wait for kernels, which are processes."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One cell that ended otherwise when it was examined."""

    run: str
    """`reference`, `blank`, or exercise/name of a mutant or alternative."""
    cell: str
    unexamined: str
    """What it gave in one process, with its message."""
    examined: str
    """What it gave apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """What came of running one assignment examined and unexamined."""

    id: str
    runs: int
    """Reference and blank release included."""
    differences: tuple[Difference, ...]
    retried: tuple[str, ...]
    """Runs that gave the same only when tried once more, in a fresh pair. Many of them mean that variants leave traces."""
    seconds: float
    """Wall seconds of everything."""

    @property
    def same(self) -> int:
        """How many runs gave the same."""
        return self.runs - len({difference.run for difference in self.differences})

    @property
    def holds(self) -> bool:
        """Whether all did."""
        return not self.differences

    def __str__(self) -> str:
        lines = [f"examined: {self.same} of {self.runs} the same, in {self.seconds:.0f} s"]
        if self.retried:
            names = ", ".join(self.retried)
            lines.append(f"{len(self.retried)} gave the same only in kernels that no other variant had used: {names}")
        for one in self.differences:
            lines += [f"{one.run}, {one.cell}:", f"    in one process  {one.unexamined}", f"    examined        {one.examined}"]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """The result as plain data."""
        return {**asdict(self), "same": self.same, "holds": self.holds}


def compare(
    manifest: Manifest,
    results: Sequence[MutantResult],
    *,
    progress: Progress | None = None,
    workers: int = WORKERS,
) -> Equivalence:
    """Compare what the reference, the blank release, and the mutants and alternatives in `results` give examined and unexamined.

    `results` say what the prover found of them in one process.

    progress: called with (done, total) after each run, from several threads, one at a time.

    Raises:
        AutograderError: a file of the assignment cannot be read, or a kernel did not start.
    """
    began = time.monotonic()
    kernels = WarmKernels()
    try:
        with tempfile.TemporaryDirectory(prefix="autograder-check-") as root:
            setting = read_setting(manifest, Path(root, manifest.id), kernels)
            found = _in_workers(setting, _jobs(setting, results), workers, progress or (lambda done, total: None))
    finally:
        kernels.close()
    return Equivalence(
        id=manifest.id,
        runs=len(found),
        differences=tuple(difference for compared in found for difference in compared.differences),
        retried=tuple(compared.run for compared in found if compared.retried and not compared.differences),
        seconds=round(time.monotonic() - began, 1),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """What one run gave in both ways; a cell that is not named passed."""

    run: str
    unexamined: Mapping[str, Said]
    examined: Mapping[str, Said]
    retried: bool = False

    @property
    def differences(self) -> tuple[Difference, ...]:
        cells = dict.fromkeys((*self.unexamined, *self.examined))
        both = [(cell, self.unexamined.get(cell, PASSED), self.examined.get(cell, PASSED)) for cell in cells]
        return tuple(
            Difference(run=self.run, cell=cell, unexamined=str(one), examined=str(other))
            for cell, one, other in both
            if one.verdict != other.verdict
        )


_Job = Callable[[Bench], _Compared]


def _jobs(setting: Setting, results: Sequence[MutantResult]) -> list[_Job]:
    return [
        partial(_whole, "reference", setting.source),
        partial(_whole, "blank", blank_of(setting.source)),
        *(partial(_variant, result) for result in results),
    ]


def _whole(run: str, nb: nbformat.NotebookNode, bench: Bench) -> _Compared:
    return _Compared(run=run, unexamined=bench.grade(nb, examined=False), examined=bench.grade(nb, examined=True))


def _variant(result: MutantResult, bench: Bench) -> _Compared:
    mutant = result.mutant
    errors = {**({mutant.exercise: result.broken} if result.broken else {}), **result.errors}
    unexamined = {cell: said_by_prover(error) for cell, error in errors.items()}
    compared = _Compared(run=f"{mutant.exercise}/{mutant.name}", unexamined=unexamined, examined=bench.play(mutant))
    if not compared.differences:
        return compared
    bench.replace()
    return _Compared(run=compared.run, unexamined=unexamined, examined=bench.play(mutant), retried=True)


def _in_workers(setting: Setting, jobs: Sequence[_Job], workers: int, progress: Progress) -> list[_Compared]:
    """What came of `jobs`, in their order."""
    waiting = deque(enumerate(jobs))
    found: dict[int, _Compared] = {}
    lock = threading.Lock()

    def take() -> tuple[int, _Job] | None:
        with lock:
            return waiting.popleft() if waiting else None

    def work() -> None:
        bench = Bench(setting)
        try:
            while (taken := take()) is not None:
                number, job = taken
                compared = job(bench)
                with lock:
                    found[number] = compared
                    progress(len(found), len(jobs))
        finally:
            waiting.clear()  # where one fails, the others need not go on
            bench.replace()
            ensure_event_loop().close()  # jupyter_client made one for this thread

    with ThreadPoolExecutor(workers) as pool:
        try:
            for future in [pool.submit(work) for _ in range(workers)]:
                future.result()
        finally:
            waiting.clear()
    return [found[number] for number in range(len(jobs))]
