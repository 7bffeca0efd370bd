"""Writes down what came of one submission: its folder, the gradebook, the history; and says what it changed.

Runs: trusted side; of everything that is written there is one writer, the driver that holds the class's lock.

    was  <-- reports in the graded folder, scores in the gradebook
    folder under another name, with its mark  ->  gradebook, one transaction  ->  folder moved into place  ->  history, one line

Stopped anywhere between, it is done again from the start, and what was is still what it was: the folder is moved last, and the
mark in it holds the line of the history.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from autograder.differences import Difference, differences, outcomes_after, outcomes_before
from autograder.errors import AutograderError, FolderError, MissingInGradebook, NoTime
from autograder.extensions import FILE
from autograder.folders import beside, put_in_place
from autograder.graded_folders import Mark, Places, discard, emptied, read_mark, recover, reports_in, write_folder
from autograder.history import Entry, History, Run
from autograder.late import LatePenalties, Settled, settle, strangers
from autograder.package import GradedSubmission, Package, Submission
from autograder.partial import Merged, mark_of, merged, why_not, write_merged
from autograder.report import Report
from autograder.revision import Score
from autograder.scores import Ledger, read_scores, reading
from autograder.verdict import Verdict

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """One submission, written down."""

    student: str
    reports: tuple[Report, ...] = ()
    problem: str = ""
    """Why nothing of it was graded."""
    seconds: float = 0.0
    again: bool = False
    """Whether it had been graded before."""
    differences: tuple[Difference, ...] = ()
    """What comes out otherwise than before."""

    @property
    def points(self) -> float:
        """The automatic points earned."""
        return sum(report.score for report in self.reports)

    @property
    def verdicts(self) -> dict[Verdict, int]:
        """How many cells ended how."""
        found = [cell.verdict for report in self.reports for cell in report.cells]
        return {verdict: found.count(verdict) for verdict in Verdict if verdict in found}

    @property
    def attention(self) -> str:
        """Why staff must look at it before anything else; empty where they need not."""
        unreadable = [report.unreadable.split(". ")[0] for report in self.reports if report.unreadable]
        ours = ["the grader failed at some cells, see the report"] if Verdict.INTERNAL in self.verdicts else []
        return "; ".join([*([self.problem] if self.problem else []), *unreadable, *ours])


class Bookkeeper:
    """Writes down the submissions of one run."""

    def __init__(
        self,
        converter: Any,
        package: Package,
        run: Run,
        history: History,
        ledger: Ledger | None,
        *,
        chosen: frozenset[str] | None,
    ) -> None:
        """`chosen` are the graded cells that may change, None for all; without a `ledger` nothing is written at all."""
        self._converter = converter
        self._places = Places(converter, package.assignment)
        self._package = package
        self._run = run
        self._history = history
        self._chosen = chosen
        self._late = LatePenalties(parent=converter)
        _ = self._late.extensions  # a mistake in them is told before anything is graded
        self._ledger = ledger

    def settle(self, students: Collection[str]) -> list[Settled]:
        """Bring the late penalties of those who were not graded in line too, of all or of `students`; those that changed, or in
        a dry run would."""
        coursedir, name = self._converter.coursedir, self._package.assignment
        with reading(coursedir.db_url) as session:
            known = {name, *(path.name for path in Path(coursedir.format_path(coursedir.source_directory, ".", ".")).glob("*"))}
            for stranger in strangers(session, self._late, known):
                log.warning("%s names %r, which neither the gradebook nor the course's folders know: misspelt?", FILE, stranger)
            if self._ledger is None:
                with session.no_autoflush:
                    found = settle(session, name, self._late, students)
                session.rollback()
                return found
        return self._ledger.settle(name, self._late, students)

    @property
    def dry_run(self) -> bool:
        """Whether nothing is written."""
        return self._ledger is None

    def look_up(self, student: str) -> Mark | None:
        """The mark of what is graded, after what a killed run has left is put right."""
        final = self._places.graded(student)
        if self._ledger is not None:
            recover(final)
        mark = read_mark(final)
        if self._ledger is not None and mark is not None and mark.entry is not None:
            self._history.add(mark.entry)  # there already, unless a run was killed in between
        return mark

    def why_not(self, submission: Submission) -> str:
        """Why `submission` cannot be graded in this run; empty where it can."""
        return "" if self._chosen is None else why_not(self._places.graded(submission.student), submission)

    def write(self, submission: Submission, result: GradedSubmission) -> Graded:
        """Write down what came of `submission`; what that is, and what it changes.

        Raises:
            FolderError: the folder, or the history, cannot be written.
            GradebookError: the gradebook cannot be written.
        """
        student, final, mixed = result.student, self._places.graded(result.student), None
        problem = result.problem or ("" if result.notebooks else "no notebook of the assignment was handed in")
        scores = self._scores(student)
        before, after = outcomes_before(reports_in(final, self._package), scores), outcomes_after(self._package, result)
        if self._chosen is not None and not problem:
            try:
                mixed = merged(final, result, self._chosen, self._run)
                result = mixed.result
            except AutograderError as error:
                problem = str(error)
        graded = Graded(
            student=student,
            reports=tuple(notebook.report for notebook in result.notebooks),
            seconds=result.seconds,
            again=final.exists(),
            differences=differences(before, after, scores, self._chosen),
        )
        if self._ledger is not None:
            try:
                problem = self._put_down(self._ledger, submission, result, mixed, graded, problem)
            except OSError as error:
                with suppress(OSError):
                    emptied(beside(final, "partial"))  # room for others; that it is there says that this is not finished
                raise FolderError.of(final.absolute(), error) from error
        if problem:
            graded = replace(graded, problem=problem, reports=(), differences=())
        if graded.attention:
            log.info("%s, %s: %s", student, self._package.assignment, graded.attention)
        return graded

    def _put_down(
        self,
        ledger: Ledger,
        submission: Submission,
        result: GradedSubmission,
        mixed: Merged | None,
        graded: Graded,
        problem: str,
    ) -> str:
        """Write folder, gradebook and history; why nothing was graded, where that is so."""
        student, final = graded.student, self._places.graded(graded.student)
        entry = Entry(run=self._run.id, student=student, points=graded.points, again=graded.again, differences=graded.differences)
        self._history.begin(self._run)
        try:
            timestamp = self._places.timestamp(self._places.source(student))
            if not problem:
                self._write_folder(submission, result, mixed, graded, entry)
            problem = self._record(ledger, student, timestamp, result, problem)
        except NoTime as error:
            problem = str(error)
            if self._converter.create_student:
                ledger.enter_student(student)
        if problem:
            entry = replace(entry, points=None, differences=(), problem=problem)
        if problem and self._chosen is not None:
            discard(beside(final, "partial"))  # all of it stays as it was
        else:
            put_in_place(beside(final, "partial"), final, there=not problem)
        self._history.add(entry)
        if not problem and self._converter.coursedir.groupshared:
            self._converter.set_permissions(self._package.assignment, student)
        self._converter.run_post_convert_hook()
        return problem

    def _write_folder(
        self, submission: Submission, result: GradedSubmission, mixed: Merged | None, graded: Graded, entry: Entry
    ) -> None:
        """Write the graded folder under another name."""
        final = self._places.graded(graded.student)
        place, permissions = beside(final, "partial"), self._places.permissions
        if mixed is not None:
            mark = mark_of(final, mixed, submission, self._run.package, entry)
            write_merged(place, final, mixed, permissions, mark)
            return
        whole = Verdict.INTERNAL not in graded.verdicts  # what the grader failed at the next run tries again
        mark = Mark(submission=submission.digest(), package=self._run.package if whole else "", entry=entry)
        write_folder(place, self._package, submission, result, permissions, mark)

    def _scores(self, student: str) -> tuple[Score, ...]:
        """What is recorded of the submission before anything is written."""
        if self._ledger is not None:
            return self._ledger.scores(self._package.assignment, student)
        coursedir = self._converter.coursedir
        return read_scores(coursedir.db_url, coursedir.course_id, self._package.assignment, student)

    def _record(self, ledger: Ledger, student: str, timestamp: Any, result: GradedSubmission, problem: str) -> str:
        """Write `result` into the gradebook, or that there is none; why there is none."""
        marks = {} if problem else {notebook.name: notebook.marks for notebook in result.notebooks}
        record = partial(
            ledger.record,
            self._package.assignment,
            student,
            timestamp=timestamp,
            late=self._late,
            create_student=self._converter.create_student,
            others_stay=self._chosen is not None,
        )
        try:
            record(marks=marks)
        except MissingInGradebook as error:
            with suppress(MissingInGradebook):
                record(marks={})
            return str(error)
        return problem
