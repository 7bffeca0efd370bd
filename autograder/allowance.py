"""How often a student's work is graded as it arrives, remembered on disk.

Runs: trusted side.

Feedback answers a question about the hidden tests, so its number for an hour is limited. A submission counts when its grading
begins, and once: one that is graded again because something was killed is the same submission. What begins stays in the file
until its feedback is with the student: after a restart it is known what is owed to whom.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from autograder.errors import AutograderError

HOUR_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A submission whose grading began."""

    student: str
    assignment: str
    submission: str
    """Its digest."""
    time: float
    """Seconds since 1970."""
    owed: bool = True
    """Whether its feedback is still to be written and returned."""


class Allowance:
    """What each student was granted in the last hour, in a file; only one process may use it at a time."""

    def __init__(self, path: Path, per_hour: int, clock: Callable[[], float] = time.time) -> None:
        """`per_hour` is how many submissions of a student may be graded within any hour, of all assignments; 0 sets no limit.

        Raises:
            AutograderError: the file cannot be used.
        """
        self._path = path
        self._per_hour = per_hour
        self._clock = clock
        now = clock()
        # A clock that was set back must not keep anybody waiting longer than an hour.
        self._begun = [replace(one, time=min(one.time, now)) for one in _read(path)]

    def wait_seconds(self, student: str) -> float:
        """How long until another submission of `student` may be graded; 0 where it may be now."""
        now = self._clock()
        times = sorted(one.time for one in self._begun if one.student == student and now - one.time < HOUR_SECONDS)
        if not self._per_hour or len(times) < self._per_hour:
            return 0.0
        return times[-self._per_hour] + HOUR_SECONDS - now

    def begin(self, student: str, assignment: str, submission: str) -> float:
        """Grant the grading of a submission, and write down that it begins; what is owed for an earlier one is owed no more.

        Returns 0, or for how many seconds nothing is granted.
        """
        if any(
            one.owed and (one.student, one.assignment, one.submission) == (student, assignment, submission) for one in self._begun
        ):
            return 0.0  # it was begun, and something came between
        seconds = self.wait_seconds(student)
        if seconds > 0:
            return seconds
        self._settle(student, assignment)
        self._begun.append(_Begun(student=student, assignment=assignment, submission=submission, time=self._clock()))
        self._write()
        return 0.0

    def owes(self, student: str, assignment: str) -> bool:
        """Whether feedback is still to be written and returned."""
        return any(one.owed for one in self._begun if (one.student, one.assignment) == (student, assignment))

    def finish(self, student: str, assignment: str) -> None:
        """Write down that the feedback is with the student."""
        self._settle(student, assignment)
        self._write()

    def _settle(self, student: str, assignment: str) -> None:
        mine = (student, assignment)
        self._begun = [replace(one, owed=False) if (one.student, one.assignment) == mine else one for one in self._begun]

    def _write(self) -> None:
        """Replace the file by what still matters; whoever reads it meanwhile sees all of the old or all of the new."""
        now = self._clock()
        self._begun = [one for one in self._begun if one.owed or now - one.time < HOUR_SECONDS]
        temporary = self._path.with_name(f"{self._path.name}.new")
        with temporary.open("w", encoding="utf-8") as file:
            json.dump([asdict(one) for one in self._begun], file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._path)


def _read(path: Path) -> list[_Begun]:
    try:
        return [_Begun(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError) as error:
        raise AutograderError(
            f"{path} cannot be read: {error}. It remembers how often each student was graded in the last hour, and something "
            "else has changed it. Without it nothing is lost but that: remove it, and start again."
        ) from error
