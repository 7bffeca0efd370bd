"""Grades a class: what is new or changed, several submissions at a time, one writer.

Runs: trusted side; this is the driver.

    submitted/ --pack_submission--> Pool --workers--> GradedSubmission --> folder under another name
                                                                       --> gradebook, one transaction
                                                                       --> autograded/, moved into place with its mark
Whatever is interrupted wherever, running again continues: a submission counts as done when its folder is in place, and what
is written into the gradebook before that is written again, the same.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from glob import glob
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.apps import AutogradeApp
from nbgrader.converters import Autograde

from autograder.errors import FolderError, GradebookError, MissingInGradebook, NoTime
from autograder.folders import beside, put_in_place
from autograder.gradebook import AUTOGRADE_STEPS, SANITIZE_STEPS, Grade, SubmissionExporter
from autograder.package import GradedSubmission, Package, Submission
from autograder.packing import MARK, pack_assignment, pack_submission
from autograder.pool import Pool
from autograder.report import Report, report_path
from autograder.scores import LatePenalties, Ledger
from autograder.submission import AFTER, BEFORE
from autograder.verdict import Verdict
from autograder.workers import Workers

log = logging.getLogger(__name__)

_UNDONE = "{}\n"
"""The mark of a submission that the grader failed at: the next run tries it again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """One submission, written down."""

    student: str
    reports: tuple[Report, ...] = ()
    problem: str = ""
    """Why nothing of it was graded."""
    seconds: float = 0.0

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


@dataclass(slots=True, kw_only=True)
class Tally:
    """What is known of a run while it goes on."""

    total: int = 0
    """Submissions there are."""
    unchanged: int = 0
    """Those that were graded before, and are as they were."""
    graded: list[Graded] = field(default_factory=list)
    driver_cpu_seconds: float = 0.0
    """What the driver itself spent since it began to grade."""


class ClassRun:
    """Grades one assignment of the course in the folder `root`."""

    def __init__(self, root: Path, assignment: str, workers: Workers) -> None:
        """Raises: GradebookError: the course is not set up for this grader."""
        self.assignment = assignment
        self.tally = Tally()
        self._root = root.resolve()
        self._workers = workers
        self._pool: Pool | None = None
        with chdir(self._root):
            self._converter = _converter(assignment)

    def under_way(self) -> dict[str, float]:
        """Student -> seconds since the submission was sent out, longest first."""
        return {} if self._pool is None else self._pool.under_way()

    def grade(self, students: Sequence[str] = (), *, force: bool = False) -> Iterator[Graded]:
        """Grade what is new or changed, or all with `force`, of all `students` or these; each as soon as it is written down.

        Raises:
            FolderError: the graded submissions cannot be written: a full disk.
            GradebookError: the gradebook cannot be used or lacks the assignment, or nobody handed in.
            PoolError: there are no workers.
            WallError: student code cannot be walled in.
        """
        with chdir(self._root), self._alone():
            converter = self._converter
            folders = self._folders(students)
            self.tally.total = len(folders)
            late = LatePenalties(parent=converter)
            ledger = Ledger(converter.coursedir.db_url, converter.coursedir.course_id)
            sent: dict[str, Submission] = {}
            try:
                package = ledger.read(self._package)
                self._pool, digest = Pool(package, self._workers), package.digest()
                began = time.process_time()
                for result in self._pool.grade(self._changed(package, digest, folders, sent, force=force)):
                    submission, final = sent.pop(result.student), self._destination(result.student)
                    try:
                        graded = self._write(package, digest, submission, result, ledger, late)
                    except OSError as error:
                        raise FolderError.of(final.absolute(), error) from error
                    finally:
                        shutil.rmtree(beside(final, "partial"), ignore_errors=True)
                    self.tally.graded.append(graded)
                    self.tally.driver_cpu_seconds = time.process_time() - began
                    yield graded
            finally:
                ledger.close()

    def _changed(
        self, package: Package, digest: str, folders: Mapping[str, Path], sent: dict[str, Submission], *, force: bool
    ) -> Iterator[Submission]:
        """The submissions that are to be graded, read one after the other."""
        coursedir, names = self._converter.coursedir, [sheet.name for sheet in package.sheets]
        for student, folder in folders.items():
            self._converter.notebooks = _matching(str(folder / "*.ipynb"))
            submission = _packed(folder, student, names, coursedir.ignore)
            if not force and self._is_done(student, folder, _mark(submission, digest)):
                self.tally.unchanged += 1
                continue
            if self._converter.pre_convert_hook:
                self._converter.run_pre_convert_hook()
                submission = _packed(folder, student, names, coursedir.ignore)
            sent[student] = submission
            yield submission

    def _is_done(self, student: str, folder: Path, mark: str) -> bool:
        """Whether the submission was graded as it is now. What nbgrader graded bears no mark: there its own rule holds."""
        done = self._destination(student)
        if not done.exists():
            return False
        try:
            return (done / MARK).read_text(encoding="utf-8") == mark
        except OSError:
            with suppress(NoTime):  # no time at all: grading it says so
                new, old = self._timestamp(folder), self._timestamp(done)
                return new is None or old is None or new <= old
            return False

    def _write(
        self,
        package: Package,
        digest: str,
        submission: Submission,
        result: GradedSubmission,
        ledger: Ledger,
        late: LatePenalties,
    ) -> Graded:
        student, reports = result.student, tuple(notebook.report for notebook in result.notebooks)
        problem = result.problem if result.problem or reports else "no notebook of the assignment was handed in"
        final = self._destination(student)
        try:
            timestamp = self._timestamp(self._source(student))
            if not problem:
                mark = _UNDONE if any(_failed_at(report) for report in reports) else _mark(submission, digest)
                _write_folder(beside(final, "partial"), package, submission, result, self._permissions, mark)
            problem = self._record(ledger, student, timestamp, result, late, problem)
        except NoTime as error:
            problem = str(error)
            if self._converter.create_student:
                ledger.enter_student(student)
        put_in_place(beside(final, "partial"), final, there=not problem)
        if not problem and self._converter.coursedir.groupshared:
            self._converter.set_permissions(self.assignment, student)
        self._converter.run_post_convert_hook()
        graded = Graded(student=student, reports=() if problem else reports, problem=problem, seconds=result.seconds)
        if graded.attention:
            log.info("%s, %s: %s", student, self.assignment, graded.attention)
        return graded

    def _record(
        self, ledger: Ledger, student: str, timestamp: Any, result: GradedSubmission, late: LatePenalties, problem: str
    ) -> str:
        """Write `result` into the gradebook, or that there is none; why there is none."""
        marks = {} if problem else {notebook.name: notebook.marks for notebook in result.notebooks}
        create = self._converter.create_student
        record = partial(ledger.record, self.assignment, student, timestamp=timestamp, late=late, create_student=create)
        try:
            record(marks=marks)
        except MissingInGradebook as error:
            with suppress(MissingInGradebook):
                record(marks={})
            return str(error)
        return problem

    def _package(self, gradebook: Gradebook) -> Package:
        converter = self._converter
        rules = Grade(parent=converter).rules(converter.coursedir, self.assignment)
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

    def _folders(self, students: Sequence[str]) -> dict[str, Path]:
        """Student -> where the submission lies."""
        found = {}
        excluded = self._converter.coursedir.student_id_exclude.split(",")
        for pattern in students or [self._converter.coursedir.student_id]:
            for path in _matching(self._converter._format_source(self.assignment, pattern)):
                parts = re.match(self._converter._format_source(re.escape(self.assignment), "(?P<id>.*)", escape=True), path)
                if parts is not None and parts["id"] not in excluded and _matching(f"{path}/*.ipynb"):
                    found[parts["id"]] = Path(path)
        if not found:
            where = self._converter._format_source(self.assignment, ",".join(students) or "*")
            raise GradebookError(f"nobody handed in {self.assignment!r}: no notebook matches {where}/*.ipynb")
        return dict(sorted(found.items()))

    def _source(self, student: str) -> Path:
        return Path(self._converter._format_source(self.assignment, student))

    def _destination(self, student: str) -> Path:
        return Path(self._converter._format_dest(self.assignment, student))

    @property
    def _permissions(self) -> int:
        return int(str(self._converter.permissions), 8)

    def _timestamp(self, folder: Path) -> Any:
        try:
            return self._converter.coursedir.get_existing_timestamp(str(folder))
        except (AttributeError, OverflowError, UnicodeDecodeError):  # nbgrader's own way of refusing it
            raise NoTime(f"{folder.name}/timestamp.txt of {folder.parent.name} holds no time; nothing was graded") from None

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


def _converter(assignment: str) -> Any:
    """nbgrader's converter with the course's configuration; it says where things lie and which settings hold.

    Raises:
        GradebookError: the configuration has other steps than ours.
    """
    app = AutogradeApp()
    app.initialize([f"--assignment={assignment}", "--log-level=ERROR"])
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


def _failed_at(report: Report) -> bool:
    return any(cell.verdict is Verdict.INTERNAL for cell in report.cells)


def _mark(submission: Submission, package_digest: str) -> str:
    return json.dumps({"submission": submission.digest(), "package": package_digest}) + "\n"


def _write_folder(
    folder: Path, package: Package, submission: Submission, result: GradedSubmission, permissions: int, mark: str
) -> None:
    """Write everything that belongs into the folder of a graded submission."""
    shutil.rmtree(folder, ignore_errors=True)
    contents = {path: file.content for path, file in {**submission.files, **package.given}.items()} | dict(result.written)
    for notebook in result.notebooks:
        contents[f"{notebook.name}.ipynb"] = notebook.content
        contents[report_path(Path(), notebook.name).name] = notebook.report.to_text().encode()
    for name, content in {**contents, MARK: mark.encode()}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(permissions)
