"""Who waits for a person: written answers, and whatever the grader leaves to one, in one list with the reasons.

Runs: trusted side. The gradebook, the reports and the history are only read; the gradebook says what is still open, as on
formgrader's page for manual grading.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import chdir
from dataclasses import asdict, dataclass
from enum import IntEnum
from glob import glob
from pathlib import Path
from typing import Any

from nbgrader.api import Assignment, BaseCell, Grade, Notebook, SubmittedAssignment, SubmittedNotebook
from nbgrader.apps import AutogradeApp
from sqlalchemy import select

from autograder.errors import GradebookError
from autograder.history import history_of
from autograder.report import CellReport, Report, read_report, report_path
from autograder.scores import reading
from autograder.verdict import BY_HAND, Verdict


class Urgency(IntEnum):
    """What to look at first."""

    NOT_GRADED = 0
    UNREADABLE = 1
    FAILED = 2
    UNEXAMINED = 3
    AGAIN = 4
    WRITTEN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """One thing that a person has to settle."""

    student: str
    assignment: str
    notebook: str
    """Empty where the whole submission waits."""
    cell: str
    """Grade id; empty where the whole notebook waits."""
    why: str
    urgency: Urgency
    page: str
    """Where formgrader has it, below the Jupyter server's address; empty where it has nothing to show."""
    path: str
    """The file or folder, seen from the course."""

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        return asdict(self) | {"urgency": self.urgency.name.lower()}


def read_todos(course: Path, assignments: Collection[str] = (), students: Collection[str] = ()) -> list[Todo]:
    """What waits in the course in the folder `course`, most urgent first; of all assignments and students, or of these.

    Raises:
        GradebookError: the gradebook cannot be read, or knows no such assignment.
    """
    course = course.resolve()
    with chdir(course):
        app = AutogradeApp()
        app.initialize(["--log-level=ERROR"])
        with reading(app.coursedir.db_url) as session:
            names = session.scalars(select(Assignment.name).order_by(Assignment.name)).all()
            unknown = sorted(set(assignments) - set(names))
            if unknown:
                known = ", ".join(names) or "none"
                raise GradebookError(f"the gradebook knows no assignment {', '.join(unknown)}; it knows {known}")
            found = [
                todo
                for name in names
                if not assignments or name in assignments
                for todo in (*_ungraded(app.coursedir, name), *_open(app.coursedir, session, name))
                if not students or todo.student in students
            ]
    return sorted(found, key=lambda todo: (todo.urgency, todo.assignment, todo.student, todo.notebook))


def _ungraded(coursedir: Any, assignment: str) -> Iterator[Todo]:
    """Those who handed in and of whom nothing is graded, with the reason where there was an attempt."""
    pattern = coursedir.format_path(coursedir.submitted_directory, "(?P<student>[^/]+)", re.escape(assignment), escape=True)
    history = history_of(coursedir.db_url, Path(coursedir.root), assignment)
    problems = {entry.student: entry.problem for entry in sorted(history.entries.values(), key=lambda entry: entry.when)}
    for path in sorted(glob(coursedir.format_path(coursedir.submitted_directory, "*", assignment))):  # noqa: PTH207  as nbgrader
        match = re.fullmatch(pattern, path)
        if match is None or match["student"] in coursedir.student_id_exclude.split(","):
            continue
        student = match["student"]
        if not Path(coursedir.format_path(coursedir.autograded_directory, student, assignment)).is_dir():
            why = f"handed in, not graded: {problems.get(student) or 'it is still to do, or failed'}"
            yield Todo(
                student=student,
                assignment=assignment,
                notebook="",
                cell="",
                why=why,
                urgency=Urgency.NOT_GRADED,
                page="",
                path=_seen_from(coursedir, path),
            )


def _open(coursedir: Any, session: Any, assignment: str) -> Iterator[Todo]:
    """What the gradebook has marked for a person, cell by cell; a notebook that could not be read is one thing."""
    query = (
        select(SubmittedAssignment.student_id, Notebook.name, SubmittedNotebook.id, BaseCell.name, Grade.manual_score)
        .select_from(Grade)
        .join(BaseCell, BaseCell.id == Grade.cell_id)
        .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
        .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .where(Assignment.name == assignment, Grade.needs_manual_grade)
    )
    reports: dict[str, Report | None] = {}
    for student, notebook, page, cell, by_hand in session.execute(query):
        folder = Path(coursedir.format_path(coursedir.autograded_directory, student, assignment))
        first = page not in reports
        if first:
            reports[page] = read_report(report_path(folder, notebook))
        report = reports[page]
        unreadable = "" if report is None else report.unreadable
        if unreadable and not first:
            continue
        urgency, why = (
            (Urgency.UNREADABLE, unreadable) if unreadable else _why(None if report is None else report.cell(cell), by_hand)
        )
        yield Todo(
            student=student,
            assignment=assignment,
            notebook=notebook,
            cell="" if unreadable else cell,
            why=why,
            urgency=urgency,
            page=f"formgrader/submissions/{page}/",
            path=_seen_from(coursedir, folder / f"{notebook}.ipynb"),
        )


def _why(cell: CellReport | None, by_hand: float | None) -> tuple[Urgency, str]:
    if by_hand is not None:
        return Urgency.AGAIN, f"graded again since a person gave {by_hand:g}: do they still fit?"
    if cell is None or cell.message == BY_HAND.message:
        return Urgency.WRITTEN, "a written answer"
    said = cell.detail or cell.message
    if cell.verdict is Verdict.INTERNAL:
        return Urgency.FAILED, f"the grader failed at it: {said}"
    return Urgency.UNEXAMINED, f"{cell.verdict.value.replace('_', ' ')}: {said}"


def _seen_from(coursedir: Any, path: str | Path) -> str:
    path = Path(path).absolute()
    root = Path(coursedir.root).absolute()
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
