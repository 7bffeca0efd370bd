"""Proves an assignment: reference full marks, blank none, every known wrong solution caught, every alternative accepted.

Runs: trusted side.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat

from autograder.build import build, staged_files, text_cells
from autograder.cells import Kind, grade_id_of, kind_of, released_source, with_solution
from autograder.consequences import ProverCell
from autograder.errors import SourceError
from autograder.manifest import Manifest
from autograder.mutants import Mutant, read_mutants
from autograder.mutation import unified
from autograder.ownership import HEADER, analyse, modules_of, table
from autograder.prover import NO_POINTS, PARTIAL, Job, Outcome, Variant, prover_cells
from autograder.proving import run_prover
from autograder.review import Review, review
from autograder.survivors import MutationScore, generate

MAX_TEST_SECONDS = 30.0
"""A wrong solution that loops is given up after this long in each test cell, or the manifest's limit if that is less."""

WORKERS = 2
"""At least so many wrong solutions are tried at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MutantResult:
    """What the tests made of one mutant or alternative."""

    mutant: Mutant
    failed: tuple[str, ...]
    errors: dict[str, str]
    """What each failing test cell said."""
    broken: str = ""
    """Why its own cell did not run, such as a syntax error: then it proves nothing."""
    diff: str = ""
    """How its cell differs from the reference's: a unified diff with one line of context on each side, without header."""

    @property
    def as_declared(self) -> bool:
        """Whether its cell ran and exactly the declared test cells failed."""
        return not self.broken and set(self.failed) == set(self.mutant.fails)

    @property
    def missed(self) -> tuple[str, ...]:
        """The declared test cells that passed: those that should have seen it."""
        return tuple(test for test in self.mutant.fails if test not in self.failed) if not self.broken else ()

    def __str__(self) -> str:
        """What came of it; where that is not as declared, which tests saw it or should have, and what was changed."""
        name = f"{self.mutant.exercise}/{self.mutant.name}"
        if self.as_declared:
            return f"{name}: as declared"
        if self.broken:
            return f"{name}: its cell does not run: {self.broken}"
        declared, failed = ", ".join(self.mutant.fails) or "nothing", ", ".join(self.failed) or "nothing"
        lines = [f"{name}: should fail {declared}; fails {failed}"]
        lines += [f"    {test}: {error}" for test, error in self.errors.items() if test not in self.mutant.fails]
        if self.missed:
            lines += [f"    {', '.join(self.missed)} should have seen", *(f"    {line}" for line in self.diff.split("\n"))]
        return "\n".join(lines)


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
    mutation: MutationScore | None = None
    """What the tests made of generated mutants; None where they were not tried. Survivors do not make the check fail."""
    review: Review = field(default_factory=Review)
    """What was found without running it, and by running it again; its problems are among `problems`."""

    @property
    def holds(self) -> bool:
        """Whether the assignment works."""
        return not self.problems and all(result.as_declared for result in self.mutants)

    def with_more(self, found: Review) -> CheckReport:
        """The report with what else was `found`."""
        return replace(self, problems=self.problems + found.problems, review=self.review + found)

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
                    "diff": "" if result.as_declared else result.diff,
                }
                for result in self.mutants
            ],
            "review": self.review.to_json(),
            "generated": None if self.mutation is None else self.mutation.to_json(),
        }


def check(
    manifest: Manifest,
    source: Path,
    *,
    exercises: frozenset[str] | None = None,
    generated: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Prove the assignment of `manifest`; with `exercises`, only their mutants; with `generated`, generated ones too.

    `progress(done, total)` is called after each run.

    Raises:
        AutograderError: a file of the assignment cannot be read.
    """
    cells = text_cells(manifest)
    built = build(manifest, source, write=False)
    reviewed = review(manifest, cells, built, source)
    problems = list(reviewed.problems)
    ownership = analyse(
        nbformat.v4.new_notebook(cells=cells), modules=modules_of(staged_files(manifest)), unexamined=manifest.unexamined
    )
    problems += [f"cannot be examined: {problem}" for problem in ownership.problems]
    tests = frozenset(grade_id_of(cell) or "" for cell in cells if _is_test(cell))
    known = _exercises_of(cells).keys()
    unknown = sorted((exercises or frozenset()) - known)
    if unknown:
        raise SourceError(f"{manifest.id} has no exercise {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    strays = sorted(
        path.name for path in (manifest.folder / "mutants").glob("*") if path.stem not in known or path.suffix != ".toml"
    )
    problems += [f"mutants/{name} belongs to no exercise: nothing of it is tried" for name in strays]
    chosen = {name: source for name, source in _exercises_of(cells).items() if exercises is None or name in exercises}
    mutants = [mutant for name, source in chosen.items() for mutant in _mutants_of(manifest, name, source, tests, problems)]
    slips = generate(manifest.folder, list(chosen.items()))
    problems += slips.problems
    variants = [Variant(name=f"{m.exercise}/{m.name}", exercise=m.exercise, source=m.source) for m in mutants]
    variants += slips.variants if generated else ()
    outcomes = _outcomes(manifest, job_of(manifest, cells, variants), progress)
    problems += _reference_problems(outcomes["reference"], tests)
    problems += _blank_problems(outcomes["blank"], outcomes["released"], tests)
    results = [_result(m, outcomes[f"{m.exercise}/{m.name}"], chosen[m.exercise]) for m in mutants]
    mutation, more = slips.judge(outcomes) if generated else (None, ())
    problems += more
    return CheckReport(
        id=manifest.id,
        problems=tuple(problems),
        mutants=tuple(results),
        cpu_seconds=round(sum(outcomes["reference"].cpu_seconds.values()), 2),
        test_cells=len(tests),
        cells=tuple(table(ownership)),
        mutation=mutation,
        review=reviewed,
    )


def _outcomes(manifest: Manifest, job: Job, progress: Callable[[int, int], None] | None) -> dict[str, Outcome]:
    try:
        return run_prover(job, staged_files(manifest), progress)
    except SourceError as error:
        raise SourceError(f"{manifest.id}: {error}") from error


def _is_test(cell: nbformat.NotebookNode) -> bool:
    return kind_of(cell) is Kind.TEST and cell.cell_type == "code"


def _exercises_of(cells: Sequence[nbformat.NotebookNode]) -> dict[str, str]:
    """Exercise -> the text of its cell, in order."""
    code = [cell for cell in cells if cell.cell_type == "code"]
    return {grade_id_of(cell) or "": cell.source for cell in code if kind_of(cell) is Kind.EXERCISE}


def _mutants_of(manifest: Manifest, exercise: str, source: str, tests: frozenset[str], problems: list[str]) -> list[Mutant]:
    found = read_mutants(manifest.folder, exercise, source, tests)
    if not any(not mutant.is_alternative for mutant in found):
        problems.append(f"exercise {exercise} has no mutant: nothing shows that its tests can fail")
    return found


def _reference_problems(reference: Outcome, tests: frozenset[str]) -> list[str]:
    problems = [f"reference: {cell} raised {error}" for cell, error in reference.errors.items()]
    return problems + [
        f"reference: {test} {_said(reference.tests.get(test))}" for test in sorted(tests) if reference.tests.get(test) != ""
    ]


def _blank_problems(blank: Outcome, released: Outcome, tests: frozenset[str]) -> list[str]:
    problems = [f"blank: {test} gives points" for test in sorted(tests) if blank.earns(test)]
    for cell, error in {**released.errors, **released.tests}.items():
        if error.partition(":")[0] not in ("", "NotImplementedError", PARTIAL, NO_POINTS):
            problems.append(f"release: {cell} raises {error}; before an exercise is solved only NotImplementedError may be seen")
    return problems


def _said(error: str | None) -> str:
    return "was not run" if error is None else f"raised {error}"


def _result(mutant: Mutant, outcome: Outcome, reference: str) -> MutantResult:
    errors = {test: error for test, error in outcome.tests.items() if error}
    return MutantResult(
        mutant=mutant,
        failed=tuple(sorted(errors)),
        errors=errors,
        broken=outcome.errors.get(mutant.exercise, ""),
        diff=unified(reference, mutant.source),
    )


def job_of(manifest: Manifest, cells: Sequence[nbformat.NotebookNode], variants: Sequence[Variant]) -> Job:
    """What the prover has to run to try `variants` of the notebook of `cells`."""
    code = prover_cells(cells)
    blank = [_changed(cell, with_solution(cell.source, None)) if cell.kind == "exercise" else cell for cell in code]
    released = [_changed(cell, released_source(cell.source)) if cell.kind == "test" else cell for cell in blank]
    return Job(
        cells=tuple(code),
        blank=tuple(blank),
        released=tuple(released),
        references={test: list(names) for test, names in manifest.references.items()},
        variants=tuple(variants),
        test_seconds=min(MAX_TEST_SECONDS, manifest.limits.cell_seconds),
        cell_seconds=manifest.limits.cell_seconds,
        notebook_seconds=manifest.limits.notebook_seconds,
        workers=max(WORKERS, os.cpu_count() or 1),
    )


def _changed(cell: ProverCell, source: str) -> ProverCell:
    return replace(cell, source=source)
