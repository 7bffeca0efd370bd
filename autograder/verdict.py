"""The outcome of one grade cell, and how many points it is worth.

Runs: trusted side.

A verdict is a value, never an exception. The default is `NOT_EXAMINED`, worth nothing until proven otherwise,
and `INTERNAL` (our fault) has no points at all rather than zero, so that it can never become a student's zero.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What happened to a grade cell, best first."""

    PASSED = "passed"
    """Every check held: full points."""
    PARTIAL = "partial"
    """The cell's last expression was a number strictly between nothing and full points."""
    FAILED = "failed"
    """A check did not hold, or the partial score was not a usable number."""
    ERROR = "error"
    """Something other than a check raised: the student's code, most likely."""
    MISSING = "missing"
    """Nothing to grade: the exercise is blank, or the notebook or cell was not handed in."""
    TIMEOUT = "timeout"
    """The cell or the whole notebook ran out of time."""
    MEMORY = "memory"
    """Memory ran out."""
    OUTPUT_LIMIT = "output_limit"
    """The cell printed so much that it was stopped."""
    CRASHED = "crashed"
    """The kernel died in this cell or an earlier one."""
    NOT_EXAMINED = "not_examined"
    """Nobody has looked yet: a written answer, or a cell that was never reached."""
    INTERNAL = "internal"
    """The grader failed. No points are recorded; a human has to look."""

    @property
    def needs_human(self) -> bool:
        """Whether a person has to settle the score."""
        return self in (Verdict.NOT_EXAMINED, Verdict.INTERNAL)


_OUT_OF_MEMORY = ("MemoryError", "_ArrayMemoryError", "OutOfMemoryError")
_NUMPY_SCALAR = re.compile(r"np\.(?:float|int|uint)\d+\((.*)\)")
"""How NumPy 2 shows its numbers: np.float64(0.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A verdict with its points and the reason."""

    verdict: Verdict
    points: float | None
    """Points in [0, max_points]; None when only a human can say."""
    message: str = ""
    """For the student: what happened, without values from hidden tests."""


BY_HAND = Score(verdict=Verdict.NOT_EXAMINED, points=None, message="Graded by a person.")
"""The score of a written answer or task until somebody grades it."""


def judge_value(text: str | None, max_points: float) -> Score:
    """The score of a grade cell that ran to its end and whose last expression printed as `text`.

    Follows nbgrader's partial credit (the last expression is the number of points) but fails closed: only a finite
    number counts, clamped to [0, max_points]. `text=None` means that the cell ended without a value: full points.
    """
    if text is None:
        return Score(verdict=Verdict.PASSED, points=max_points)
    numpys = _NUMPY_SCALAR.fullmatch(text.strip())
    try:
        value = float(numpys[1] if numpys else text)
    except ValueError:
        return Score(
            verdict=Verdict.FAILED,
            points=0.0,
            message=f"The test ended with {_shown(text)} where a number of points was expected, so it earns nothing.",
        )
    if not math.isfinite(value):
        return Score(
            verdict=Verdict.FAILED,
            points=0.0,
            message=f"The partial score came out as {value}, which is not a finite number, so it earns nothing.",
        )
    if value < 0:
        return Score(
            verdict=Verdict.FAILED, points=0.0, message=f"The partial score came out as {value:g}; less than 0 counts as 0."
        )
    if value > max_points:
        return Score(
            verdict=Verdict.PASSED,
            points=max_points,
            message=f"The partial score came out as {value:g}; the cell is worth at most {max_points:g}.",
        )
    if value == max_points:
        return Score(verdict=Verdict.PASSED, points=max_points)
    if value == 0:
        return Score(verdict=Verdict.FAILED, points=0.0, message="The partial score is 0.")
    return Score(verdict=Verdict.PARTIAL, points=value, message=f"{value:g} of {max_points:g} points.")


def judge_error(ename: str, evalue: str) -> Score:
    """The score of a grade cell that raised `ename: evalue`."""
    if ename in ("AssertionError", "Failed"):  # the second is pytest's
        return Score(verdict=Verdict.FAILED, points=0.0, message=evalue or "A check did not hold.")
    if ename == "NotImplementedError" and not evalue:  # the stub's has no message; a library's has
        return Score(verdict=Verdict.MISSING, points=0.0, message="Not attempted: the exercise still raises NotImplementedError.")
    if ename in _OUT_OF_MEMORY or "allocate memory" in evalue:  # PyTorch and the system say so in the message only
        return Score(verdict=Verdict.MEMORY, points=0.0, message="The cell ran out of memory.")
    message = f"{ename}: {evalue}" if evalue else ename
    return Score(verdict=Verdict.ERROR, points=0.0, message=message)


def _shown(text: str, limit: int = 60) -> str:
    return repr(text if len(text) <= limit else text[: limit - 3] + "...")
