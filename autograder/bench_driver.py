"""Measures what one driver sustains: thousands of submissions through the real driver, and a worker that answers at once.

Runs: trusted side; the one submission that is really graded is staff's own.

    one submission, really graded -> its result -> the stub worker's answer for everybody
    driver (a process of its own): ClassRun, Pool, folders, gradebook, history, as in `autograder grade`

The stub is a process too, so that what it costs to send out work and to take in results is in the figures.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from autograder.bench_class import ASSIGNMENT, make_course
from autograder.bench_notebooks import BENCH_NOTEBOOKS
from autograder.errors import AutograderError
from autograder.grading import ClassRun
from autograder.handback import write_feedback
from autograder.package import GradedSubmission, Package, Submission, packed, unpacked
from autograder.pool import Pool
from autograder.workers import LocalWorkers

NOTEBOOK = "tiny"
_PARTS = 10
"""A run is told in so many parts, and the growth is between its first and its last three."""
_SAMPLES = 100
_DRIVE = "import sys; from autograder.bench_driver import drive; drive(*sys.argv[1:])"
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How far the driver was at a moment."""

    graded: int
    cpu_seconds: float
    """Of the driver, all its threads, since it began to grade."""
    wall_seconds: float
    memory_bytes: int
    """Resident."""
    peak_bytes: int
    """The most that was resident so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverBench:
    """What was measured."""

    submissions: int
    samples: tuple[Sample, ...]
    """Of the run that graded all; the first is the moment before."""
    resumed: Sample
    """The end of a second run, in which nothing had changed."""
    disk_bytes: Mapping[str, float]
    """What -> what it takes on the disk for each submission, in whole blocks, folders included."""

    @property
    def cpu_seconds(self) -> float:
        """The driver's CPU for a submission."""
        return self.samples[-1].cpu_seconds / self.submissions

    @property
    def wall_seconds(self) -> float:
        """From one submission to the next."""
        return self.samples[-1].wall_seconds / self.submissions

    @property
    def resume_seconds(self) -> float:
        """Wall time for a submission that is as it was."""
        return self.resumed.wall_seconds / self.submissions

    @property
    def peak_bytes(self) -> int:
        """The driver's memory at most."""
        return self.samples[-1].peak_bytes

    def parts(self) -> list[tuple[Sample, Sample]]:
        """Beginning and end of each tenth of the run."""
        places = [round(number * (len(self.samples) - 1) / _PARTS) for number in range(_PARTS + 1)]
        return [(self.samples[first], self.samples[last]) for first, last in pairwise(places) if first < last]

    def growth(self) -> float:
        """How many times the CPU of the first three tenths the last three take, for a submission."""
        parts = self.parts()
        return _each("cpu_seconds", parts[-3:]) / _each("cpu_seconds", parts[:3])

    def rows(self) -> list[tuple[str, ...]]:
        """The table: graded by then, CPU and wall milliseconds of one, memory."""
        return [
            (
                f"{last.graded}",
                *(f"{1000 * _each(name, [(first, last)]):.1f}" for name in ("cpu_seconds", "wall_seconds")),
                f"{last.memory_bytes / 2**20:.0f}",
            )
            for first, last in self.parts()
        ]

    @property
    def target_seconds(self) -> float:
        """CPU of the driver for a submission, at most."""
        return BENCH_NOTEBOOKS[NOTEBOOK].targets.driver_seconds

    @property
    def met(self) -> bool:
        """Whether the target is."""
        return self.cpu_seconds <= self.target_seconds

    def to_json(self) -> dict[str, Any]:
        """All of it, and what follows from it."""
        names = ("cpu_seconds", "wall_seconds", "resume_seconds", "peak_bytes", "target_seconds", "met")
        return {**asdict(self), **{name: getattr(self, name) for name in names}, "growth": self.growth(), "rows": self.rows()}


def _each(name: str, parts: Sequence[tuple[Sample, Sample]]) -> float:
    """The field `name` for each submission of `parts`, which follow one another."""
    first, last = parts[0][0], parts[-1][1]
    return float((getattr(last, name) - getattr(first, name)) / (last.graded - first.graded))


def bench_driver(submissions: int, *, progress: Progress = lambda done, total: None) -> DriverBench:
    """Have the driver grade a class of that size, twice: all of it, and then nothing of it, since nothing has changed.

    Raises:
        AutograderError: the driver failed.
    """
    with tempfile.TemporaryDirectory(prefix="autograder-") as place:
        course, answer = Path(place) / "course", Path(place) / "answer"
        make_course(course, submissions, BENCH_NOTEBOOKS[NOTEBOOK].build())
        answer.write_bytes(packed(_really_graded(course)))
        samples = []
        for sample in _driven(course, answer, submissions):
            samples.append(sample)
            progress(sample.graded, 2 * submissions)
        *_, resumed = _driven(course, answer, submissions)
        progress(2 * submissions, 2 * submissions)
        if (samples[-1].graded, resumed.graded) != (submissions, 0):
            raise AutograderError(
                f"{samples[-1].graded} of {submissions} were graded, then {resumed.graded} of 0; the figures would mean nothing"
            )
        return DriverBench(
            submissions=submissions, samples=tuple(samples), resumed=resumed, disk_bytes=_disk_bytes(course, submissions)
        )


class _Keeping(Pool):
    """Keeps what workers gave."""

    kept: GradedSubmission | None = None

    def grade(self, package: Package, submissions: Iterable[Submission | None]) -> Iterator[GradedSubmission]:
        for result in super().grade(package, submissions):
            self.kept = result
            yield result


def _really_graded(course: Path) -> GradedSubmission:
    """What a real worker gives for one of the submissions."""
    with closing(_Keeping(LocalWorkers(1))) as pool:
        run = ClassRun(course, ASSIGNMENT, pool)
        (graded,) = run.grade(list(run.folders())[:1], dry_run=True)
        if graded.attention or pool.kept is None:
            raise AutograderError(f"the submission of which all are copies was not graded: {graded.attention}")
        return pool.kept


def _driven(course: Path, answer: Path, submissions: int) -> Iterator[Sample]:
    """What a driver in a process of its own tells while it grades."""
    command = [sys.executable, "-c", _DRIVE, str(course), str(answer), str(max(1, submissions // _SAMPLES))]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as driver,
    ):
        assert driver.stdout is not None
        for line in driver.stdout:
            yield Sample(**json.loads(line))
        if driver.wait() != 0:
            errors.seek(0)
            raise AutograderError(f"the driver ended with status {driver.returncode}: {errors.read().strip()[-1000:]}")


def drive(course: str, answer: str, step: str) -> None:
    """Grade what is new or changed in `course`, the stub's answer being in the file `answer`, and tell after each `step`
    submissions how far it is; for a process that does nothing else.
    """
    with closing(Pool(_Stubs(answer))) as pool:
        run = ClassRun(Path(course), ASSIGNMENT, pool)
        cpu, wall = time.process_time(), time.monotonic()

        def tell(graded: int) -> None:
            sample = Sample(
                graded=graded,
                cpu_seconds=time.process_time() - cpu,
                wall_seconds=time.monotonic() - wall,
                memory_bytes=_memory_bytes("VmRSS"),
                peak_bytes=_memory_bytes("VmHWM"),
            )
            sys.stdout.write(json.dumps(asdict(sample)) + "\n")
            sys.stdout.flush()

        tell(0)
        for number, graded in enumerate(run.grade(), start=1):
            if graded.problem:
                raise AutograderError(f"{graded.student}: {graded.problem}")
            if number % int(step) == 0:
                tell(number)
        if len(run.tally.graded) % int(step) or not run.tally.graded:
            tell(len(run.tally.graded))


class _Stubs(LocalWorkers):
    """One worker that gives everybody the answer in a file, at once."""

    def __init__(self, answer: str) -> None:
        super().__init__(1, [__name__])
        self._answer = answer

    def open(self, device: str = "cpu") -> Executor:
        """See `Workers`."""
        return _Instead(super().open(device), self._answer)


class _Instead(Executor):
    """Has the stub's answer given, whatever work is sent out."""

    def __init__(self, executor: Executor, answer: str) -> None:
        self._executor = executor
        self._answer = answer

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **_: Any) -> Future[Any]:
        _, _, submission, _ = arguments  # as of `grade_packed`
        return self._executor.submit(_answered, self._answer, submission)


def _answered(answer: str, submission: bytes) -> bytes:
    return packed(replace(_read(answer), student=unpacked(submission).student))


@cache
def _read(answer: str) -> GradedSubmission:
    result: GradedSubmission = unpacked(Path(answer).read_bytes())
    return result


def _memory_bytes(name: str) -> int:
    """Of this process, by the kernel's word; `getrusage` would count what its parent had in use too."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _disk_bytes(course: Path, submissions: int) -> dict[str, float]:
    """See `DriverBench`; the pages of feedback are as many copies of one as there are submissions."""
    found = {
        "handed in": _bytes_of(course.glob("submitted/*")) / submissions,
        "graded folder": _bytes_of(course.glob("autograded/*")) / submissions,
        "gradebook": _bytes_of([path for path in course.glob("gradebook.db*") if "history" not in path.name]) / submissions,
        "history": _bytes_of(course.glob("gradebook.db*.history.jsonl")) / submissions,
    }
    (student,) = (path.name for path in sorted(course.glob("submitted/*"))[:1])
    for page in write_feedback(course, ASSIGNMENT, 1, [student]):
        if page.problem:
            raise AutograderError(f"feedback could not be written: {page.problem}")
    return found | {"feedback": float(_bytes_of(course.glob("feedback/*")))}


def _bytes_of(places: Iterable[Path]) -> int:
    every = (path for place in places for path in (place, *place.rglob("*")))
    return sum(512 * path.lstat().st_blocks for path in every)
