"""Grades out of the gradebook, for spreadsheets, Canvas and Moodle; as a command of ours and as exporters of nbgrader's.

Runs: trusted side. The gradebook is only read.

    nbgrader export --exporter=autograder.export.Grades --to grades.csv      (or .Canvas, .Moodle)

What Canvas and Moodle import, by their own importers:
    Canvas  Student, ID, SIS User ID, SIS Login ID, Section, then a column for each assignment; below the header a row `Points
            Possible`. A student is found by ID, else by a SIS id, else by name. An empty cell is no grade.
            github.com/instructure/canvas-lms, lib/gradebook_importer.rb
    Moodle  any columns, which the person who imports maps: one that says who it is (user name, ID number or e-mail address), and
            one for each grade item. An empty cell is no grade.
            docs.moodle.org/en/Grade_import; github.com/moodle/moodle, grade/import/csv/classes/load_data.php
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.api import Assignment, Student, SubmittedAssignment
from nbgrader.apps import ExportApp
from nbgrader.plugins import ExportPlugin
from sqlalchemy import select

from autograder.errors import GradebookError
from autograder.late import LatePenalties
from autograder.scores import reading
from autograder.spreadsheet import Cell, csv_of

_CANVAS_FIRST = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
_POINTS_POSSIBLE = "    Points Possible"
"""With the spaces that Canvas writes itself."""
_MOODLE_FIRST = ("Username", "First name", "Last name", "ID number", "Email address")
_NBGRADERS = (
    *("assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email"),
    *("raw_score", "late_submission_penalty", "score", "max_score"),
)
"""The columns of `nbgrader export`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What one student has for one assignment."""

    assignment: str
    due: str
    max_score: float
    student: str
    first_name: str
    last_name: str
    email: str
    lms_id: str
    """The learning platform's own number of the student, where the gradebook has it."""
    handed_in: bool
    timestamp: str
    raw_score: float
    penalty: float
    waits: bool
    """Whether a person has still to give or confirm points."""

    @property
    def score(self) -> float:
        """What counts now."""
        return round(max(0.0, self.raw_score - self.penalty), 4)


def _grades(standings: Sequence[Standing]) -> Iterator[Sequence[Cell]]:
    """nbgrader's own columns, and whether a person is still waited for."""
    yield (*_NBGRADERS, "needs_manual_grade")
    for one in standings:
        who = one.student, one.last_name, one.first_name, one.email
        points = round(one.raw_score, 4), round(one.penalty, 4), one.score, one.max_score
        yield (one.assignment, one.due, one.timestamp, *who, *points, "yes" if one.waits else "no")


def _canvas(standings: Sequence[Standing]) -> Iterator[Sequence[Cell]]:
    """One row for each student; nbgrader's student id is taken for the login."""
    most = {one.assignment: one.max_score for one in standings}
    yield (*_CANVAS_FIRST, *most)
    yield (_POINTS_POSSIBLE, None, None, None, None, *most.values())
    for student, scores in _by_student(standings):
        name = ", ".join(filter(None, (student.last_name, student.first_name))) or student.student
        yield (name, student.lms_id, None, student.student, None, *(scores.get(assignment) for assignment in most))


def _moodle(standings: Sequence[Standing]) -> Iterator[Sequence[Cell]]:
    """One row for each student; nbgrader's student id is taken for the user name."""
    assignments = list(dict.fromkeys(one.assignment for one in standings))
    yield (*_MOODLE_FIRST, *assignments)
    for student, scores in _by_student(standings):
        who = student.student, student.first_name, student.last_name, student.lms_id, student.email
        yield (*who, *(scores.get(assignment) for assignment in assignments))


FORMATS: Mapping[str, Callable[[Sequence[Standing]], Iterator[Sequence[Cell]]]] = {
    "csv": _grades,
    "canvas": _canvas,
    "moodle": _moodle,
}


def _by_student(standings: Sequence[Standing]) -> Iterator[tuple[Standing, dict[str, float]]]:
    """Any standing of each student, and the scores of what was handed in."""
    found: dict[str, list[Standing]] = {}
    for one in standings:
        found.setdefault(one.student, []).append(one)
    for those in found.values():
        yield those[0], {one.assignment: one.score for one in those if one.handed_in}


def read_standings(
    session: Any, late: LatePenalties, assignments: Collection[str] = (), students: Collection[str] = ()
) -> list[Standing]:
    """Everybody's standing in a gradebook's `session`, of all assignments and students or these; late penalties by the course's
    rules as they are now.

    Raises:
        ExtensionsError: see `LatePenalties.extensions`.
        GradebookError: it knows no such assignment or student.
    """
    known = session.scalars(select(Assignment).order_by(Assignment.duedate.nulls_last(), Assignment.name)).all()
    everybody = session.scalars(select(Student).order_by(Student.last_name, Student.first_name, Student.id)).all()
    for what, asked, there in (
        ("assignment", assignments, [one.name for one in known]),
        ("student", students, [one.id for one in everybody]),
    ):
        unknown = sorted(set(asked) - set(there))
        if unknown:
            raise GradebookError(f"the gradebook knows no {what} {', '.join(unknown)}; it knows {', '.join(there) or 'none'}")
    found = []
    for assignment in known:
        if assignments and assignment.name not in assignments:
            continue
        query = select(SubmittedAssignment).where(SubmittedAssignment.assignment_id == assignment.id)
        submissions = {one.student_id: one for one in session.scalars(query)}
        found += [
            _standing(assignment, student, submissions.get(student.id), late)
            for student in everybody
            if not students or student.id in students
        ]
    return found


def _standing(assignment: Assignment, student: Student, submission: SubmittedAssignment | None, late: LatePenalties) -> Standing:
    penalties = [] if submission is None else [late.penalty(notebook) or 0.0 for notebook in submission.notebooks]
    return Standing(
        assignment=assignment.name,
        due=_text(assignment.duedate),
        max_score=float(assignment.max_score),
        student=student.id,
        first_name=_text(student.first_name),
        last_name=_text(student.last_name),
        email=_text(student.email),
        lms_id=_text(student.lms_user_id),
        handed_in=submission is not None,
        timestamp=_text(None if submission is None else submission.timestamp),
        raw_score=0.0 if submission is None else float(submission.score),
        penalty=sum(penalties),
        waits=submission is not None and bool(submission.needs_manual_grade),
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written where."""

    path: Path
    standings: tuple[Standing, ...]

    @property
    def waiting(self) -> list[Standing]:
        """Those whose score is not the last word."""
        return [one for one in self.standings if one.waits]


def export_grades(
    course: Path, form: str, to: Path | None = None, *, assignments: Collection[str] = (), students: Collection[str] = ()
) -> Exported:
    """Write the grades of the course in the folder `course` in the format `form`, into the file `to` or else `grades.csv`,
    `grades.canvas.csv` or `grades.moodle.csv` in that folder.

    Raises:
        ExtensionsError: `extensions.toml` cannot be used.
        GradebookError: the gradebook cannot be read, or knows no such assignment or student.
        OSError: the file cannot be written.
    """
    course = course.resolve()
    path = to or course / ("grades.csv" if form == "csv" else f"grades.{form}.csv")
    path = path.absolute()
    with chdir(course):
        app = ExportApp()
        app.initialize(["--log-level=ERROR"])
        with reading(app.coursedir.db_url) as session:
            found = read_standings(session, LatePenalties(parent=app), assignments, students)
    _write(path, csv_of(FORMATS[form](found)))
    return Exported(path=path, standings=tuple(found))


def _write(path: Path, text: str) -> None:
    """Put `text` into the file, all of it or nothing, for nobody but its owner to read."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", newline="", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            file.write(text)
            file.close()
            os.replace(file.name, path)  # noqa: PTH105  Path.replace gives the same
        except BaseException:
            os.unlink(file.name)  # noqa: PTH108  likewise
            raise


class Grades(ExportPlugin):  # type: ignore[misc]
    """`nbgrader export --exporter=autograder.export.Grades`: nbgrader's columns, safe to open in a spreadsheet."""

    form = "csv"

    def export(self, gradebook: Any) -> None:
        """Write the grades in nbgrader's `gradebook` into the file that `--to` names."""
        late = LatePenalties(parent=self.parent)
        with gradebook.db.no_autoflush:
            found = read_standings(gradebook.db, late, list(map(str, self.assignment)), list(map(str, self.student)))
        path = Path(self.to or ("grades.csv" if self.form == "csv" else f"grades.{self.form}.csv"))
        _write(path.absolute(), csv_of(FORMATS[self.form](found)))
        self.log.info("Exported %d scores to %s", len(found), path)


class Canvas(Grades):
    """The columns that Canvas imports."""

    form = "canvas"


class Moodle(Grades):
    """Columns that Moodle imports."""

    form = "moodle"
