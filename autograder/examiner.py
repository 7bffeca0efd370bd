"""Runs one test cell and says what it found.

Runs: trusted side.

`Examiner` is the seam behind which test cells leave the student's process (`paired`). `CandidateExaminer` runs them where
nbgrader does, in the student's kernel, for tests that cannot leave it; all that it reports is marked as not examined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from autograder.cells import bound_names
from autograder.disclosure import Failure
from autograder.kernel import Ending, Kernel, KernelSource, Launch, Reply
from autograder.outputs import Outputs
from autograder.verdict import Score, Verdict, judge_error, judge_value


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCell:
    """One test cell, as the instructor wrote it."""

    source: str
    max_points: float
    grade_id: str = ""
    references: Mapping[str, str] = field(default_factory=dict)
    """Name of an earlier exercise -> the reference's cell: it stands in for the student's while the test runs, so that one
    mistake is not punished twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of one test cell."""

    score: Score
    reply: Reply
    examined: bool = True
    """Whether the student's process had no part in the verdict."""
    reason: str = ""
    """Why not, for staff."""
    failure: Failure | None = None
    """Where and by whom the test was made to fail; None where that is not known."""


_KEPT = "__the_students__"
"""Where the student's versions wait meanwhile."""
_PLAIN_VALUES = """
try:
    get_ipython().ast_node_interactivity = "last_expr"
    get_ipython().display_formatter.formatters["text/plain"].float_precision = ""
except Exception:
    pass
"""
"""Undoes two display settings that a student may have chosen and that would change how a test cell's value reads."""


class Examiner(Protocol):
    """Runs test cells."""

    def start(self, kernels: KernelSource, launch: Launch) -> Kernel:
        """A kernel for the student's cells, with what the examiner needs beside it.

        Raises:
            KernelStartError: it did not start.
        """

    def examine(self, cell: TestCell, kernel: Kernel, outputs: Outputs, *, seconds: float) -> Finding:
        """Run `cell` against the student's work in `kernel`, for at most `seconds`."""


class CandidateExaminer:
    """Runs test cells in the student's own kernel and believes what it says."""

    def start(self, kernels: KernelSource, launch: Launch) -> Kernel:
        """See `Examiner.start`."""
        return kernels.start(launch)

    def examine(self, cell: TestCell, kernel: Kernel, outputs: Outputs, *, seconds: float) -> Finding:
        """See `Examiner.examine`."""
        kernel.execute(_PLAIN_VALUES, _unseen(), seconds=seconds)
        with standing_in(cell.references, kernel, seconds=seconds):
            reply = kernel.execute(cell.source, outputs, seconds=seconds)
        score = judge_reply(reply, outputs, cell.max_points, seconds=seconds, kernel=kernel)
        return Finding(score=score, reply=reply, examined=False)


@contextmanager
def standing_in(references: Mapping[str, str], kernel: Kernel, *, seconds: float) -> Iterator[None]:
    """While the body runs, the reference's version of each name stands in for the student's."""
    if not references:
        yield
        return
    names = sorted({*references, *(name for source in references.values() for name in bound_names(source))})
    keep = f"{_KEPT} = {{name: globals()[name] for name in {names!r} if name in globals()}}"
    kernel.execute(keep, _unseen(), seconds=seconds)
    for source in references.values():
        kernel.execute(source, _unseen(), seconds=seconds)
    yield
    # Comprehensions, because a loop's variable would be left among the student's names.
    back = f"[globals().pop(name, None) for name in {names!r}]\nglobals().update({_KEPT})\ndel {_KEPT}"
    kernel.execute(back, _unseen(), seconds=seconds)


def _unseen() -> Outputs:
    return Outputs(1, 1_000_000)


def judge_reply(reply: Reply, outputs: Outputs, max_points: float, *, seconds: float, kernel: Kernel) -> Score:
    """The score of a test cell that ended with `reply` after at most `seconds`."""
    match reply.ending:
        case Ending.OK if not outputs.complete and outputs.value is None:
            return Score(verdict=Verdict.NOT_EXAMINED, points=None, message="The test's output was lost; staff will look at it.")
        case Ending.OK:
            return judge_value(outputs.value, max_points)
        case Ending.ERROR:
            return judge_error(reply.ename, reply.evalue)
        case Ending.TIMEOUT:
            return Score(verdict=Verdict.TIMEOUT, points=0.0, message=f"The test was stopped after {seconds:.0f} s.")
        case Ending.FLOOD:
            return Score(verdict=Verdict.OUTPUT_LIMIT, points=0.0, message="The test was stopped: it printed without end.")
        case Ending.MEMORY:
            return Score(verdict=Verdict.MEMORY, points=0.0, message=f"Python was ended here: {kernel.end}.")
        case Ending.CPU:
            return Score(verdict=Verdict.TIMEOUT, points=0.0, message=f"Python was ended here: {kernel.end}.")
        case Ending.LOST:
            return Score(verdict=Verdict.INTERNAL, points=None, message="The grader failed here; staff will look at it.")
        case Ending.DIED:
            return Score(verdict=Verdict.CRASHED, points=0.0, message=f"Python itself ended here ({kernel.end}).")
