"""The reference's own run, and what students' objects are asked after it."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autograder.grade import grade_notebook
from autograder.kernel import Launch
from autograder.limits import Limits
from autograder.ownership import analyse
from autograder.paired import PairedExaminer
from autograder.preload import modules_for
from autograder.rehearsal import rehearse
from autograder.report import Report
from autograder.verdict import Verdict
from autograder.warm import WarmKernels
from tests import make

SOURCE = make.notebook(
    make.exercise("order", "def order(xs):\n    return sorted(xs)"),
    make.graded(
        "test_order",
        "out = order([3, 1])\nassert len(out) == 2 and all(a <= b for a, b in zip(out, out[1:])), 'smallest first'\n"
        "assert sorted(out) == [1, 3], 'the same numbers'",
    ),
    make.exercise(
        "bag", "class Bag:\n    def __init__(self):\n        self.things = []\n    def __len__(self):\n        return 2"
    ),
    make.graded("test_bag", "assert len(Bag()) == 2 and Bag().things == []"),
    make.graded("test_never", "assert len(Bag()) == 3"),
)
LIAR = """
class Liar(list):
    def __getitem__(self, part): return []
def order(xs): return Liar(xs)
"""


def examiner_of(folder: Path) -> PairedExaminer:
    launch = Launch(folder=folder, limits=Limits(cell_seconds=4, notebook_seconds=60), seed=3)
    return PairedExaminer(source=SOURCE, ownership=analyse(SOURCE), launch=launch)


def graded(kernels: WarmKernels, examiner: PairedExaminer, order: str) -> Report:
    nb = make.replaced(SOURCE, {"order": order})
    return grade_notebook(nb, kernels=kernels, examiner=examiner, launch=examiner.launch)


@pytest.fixture
def known(warm_kernels: WarmKernels, tmp_path: Path) -> PairedExaminer:
    examiner = examiner_of(tmp_path)
    return replace(examiner, known=rehearse(examiner, examiner.launch, warm_kernels, tmp_path / "cache"))


def test_the_questions_of_each_test_that_the_reference_passes_are_found_once(
    warm_kernels: WarmKernels, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    examiner, cache = examiner_of(tmp_path), tmp_path / "cache"
    found = rehearse(examiner, examiner.launch, warm_kernels, cache)
    assert found == {"test_order": (), "test_bag": ("getattr things", "len")}
    assert "the reference itself does not pass test_never here" in caplog.text
    (kept,) = cache.rglob("*.json")
    kept.write_text('{"test_order": ["len"]}')
    assert rehearse(examiner, examiner.launch, warm_kernels, cache) == {"test_order": ("len",)}


def test_an_object_that_answers_as_it_is_asked_waits_for_a_person(warm_kernels: WarmKernels, known: PairedExaminer) -> None:
    report = graded(warm_kernels, known, LIAR)
    cell = report.cell("test_order")
    assert cell is not None
    assert (cell.verdict, cell.points, cell.examined) == (Verdict.NOT_EXAMINED, None, True)
    assert any("a student's object of type Liar for `len`" in incident.detail for incident in report.incidents)
    bag = report.cell("test_bag")
    assert bag is not None
    assert bag.verdict is Verdict.PASSED


@pytest.mark.parametrize(
    "order",
    [
        "def order(xs):\n    return sorted(xs)",
        "def order(xs):\n    out = list(xs)\n    out.sort()\n    return out",
    ],
)
def test_other_right_answers_are_not_held_up(warm_kernels: WarmKernels, known: PairedExaminer, order: str) -> None:
    cell = graded(warm_kernels, known, order).cell("test_order")
    assert cell is not None
    assert cell.verdict is Verdict.PASSED


def test_without_the_reference_everything_may_be_asked(warm_kernels: WarmKernels, tmp_path: Path) -> None:
    cell = graded(warm_kernels, examiner_of(tmp_path), LIAR).cell("test_order")
    assert cell is not None
    assert cell.verdict is Verdict.PASSED  # docs/cheating.md says so


class KilledOnce:
    """Warm kernels, of which somebody kills the first."""

    name, sandbox = "warm", True

    def __init__(self, kernels: WarmKernels) -> None:
        self._kernels = kernels
        self._spared = False

    def start(self, launch: Launch) -> Any:
        return self._kill_first(self._kernels.start(launch))

    def start_pair(self, candidate: Launch, examiner: Launch) -> Any:
        kernel, process = self._kernels.start_pair(candidate, examiner)
        return self._kill_first(kernel), process

    def close(self) -> None: ...

    def _kill_first(self, kernel: Any) -> Any:
        if not self._spared:
            self._spared = True
            kernel._fork.send_signal(signal.SIGKILL)
        return kernel


def test_reference_whose_kernel_is_killed_is_run_once_more(warm_kernels: WarmKernels, tmp_path: Path) -> None:
    """A whole class goes by what is found, and it is kept."""
    examiner, cache = examiner_of(tmp_path), tmp_path / "cache"
    found = rehearse(examiner, examiner.launch, KilledOnce(warm_kernels), cache)
    assert found == {"test_order": (), "test_bag": ("getattr things", "len")}
    assert rehearse(examiner, examiner.launch, warm_kernels, cache) == found
    assert "ipykernel.kernelapp" in modules_for(SOURCE, examiner.launch, KilledOnce(warm_kernels), cache)
