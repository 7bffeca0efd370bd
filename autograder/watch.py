"""Grades what students hand in as it arrives, and returns their feedback.

Runs: trusted side; this is a driver that stays.

    exchange, inbound --whole? trusted? allowed?--> submitted/ --still?--> ClassRun --> write_feedback --> exchange, feedback

One round follows the other: look, grade what may be graded, look again. Folders are looked at, not waited for: a network disk
tells nobody what other machines write to it. What is done is known from the marks of graded submissions, and what is owed from
the allowance; so whatever is interrupted wherever, another start goes on. The course's lock is held only while something is
graded.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from autograder.allowance import Allowance
from autograder.delivery import Delivery, Parcel, Stillness, state_of
from autograder.errors import AutograderError, DeliveryError, WallError
from autograder.grading import ClassRun, Graded
from autograder.handback import write_feedback
from autograder.pool import Pool
from autograder.verdict import Verdict
from autograder.workers import Workers

REMEMBERS = ".autograder-watch.json"
"""The file in the course's folder that keeps the allowance."""
_LOOK_SECONDS = 0.5
"""Between two looks, at least."""
_LOOKING_SHARE = 0.2
"""Looking takes at most this part of the time: a large class on a slow disk is looked at less often."""
_STILL_SECONDS = 1.0
"""How long nothing must have changed in a folder of `submitted/` that somebody else filled."""
_ROUND_SECONDS = 60.0
"""How long submissions of one assignment are taken in before it is another one's turn."""
_ONCE_SECONDS = 15.0
"""How long a single round waits for what is not whole yet."""
_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = {True: 60.0, False: 600.0}
"""Whether all are concerned -> the longest pause before the next attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """A submission that was graded, and its feedback."""

    student: str
    assignment: str
    graded: Graded | None
    """None where it was graded before, and only feedback was owed."""
    seconds: float
    """From its arrival, as far as it was seen, until its feedback was there."""
    returned: bool
    """Whether the feedback is in the exchange; otherwise it lies in `feedback/` alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """A submission that must wait until its student may have another one graded."""

    student: str
    assignment: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that failed and will be tried again."""

    assignment: str
    student: str
    """Empty where it concerns all."""
    problem: str
    seconds: float
    """Until it is tried again."""


Event = Returned | Waits | Trouble
_Key = tuple[str, str]
"""Student and assignment; empty for all."""
_ALL: _Key = ("", "")


@dataclass(slots=True, kw_only=True)
class _Pause:
    """Something that is not tried before its time."""

    until: float
    seconds: float
    told: str
    """What was said of it: the same is not said again."""


class Watch:
    """Watches a course; only one may."""

    def __init__(self, root: Path, assignments: Sequence[str], workers: Workers, *, per_hour: int) -> None:
        """With no `assignments` all that are released, those of tomorrow too; `per_hour` limits each student, 0 nobody.

        Raises:
            AutograderError: the course is not set up for this grader, an assignment is not released, or another is at work.
        """
        self._root = root.resolve()
        self._pool = Pool(workers)
        self._named = list(assignments)
        self._runs: dict[str, ClassRun] = {}
        self._stillness = Stillness(_STILL_SECONDS)
        self._seen: dict[_Key, float] = {}
        """When something new was first seen."""
        self._taken: set[_Key] = set()
        """What was taken from the exchange, whole, and not returned since."""
        self._under_way: dict[_Key, object] = {}
        """State of the folder of what is being graded."""
        self._settled: dict[_Key, object] = {}
        """State of the folder in which all is done."""
        self._pauses: dict[_Key, dict[object, _Pause]] = {}
        """For each folder in the exchange, or state of a folder, a pause of its own: another submission is not paused."""
        self._events: deque[Event] = deque()
        self._unsettled = False
        """Whether the last look saw something that was not whole or not still."""
        self._looking_seconds = 0.0
        self._lock = -1
        try:
            self._lock = _lock(self._root)
            self._delivery = Delivery(self._root)
            self._allowance = Allowance(self._root / REMEMBERS, per_hour)
            self._check()
        except BaseException:
            self.close()
            raise

    def _check(self) -> None:
        released = self._delivery.released()
        missing = [name for name in self._named if name not in released]
        if missing:
            raise AutograderError(
                f"{missing[0]} is not released in {self._root}; released are: {', '.join(released) or 'none'}. "
                f"`nbgrader generate_assignment {missing[0]}` makes a release."
            )
        if not released:
            raise AutograderError(f"no assignment is released in {self._root}. `nbgrader generate_assignment` makes a release.")
        for name in self.assignments:
            self._run(name)

    @property
    def assignments(self) -> list[str]:
        """What is watched now."""
        return self._named or self._delivery.released()

    @property
    def no_exchange(self) -> str:
        """Why only `submitted/` is watched; empty where the exchange is, too."""
        return self._delivery.no_exchange

    def go(self, *, once: bool = False) -> Iterator[Event]:
        """What happens, for ever, or with `once` until everything is done that is there and may be done.

        Raises:
            WallError: student code cannot be walled in.
        """
        began = time.monotonic()
        while True:
            found = self._look(self.assignments)
            unsettled = self._unsettled
            for assignment, students in found.items():
                yield from self._grade(assignment, students)
            yield from self._told()
            if once and (not (unsettled or self._unsettled) or time.monotonic() - began > _ONCE_SECONDS):
                return
            time.sleep(self._pause_seconds)

    def close(self) -> None:
        """End the workers and let another watch begin. Safe to call twice."""
        self._pool.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # -- looking -------------------------------------------------------------------------------------------------------

    @property
    def _pause_seconds(self) -> float:
        return max(_LOOK_SECONDS, self._looking_seconds / _LOOKING_SHARE)

    def _look(self, assignments: Sequence[str]) -> dict[str, list[str]]:
        """Take what is whole and allowed from the exchange; assignment -> students whose submission is to be looked into."""
        began, self._unsettled = time.monotonic(), False
        found = {}
        try:
            for parcel in self._delivery.arrived(assignments):
                self._take(parcel)
            for name in assignments:
                if not self._is_paused(("", name), None):
                    found[name] = self._changed(name)
            self._pauses.pop(_ALL, None)
        except (AutograderError, OSError) as error:
            self._fail(_ALL, None, str(error))
        self._looking_seconds = time.monotonic() - began
        return {name: students for name, students in found.items() if students}

    def _take(self, parcel: Parcel) -> None:
        key = parcel.student, parcel.assignment
        if key in self._under_way or self._is_paused(key, parcel.folder):
            return
        if not self._delivery.is_whole(parcel):
            self._unsettled = True
            return
        self._seen.setdefault(key, time.monotonic())
        seconds = self._allowance.wait_seconds(parcel.student)
        if seconds > 0:
            self._wait(key, parcel.folder, seconds)
            return
        try:
            self._delivery.take(parcel)
        except DeliveryError as error:
            self._fail(key, parcel.folder, str(error))
        else:
            self._taken.add(key)
            self._pauses.pop(key, None)

    def _changed(self, assignment: str) -> list[str]:
        """The students in whose folder of `submitted/` nothing moves any more and not all is done."""
        found = []
        folders = self._run(assignment).folders()
        for student, folder in folders.items():
            key = student, assignment
            state = _state_of(folder)
            if key in self._under_way or self._settled.get(key) == state or self._is_paused(key, state):
                continue
            self._seen.setdefault(key, time.monotonic())
            if key in self._taken or self._stillness.is_still(folder, state):
                found.append(student)
                self._under_way[key] = state
            else:
                self._unsettled = True
        return found

    # -- grading -------------------------------------------------------------------------------------------------------

    def _grade(self, assignment: str, students: Sequence[str]) -> Iterator[Event]:
        """Grade what `students` handed in, and what else arrives meanwhile; all that happens."""
        waiting: dict[str, float] = {}

        def wanted(student: str, submission: str, graded: str) -> bool:
            if submission == graded:
                return False  # only the assignment changed: what that means for whom is for a person to decide
            seconds = self._allowance.begin(student, assignment, submission)
            if seconds > 0:
                waiting[student] = seconds
            return seconds == 0

        try:
            for graded in self._run(assignment).grade_arriving(self._arriving(assignment, students), wanted):
                self._hand_back(assignment, graded)
                yield from self._told()
            for key in [key for key in self._under_way if key[1] == assignment]:
                self._settle(key, waiting.get(key[0], 0.0))
            self._pauses.pop(("", assignment), None)
        except WallError:
            raise
        except (AutograderError, OSError) as error:
            self._fail(("", assignment), None, str(error))
        finally:
            self._under_way = {key: state for key, state in self._under_way.items() if key[1] != assignment}
        yield from self._told()

    def _arriving(self, assignment: str, students: Sequence[str]) -> Iterator[str | None]:
        """`students`, and then for a while whoever hands in, None where there is nobody at the moment."""
        yield from students
        began = looked = time.monotonic()
        while time.monotonic() - began < _ROUND_SECONDS:
            if time.monotonic() - looked > self._pause_seconds:
                yield from self._look([assignment]).get(assignment, [])
                looked = time.monotonic()
            yield None

    def _hand_back(self, assignment: str, graded: Graded) -> None:
        key = graded.student, assignment
        state = self._under_way.pop(key)
        if graded.problem or Verdict.INTERNAL in graded.verdicts:
            self._fail(key, state, graded.attention)
        elif state == self._state(key):
            self._return(key, state, graded)
        else:  # what lies there now is something else, and its turn comes
            self._seen.pop(key, None)
            self._unsettled = True

    def _state(self, key: _Key) -> object:
        folder = self._run(key[1]).folders([escape(key[0])]).get(key[0])
        return None if folder is None else _state_of(folder)

    def _settle(self, key: _Key, waits_seconds: float) -> None:
        """Done with a submission that was not graded in this round: it was graded before, or must wait."""
        state = self._under_way.pop(key)
        if waits_seconds:
            self._wait(key, state, waits_seconds)
        elif key in self._taken or self._allowance.owes(*key):
            self._return(key, state, None)
        else:
            self._settled[key] = state
            self._seen.pop(key, None)

    def _return(self, key: _Key, state: object, graded: Graded | None) -> None:
        """Write feedback, and put it where its student finds it."""
        student, assignment = key
        try:
            problems = [page.problem for page in write_feedback(self._root, assignment, 1, [escape(student)]) if page.problem]
            if problems:
                raise DeliveryError(f"no feedback: {problems[0]}")
            returned = self._delivery.give_back(assignment, student)
            self._allowance.finish(student, assignment)
        except (AutograderError, OSError) as error:
            self._fail(key, state, str(error))
            return
        self._settled[key] = state
        self._taken.discard(key)
        self._pauses.pop(key, None)
        seconds = time.monotonic() - self._seen.pop(key)
        self._events.append(Returned(student=student, assignment=assignment, graded=graded, seconds=seconds, returned=returned))

    # -- pauses --------------------------------------------------------------------------------------------------------

    def _is_paused(self, key: _Key, about: object) -> bool:
        pause = self._pauses.get(key, {}).get(about)
        return pause is not None and time.monotonic() < pause.until

    def _fail(self, key: _Key, about: object, problem: str) -> None:
        """Try again later, and later still the next time."""
        before = self._pauses.get(key, {}).get(about)
        seconds = _FIRST_PAUSE_SECONDS
        if before is not None:
            seconds = min(max(seconds, 2 * before.seconds), _LONGEST_PAUSE_SECONDS[not key[0]])
        self._put_off(key, about, _Pause(until=time.monotonic() + seconds, seconds=seconds, told=problem))
        if before is None or before.told != problem:
            self._events.append(Trouble(student=key[0], assignment=key[1], problem=problem, seconds=seconds))

    def _wait(self, key: _Key, about: object, seconds: float) -> None:
        """Try again when the student may have another submission graded."""
        before = self._pauses.get(key, {}).get(about)
        self._put_off(key, about, _Pause(until=time.monotonic() + seconds, seconds=0.0, told=""))
        if before is None:
            self._events.append(Waits(student=key[0], assignment=key[1], seconds=seconds))

    def _put_off(self, key: _Key, about: object, pause: _Pause) -> None:
        self._pauses.setdefault(key, {})[about] = pause

    def _told(self) -> Iterator[Event]:
        while self._events:
            yield self._events.popleft()

    def _run(self, assignment: str) -> ClassRun:
        if assignment not in self._runs:
            self._runs[assignment] = ClassRun(self._root, assignment, self._pool)
        return self._runs[assignment]


def _state_of(folder: Path) -> object:
    try:
        return state_of(folder)
    except OSError:  # gone since it was found
        return None


def _lock(root: Path) -> int:
    """The lock by which a course is watched only once, as an open descriptor."""
    lock = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise AutograderError(
            f"{root} is watched already. One `autograder watch` takes any number of assignments; stop the other one first."
        ) from None
    return lock
