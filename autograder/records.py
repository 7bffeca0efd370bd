"""The gradebook's record of an assignment: read it, and bring it up to date without losing a grade.

Runs: trusted side. With `gradebook` and `feedback_step` the only module that imports nbgrader.

nbgrader refuses to release an assignment whose cells were added or removed once there are submissions (jupyter/nbgrader#1646,
#1699, #1322), and offers only to delete them. `update_gradebook` makes the gradebook's cells those of the source now, in one
transaction; after that nbgrader finds nothing added or removed and works as usual. Everything but the cells stays: scores,
comments, late penalties and extensions. What belonged to a removed cell is written into a file first.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbgrader.api import (
    Assignment,
    Comment,
    Grade,
    Gradebook,
    GradeCell,
    Notebook,
    SolutionCell,
    SourceCell,
    StatementError,
    SubmittedNotebook,
    TaskCell,
)

from autograder.draft import Draft, Place, drafted, files_of, locate
from autograder.errors import AutograderError
from autograder.restore import source_cells
from autograder.revision import CellChange, Cells, Revision, Score, What, compare, compare_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """What `update_gradebook` did."""

    revision: Revision
    backup: Path | None
    """The gradebook as it was; None where it is a server's."""
    export: Path
    """Every grade and comment of the assignment as it was, as JSON."""

    def __str__(self) -> str:
        copy = (
            f"The gradebook as it was: {self.backup}\n"
            if self.backup
            else "A server's gradebook is not copied; it has backups.\n"
        )
        removed = [change.grade_id for change in self.revision.changes if change.what is What.REMOVED and change.notebook]
        gone = f" Those of {', '.join(removed)} are only there now." if removed else ""
        return (
            f"{copy}Grades and comments as they were: {self.export}.{gone}\n"
            f"Grade again: nbgrader autograde {self.revision.id} --force"
        )

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        backup = None if self.backup is None else str(self.backup)
        return {"revision": self.revision.to_json(), "backup": backup, "export": str(self.export)}


def changes_since_release(assignment: str, course: Path, *, renames: Mapping[str, str] | None = None) -> Revision | None:
    """What changed in `assignment` since it was recorded in the gradebook; None while nobody has handed it in.

    `renames` (old id -> new id) says of removed cells what they are called now. Takes some seconds: nbgrader is asked twice.

    Raises:
        AutograderError: the config cannot be loaded, the assignment not be released, or the gradebook not be read.
    """
    place = locate(course, assignment)
    if not has_submissions(place):
        return None
    with drafted(place) as draft:
        return revision_of(place, draft, renames=renames)


def has_submissions(place: Place) -> bool:
    """Whether the gradebook holds a submission of the assignment.

    Raises:
        AutograderError: the gradebook cannot be read.
    """
    if not place.has_gradebook:
        return False
    with _opened(place) as gradebook:
        found = gradebook.db.query(Assignment).filter(Assignment.name == place.assignment).one_or_none()
        return found is not None and len(found.submissions) > 0


def revision_of(place: Place, draft: Draft, *, renames: Mapping[str, str] | None = None) -> Revision:
    """What changed from the gradebook's cells to those of `draft`, and for whom.

    Raises:
        AutograderError: the gradebook cannot be read, or a rename is none.
    """
    files = compare_files(files_of(place.release), files_of(draft.folder))
    with Gradebook(draft.db_url, place.course_id) as drawn, _opened(place) as gradebook:
        return _revision(gradebook, place.assignment, _cells(drawn, place.assignment), renames, files)


def update_gradebook(place: Place, draft: Draft, *, renames: Mapping[str, str] | None = None) -> Updated:
    """Make the gradebook's cells of the assignment those of `draft`; all of it or nothing.

    New cells get empty grades that ask to be graded. Grades of cells whose test, points or kind changed are marked as waiting
    for a look, which grading again takes back; their scores stay till then.

    Raises:
        AutograderError: it could not be done; the gradebook is as it was.
    """
    files = compare_files(files_of(place.release), files_of(draft.folder))
    with Gradebook(draft.db_url, place.course_id) as drawn, _opened(place) as gradebook:
        try:
            _lock(gradebook, place.assignment)
            revision = _revision(gradebook, place.assignment, _cells(drawn, place.assignment), renames, files)
            backup, export = _keep(place, gradebook, revision)
            _apply(gradebook, drawn, place.assignment, revision)
            gradebook.db.commit()
        except BaseException:
            gradebook.db.rollback()
            raise
    return Updated(revision=revision, backup=backup, export=export)


@contextmanager
def _opened(place: Place) -> Iterator[Any]:
    """The gradebook of a place; what the database refuses is told in our words, and then nothing was changed."""
    try:
        with Gradebook(place.db_url, place.course_id) as gradebook:
            yield gradebook
    except (StatementError, sqlite3.Error) as error:
        name = place.gradebook_path or "the gradebook"
        raise AutograderError(
            f"{name}: {str(error).splitlines()[0]}. It is as it was. If it is locked, something else is writing: close "
            "formgrader, wait for `nbgrader autograde` to end, and try again. After an upgrade of nbgrader it "
            "may want `nbgrader db upgrade`. `autograder doctor` looks at the gradebook."
        ) from error


def _lock(gradebook: Any, assignment: str) -> None:
    """From here to the end of the transaction nobody else can record a grade that would be overlooked.

    In SQLite any write locks all; elsewhere each grade and comment is locked, which SQLite ignores.
    """
    gradebook.db.query(Assignment).filter(Assignment.name == assignment).update({"name": assignment})
    for row in (Grade, Comment):
        found = gradebook.db.query(row.id).join(SubmittedNotebook, SubmittedNotebook.id == row.notebook_id)
        found = found.join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
        found = found.join(Assignment, Assignment.id == Notebook.assignment_id)
        found.filter(Assignment.name == assignment).with_for_update(of=row).all()


def _cells(gradebook: Any, assignment: str) -> Cells:
    return {notebook.name: source_cells(notebook) for notebook in gradebook.find_assignment(assignment).notebooks}


def _revision(
    gradebook: Any, assignment: str, now: Cells, renames: Mapping[str, str] | None, files: list[CellChange]
) -> Revision:
    found = gradebook.find_assignment(assignment)
    scores = [
        Score(
            student=submission.student.id,
            notebook=notebook.name,
            grade_id=grade.name,
            auto_score=grade.auto_score,
            manual_score=grade.manual_score,
            extra_credit=grade.extra_credit,
        )
        for submission in found.submissions
        for notebook in submission.notebooks
        for grade in notebook.grades
    ]
    students = sorted(submission.student.id for submission in found.submissions)
    then = _cells(gradebook, assignment)
    return compare(assignment, then, now, students=students, scores=scores, renames=renames, files=files)


def _keep(place: Place, gradebook: Any, revision: Revision) -> tuple[Path | None, Path]:
    """Copy the gradebook where it is a file, and export the assignment's grades and comments; the two paths."""
    path = place.gradebook_path
    stem = path or place.root / "gradebook.db"
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    backup = None
    if path is not None:
        backup = stem.with_name(f"{stem.name}.{stamp}.backup")
        _make_private(backup)
        with closing(sqlite3.connect(path)) as original, closing(sqlite3.connect(backup)) as copy:
            original.backup(copy)
        shutil.copymode(path, backup)
    export = stem.with_name(f"{stem.name}.{stamp}.{place.assignment}.json")
    _make_private(export)
    export.write_text(json.dumps(_exported(gradebook, place.assignment, revision), indent=1), encoding="utf-8")
    return backup, export


def _make_private(path: Path) -> None:
    """Make an empty file that nobody else can read: grades go into it."""
    path.touch(mode=0o600, exist_ok=False)


def _exported(gradebook: Any, assignment: str, revision: Revision) -> dict[str, Any]:
    changes = revision.to_json()["changes"]
    submitted = [
        notebook for submission in gradebook.find_assignment(assignment).submissions for notebook in submission.notebooks
    ]
    rows = {
        "grades": [grade.to_dict() for notebook in submitted for grade in notebook.grades],
        "comments": [comment.to_dict() for notebook in submitted for comment in notebook.comments],
    }
    for row in (*rows["grades"], *rows["comments"]):
        place = row["notebook"], row["name"]
        row["changes"] = [change["what"] for change in changes if (change["notebook"], change["grade_id"]) == place]
    return {"assignment": assignment, "changes": changes, **rows}


def _apply(gradebook: Any, drawn: Any, assignment: str, revision: Revision) -> None:
    db, recorded = gradebook.db, gradebook.find_assignment(assignment)
    wanted = {notebook.name: notebook for notebook in drawn.find_assignment(assignment).notebooks}
    for notebook in list(recorded.notebooks):
        names = {old: new for (book, old), new in revision.renamed.items() if book == notebook.name}
        for cell in [*notebook.grade_cells, *notebook.solution_cells, *notebook.task_cells, *notebook.source_cells]:
            cell.name = names.get(cell.name, cell.name)
        db.flush()
        _remove_cells(db, notebook, wanted.get(notebook.name))
        if notebook.name not in wanted:
            db.expire_all()
            for submitted in list(notebook.submissions):
                db.delete(submitted)
            db.delete(notebook)
    db.flush()
    db.expire_all()
    for name, drawing in wanted.items():
        notebook = next((found for found in recorded.notebooks if found.name == name), None)
        if notebook is None:
            notebook = Notebook(name=name, assignment=recorded)
            db.add(notebook)
        notebook.kernelspec = drawing.kernelspec
        _update_cells(db, notebook, drawing)
        db.flush()
        _fill_submissions(db, recorded, notebook)
    _ask_for_a_look(recorded, revision)
    db.flush()


def _remove_cells(db: Any, notebook: Any, drawing: Any) -> None:
    """Delete the cells that `drawing` lacks (all of them where it is None), with their grades and comments."""
    for kind in ("grade_cells", "solution_cells", "task_cells", "source_cells"):
        wanted = set() if drawing is None else {cell.name for cell in getattr(drawing, kind)}
        for cell in [cell for cell in getattr(notebook, kind) if cell.name not in wanted]:
            for row in () if kind == "source_cells" else [*cell.grades, *cell.comments]:
                db.delete(row)
            db.flush()
            db.delete(cell)
    db.flush()


def _update_cells(db: Any, notebook: Any, drawing: Any) -> None:
    """Add the cells that `notebook` lacks, and set all to what `drawing` says."""
    kinds = {
        "grade_cells": (GradeCell, ("max_score", "cell_type")),
        "solution_cells": (SolutionCell, ()),
        "task_cells": (TaskCell, ("max_score", "cell_type")),
        "source_cells": (SourceCell, ("cell_type", "locked", "source", "checksum")),
    }
    for kind, (make, fields) in kinds.items():
        there = {cell.name: cell for cell in getattr(notebook, kind)}
        for cell in getattr(drawing, kind):
            values = {field: getattr(cell, field) for field in fields}
            if cell.name not in there:
                db.add(make(name=cell.name, notebook=notebook, **values))
            else:
                for field, value in values.items():
                    setattr(there[cell.name], field, value)


def _fill_submissions(db: Any, recorded: Any, notebook: Any) -> None:
    """Give every submission the rows that nbgrader gives a new one, where it lacks them."""
    db.expire(notebook)
    for submission in recorded.submissions:
        submitted = next((found for found in submission.notebooks if found.notebook_id == notebook.id), None)
        if submitted is None:
            submitted = SubmittedNotebook(notebook=notebook, assignment=submission)
            db.add(submitted)
            db.flush()
        graded, commented = ({row.cell_id for row in rows} for rows in (submitted.grades, submitted.comments))
        for cell in [*notebook.grade_cells, *notebook.task_cells]:
            if cell.id not in graded:
                db.add(Grade(cell_id=cell.id, notebook=submitted, needs_manual_grade=True))
        for cell in [*notebook.solution_cells, *notebook.task_cells]:
            if cell.id not in commented:
                db.add(Comment(cell_id=cell.id, notebook=submitted))


def _ask_for_a_look(recorded: Any, revision: Revision) -> None:
    """Mark the grades of changed cells, so that formgrader shows them until they are graded again."""
    changed = {
        (change.notebook, change.grade_id) for change in revision.changes if change.matters and change.what is not What.RENAMED
    }
    for submission in recorded.submissions:
        for notebook in submission.notebooks:
            for grade in notebook.grades:
                if (notebook.name, grade.name) in changed:
                    grade.needs_manual_grade = True
