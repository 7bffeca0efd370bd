"""Grades the notebooks of one run: one source of kernels for all of them, the assignment's manifest and reference applied.

Runs: trusted side.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat

from autograder.cells import NBGRADERS, Delimiters, Kind, grade_id_of, kind_of, parameters_of, seed_of
from autograder.engine import run_with_papermill
from autograder.examiner import CandidateExaminer, Examiner
from autograder.gpu import device_of
from autograder.kernel import Launch
from autograder.limits import Limits
from autograder.manifest import Manifest
from autograder.nursery import Nursery
from autograder.ownership import Ownership, analyse, modules_in
from autograder.paired import PairedExaminer
from autograder.placement import Where
from autograder.preload import modules_for
from autograder.rehearsal import rehearse
from autograder.report import Report
from autograder.stand_ins import StandIns, kept_for_later, stand_ins_of
from autograder.warm import WarmKernels

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is known of one notebook of an assignment, the same for a whole class."""

    assignment: str
    notebook: str
    limits: Limits
    manifest: Manifest | None = None
    """None in a course that has none."""
    source: nbformat.NotebookNode | None = None
    """The instructor's notebook; None where this machine does not have it."""
    source_folder: Path | None = None
    device: str = ""
    """Overrides the manifest's."""
    unexamined: tuple[str, ...] = ()
    """Patterns of grade ids: tests that may run among the student's code where they cannot be examined."""
    delimiters: Delimiters = NBGRADERS
    """What marks hidden parts in this course."""


class Grader:
    """Grades submissions one after the other in forks of the same zygote."""

    def __init__(self, *, sandbox: bool = True, visible: tuple[str, ...] = (), nursery: Nursery | None = None) -> None:
        """See `WarmKernels`."""
        self._kernels = WarmKernels(sandbox=sandbox, visible=visible, nursery=nursery)
        self._modules: dict[tuple[str, str], tuple[str, ...]] = {}
        self._sources: dict[tuple[str, str], nbformat.NotebookNode] = {}
        self._ownerships: dict[tuple[str, str], Ownership] = {}
        self._known: dict[tuple[str, str], Mapping[str, Collection[str]]] = {}
        self._stand_ins: dict[tuple[str, str], StandIns] = {}
        self._empty = tempfile.TemporaryDirectory(prefix="autograder-")
        self._no_files = Path(self._empty.name)

    def grade(self, nb: nbformat.NotebookNode, task: Task, *, folder: Path, kernel_name: str) -> Report:
        """Run `nb`, whose files lie in `folder`, and judge it; `nb` receives the outputs, `folder` the files that it writes.

        Raises:
            WallError: this machine cannot wall it in; nothing was run.
        """
        device = device_of(task.device or (task.manifest.device if task.manifest is not None else "cpu"))
        launch = Launch(
            folder=folder,
            limits=task.limits,
            kernel_name=kernel_name,
            seed=seed_of(task.assignment, parameters_of(task.source or nb).get("SEED")),
            device=device,
            parameters={"DEVICE": device} if "DEVICE" in parameters_of(nb) else {},
            keep_files=True,
        )
        launch = replace(launch, modules=self._modules_for(task, launch))
        return run_with_papermill(
            nb,
            kernels=self._kernels,
            examiner=self._examiner_for(nb, task, launch),
            launch=launch,
            references=self._stand_ins_for(task),
            delimiters=task.delimiters,
        )

    def _examiner_for(self, nb: nbformat.NotebookNode, task: Task, launch: Launch) -> Examiner:
        """Test cells run on the instructor's files and cells; where this machine lacks them, on the restored locked cells of
        the submission, and on no file: those that need one wait for a person."""
        key = task.assignment, task.notebook
        if key not in self._sources or task.source is None:
            self._known.pop(key, None)
            self._sources[key] = _instructors(nb) if task.source is None else _as_released(task.source, nb)
            beside = {} if task.source_folder is None else modules_in(task.source_folder)
            allowed = (*task.unexamined, *(task.manifest.unexamined if task.manifest is not None else ()))
            self._ownerships[key] = analyse(self._sources[key], modules=beside, unexamined=allowed)
        source, ownership = self._sources[key], self._ownerships[key]
        if not any(cell.kind is Kind.TEST and cell.where is Where.EXAMINER for cell in ownership.cells):
            return CandidateExaminer()
        device = {"DEVICE": "cpu"} if launch.parameters else {}  # GPUs are for the student's code
        at_source = replace(launch, folder=task.source_folder or self._no_files, keep_files=False)
        examiner = PairedExaminer(source=source, ownership=ownership, launch=replace(at_source, device="cpu", parameters=device))
        if key not in self._known:
            self._known[key] = {} if task.source is None else rehearse(examiner, at_source, self._kernels)
        return replace(examiner, known=self._known[key])

    def _stand_ins_for(self, task: Task) -> StandIns:
        """What stands in where, worked out once for a class."""
        key = task.assignment, task.notebook
        if key not in self._stand_ins:
            self._stand_ins[key] = _references(task)
        return self._stand_ins[key]

    def close(self) -> None:
        """End the zygotes. Safe to call twice."""
        self._kernels.close()
        self._empty.cleanup()

    def _modules_for(self, task: Task, launch: Launch) -> tuple[str, ...]:
        """What the reference notebook imports, found once for a class."""
        key = task.assignment, task.notebook
        if key not in self._modules:
            at_source = launch if task.source_folder is None else replace(launch, folder=task.source_folder)
            self._modules[key] = modules_for(task.source, at_source, self._kernels)
        return self._modules[key]


def _instructors(nb: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A restored submission with nothing in it that the student wrote but the solutions, which the examiner never runs."""
    found = deepcopy(nb)
    found.cells = [cell for cell in found.cells if kind_of(cell) is not Kind.FREE]
    return found


def _as_released(source: nbformat.NotebookNode, nb: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The instructor's notebook with the locked cells of the restored submission, which are the gradebook's: what nbgrader
    grades by, and where it has written the tests that the source only asks for."""
    released = {grade_id_of(cell): cell.source for cell in nb.cells if kind_of(cell) in (Kind.TEST, Kind.READ_ONLY)}
    found = deepcopy(source)
    for cell in found.cells:
        if kind_of(cell) in (Kind.TEST, Kind.READ_ONLY):
            cell.source = released.get(grade_id_of(cell), cell.source)
    return found


def _references(task: Task) -> StandIns:
    """What stands in where, from the manifest and the source notebook."""
    if task.manifest is None or not task.manifest.references:
        return {}
    if task.source is None:
        log.warning("No source notebook of %s here: one mistake may cost points in later exercises.", task.notebook)
        return {}
    for test, exercise, later in kept_for_later(task.manifest.references, task.source.cells):
        log.warning("The reference of %s cannot stand in for %s: it could be kept until %s.", exercise, test, later)
    return stand_ins_of(task.manifest.references, task.source.cells)
