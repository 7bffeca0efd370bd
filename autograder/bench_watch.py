"""Measures how long a student waits: from handing in to feedback, while `autograder watch` runs.

Runs: trusted side; all code that is graded here is staff's own.

The course, its exchange and the students' folders are made for it. Students hand in by nbgrader's own classes, one after the
other, and the clock stops when the page lies in the exchange under the name by which nbgrader's `fetch_feedback` looks for it.
"""

from __future__ import annotations

import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.auth import Authenticator
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange.default import ExchangeFetchFeedback, ExchangeReleaseAssignment, ExchangeSubmit
from nbgrader.utils import notebook_hash

from autograder.bench_notebooks import small_notebook
from autograder.counted import count
from autograder.errors import AutograderError

ASSIGNMENT, COURSE = "small", "course"
TARGET_SECONDS = 3.0
"""From handing in to feedback, of a small notebook on an idle machine."""
_WAIT_SECONDS = 60.0
CONFIG = """
from autograder import configure

c = get_config()
c.CourseDirectory.course_id = {course!r}
c.Exchange.root = {root!r}
c.ExchangeCollect.check_owner = False
configure(c)
"""
"""What a course says that has an exchange, and students without accounts of their own."""
Progress = Callable[[int, int], None]


class Students:
    """The students' side of an exchange: folders below `place`, nbgrader's own classes."""

    def __init__(self, place: Path, exchange: Path, course_id: str = COURSE) -> None:
        self._place = place
        self._exchange = exchange
        self._course_id = course_id

    def hand_in(self, student: str, assignment: str, nb: nbformat.NotebookNode) -> str:
        """Hand in `nb` as `student`; the secret of the submission, which names its feedback."""
        folder = self._home(student) / assignment
        folder.mkdir(parents=True, exist_ok=True)
        nbformat.write(nb, folder / f"{assignment}.ipynb")
        self._step(ExchangeSubmit, student, assignment)
        newest = max(self._cache(student).glob(f"{self._course_id}/*"), key=lambda path: path.stat().st_mtime_ns)
        return (newest / "submission_secret.txt").read_text(encoding="utf-8")

    def page(self, secret: str, notebook: str) -> Path:
        """Where the feedback of a submission will lie in the exchange."""
        return self._exchange / self._course_id / "feedback" / f"{notebook_hash(secret=secret, notebook_id=notebook)}.html"

    def fetch(self, student: str, assignment: str) -> list[str]:
        """All feedback that `student` finds, oldest submission first."""
        self._step(ExchangeFetchFeedback, student, assignment)
        return [path.read_text(encoding="utf-8") for path in sorted((self._home(student) / assignment).glob("feedback/*/*.html"))]

    def _step(self, step: Any, student: str, assignment: str) -> None:
        coursedir = CourseDirectory(course_id=self._course_id, assignment_id=assignment, student_id=student)
        made = step(coursedir=coursedir, authenticator=Authenticator(), assignment_dir=str(self._home(student)))
        made.root, made.cache = str(self._exchange), str(self._cache(student))
        made.start()

    def _home(self, student: str) -> Path:
        return self._place / student

    def _cache(self, student: str) -> Path:
        return self._place / student / ".cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchBench:
    """What was measured, in seconds from handing in to feedback."""

    first_seconds: float
    """The first submission, for which workers start and a zygote is planted."""
    seconds: tuple[float, ...]
    """Those after it."""

    @property
    def median_seconds(self) -> float:
        """In the middle."""
        return statistics.median(self.seconds)

    @property
    def worst_seconds(self) -> float:
        """The longest; the first is not among them."""
        return max(self.seconds)

    @property
    def met(self) -> bool:
        """Whether even the longest is within the target."""
        return self.worst_seconds <= TARGET_SECONDS

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        summary = {"median_seconds": self.median_seconds, "worst_seconds": self.worst_seconds}
        return {**asdict(self), **summary, "target_seconds": TARGET_SECONDS, "met": self.met}


def bench_watch(submissions: int, *, tests: int = 20, progress: Progress = lambda done, total: None) -> WatchBench:
    """Hand in a small notebook of `tests` test cells 1 + `submissions` times to a running watch.

    Raises:
        AutograderError: a command failed, or feedback did not come.
    """
    with tempfile.TemporaryDirectory(prefix="autograder-") as place:
        root, exchange = Path(place) / "course", Path(place) / "exchange"
        exchange.mkdir(mode=0o777)
        exchange.chmod(0o777)
        nb = small_notebook("import math", tests)
        make_course(root, exchange, ASSIGNMENT, nb)
        students = Students(Path(place) / "students", exchange)
        seconds = []
        with _watching(root, exchange / "watch.log") as log:
            for number in range(1 + submissions):
                began = time.monotonic()
                page = students.page(students.hand_in(f"student{number:03}", ASSIGNMENT, nb), ASSIGNMENT)
                while not page.exists():
                    if time.monotonic() - began > _WAIT_SECONDS:
                        raise AutograderError(f"no feedback came within {_WAIT_SECONDS:g} s; the watch said:\n{log.read_text()}")
                    time.sleep(0.005)
                seconds.append(time.monotonic() - began)
                progress(number + 1, 1 + submissions)
                time.sleep(secrets.randbelow(1000) / 1000)  # no two at the same moment of the watch's own rhythm
    return WatchBench(first_seconds=seconds[0], seconds=tuple(seconds[1:]))


def make_course(root: Path, exchange: Path, assignment: str, nb: nbformat.NotebookNode, config: str = "") -> None:
    """Make a course whose exchange is the folder `exchange`, and release `nb` there.

    Raises:
        AutograderError: nbgrader refused.
    """
    source = root / "source" / assignment / f"{assignment}.ipynb"
    source.parent.mkdir(parents=True)
    nbformat.write(nb, source)
    (root / "nbgrader_config.py").write_text(CONFIG.format(course=COURSE, root=str(exchange)) + config, encoding="utf-8")
    done = count([sys.executable, "-m", "nbgrader", "generate_assignment", assignment], root)
    if done.status != 0:
        raise AutograderError(f"generate_assignment ended with status {done.status}; nothing was measured")
    coursedir = CourseDirectory(course_id=COURSE, assignment_id=assignment, root=str(root))
    step = ExchangeReleaseAssignment(coursedir=coursedir, authenticator=Authenticator())
    step.root = str(exchange)
    step.start()


@contextmanager
def _watching(root: Path, log: Path) -> Iterator[Path]:
    """A watch of the course in `root` that runs, and what it says in `log`."""
    command = [sys.executable, "-m", "autograder", "watch", ASSIGNMENT, "--per-hour", "0"]
    with log.open("w") as file, subprocess.Popen(command, cwd=root, stdout=file, stderr=file, env=dict(os.environ)) as process:
        try:
            until = time.monotonic() + _WAIT_SECONDS
            while "watching" not in log.read_text():
                if process.poll() is not None or time.monotonic() > until:
                    raise AutograderError(f"the watch did not begin; it said:\n{log.read_text()}")
                time.sleep(0.05)
            yield log
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    if process.returncode != 0:
        raise AutograderError(f"the watch ended with status {process.returncode}; it said:\n{log.read_text()}")
