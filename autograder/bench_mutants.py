"""Measures what mutants cost beside the notebook itself: each starts from a fork taken just before the changed cell.

Runs: trusted side; all code that runs here is staff's own.

A notebook without mutants and the same with them take turns in one run. Both include the blank release, as every check does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from autograder.build import staged_files, text_cells
from autograder.cells import Kind, grade_id_of, kind_of
from autograder.check import WORKERS, job_of
from autograder.comparison import Comparison, Group, Limit, Unit
from autograder.consequences import ProverCell
from autograder.manifest import Manifest
from autograder.mutants import read_mutants
from autograder.prover import Job, Variant
from autograder.proving import run_prover

LIMIT_SECONDS = 60.0
"""Target: wall seconds of the made-up notebook with its mutants on two cores."""
MUTANTS = 20
"""So many wrong solutions has the made-up notebook."""
_BUSY = "import time\nbegan = time.process_time()\nwhile time.process_time() - began < {seconds}:\n    pass\n"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One notebook in one round."""

    notebook: str
    mutants: int
    bare_seconds: float
    """Wall seconds without mutants."""
    seconds: float
    """Wall seconds with them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MutantBench:
    """What was measured."""

    rounds: int
    trials: tuple[Trial, ...]

    @property
    def group(self) -> Group:
        """The table."""
        kinds = dict.fromkeys((trial.notebook, trial.mutants) for trial in self.trials)
        return Group(title="proving a notebook, wall", unit=Unit.SECONDS, comparisons=tuple(map(self._comparison, kinds)))

    def _comparison(self, kind: tuple[str, int]) -> Comparison:
        trials = [trial for trial in self.trials if (trial.notebook, trial.mutants) == kind]
        return Comparison(
            name=f"{kind[0]}, {kind[1]} mutants",
            base="without",
            seconds=tuple(trial.seconds for trial in trials),
            base_seconds=tuple(trial.bare_seconds for trial in trials),
        )

    @property
    def limit(self) -> Limit:
        """What was promised of the made-up notebook, and what was measured."""
        first = self.group.comparisons[0]
        return Limit(name=first.name, seconds=first.measured.median, limit_seconds=LIMIT_SECONDS, unit=Unit.SECONDS)

    def __str__(self) -> str:
        return f"Median of {self.rounds} rounds (lowest to highest).\n\n{self.group}\n\n  {self.limit}\n"

    def to_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        trials = [asdict(trial) for trial in self.trials]
        return {"rounds": self.rounds, "group": self.group.to_json(), "limit": self.limit.to_json(), "trials": trials}


def bench_mutants(
    manifests: Sequence[Manifest], *, seconds: float = 10.0, rounds: int = 5, progress: Progress | None = None
) -> MutantBench:
    """Measure a made-up notebook whose reference takes `seconds` of CPU, then the declared mutants of `manifests`.

    Raises:
        AutograderError: a file of an assignment cannot be read, or a notebook could not be run.
    """
    jobs: list[tuple[str, Job, Sequence[tuple[Path, str]]]] = [(f"a notebook of {seconds:g} s", made_up_job(seconds), ())]
    jobs += [(one.id, _job(one), staged_files(one)) for one in manifests]
    trials: list[Trial] = []
    for _ in range(rounds):
        for name, job, files in jobs:
            bare, whole = _timed(replace(job, variants=()), files), _timed(job, files)
            trials.append(Trial(notebook=name, mutants=len(job.variants), bare_seconds=bare, seconds=whole))
            if progress is not None:
                progress(len(trials), rounds * len(jobs))
    return MutantBench(rounds=rounds, trials=tuple(trials))


def made_up_job(seconds: float) -> Job:
    """A notebook whose reference takes `seconds` of CPU, a tenth of it after the exercise and with it; and wrong solutions."""
    solution = "def scale(x):\n    return 2 * x"
    test = "assert model == 6, 'the model'"
    cells = (
        ProverCell(name="train", kind="given", source=_BUSY.format(seconds=0.9 * seconds)),
        ProverCell(name="scale", kind="exercise", source=solution),
        ProverCell(name="fine_tune", kind="given", source=f"{_BUSY.format(seconds=0.1 * seconds)}model = scale(3)"),
        ProverCell(name="test_scale", kind="test", source=test, points=1.0),
    )
    blank = tuple(replace(cell, source="raise NotImplementedError") if cell.kind == "exercise" else cell for cell in cells)
    return Job(
        cells=cells,
        blank=blank,
        released=blank,
        references={},
        variants=tuple(
            Variant(name=f"times {factor}", exercise="scale", source=solution.replace("2", f"{factor}"))
            for factor in range(3, 3 + MUTANTS)
        ),
        test_seconds=60 + seconds,
        cell_seconds=60 + seconds,
        notebook_seconds=60 + 2 * seconds,
        workers=WORKERS,
    )


def _job(manifest: Manifest) -> Job:
    """Every declared mutant of an assignment."""
    cells = text_cells(manifest)
    exercises = {grade_id_of(cell) or "": cell.source for cell in cells if kind_of(cell) is Kind.EXERCISE}
    tests = frozenset(grade_id_of(cell) or "" for cell in cells if kind_of(cell) is Kind.TEST)
    found = [mutant for name, source in exercises.items() for mutant in read_mutants(manifest.folder, name, source, tests)]
    return job_of(manifest, cells, [Variant(name=f"{m.exercise}/{m.name}", exercise=m.exercise, source=m.source) for m in found])


def _timed(job: Job, files: Sequence[tuple[Path, str]]) -> float:
    """Wall seconds that `job` takes."""
    began = time.monotonic()
    run_prover(job, files)
    return time.monotonic() - began
