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
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from glob import escape, glob
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry, StatementError
from nbgrader.apps import AutogradeApp
from nbgrader.converters import Autograde

from autograder.errors import GradebookError, MissingInGradebook, NoTime
from autograder.gradebook import AUTOGRADE_STEPS, SANITIZE_STEPS, Grade, SubmissionExporter
from autograder.package import GradedSubmission, Package, Submission
from autograder.packing import MARK, pack_assignment, pack_submission
from autograder.pool import Pool
from autograder.report import Report, report_path
from autograder.scores import LatePenalties, Ledger
from autograder.submission import AFTER, BEFORE
from autograder.verdict import Verdict

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
    """What is known of a run while it goes on, or of the last one."""

    total: int = 0
    """Submissions there are."""
    unchanged: int = 0
    """Those that were graded before, and are as they were."""
    graded: list[Graded] = field(default_factory=list)
    driver_cpu_seconds: float = 0.0
    """What the driver itself spent since it began to grade."""


Wanted = Callable[[str, str, str], bool]
"""Asked of a student, the digest of what was handed in, and that of what was graded before (empty where nothing was):
whether to grade it now."""


class ClassRun:
    """Grades one assignment of the course in the folder `root`, as often as it is told to."""

    def __init__(self, root: Path, assignment: str, pool: Pool) -> None:
        """`pool` is closed by whoever made it.

        Raises:
            GradebookError: the course is not set up for this grader.
        """
        self.assignment = assignment
        self.tally = Tally()
        self._root = root.resolve()
        self._pool = pool
        with chdir(self._root):
            self._converter = _converter(assignment)

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

    def grade(self, students: Sequence[str] = (), *, force: bool = False) -> Iterator[Graded]:
        """Grade what is new or changed, or all with `force`, of all `students` or these; each as soon as it is written down.

        Raises:
            GradebookError: the gradebook cannot be used or lacks the assignment, or nobody handed in.
            PoolError: there are no workers.
            WallError: student code cannot be walled in.
        """
        folders = self.folders(students)
        if not folders:
            where = self._converter._format_source(self.assignment, ",".join(students) or "*")
            raise GradebookError(f"nobody handed in {self.assignment!r}: no notebook matches {where}/*.ipynb")
        self.tally = Tally(total=len(folders))
        yield from self._grade(iter(folders), lambda *_: True, force=force)

    def grade_arriving(self, students: Iterable[str | None], wanted: Wanted) -> Iterator[Graded]:
        """Grade what is new or changed of `students`, and `wanted`; each as soon as it is written down.

        None among them says that there is nobody now: while others are being graded, the next is asked for a little later.

        Raises:
            GradebookError, PoolError, WallError: see `grade`.
        """
        self.tally = Tally()
        yield from self._grade(iter(students), wanted, force=False)

    def _grade(self, students: Iterator[str | None], wanted: Wanted, *, force: bool) -> Iterator[Graded]:
        with chdir(self._root), self._alone():
            converter = self._converter
            package = self._package()
            digest = package.digest()
            late = LatePenalties(parent=converter)
            ledger = Ledger(converter.coursedir.db_url, converter.coursedir.course_id)
            sent: dict[str, Submission] = {}
            began = time.process_time()
            try:
                changed = self._changed(package, digest, students, sent, wanted, force=force)
                for result in self._pool.grade(package, changed):
                    submission = sent.pop(result.student)
                    graded = self._write(package, digest, submission, result, ledger, late)
                    self.tally.graded.append(graded)
                    self.tally.driver_cpu_seconds = time.process_time() - began
                    yield graded
            finally:
                ledger.close()

    def _changed(
        self,
        package: Package,
        digest: str,
        students: Iterator[str | None],
        sent: dict[str, Submission],
        wanted: Wanted,
        *,
        force: bool,
    ) -> Iterator[Submission | None]:
        """The submissions that are to be graded, read one after the other."""
        coursedir, names = self._converter.coursedir, [sheet.name for sheet in package.sheets]
        for student in students:
            if student is None:
                yield None
                continue
            folder = self._source(student)
            self._converter.notebooks = _matching(f"{escape(str(folder))}/*.ipynb")
            submission = _packed(folder, student, names, coursedir.ignore)
            if not force and self._is_done(student, folder, _mark(submission, digest)):
                self.tally.unchanged += 1
                continue
            if not wanted(student, submission.digest(), self._graded_digest(student)):
                continue
            if self._converter.pre_convert_hook:
                self._converter.run_pre_convert_hook()
                submission = _packed(folder, student, names, coursedir.ignore)
            sent[student] = submission
            yield submission

    def _graded_digest(self, student: str) -> str:
        """The digest of the submission that was graded, as its mark has it; empty where there is no mark."""
        try:
            return str(json.loads((self._destination(student) / MARK).read_text(encoding="utf-8")).get("submission", ""))
        except (OSError, ValueError):
            return ""

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
                _write_folder(
                    _beside(final, "partial"), package, submission, result, self._permissions, _mark(submission, digest)
                )
            problem = self._record(ledger, student, timestamp, result, late, problem)
        except NoTime as error:
            problem = str(error)
            if self._converter.create_student:
                ledger.enter_student(student)
        _put_in_place(_beside(final, "partial"), final, there=not problem)
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

    def _package(self) -> Package:
        converter = self._converter
        rules = Grade(parent=converter).rules(converter.coursedir, self.assignment)
        traits = {step.__name__: step(parent=converter).trait_values(config=True) for step in (*BEFORE, *AFTER)}
        keep = converter.exclude_overwriting.get(self.assignment, [])
        try:
            with Gradebook(converter.coursedir.db_url, converter.coursedir.course_id) as gradebook:
                found = gradebook.find_assignment(self.assignment)
                return pack_assignment(found, converter.coursedir, rules, keep=keep, traits=traits)
        except MissingEntry:
            raise GradebookError(
                f"the gradebook knows no assignment {self.assignment!r}. `nbgrader generate_assignment {self.assignment}` "
                "enters it there."
            ) from None
        except StatementError as error:
            raise GradebookError(f"the gradebook cannot be read: {str(error).splitlines()[0]}") from error

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
            raise GradebookError(
                f"another `autograder grade` is at work in {place}, or a watch is; wait for it, or stop it."
            ) from None
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


def _mark(submission: Submission, package_digest: str) -> str:
    return json.dumps({"submission": submission.digest(), "package": package_digest}) + "\n"


def _beside(folder: Path, what: str) -> Path:
    """A folder beside `folder` that nbgrader's patterns do not match."""
    return folder.with_name(f".{folder.name}.{what}")


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


def _put_in_place(partial: Path, final: Path, *, there: bool) -> None:
    """Make `partial` the graded submission `final`, or with `there` False leave none. Stopped anywhere, it is there or not."""
    old = _beside(final, "old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    if there:
        partial.rename(final)
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
