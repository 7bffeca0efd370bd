"""Grades a class: what is new or changed, several submissions at a time, one writer.

Runs: trusted side; this is the driver.

    submitted/ --pack_submission--> Pool --workers--> GradedSubmission --> folder under another name
                                                                       --> gradebook, one transaction
                                                                       --> autograded/, moved into place with its mark
                                                                       --> history, one line
Whatever is interrupted wherever, running again continues: a submission counts as done when its folder is in place, and what
is written into the gradebook before that is written again, the same.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass, field, replace
from glob import escape, glob
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import AutogradeApp
from nbgrader.converters import Autograde

from autograder.bookkeeping import Bookkeeper, Graded
from autograder.errors import GradebookError, NoTime
from autograder.gradebook import AUTOGRADE_STEPS, SANITIZE_STEPS, Grade, SubmissionExporter
from autograder.graded_folders import Mark, Places, is_torn, read_mark
from autograder.history import History, Run, history_of
from autograder.late import Settled
from autograder.package import Package, Submission
from autograder.packing import pack_assignment, pack_submission
from autograder.partial import chosen_cells
from autograder.pool import Pool
from autograder.scores import Ledger
from autograder.submission import AFTER, BEFORE

__all__ = ["ClassRun", "Graded", "Tally", "past_gradings"]


@dataclass(slots=True, kw_only=True)
class Tally:
    """What is known of a run while it goes on."""

    total: int = 0
    """Submissions there are."""
    unchanged: int = 0
    """Those that were graded before, and are as they were."""
    graded: list[Graded] = field(default_factory=list)
    penalties: list[Settled] = field(default_factory=list)
    """Late penalties that changed without a new grading: an extension was granted, a due date moved, points given by hand."""
    driver_cpu_seconds: float = 0.0
    """What the driver itself spent since it began to grade."""


Wanted = Callable[[str, str, str], bool]
"""Asked of a student, the digest of what was handed in, and that of what was graded before (empty where nothing was):
whether to grade it now."""


class ClassRun:
    """Grades one assignment of the course in the folder `root`, as often as it is told to."""

    def __init__(self, root: Path, assignment: str, pool: Pool, *, device: str = "") -> None:
        """`pool` is closed by whoever made it; `device` is the one to grade on, whatever manifest and configuration say.

        Raises:
            GradebookError: the course is not set up for this grader.
        """
        self.assignment = assignment
        self.tally = Tally()
        self._root = root.resolve()
        self._pool = pool
        self._device = device
        with chdir(self._root):
            self._converter = _converter(assignment, device)
            self._places = Places(self._converter, assignment)

    @property
    def device(self) -> str:
        """What submissions are graded on: `cpu` or `cuda`."""
        with chdir(self._root):
            rules = Grade(parent=self._converter).rules(self._converter.coursedir, self.assignment)
        return rules.device_in_use

    def under_way(self) -> dict[str, float]:
        """Student -> seconds since the submission was sent out, longest first."""
        return self._pool.under_way()

    def folders(self, students: Sequence[str] = ()) -> dict[str, Path]:
        """Student -> where what was handed in lies, of all or of `students`."""
        found = {}
        excluded = self._converter.coursedir.student_id_exclude.split(",")
        for pattern in students or [self._converter.coursedir.student_id]:
            for path in _matching(self._converter._format_source(self.assignment, pattern)):
                parts = re.match(self._converter._format_source(re.escape(self.assignment), "(?P<id>.*)", escape=True), path)
                if parts is not None and parts["id"] not in excluded and _matching(f"{path}/*.ipynb"):
                    found[parts["id"]] = Path(path)
        return dict(sorted(found.items()))

    def grade(
        self,
        students: Sequence[str] = (),
        *,
        force: bool = False,
        cells: Sequence[str] = (),
        why: str = "",
        dry_run: bool = False,
    ) -> Iterator[Graded]:
        """Grade what is new or changed, or all with `force`, of all `students` or these; each as soon as it is written down.

        With `cells`, patterns of grade ids, only these cells change, of submissions that were graded before. `why` goes into the
        history. With `dry_run` nothing is written: what comes is what would be.

        At the end, the late penalties of all of them are brought in line, also of those that are unchanged.

        Raises:
            ExtensionsError: `extensions.toml` cannot be used.
            FolderError: the graded submissions cannot be written: a full disk.
            GradebookError: the gradebook cannot be used or lacks the assignment or such cells, or nobody handed in.
            PoolError: there are no workers.
            WallError: student code cannot be walled in.
        """
        folders = self.folders(students)
        if not folders:
            where = self._converter._format_source(self.assignment, ",".join(students) or "*")
            raise GradebookError(f"nobody handed in {self.assignment!r}: no notebook matches {where}/*.ipynb")
        self.tally = Tally(total=len(folders))
        asked = {"students": list(students), "force": force, "cells": list(cells), "device": self._device}
        yield from self._grade(iter(folders), lambda *_: True, asked, why=why, dry_run=dry_run)

    def grade_arriving(self, students: Iterable[str | None], wanted: Wanted) -> Iterator[Graded]:
        """Grade what is new or changed of `students`, and `wanted`; each as soon as it is written down.

        None among them says that there is nobody now: while others are being graded, the next is asked for a little later.

        Raises:
            FolderError, GradebookError, PoolError, WallError: see `grade`.
        """
        self.tally = Tally()
        yield from self._grade(iter(students), wanted, {"arriving": True}, why="", dry_run=False)

    def _grade(
        self, students: Iterator[str | None], wanted: Wanted, asked: dict[str, Any], *, why: str, dry_run: bool
    ) -> Iterator[Graded]:
        coursedir = self._converter.coursedir
        with chdir(self._root), self._alone():
            # A dry run does not even set how the gradebook is written.
            ledger = None if dry_run else Ledger(coursedir.db_url, coursedir.course_id)
            try:
                package = self._read_package() if ledger is None else ledger.read(self._package)
                digest, chosen = package.digest(), chosen_cells(package, asked.get("cells", ()))
                run = Run(assignment=self.assignment, package=digest, why=why, options=asked)
                books = Bookkeeper(
                    self._converter, package, run, _history(self._converter, self.assignment), ledger, chosen=chosen
                )
                sent: dict[str, Submission] = {}
                began = time.process_time()
                changed = self._changed(package, digest, students, sent, wanted, books, force=bool(asked.get("force")))
                for result in self._pool.grade(package, changed):
                    graded = books.write(sent.pop(result.student), result)
                    self.tally.graded.append(graded)
                    self.tally.driver_cpu_seconds += time.process_time() - began
                    yield graded
                    began = time.process_time()  # what was done with it meanwhile is not the driver's
                if "arriving" not in asked:
                    self.tally.penalties = books.settle(asked["students"])
            finally:
                if ledger is not None:
                    ledger.close()

    def _changed(
        self,
        package: Package,
        digest: str,
        students: Iterator[str | None],
        sent: dict[str, Submission],
        wanted: Wanted,
        books: Bookkeeper,
        *,
        force: bool,
    ) -> Iterator[Submission | None]:
        """The submissions that are to be graded, read one after the other."""
        coursedir, names = self._converter.coursedir, [sheet.name for sheet in package.sheets]
        for student in students:
            if student is None:
                yield None
                continue
            folder, mark = self._places.source(student), books.look_up(student)
            self._converter.notebooks = _matching(f"{escape(str(folder))}/*.ipynb")
            submission = _packed(folder, student, names, coursedir.ignore)
            if not force and self._is_done(student, folder, mark, submission, digest):
                self.tally.unchanged += 1
                continue
            if not wanted(student, submission.digest(), "" if mark is None else mark.submission):
                continue
            if self._converter.pre_convert_hook and not books.dry_run:
                self._converter.run_pre_convert_hook()
                submission = _packed(folder, student, names, coursedir.ignore)
            problem = books.why_not(submission)
            if problem:
                self.tally.graded.append(Graded(student=student, problem=problem))
                continue
            sent[student] = submission
            yield submission

    def _is_done(self, student: str, folder: Path, mark: Mark | None, submission: Submission, digest: str) -> bool:
        """Whether the submission was graded as it is now. What nbgrader graded bears no mark: there its own rule holds."""
        done = self._places.graded(student)
        if not done.exists() or is_torn(done):
            return False
        if mark is not None:
            return mark.is_of(submission, digest)
        with suppress(NoTime):  # no time at all: grading it says so
            new, old = self._places.timestamp(folder), self._places.timestamp(done)
            return new is None or old is None or new <= old
        return False

    def _read_package(self) -> Package:
        coursedir = self._converter.coursedir
        with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
            return self._package(gradebook)

    def _package(self, gradebook: Gradebook) -> Package:
        converter = self._converter
        rules = Grade(parent=converter).rules(converter.coursedir, self.assignment)
        if rules.device == replace(rules, device="").device_in_use:
            rules = replace(rules, device="")  # said twice: nothing about a grade depends on that
        traits = {step.__name__: step(parent=converter).trait_values(config=True) for step in (*BEFORE, *AFTER)}
        keep = converter.exclude_overwriting.get(self.assignment, [])
        try:
            found = gradebook.find_assignment(self.assignment)
        except MissingEntry:
            raise GradebookError(
                f"the gradebook knows no assignment {self.assignment!r}. `nbgrader generate_assignment {self.assignment}` "
                "enters it there."
            ) from None
        return pack_assignment(found, converter.coursedir, rules, keep=keep, traits=traits)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock of the course's graded submissions: two writers would undo each other's work."""
        place = Path(self._converter.coursedir.format_path(self._converter.coursedir.autograded_directory, ".", ".")).resolve()
        place.mkdir(parents=True, exist_ok=True)
        lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise GradebookError(f"another `autograder grade` is at work in {place}; wait for it, or stop it.") from None
        finally:
            os.close(lock)


def past_gradings(root: Path, assignment: str) -> History:
    """The history of the assignment in the course in folder `root`, with what a killed run could not write there any more.

    Raises:
        GradebookError: the course is not set up for this grader.
        OSError: it is there and cannot be read.
    """
    with chdir(root):
        converter = _converter(assignment)
        history = _history(converter, assignment)
        for path in _matching(converter._format_dest(assignment, "*")):
            mark = read_mark(Path(path))
            if mark is not None and mark.entry is not None:
                history.entries.setdefault(mark.entry.id, mark.entry)
    return history


def _history(converter: Any, assignment: str) -> History:
    coursedir = converter.coursedir
    return history_of(coursedir.db_url, Path(coursedir.root), assignment, for_group=coursedir.groupshared)


def _converter(assignment: str, device: str = "") -> Any:
    """nbgrader's converter with the course's configuration; it says where things lie and which settings hold.

    Raises:
        GradebookError: the configuration has other steps than ours.
    """
    app = AutogradeApp()
    chosen = [f"--Grade.device={device}"] if device else []
    app.initialize([f"--assignment={assignment}", "--log-level=ERROR", *chosen])
    converter = Autograde(coursedir=app.coursedir, parent=app)
    if converter.exporter_class is not SubmissionExporter:
        raise GradebookError(
            f"{app.coursedir.root}: its nbgrader_config.py does not configure this grader. Put `from autograder import "
            "configure` and `configure(c)` into it; `autograder doctor` says whether they are found."
        )
    steps = [*converter.sanitize_preprocessors, *converter.autograde_preprocessors]
    others = [step.__name__ for step in steps if step not in (*SANITIZE_STEPS, *AUTOGRADE_STEPS)]
    if others or steps != [*SANITIZE_STEPS, *AUTOGRADE_STEPS]:
        raise GradebookError(
            f"this course changes the steps of nbgrader's autograde ({', '.join(others) or 'another order, or fewer'}), and "
            f"workers know only the usual ones. `nbgrader autograde {assignment}` runs them, one submission at a time."
        )
    return converter


def _matching(pattern: str) -> list[str]:
    """The paths that match `pattern` as nbgrader reads it."""
    return sorted(glob(pattern))  # noqa: PTH207  Path.glob would also find hidden ones


def _packed(folder: Path, student: str, notebooks: Sequence[str], ignore: Sequence[str]) -> Submission:
    try:
        return pack_submission(folder, student, notebooks, ignore)
    except OSError as error:
        return Submission(student=student, problem=f"{error.filename or folder} could not be read: {error.strerror}")
