"""Grades what one student handed in, from plain data to plain data: no course folder, no gradebook, no nbgrader command.

Runs: trusted side, in a worker; `restored`, `judged` and `marks_of` also in nbgrader's own commands (`gradebook`).

    Submission --read--> notebook --ClearOutput, kernelspec, restored, CheckCellMetadata--> the instructor's cells count
               --judged, IgnorePattern, ClearMetadata, LimitOutput, CheckCellMetadata--> GradedNotebook

What nbgrader does between reading a submission and writing it down it does here too, by nbgrader's own classes, in its order.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbgrader.nbgraderformat import ValidationError
from nbgrader.preprocessors import CheckCellMetadata, ClearOutput, IgnorePattern, LimitOutput

from autograder.cells import Delimiters, Kind, grade_id_of, is_graded, kind_of, points_of
from autograder.errors import AutograderError, KernelStartError, UnreadableSubmission, WallError
from autograder.feedback import unreadable_notebook
from autograder.files import walk
from autograder.grader import Grader, Task
from autograder.notes import Notes, completed
from autograder.nursery import Nursery
from autograder.package import File, GradedNotebook, GradedSubmission, Marks, Package, Sheet, Submission
from autograder.reader import parse_submission
from autograder.report import CellReport, KernelReport, Report
from autograder.restore import is_blank, restore
from autograder.unrun import judge_outputs, judge_unreadable
from autograder.verdict import Verdict
from autograder.wall import is_ipykernel

BEFORE = (ClearOutput, CheckCellMetadata)
"""Those of nbgrader's steps that stand around the restoring of cells."""
AFTER = (IgnorePattern, ClearMetadataPreprocessor, LimitOutput, CheckCellMetadata)
"""Those that follow the judging."""
_SUBMISSIONS_FAULT = (AutograderError, ValidationError)
"""What leaves one submission ungraded and the others as they are."""


class Workplace:
    """What a worker keeps for one package: zygotes, and the files that tests need."""

    def __init__(self, package: Package, nursery: Nursery | None = None) -> None:
        self.package = package
        self._grader = Grader(sandbox=package.rules.sandbox, visible=package.rules.visible, nursery=nursery)
        self._folder = tempfile.TemporaryDirectory(prefix="autograder-")
        staff = Path(self._folder.name) / "source" / package.assignment
        _lay_out(staff, package.staff)
        self._tasks = {sheet.name: task_of(package, sheet, staff) for sheet in package.sheets}
        self._valid = ""
        """The nbgrader metadata of a notebook that `CheckCellMetadata` found valid."""

    def grade(self, submission: Submission) -> GradedSubmission:
        """What comes of `submission`.

        Raises:
            WallError: this machine cannot wall student code in; nothing was run.
        """
        if submission.problem:
            return GradedSubmission(student=submission.student, problem=submission.problem)
        began, spent = time.monotonic(), time.process_time()
        laid_out = {**submission.files, **self.package.given}
        known = {sheet.name for sheet in self.package.sheets}
        handed_in = sorted(known & {*submission.notebooks, *submission.unreadable}, key=lambda name: f"{name}.ipynb")
        with tempfile.TemporaryDirectory(prefix="autograder-") as scratch, _as_nbgrader_does():
            folder = Path(scratch) / self.package.assignment
            _lay_out(folder, laid_out)
            try:
                graded = tuple(self._grade_notebook(submission, name, folder) for name in handed_in)
            except WallError:
                raise
            except _SUBMISSIONS_FAULT as error:
                return GradedSubmission(student=submission.student, problem=str(error), seconds=time.monotonic() - began)
            return GradedSubmission(
                student=submission.student,
                notebooks=graded,
                written=_written(folder, laid_out),
                seconds=time.monotonic() - began,
                cpu_seconds=time.process_time() - spent,
            )

    def _grade_notebook(self, submission: Submission, name: str, folder: Path) -> GradedNotebook:
        package, notes = self.package, Notes()
        sheet = package.sheet(name)
        nb = _read(submission, name, notes)
        for step in BEFORE[:1]:
            nb = self._done(step, nb)
        if sheet.kernelspec:
            nb.metadata["kernelspec"] = nbformat.from_dict(dict(sheet.kernelspec))
        restored(nb, sheet, notes, package.rules.delimiters)
        for step in BEFORE[1:]:
            nb = self._done(step, nb)
        nb = parse_submission(_text(nb), f"{name}.ipynb")  # nbgrader writes it down here and reads it again
        names = {"assignment": package.assignment, "student": submission.student, "notebook": name}
        if package.rules.run:
            run = self._run(nb, name, folder)
            report = judged(nb, notes, names, run=run, elsewhere=_not_here)
        else:
            report = completed(Report(cells=judge_outputs(nb), kernel=KernelReport(source="none")), nb, notes, **names)
        for step in AFTER:
            nb = self._done(step, nb)
        marks = marks_of(nb, report, notes)
        return GradedNotebook(name=name, content=_text(nb), report=report, marks=marks)

    def _done(self, step: type[Any], nb: nbformat.NotebookNode) -> nbformat.NotebookNode:
        """`nb` after one of nbgrader's steps, set as the course has it.

        `CheckCellMetadata` looks at nothing but what nbgrader wrote into the cells, which is the same in every restored
        submission: what it found valid once it need not look at again, and it takes longer than all other steps together.
        """
        written = [(cell.cell_type, cell.metadata.get("nbgrader")) for cell in nb.cells] if step is CheckCellMetadata else None
        checked = json.dumps(written, sort_keys=True) if written else ""
        if checked and checked == self._valid:
            return nb
        nb, _ = step(**self.package.traits.get(step.__name__, {}))(nb, {})
        self._valid = checked or self._valid
        return nb

    def _run(self, nb: nbformat.NotebookNode, name: str, folder: Path) -> Callable[[str], Report]:
        return lambda kernel_name: self._grader.grade(nb, self._tasks[name], folder=folder, kernel_name=kernel_name)

    def close(self) -> None:
        """End the zygotes and remove the files. Safe to call twice."""
        self._grader.close()
        self._folder.cleanup()


def task_of(package: Package, sheet: Sheet, staff: Path) -> Task:
    """What is known of one notebook; the files beside its source lie in `staff`."""
    rules = package.rules
    source = None if sheet.source is None else nbformat.reads(sheet.source, as_version=4)
    return Task(
        assignment=package.assignment,
        notebook=sheet.name,
        limits=rules.limits,
        manifest=rules.manifest,
        source=source,
        source_folder=None if source is None else staff,
        device=rules.device,
        unexamined=rules.unexamined,
        delimiters=rules.delimiters,
    )


def restored(nb: nbformat.NotebookNode, sheet: Sheet, notes: Notes, delimiters: Delimiters) -> None:
    """Put the instructor's cells back into `nb`; `notes` receive what had been changed and what was left blank.

    Raises:
        WrongNotebook: it is a notebook of another assignment.
    """
    changes = restore(nb, sheet.cells, reorder=sheet.ordered, delimiters=delimiters)
    by_id = {cell.grade_id: cell for cell in sheet.cells if cell.solution}
    solutions = [(grade_id_of(cell) or "", cell) for cell in nb.cells]
    notes.blank = frozenset(name for name, cell in solutions if name in by_id and is_blank(cell, by_id[name], delimiters))
    if not notes.unreadable:
        notes.changes = tuple(changes)


def judged(
    nb: nbformat.NotebookNode,
    notes: Notes,
    names: Mapping[str, str],
    *,
    run: Callable[[str], Report],
    elsewhere: Callable[[KernelSpec], Report],
) -> Report:
    """The complete report on the restored notebook `nb`, which `run` runs in the kernel that it asks for.

    `elsewhere` has the word where only nbgrader could run it: in a kernel of another language.

    Raises:
        KernelStartError: this machine has no such kernel; nothing is graded, and nothing is held against the student.
    """
    kernel_name = nb.metadata.get("kernelspec", {}).get("name") or "python3"
    kernel_name = "python3" if kernel_name == "python" else kernel_name  # as jupyter_client reads it
    spec = _kernel_spec(kernel_name)
    language = str(spec.language or nb.metadata.get("kernelspec", {}).get("language") or "python").lower()
    if notes.unreadable:
        report = Report(cells=judge_unreadable(nb), kernel=KernelReport(source="none"))
    elif is_ipykernel(spec) and language == "python":
        report = run(kernel_name)
    else:
        report = elsewhere(spec)
    return completed(report, nb, notes, **names)


def marks_of(nb: nbformat.NotebookNode, report: Report, notes: Notes) -> Marks:
    """What the gradebook learns of the graded notebook `nb`."""
    found = {grade_id_of(cell) or "": kind_of(cell) for cell in nb.cells}
    reports = {name: report.cell(name) for name, kind in found.items() if kind in (Kind.TEST, Kind.ANSWER)}
    return Marks(
        points={name: None if cell is None else cell.points for name, cell in reports.items()},
        comments={
            name: "No response." if name in notes.blank else None
            for name, kind in found.items()
            if kind in (Kind.EXERCISE, Kind.ANSWER, Kind.TASK)
        },
        by_hand=bool(report.unreadable),
    )


def given_up(package: Package, submission: Submission, why: str) -> GradedSubmission:
    """What stands for a submission that the grader failed at, again and again: no points, and a person who must look.

    Nothing of the submission is read: reading it may be what the grader failed at.
    """
    found = []
    for name in sorted({sheet.name for sheet in package.sheets} & {*submission.notebooks, *submission.unreadable}):
        nb = unreadable_notebook(why)
        restored(nb, package.sheet(name), Notes(), package.rules.delimiters)
        cells = tuple(
            CellReport(
                grade_id=grade_id_of(cell) or "", verdict=Verdict.INTERNAL, points=None, max_points=points_of(cell), message=why
            )
            for cell in nb.cells
            if is_graded(cell)
        )
        names = {"assignment": package.assignment, "student": submission.student, "notebook": name}
        report = completed(Report(cells=cells, kernel=KernelReport(source="none")), nb, Notes(), **names)
        found.append(GradedNotebook(name=name, content=_text(nb), report=report, marks=marks_of(nb, report, Notes())))
    return GradedSubmission(student=submission.student, notebooks=tuple(found))


def _read(submission: Submission, name: str, notes: Notes) -> nbformat.NotebookNode:
    notes.unreadable = submission.unreadable.get(name, "")
    if not notes.unreadable:
        try:
            return parse_submission(submission.notebooks[name], f"{name}.ipynb")
        except UnreadableSubmission as error:
            notes.unreadable = str(error)
    return unreadable_notebook(notes.unreadable)


def _text(nb: nbformat.NotebookNode) -> bytes:
    """`nb` as nbconvert writes it down."""
    nbformat.validate(nb, relax_add_props=True)
    text = str(nbformat.writes(nb))
    return (text if text.endswith("\n") else f"{text}\n").encode()


def _not_here(spec: KernelSpec) -> Report:
    raise KernelStartError(
        f"the notebook asks for the kernel {spec.display_name!r}, and only Python's can run behind the wall. Nothing was graded. "
        "Where you trust the students, `nbgrader autograde --Grade.unsafe_no_sandbox=True` has nbgrader run it."
    )


def _kernel_spec(kernel_name: str) -> KernelSpec:
    try:
        return KernelSpecManager().get_kernel_spec(kernel_name)
    except NoSuchKernel as error:
        raise KernelStartError(
            f"no kernel named {kernel_name!r} on this machine, which the notebook asks for. Nothing was graded. "
            "`jupyter kernelspec list` shows the kernels there are; install the missing one and grade again."
        ) from error


def _lay_out(folder: Path, files: Mapping[str, File]) -> None:
    folder.mkdir(parents=True)
    for name, file in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode | stat.S_IRUSR)


def _written(folder: Path, before: Mapping[str, File]) -> dict[str, bytes]:
    """What lies in `folder` and did not, or not so, `before`."""
    found = {}
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for path, status in walk(opened):
            if stat.S_ISREG(status.st_mode):
                content = (folder / path).read_bytes()
                if path not in before or before[path].content != content:
                    found[path] = content
    finally:
        os.close(opened)
    return found


@contextmanager
def _as_nbgrader_does() -> Iterator[None]:
    """Notebooks can tell that they are being graded, and by which of nbgrader's steps."""
    before = os.environ.get("NBGRADER_EXECUTION")
    os.environ["NBGRADER_EXECUTION"] = "autograde"
    try:
        yield
    finally:
        if before is None:
            del os.environ["NBGRADER_EXECUTION"]
        else:
            os.environ["NBGRADER_EXECUTION"] = before
