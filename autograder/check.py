"""Proves an assignment: reference full marks, blank none, every known wrong solution caught, every alternative accepted.

Runs: trusted side.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from autograder.build import Built, build, staged_files, text_cells
from autograder.cells import NBGRADERS, Kind, grade_id_of, kind_of, points_of, released_source, with_solution
from autograder.errors import SourceError
from autograder.manifest import Manifest
from autograder.mutants import Mutant, read_mutants
from autograder.ownership import HEADER, analyse, module_name, table
from autograder.prover import Job, Outcome, ProverCell, Variant
from autograder.stand_ins import kept_for_later

MAX_TEST_SECONDS = 30.0
"""A wrong solution that loops is given up after this long in each test cell, or the manifest's limit if that is less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MutantResult:
    """What the tests made of one mutant or alternative."""

    mutant: Mutant
    failed: tuple[str, ...]
    errors: dict[str, str]
    """What each failing test cell said."""
    broken: str = ""
    """Why its own cell did not run, such as a syntax error: then it proves nothing."""

    @property
    def as_declared(self) -> bool:
        """Whether its cell ran and exactly the declared test cells failed."""
        return not self.broken and set(self.failed) == set(self.mutant.fails)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What was proven about one assignment."""

    id: str
    problems: tuple[str, ...]
    mutants: tuple[MutantResult, ...]
    cpu_seconds: float
    """CPU seconds of the reference notebook, its tests included, one thread."""
    test_cells: int
    cells: tuple[tuple[str, ...], ...] = ()
    """Where each cell runs and whose its names are: rows under `ownership.HEADER`."""

    @property
    def holds(self) -> bool:
        """Whether the assignment works."""
        return not self.problems and all(result.as_declared for result in self.mutants)

    def to_json(self) -> dict[str, Any]:
        """The report as plain data."""
        return {
            "id": self.id,
            "holds": self.holds,
            "problems": list(self.problems),
            "cpu_seconds": self.cpu_seconds,
            "test_cells": self.test_cells,
            "cells": [dict(zip(HEADER, row, strict=True)) for row in self.cells],
            "mutants": [
                {
                    "exercise": result.mutant.exercise,
                    "name": result.mutant.name,
                    "alternative": result.mutant.is_alternative,
                    "declared": list(result.mutant.fails),
                    "failed": list(result.failed),
                    "as_declared": result.as_declared,
                }
                for result in self.mutants
            ],
        }


def check(
    manifest: Manifest,
    source: Path,
    *,
    exercises: frozenset[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Prove the assignment of `manifest`; with `exercises`, only their mutants.

    `progress(done, total)` is called after each run.

    Raises:
        AutograderError: a file of the assignment cannot be read.
    """
    cells = text_cells(manifest)
    built = build(manifest, source, write=False)
    problems = _static_problems(manifest, cells, built)
    ownership = analyse(nbformat.v4.new_notebook(cells=cells), modules=_modules_of(manifest), unexamined=manifest.unexamined)
    problems += [f"cannot be examined: {problem}" for problem in ownership.problems]
    tests = frozenset(grade_id_of(cell) or "" for cell in cells if _is_test(cell))
    known = {grade_id_of(cell) or "" for cell in cells if kind_of(cell) is Kind.EXERCISE and cell.cell_type == "code"}
    unknown = sorted((exercises or frozenset()) - known)
    if unknown:
        raise SourceError(f"{manifest.id} has no exercise {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    strays = sorted(
        path.name for path in (manifest.folder / "mutants").glob("*") if path.stem not in known or path.suffix != ".toml"
    )
    problems += [f"mutants/{name} belongs to no exercise: nothing of it is tried" for name in strays]
    mutants = [
        mutant
        for cell in cells
        if kind_of(cell) is Kind.EXERCISE and cell.cell_type == "code" and (exercises is None or grade_id_of(cell) in exercises)
        for mutant in _mutants_of(manifest, cell, tests, problems)
    ]
    outcomes = _run(manifest, _job(manifest, cells, mutants), progress)
    problems += _reference_problems(outcomes["reference"], tests)
    problems += _blank_problems(outcomes["blank"], outcomes["released"], tests)
    results = [_result(mutant, outcomes[f"{mutant.exercise}/{mutant.name}"]) for mutant in mutants]
    return CheckReport(
        id=manifest.id,
        problems=tuple(problems),
        mutants=tuple(results),
        cpu_seconds=round(sum(outcomes["reference"].cpu_seconds.values()), 2),
        test_cells=len(tests),
        cells=tuple(table(ownership)),
    )


def _modules_of(manifest: Manifest) -> dict[str, str]:
    """Name and source of each module that is staged beside the notebook."""
    return {
        module_name(Path(name)): original.read_text(encoding="utf-8")
        for original, name in staged_files(manifest)
        if name.endswith(".py")
    }


def _is_test(cell: nbformat.NotebookNode) -> bool:
    return kind_of(cell) is Kind.TEST and cell.cell_type == "code"


def _mutants_of(manifest: Manifest, cell: nbformat.NotebookNode, tests: frozenset[str], problems: list[str]) -> list[Mutant]:
    exercise = grade_id_of(cell) or ""
    found = read_mutants(manifest.folder, exercise, cell.source, tests)
    if not any(not mutant.is_alternative for mutant in found):
        problems.append(f"exercise {exercise} has no mutant: nothing shows that its tests can fail")
    return found


def _static_problems(manifest: Manifest, cells: list[nbformat.NotebookNode], built: Built) -> list[str]:
    problems = [f"{stale} (run `autograder build`)" for stale in built.stale]
    ids = [grade_id for cell in cells if (grade_id := grade_id_of(cell)) is not None]
    problems += [f"grade id {grade_id} is used more than once" for grade_id in sorted({i for i in ids if ids.count(i) > 1})]
    total = sum(map(points_of, cells))
    if total != manifest.points:
        problems.append(f"the cells are worth {total:g} points, the manifest says {manifest.points}")
    for cell in filter(_is_test, cells):
        visible = released_source(cell.source)
        if NBGRADERS.hidden_begin not in cell.source:
            problems.append(f"test cell {grade_id_of(cell)} has no hidden part")
        if "assert" not in visible:
            problems.append(f"test cell {grade_id_of(cell)} has no visible part")
    exercises = {grade_id_of(cell) for cell in cells if kind_of(cell) is Kind.EXERCISE}
    for test, names in manifest.references.items():
        if test not in ids or not set(names) <= exercises:
            problems.append(f"[references] {test} = {list(names)}: no such test cell or exercise")
    for test, name, later in kept_for_later(manifest.references, cells):
        problems.append(
            f"[references] {test}: the reference of {name} stands in there, and student code could keep it until {later}, "
            f"which is about {name} itself: put {later} before {test}"
        )
    if not any("parameters" in cell.metadata.get("tags", ()) for cell in cells):
        problems.append("no cell is tagged `parameters`, so papermill cannot set DEVICE and SEED")
    return problems


def _reference_problems(reference: Outcome, tests: frozenset[str]) -> list[str]:
    problems = [f"reference: {cell} raised {error}" for cell, error in reference.errors.items()]
    return problems + [
        f"reference: {test} {_said(reference.tests.get(test))}" for test in sorted(tests) if reference.tests.get(test) != ""
    ]


def _blank_problems(blank: Outcome, released: Outcome, tests: frozenset[str]) -> list[str]:
    problems = [f"blank: {test} gives points" for test in sorted(tests) if blank.tests.get(test) == ""]
    for cell, error in {**released.errors, **released.tests}.items():
        if error and not error.startswith("NotImplementedError"):
            problems.append(f"release: {cell} raises {error}; before an exercise is solved only NotImplementedError may be seen")
    return problems


def _said(error: str | None) -> str:
    return "was not run" if error is None else f"raised {error}"


def _result(mutant: Mutant, outcome: Outcome) -> MutantResult:
    errors = {test: error for test, error in outcome.tests.items() if error}
    return MutantResult(
        mutant=mutant, failed=tuple(sorted(errors)), errors=errors, broken=outcome.errors.get(mutant.exercise, "")
    )


def _job(manifest: Manifest, cells: list[nbformat.NotebookNode], mutants: list[Mutant]) -> Job:
    code = [
        ProverCell(name=grade_id_of(cell) or f"cell {index + 1}", kind=_prover_kind(cell), source=cell.source)
        for index, cell in enumerate(cells)
        if cell.cell_type == "code"
    ]
    blank = [_changed(cell, with_solution(cell.source, None)) if cell.kind == "exercise" else cell for cell in code]
    released = [_changed(cell, released_source(cell.source)) if cell.kind == "test" else cell for cell in blank]
    return Job(
        cells=tuple(code),
        blank=tuple(blank),
        released=tuple(released),
        references={test: list(names) for test, names in manifest.references.items()},
        variants=tuple(Variant(name=f"{m.exercise}/{m.name}", exercise=m.exercise, source=m.source) for m in mutants),
        test_seconds=min(MAX_TEST_SECONDS, manifest.limits.cell_seconds),
        workers=os.cpu_count() or 1,
    )


def _prover_kind(cell: nbformat.NotebookNode) -> str:
    return {Kind.TEST: "test", Kind.EXERCISE: "exercise"}.get(kind_of(cell), "given")


def _changed(cell: ProverCell, source: str) -> ProverCell:
    return ProverCell(name=cell.name, kind=cell.kind, source=source)


def _run(manifest: Manifest, job: Job, progress: Callable[[int, int], None] | None) -> dict[str, Outcome]:
    """Run the job in a process of its own, in a folder that holds what a student's folder would."""
    folder = Path(tempfile.mkdtemp(prefix="autograder-check-"))
    try:
        for original, name in staged_files(manifest):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(original, folder / name)
        job_path = folder / ".job.json"
        job_path.write_text(job.to_json(), encoding="utf-8")
        with subprocess.Popen(
            [sys.executable, "-m", "autograder.prover", str(job_path)],
            cwd=folder,
            env=_environment(folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            outcomes = _collect(process, 3 + len(job.variants), progress)
            error_text = process.stderr.read() if process.stderr is not None else ""
        if process.returncode != 0 or len(outcomes) != 3 + len(job.variants):
            last = error_text.strip().splitlines()[-1:] or ["it said nothing"]
            raise SourceError(f"{manifest.id}: the prover ended early with status {process.returncode}: {last[0]}")
        return outcomes
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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


def _collect(process: subprocess.Popen[str], total: int, progress: Callable[[int, int], None] | None) -> dict[str, Outcome]:
    assert process.stdout is not None
    outcomes: dict[str, Outcome] = {}
    for line in process.stdout:
        outcome = Outcome(**json.loads(line))
        outcomes[outcome.name] = outcome
        if progress is not None:
            progress(len(outcomes), total)
    return outcomes
