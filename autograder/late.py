"""Late penalties in the gradebook: nbgrader's, with the extensions and the rule of `extensions.toml`.

Runs: trusted side. The gradebook's own due dates and extensions are read, never written.

A penalty depends on what was earned, so it is worked out whenever a score is written, and anew for what is not graded again
(`settle`): points given by hand, an extension granted or a due date moved since leave no stale one behind.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.api import Assignment, Gradebook, Student, SubmittedAssignment, SubmittedNotebook
from nbgrader.plugins import LateSubmissionPlugin
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy import or_, select

from autograder.errors import ExtensionsError
from autograder.extensions import FILE, Extensions, read_extensions

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A late penalty that was not what it has to be."""

    student: str
    notebook: str
    old: float
    new: float


class LatePenalties(AssignLatePenalties):  # type: ignore[misc]
    """nbgrader's late penalties, in a session that is open already.

    How late somebody is, `extensions.toml` has a word in; what it costs, its `[late]` says, or else the course's plugin.
    """

    _known: tuple[tuple[int, int], Extensions] | None = None

    @property
    def extensions(self) -> Extensions:
        """What the course's file says now; nothing without a course.

        Raises:
            ExtensionsError: it cannot be used, or says what being late costs where the course's plugin does too.
        """
        owner: Any = self.parent
        while owner is not None and not hasattr(owner, "coursedir"):
            owner = owner.parent
        if owner is None:
            return Extensions()
        course = Path(owner.coursedir.root)
        try:
            found = (course / FILE).stat()
        except FileNotFoundError:
            return Extensions()
        version = found.st_mtime_ns, found.st_size
        if self._known is None or self._known[0] != version:
            self._known = version, self._checked(read_extensions(course))
        return self._known[1]

    def _checked(self, extensions: Extensions) -> Extensions:
        self.init_plugin()
        plugin = self.plugin_inst
        if extensions.rule is not None and (type(plugin) is not LateSubmissionPlugin or plugin.penalty_method != "none"):
            raise ExtensionsError(
                f"{FILE} has a table [late], and nbgrader_config.py sets {type(plugin).__name__} too; which of them counts? "
                "Take one out: extensions hold with either."
            )
        return extensions

    def penalty(self, notebook: SubmittedNotebook) -> float | None:
        """The points to take off a submitted notebook, whose scores are in the session; None where there is no penalty.

        Raises:
            ExtensionsError: see `extensions`.
        """
        submission, extensions = notebook.assignment, self.extensions
        late = _seconds_late(submission, extensions)
        if late <= 0:
            return None
        if extensions.rule is not None:
            penalty: float | None = extensions.rule.penalty(notebook.score, late) or None
        else:
            self.init_plugin()
            penalty = self.plugin_inst.late_submission_penalty(submission.student.id, notebook.score, late)
        return None if penalty is None else float(self._check_late_penalty(notebook, penalty))

    def assign(self, notebook: SubmittedNotebook) -> None:
        """Set the penalty of a submitted notebook, whose scores are in the session."""
        notebook.late_submission_penalty = penalty = self.penalty(notebook)
        if penalty is not None:
            self.log.warning("%s is late; penalty: %s", notebook.assignment, penalty)

    def preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
        """As a step of nbgrader's own commands."""
        names = resources["nbgrader"]
        with Gradebook(names["db_url"]) as gradebook:
            self.assign(gradebook.find_submission_notebook(names["notebook"], names["assignment"], names["student"]))
            gradebook.db.commit()
        return nb, resources


def _seconds_late(submission: SubmittedAssignment, extensions: Extensions) -> float:
    if submission.timestamp is None or submission.assignment.duedate is None:
        return 0.0
    due = extensions.due(submission.student.id, submission.assignment.name, submission.duedate)
    return float((submission.timestamp - due).total_seconds())


def settle(session: Any, assignment: str, late: LatePenalties, students: Collection[str] = ()) -> list[Settled]:
    """Bring the penalties of `assignment`, of all or of `students`, in line in a gradebook's `session`; those that changed.

    Raises:
        ExtensionsError: see `LatePenalties.extensions`.
    """
    found = []
    query = (
        select(SubmittedNotebook)
        .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
        .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
        .where(Assignment.name == assignment)
        .where(or_(SubmittedNotebook.late_submission_penalty.is_not(None), SubmittedAssignment.timestamp > Assignment.duedate))
    )
    for notebook in session.scalars(query).all():
        student, old, new = notebook.student.id, notebook.late_submission_penalty, late.penalty(notebook)
        if (not students or student in students) and old != new:
            notebook.late_submission_penalty = new
            found.append(Settled(student=student, notebook=notebook.name, old=old or 0.0, new=new or 0.0))
    return [one for one in sorted(found, key=lambda one: (one.student, one.notebook)) if one.old != one.new]


def strangers(session: Any, late: LatePenalties, known: Collection[str]) -> list[str]:
    """The students and assignments in the course's extensions that neither the gradebook nor `known` has: misspelt, perhaps."""
    named = late.extensions.until
    students = {*known, *session.scalars(select(Student.id))}
    assignments = {*known, *session.scalars(select(Assignment.name))}
    return sorted({student for student, _ in named} - students | {name for _, name in named} - assignments)
