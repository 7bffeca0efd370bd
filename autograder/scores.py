"""What grading writes into nbgrader's gradebook.

Runs: trusted side; nothing else of ours writes there.

nbgrader's own commands call these functions with a session that commits when told to; `Ledger` has one for a whole class, in
which everything that one submission changes is one transaction.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from nbgrader.api import (
    Assignment,
    BaseCell,
    Grade,
    Gradebook,
    InvalidEntry,
    MissingEntry,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from sqlalchemy import bindparam, create_engine, event, select
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from autograder.errors import GOES_ON, GradebookError, MissingInGradebook
from autograder.late import LatePenalties, Settled, settle
from autograder.package import Marks
from autograder.revision import Score

log = logging.getLogger(__name__)

_BUSY_SECONDS = 30.0
"""How long a write waits for another program that is writing: formgrader, or nbgrader's own commands."""
DATABASE_ERRORS = (DBAPIError, ArgumentError, sqlite3.Error)
"""What a database that cannot be used has nbgrader raise."""
T = TypeVar("T")


def save_marks(notebook: SubmittedNotebook, marks: Marks) -> None:
    """Write `marks` into a submitted notebook of the gradebook; a person's score (`manual_score`) is never touched, it only asks
    for another look.

    Raises:
        MissingInGradebook: the gradebook has no place for a cell's points.
    """
    grades, comments = by_cell(notebook)
    missing = sorted((marks.points.keys() - grades.keys()) | (marks.comments.keys() - comments.keys()))
    if missing:
        raise MissingInGradebook(
            f"the gradebook has no entry for {', '.join(missing)} in this submission: the assignment was released again with "
            "other cells after it was first graded. Remove the submission from the gradebook (`nbgrader db`) and grade it again."
        )
    for name, points in marks.points.items():
        grade = grades[name]
        grade.auto_score = points
        grade.needs_manual_grade = grade.manual_score is not None or points is None or marks.by_hand
    for name, text in marks.comments.items():
        comments[name].auto_comment = text


def by_cell(notebook: SubmittedNotebook) -> tuple[dict[str, Any], dict[str, Any]]:
    """Grade id -> grade, and grade id -> comment, of a submitted notebook; their own `name` would ask the database each time."""
    released = notebook.notebook
    names = {cell.id: cell.name for cell in (*released.grade_cells, *released.solution_cells, *released.task_cells)}
    return {names[one.cell_id]: one for one in notebook.grades}, {names[one.cell_id]: one for one in notebook.comments}


def save_nothing(notebook: SubmittedNotebook) -> None:
    """A notebook that was not handed in is worth nothing, and nobody need look at it: nbgrader's rule."""
    for grade in notebook.grades:
        grade.auto_score, grade.needs_manual_grade = 0, False


def scores_of(gradebook: Gradebook, assignment: str, student: str) -> tuple[Score, ...]:
    """What the gradebook holds for each graded cell of one submission; nothing where it knows of none."""
    names = ("notebook", "grade_id", "auto_score", "manual_score", "extra_credit")
    rows = gradebook.db.execute(_scores_query(), {"assignment": assignment, "student": student})
    return tuple(Score(student=student, **dict(zip(names, row, strict=True))) for row in rows)


@cache
def _scores_query() -> Any:
    """Columns, not objects, and put together once: either would take longer than what it reads."""
    query = select(Notebook.name, BaseCell.name, Grade.auto_score, Grade.manual_score, Grade.extra_credit)
    return (
        query.select_from(Grade)
        .join(BaseCell, BaseCell.id == Grade.cell_id)
        .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
        .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .join(Student, Student.id == SubmittedAssignment.student_id)
        .where(Assignment.name == bindparam("assignment"), Student.id == bindparam("student"))
    )


def read_scores(db_url: str, course_id: str, assignment: str, student: str) -> tuple[Score, ...]:
    """`scores_of` in a gradebook that nothing is to be written into, not even how it is written."""
    with Gradebook(db_url, course_id) as gradebook:
        return scores_of(gradebook, assignment, student)


@contextmanager
def reading(db_url: str) -> Iterator[Session]:
    """The gradebook, open for reading: whatever is tried, nothing is written into it.

    nbgrader's own way of opening it makes tables and enters the course.

    Raises:
        GradebookError: it cannot be read, or there is none.
    """
    try:
        engine = create_engine(db_url)
        if engine.dialect.name == "sqlite" and engine.url.database and not Path(engine.url.database).is_file():
            raise GradebookError(f"there is no gradebook {engine.url.database}: nothing was released or graded here yet")
        event.listen(engine, "connect", partial(_prepare, _READ_ONLY.get(engine.dialect.name, ())))
        try:
            with Session(engine) as session:
                yield session
        finally:
            engine.dispose()
    except (*DATABASE_ERRORS, ImportError) as error:
        raise unusable(db_url, error) from error


class _OneTransaction(Session):
    """nbgrader's gradebook commits after every step; here nothing is committed before everything is there."""

    def commit(self) -> None:
        self.flush()

    def really_commit(self) -> None:
        super().commit()


class Ledger:
    """The gradebook, open for a whole class; its only writer."""

    def __init__(self, db_url: str, course_id: str) -> None:
        """Raises: GradebookError: it cannot be opened."""
        self._url = db_url
        logging.getLogger("tornado.application").addFilter(_is_news)
        self._book = self._tried(lambda: Gradebook(db_url, course_id))
        prepare = _PREPARATIONS.get(self._book.engine.dialect.name)
        if prepare is not None:
            self._book.db.remove()
            self._book.engine.dispose()
            event.listen(self._book.engine, "connect", partial(_prepare, prepare))
        # Without autoflush: what is flushed while nbgrader builds a submission would be a part of it, and SQLAlchemy warns.
        session = sessionmaker(class_=_OneTransaction, bind=self._book.engine, autoflush=False, future=True)
        self._book.db = scoped_session(session)

    def read(self, question: Callable[[Gradebook], T]) -> T:
        """What `question` finds in the gradebook.

        Raises:
            GradebookError: the gradebook cannot be read.
        """

        def ask() -> T:
            with self._transaction() as book:
                return question(book)

        return self._tried(ask)

    def record(
        self,
        assignment: str,
        student: str,
        *,
        timestamp: datetime | None,
        marks: Mapping[str, Marks],
        late: LatePenalties,
        create_student: bool = True,
        others_stay: bool = False,
    ) -> None:
        """Write down one submission, all of it or nothing: `marks` are those of its notebooks; others count as not handed in, or
        with `others_stay` are as they were.

        With no `marks` at all only that it was handed in, and when.

        Raises:
            GradebookError: the gradebook cannot be written.
            MissingInGradebook: it does not know the student, or a cell.
        """

        def write() -> None:
            with self._transaction() as book:
                if create_student:
                    book.update_or_create_student(student)
                known = {} if timestamp is None else {"timestamp": timestamp}
                submission = book.update_or_create_submission(assignment, student, **known)
                if not marks:
                    return
                for notebook in submission.notebooks:
                    if notebook.name not in marks:
                        if not others_stay:
                            save_nothing(notebook)
                        continue
                    save_marks(notebook, marks[notebook.name])
                    book.db.flush()
                    book.db.expire(notebook)  # its score is the database's sum
                    late.assign(notebook)

        self._tried(write)

    def settle(self, assignment: str, late: LatePenalties, students: Collection[str] = ()) -> list[Settled]:
        """Bring the late penalties of `assignment` in line, of all or of `students`; those that changed.

        Raises:
            ExtensionsError: see `LatePenalties.extensions`.
            GradebookError: see `record`.
        """

        def write() -> list[Settled]:
            with self._transaction() as book:
                return settle(book.db, assignment, late, students)

        return self._tried(write)

    def scores(self, assignment: str, student: str) -> tuple[Score, ...]:
        """What is recorded of one submission now.

        Raises:
            GradebookError: see `record`.
        """

        def read() -> tuple[Score, ...]:
            try:
                return scores_of(self._book, assignment, student)
            finally:
                self._book.db.remove()

        return self._tried(read)

    def enter_student(self, student: str) -> None:
        """Write down only that there is such a student: what nbgrader does where it cannot say when they handed in.

        Raises:
            GradebookError: see `record`.
        """

        def write() -> None:
            with self._transaction() as book:
                book.update_or_create_student(student)

        self._tried(write)

    @contextmanager
    def _transaction(self) -> Iterator[Gradebook]:
        try:
            yield self._book
            self._book.db().really_commit()
        finally:
            self._book.db.remove()  # rolls back what is left

    def _tried(self, action: Callable[[], T]) -> T:
        """What `action` returns; a database that is busy is asked again for a while."""
        until = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                return action()
            except MissingEntry as error:
                raise MissingInGradebook(
                    f"{error}. The gradebook must know the assignment (`nbgrader generate_assignment`), and the student where "
                    "the course says `c.Autograde.create_student = False`."
                ) from error
            except (*DATABASE_ERRORS, InvalidEntry, FileNotFoundError, ModuleNotFoundError) as error:
                # nbgrader calls it an invalid entry whatever the database said to it.
                cause = error.__context__ if isinstance(error, InvalidEntry) and error.__context__ is not None else error
                if "database is locked" not in str(error) or time.monotonic() > until:
                    raise unusable(self._url, cause) from error
                time.sleep(0.05)

    def close(self) -> None:
        """Let go of the database."""
        self._book.close()


def _is_news(record: logging.LogRecord) -> bool:
    """What nbgrader logs of an error of the database, with a traceback, is told by us, or tried again."""
    return not str(record.msg).startswith("Rolling back session")


def unusable(db_url: str, error: BaseException) -> GradebookError:
    """What a person is told about an error of the database."""
    said = str(getattr(error, "orig", None) or error).splitlines()[0]
    advice = " `pip install autograder[postgres]` brings what PostgreSQL needs." if isinstance(error, ImportError) else ""
    return GradebookError(f"the gradebook {db_url.rpartition('@')[2]} cannot be used: {said}.{advice} {GOES_ON}")


_PREPARATIONS = {
    # Readers (formgrader) and the writer do not wait for each other, and two writers wait instead of failing.
    "sqlite": (f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}", "PRAGMA journal_mode = WAL"),
    # Elsewhere only whoever writes the same rows is waited for, and without this for ever.
    "postgresql": (f"SET lock_timeout = '{_BUSY_SECONDS:g}s'",),
}
"""Dialect -> what each connection is told first."""
_READ_ONLY = {"sqlite": ("PRAGMA query_only = ON",), "postgresql": ("SET default_transaction_read_only = on",)}
"""Dialect -> what keeps a connection from writing."""


def _prepare(commands: Sequence[str], connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    for command in commands:
        cursor.execute(command)
    cursor.close()
    connection.commit()
