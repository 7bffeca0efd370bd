"""Runs one test cell and says what it found.

Runs: trusted side.

`Examiner` is the seam behind which test cells will leave the student's process. Until they do, `CandidateExaminer` runs
them where nbgrader does, in the student's kernel, and everything it reports is marked as not examined independently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from autograder.kernel import Ending, Kernel, Reply
from autograder.outputs import Outputs
from autograder.verdict import Score, Verdict, judge_error, judge_value


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of one test cell."""

    score: Score
    reply: Reply


class Examiner(Protocol):
    """Runs test cells."""

    examined: bool
    """Whether the student's process had no part in the verdict."""

    def examine(self, source: str, max_points: float, kernel: Kernel, outputs: Outputs, *, seconds: float) -> Finding:
        """Run the test cell `source`, worth `max_points`, against the student's work in `kernel`."""


class CandidateExaminer:
    """Runs test cells in the student's own kernel and believes what it says."""

    examined = False

    def examine(self, source: str, max_points: float, kernel: Kernel, outputs: Outputs, *, seconds: float) -> Finding:
        """See `Examiner.examine`."""
        reply = kernel.execute(source, outputs, seconds=seconds)
        return Finding(score=judge_reply(reply, outputs, max_points, seconds=seconds, kernel=kernel), reply=reply)


def judge_reply(reply: Reply, outputs: Outputs, max_points: float, *, seconds: float, kernel: Kernel) -> Score:
    """The score of a test cell that ended with `reply` after at most `seconds`."""
    match reply.ending:
        case Ending.OK:
            return judge_value(outputs.value, max_points)
        case Ending.ERROR:
            return judge_error(reply.ename, reply.evalue)
        case Ending.TIMEOUT:
            return Score(verdict=Verdict.TIMEOUT, points=0.0, message=f"The test was stopped after {seconds:.0f} s.")
        case Ending.FLOOD:
            return Score(verdict=Verdict.OUTPUT_LIMIT, points=0.0, message="The test was stopped: it printed without end.")
        case Ending.DIED:
            return Score(verdict=Verdict.CRASHED, points=0.0, message=f"Python itself ended here ({kernel.end}).")
