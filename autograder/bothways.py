"""Grades submissions examined and unexamined, in turns, and counts what each way spends.

Runs: trusted side; the submissions are staff's own.

Each way has kernels of its own, so that what they spend can be told apart. A turn's CPU is the driver's, what the wardens
count, and an equal share of what they cannot: the forks that led to them, and the ends of their own processes.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import nbformat

from autograder.cells import Kind, grade_id_of, kind_of
from autograder.comparison import Comparison
from autograder.examiner import CandidateExaminer, Examiner
from autograder.grade import grade_notebook
from autograder.kernel import Launch
from autograder.ownership import analyse, modules_in
from autograder.paired import PairedExaminer
from autograder.preload import modules_for
from autograder.report import Report
from autograder.spent import cpu_seconds, descendants, own_cpu_seconds
from autograder.verdict import Verdict
from autograder.warm import WarmKernels

_SETTLE_SECONDS = 0.3
"""After its last word a warden still has to exit and be waited for before its CPU counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A solved notebook."""

    name: str
    nb: nbformat.NotebookNode
    launch: Launch
    """Of the student's kernel."""
    source_folder: Path
    """The instructor's files."""
    references: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """See `grade_notebook`."""

    @property
    def tests(self) -> frozenset[str]:
        """Grade ids of the test cells."""
        return frozenset(grade_id_of(cell) or "" for cell in self.nb.cells if _is_test(cell))

    def paired(self) -> PairedExaminer:
        """What examines it."""
        launch = replace(self.launch, folder=self.source_folder, keep_files=False)
        return PairedExaminer(source=self.nb, ownership=analyse(self.nb, modules=modules_in(self.source_folder)), launch=launch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One submission graded once."""

    submission: str
    examined: bool
    round: int
    driver_cpu_seconds: float
    kernels_cpu_seconds: float
    """Of every process that was made for it."""
    wall_seconds: float
    errors: Mapping[str, str] = field(default_factory=dict)
    """Test cell that did not pass -> why."""

    @property
    def cpu_seconds(self) -> float:
        """The driver's and the kernels'."""
        return self.driver_cpu_seconds + self.kernels_cpu_seconds


QUANTITIES = {"CPU": "cpu_seconds", "of that the driver's": "driver_cpu_seconds", "wall": "wall_seconds"}
"""What is compared -> attribute of `Turn`."""


def take_turns(
    submission: Submission, rounds: int, *, step: Callable[[], None] = lambda: None, cache: Path | None = None
) -> tuple[Turn, ...]:
    """Grade `submission` `rounds` times in each way. A first time, not counted, plants the zygotes.

    `step` is called after each turn; `cache` is where `modules_for` keeps what a notebook imports.

    Raises:
        KernelStartError: a kernel did not start, or this machine cannot wall it in.
    """
    with _way(submission, CandidateExaminer(), cache) as unexamined, _way(submission, submission.paired(), cache) as examined:
        ways = [unexamined, examined]
        for number in range(rounds):
            for way in reversed(ways) if number % 2 else ways:
                way.turn(number)
                step()
        time.sleep(_SETTLE_SECONDS)
        return (*unexamined.turns(), *examined.turns())


def comparisons_of(turns: Sequence[Turn]) -> tuple[Comparison, ...]:
    """Each quantity of each submission, examined beside unexamined."""
    return tuple(
        Comparison(
            name=f"{name}, {text}",
            base="unexamined",
            seconds=tuple(getattr(turn, quantity) for turn in turns if turn.submission == name and turn.examined),
            base_seconds=tuple(getattr(turn, quantity) for turn in turns if turn.submission == name and not turn.examined),
        )
        for name in dict.fromkeys(turn.submission for turn in turns)
        for text, quantity in QUANTITIES.items()
    )


class _Way:
    """One way of grading a submission."""

    def __init__(self, submission: Submission, examiner: Examiner, kernels: WarmKernels, launch: Launch) -> None:
        self._submission = submission
        self._examined = isinstance(examiner, PairedExaminer)
        self._grade = partial(grade_notebook, kernels=kernels, examiner=examiner, launch=launch, references=submission.references)
        self._turns: list[Turn] = []
        before = descendants()
        self._grade(copy.deepcopy(submission.nb))
        time.sleep(_SETTLE_SECONDS)
        self._zygotes = descendants() - before
        self._spent_before = cpu_seconds(self._zygotes)

    def turn(self, number: int) -> None:
        """Grade it once."""
        nb = copy.deepcopy(self._submission.nb)
        began, own = time.monotonic(), own_cpu_seconds()
        report = self._grade(nb)
        own = own_cpu_seconds() - own
        self._turns.append(
            Turn(
                submission=self._submission.name,
                examined=self._examined,
                round=number,
                driver_cpu_seconds=own,
                kernels_cpu_seconds=_counted_seconds(report),
                wall_seconds=time.monotonic() - began,
                errors=_errors(report, self._submission.tests, examined=self._examined),
            )
        )

    def turns(self) -> tuple[Turn, ...]:
        """All turns; everything that was made for them has ended."""
        spent = cpu_seconds(self._zygotes) - self._spent_before
        return with_shares(self._turns, spent)


def with_shares(turns: Sequence[Turn], spent_seconds: float) -> tuple[Turn, ...]:
    """`turns` of one way, whose kernels spent `spent_seconds` in all, with what was not counted shared among them."""
    share = max(0.0, spent_seconds - sum(turn.kernels_cpu_seconds for turn in turns)) / max(1, len(turns))
    return tuple(replace(turn, kernels_cpu_seconds=turn.kernels_cpu_seconds + share) for turn in turns)


@contextmanager
def _way(submission: Submission, examiner: Examiner, cache: Path | None) -> Iterator[_Way]:
    kernels = WarmKernels()
    try:
        modules = modules_for(submission.nb, replace(submission.launch, folder=submission.source_folder), kernels, cache)
        if isinstance(examiner, PairedExaminer):
            examiner = replace(examiner, launch=replace(examiner.launch, modules=modules))
        yield _Way(submission, examiner, kernels, replace(submission.launch, modules=modules))
    finally:
        kernels.close()


def _counted_seconds(report: Report) -> float:
    """What the wardens of the candidate and, where there was one, of the examiner counted."""
    return report.kernel.cpu_seconds + report.kernel.examiner_cpu_seconds


def _errors(report: Report, tests: frozenset[str], *, examined: bool) -> dict[str, str]:
    """Why the turn was not what it should be: tests that did not pass, or that did not run where they should."""
    found = {}
    for cell in report.cells:
        if cell.grade_id in tests and cell.verdict is not Verdict.PASSED:
            found[cell.grade_id] = f"{cell.verdict}: {cell.message}"
        elif cell.grade_id in tests and cell.examined != examined:
            found[cell.grade_id] = f"examined is {cell.examined}, {examined} was expected"
    return found


def _is_test(cell: nbformat.NotebookNode) -> bool:
    return kind_of(cell) is Kind.TEST and cell.cell_type == "code"
