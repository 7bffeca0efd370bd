"""Measures what it costs that test cells run in a process of their own: for a call, a large tensor and a submission.

Runs: trusted side; all code that is graded here is staff's own.

Whatever is compared takes turns in one run. Each round begins with another one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nbformat

from autograder.bench_notebooks import small_notebook
from autograder.bothways import Submission, Turn, comparisons_of, take_turns
from autograder.cells import Kind, grade_id_of, kind_of, parameters_of, seed_of
from autograder.comparison import Comparison, Group, Limit, Unit
from autograder.crossing import COPIED, PASSED, PICKLED, PICKLED_BACK, RETURNED, TENSOR, CrossingRound
from autograder.errors import SourceError
from autograder.kernel import Launch
from autograder.manifest import Manifest

CALL_SECONDS = 0.0002
"""Target: CPU of both processes for a call with small arguments, there and back."""
COPIES = 2.0
"""Target: passing a large tensor takes at most so many times the CPU of copying it."""
SUBMISSION_SECONDS = 0.1
"""Target: what examining adds to the CPU of a small submission."""
_SMALL = {"20 test cells": "import numpy as np", "20 test cells, PyTorch imported": "import torch"}
"""Name of a small submission -> its locked cell."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured."""

    rounds: int = 5
    calls: int = 1000
    """Small calls of each kind in each round."""
    tensor_bytes: int = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExaminerBench:
    """What was measured."""

    size: Size
    crossings: tuple[CrossingRound, ...]
    turns: tuple[Turn, ...]

    @property
    def groups(self) -> tuple[Group, ...]:
        """The tables."""
        size = f"{self.size.tensor_bytes / 1e6:.0f} MB"
        micro, milli = Unit.MICROSECONDS, Unit.MILLISECONDS
        return (
            Group(title="one call, wall", unit=micro, comparisons=call_comparisons(self.crossings, "wall_seconds")),
            Group(title="one call, CPU", unit=micro, comparisons=call_comparisons(self.crossings, "cpu_seconds")),
            Group(title=f"a tensor of {size}, wall", unit=milli, comparisons=tensor_comparisons(self.crossings, "wall_seconds")),
            Group(title=f"a tensor of {size}, CPU", unit=milli, comparisons=tensor_comparisons(self.crossings, "cpu_seconds")),
            Group(title="a submission, examined", unit=Unit.SECONDS, comparisons=comparisons_of(self.turns)),
        )

    @property
    def limits(self) -> tuple[Limit, ...]:
        """What was promised, and what was measured: CPU, since other work on the machine lengthens waiting many times over."""
        calls = call_comparisons(self.crossings, "cpu_seconds")
        tensor = tensor_comparisons(self.crossings, "cpu_seconds")
        passed = next(one for one in tensor if (one.name, one.base) == (PASSED, COPIED))
        copies = Limit(
            name=f"passing the tensor, CPU, at most {COPIES:g} copies",
            seconds=passed.measured.median,
            limit_seconds=COPIES * passed.compared.median,
            unit=Unit.MILLISECONDS,
        )
        return (
            *(_limit(f"a call with {one.name}, CPU", one.measured.median, CALL_SECONDS, Unit.MICROSECONDS) for one in calls),
            copies,
            *(
                _limit(f"{one.name}, more", one.more_seconds.median, SUBMISSION_SECONDS, Unit.SECONDS)
                for one in comparisons_of(self.turns)
                if one.name.removesuffix(", CPU") in _SMALL
            ),
        )

    @property
    def errors(self) -> dict[str, str]:
        """Why the two ways cannot be compared; empty when they can."""
        ways = {True: "examined", False: "unexamined"}
        return {
            f"{turn.submission}, {ways[turn.examined]}, {cell}": why for turn in self.turns for cell, why in turn.errors.items()
        }

    def __str__(self) -> str:
        how = f"Median of {self.size.rounds} rounds (lowest to highest)."
        missed = [f"  {where}: {error}" for where, error in self.errors.items()]
        return "\n".join([how, *(f"\n{group}" for group in self.groups), "", *(f"  {one}" for one in self.limits), *missed, ""])

    def to_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "size": asdict(self.size),
            "groups": [group.to_json() for group in self.groups],
            "limits": [limit.to_json() for limit in self.limits],
            "errors": self.errors,
            "crossings": [asdict(crossing) for crossing in self.crossings],
            "turns": [asdict(turn) for turn in self.turns],
        }


def bench_examiner(
    manifests: Sequence[Manifest],
    source: Path,
    *,
    size: Size | None = None,
    progress: Progress = lambda done, total: None,
    cache: Path | None = None,
) -> ExaminerBench:
    """Measure everything; of each assignment, the reference notebook built in the folder `source`.

    `progress(done, total)` is called after each turn.

    Raises:
        SourceError: a notebook has not been built, or the process that measures calls ended early.
        KernelStartError: a kernel did not start, or this machine cannot wall it in.
    """
    size = size or Size()
    total = size.rounds * (1 + 2 * (len(_SMALL) + len(manifests)))
    steps = iter(range(1, total + 1))

    def step() -> None:
        progress(next(steps), total)

    with tempfile.TemporaryDirectory(prefix="autograder-bench-") as root:
        submissions = [*_small_submissions(Path(root)), *(_reference_of(one, source / one.id, Path(root)) for one in manifests)]
        crossings = []
        for crossing in measure_crossings(size):
            crossings.append(crossing)
            step()
        turns = [turn for one in submissions for turn in take_turns(one, size.rounds, step=step, cache=cache)]
    return ExaminerBench(size=size, crossings=tuple(crossings), turns=tuple(turns))


def call_comparisons(crossings: Sequence[CrossingRound], quantity: str) -> tuple[Comparison, ...]:
    """For each kind of arguments, a call across beside the same call in one process; `quantity` is an attribute of `Cost`."""
    return tuple(
        Comparison(
            name=kind,
            base="direct",
            seconds=tuple(getattr(one.across[kind], quantity) for one in crossings),
            base_seconds=tuple(getattr(one.direct[kind], quantity) for one in crossings),
        )
        for kind in crossings[0].across
    )


def tensor_comparisons(crossings: Sequence[CrossingRound], quantity: str) -> tuple[Comparison, ...]:
    """What is done with the tensor beside copying it, and beside pickling it; `quantity` is an attribute of `Cost`."""
    pairs = [(name, COPIED) for name in TENSOR if name != COPIED] + [(PASSED, PICKLED), (RETURNED, PICKLED_BACK)]
    return tuple(
        Comparison(
            name=name,
            base=base,
            seconds=tuple(getattr(one.tensor[name], quantity) for one in crossings),
            base_seconds=tuple(getattr(one.tensor[base], quantity) for one in crossings),
        )
        for name, base in pairs
    )


def measure_crossings(size: Size) -> Iterator[CrossingRound]:
    """The rounds of `crossing`, each as soon as a process of their own has measured it.

    Raises:
        SourceError: the process ended early.
    """
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, "-m", "autograder.crossing", str(size.rounds), str(size.calls), str(size.tensor_bytes)]
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **threads}, text=True) as process,
    ):
        assert process.stdout is not None
        yield from map(CrossingRound.from_json, process.stdout)
        if process.wait():
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
            raise SourceError(f"the process that measures calls ended early with status {process.returncode}: {said[0]}")


def _limit(name: str, seconds: float, limit_seconds: float, unit: Unit) -> Limit:
    return Limit(name=name, seconds=seconds, limit_seconds=limit_seconds, unit=unit)


def _small_submissions(root: Path) -> Iterator[Submission]:
    for number, (name, setup) in enumerate(_SMALL.items()):
        folder = root / f"small {number}"
        folder.mkdir()
        yield Submission(name=name, nb=small_notebook(setup), launch=Launch(folder=folder, seed=1), source_folder=folder)


def _reference_of(manifest: Manifest, built: Path, root: Path) -> Submission:
    """The reference notebook in the folder `built`, handed in with a copy below `root` of the files beside it."""
    path = built / f"{manifest.id}.ipynb"
    try:
        nb = nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file. `autograder build` makes it.") from None
    handed_in = root / manifest.id
    shutil.copytree(built, handed_in, ignore=shutil.ignore_patterns("*.ipynb", "__pycache__"))
    launch = Launch(
        folder=handed_in,
        limits=manifest.limits,
        kernel_name=nb.metadata.get("kernelspec", {}).get("name", "python3"),
        seed=seed_of(manifest.id, parameters_of(nb).get("SEED")),
        keep_files=True,
    )
    cells = {grade_id_of(cell): cell.source for cell in nb.cells if kind_of(cell) is Kind.EXERCISE}
    references = {test: {name: cells[name] for name in needed} for test, needed in manifest.references.items()}
    return Submission(name=manifest.id, nb=nb, launch=launch, source_folder=built, references=references)
