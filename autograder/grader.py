"""Grades the notebooks of one run: one source of kernels for all of them, the assignment's manifest and reference applied.

Runs: trusted side.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat

from autograder.cells import Kind, grade_id_of, kind_of, parameters_of, seed_of
from autograder.engine import run_with_papermill
from autograder.examiner import CandidateExaminer
from autograder.gpu import device_of
from autograder.kernel import Launch
from autograder.limits import Limits
from autograder.manifest import Manifest
from autograder.ownership import Ownership, analyse, module_name
from autograder.paired import PairedExaminer
from autograder.preload import modules_for
from autograder.report import Report
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
    apart: bool = False
    """Whether test cells run in a process of their own."""


class Grader:
    """Grades submissions one after the other in forks of the same zygote."""

    def __init__(self, *, sandbox: bool = True, visible: tuple[str, ...] = ()) -> None:
        """See `WarmKernels`."""
        self._kernels = WarmKernels(sandbox=sandbox, visible=visible)
        self._modules: dict[tuple[str, str], tuple[str, ...]] = {}
        self._ownerships: dict[tuple[str, str], Ownership] = {}

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
            examiner=self._examiner_for(nb, task, launch) if task.apart else CandidateExaminer(),
            launch=launch,
            references=_references(task),
        )

    def _examiner_for(self, nb: nbformat.NotebookNode, task: Task, launch: Launch) -> PairedExaminer:
        """Test cells run on the instructor's files and cells; without them at hand, on the restored ones of the submission."""
        key = task.assignment, task.notebook
        source = task.source or nb
        folder = task.source_folder or launch.folder
        if key not in self._ownerships or task.source is None:
            self._ownerships[key] = analyse(source, modules=_modules_beside(folder))
        examiner = replace(launch, folder=folder, keep_files=False, device="cpu")
        return PairedExaminer(source=source, ownership=self._ownerships[key], launch=examiner)

    def close(self) -> None:
        """End the zygotes. Safe to call twice."""
        self._kernels.close()

    def _modules_for(self, task: Task, launch: Launch) -> tuple[str, ...]:
        """What the reference notebook imports, found once for a class."""
        key = task.assignment, task.notebook
        if key not in self._modules:
            at_source = launch if task.source_folder is None else replace(launch, folder=task.source_folder)
            self._modules[key] = modules_for(task.source, at_source, self._kernels)
        return self._modules[key]


def _modules_beside(folder: Path) -> dict[str, str]:
    """Name and source of each module that lies in `folder`."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        found[module_name(path.relative_to(folder))] = path.read_text(encoding="utf-8", errors="replace")
    return found


def _references(task: Task) -> Mapping[str, Mapping[str, str]]:
    """Test cell -> exercise -> the reference's cell, from the manifest and the source notebook."""
    if task.manifest is None or not task.manifest.references:
        return {}
    if task.source is None:
        log.warning("No source notebook of %s here: one mistake may cost points in later exercises.", task.notebook)
        return {}
    cells = {grade_id_of(cell): cell.source for cell in task.source.cells if kind_of(cell) is Kind.EXERCISE}
    return {test: {name: cells[name] for name in needed if name in cells} for test, needed in task.manifest.references.items()}
