"""Sends submissions to workers and hands out what comes back, whatever happens to a worker.

Runs: trusted side, in the driver.

All it asks of workers is `concurrent.futures.Executor`. When a worker dies (killed for memory, a machine that vanished), nobody
can say which of the submissions on their way had to do with it: each of them is tried again, alone. One that is
alone when a worker dies a second time is given up and left to a person. One whose kernel was killed, which may have been its own
doing or not, or at which the grader failed, is tried once more from its bytes; what comes of that counts.
"""

from __future__ import annotations

import logging
import signal
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass, field

from autograder.errors import GOES_ON, AutograderError, PoolError, WallError
from autograder.folders import is_full
from autograder.kernel import status_in_words
from autograder.package import GradedSubmission, Package, Submission, packed, unpacked
from autograder.submission import given_up
from autograder.verdict import Verdict
from autograder.worker import PackageNeeded, grade_packed
from autograder.workers import Workers, ready

log = logging.getLogger(__name__)

_AHEAD = 2
"""How many submissions wait beside those that are being graded, so that no worker waits for the driver."""
_ASK_SECONDS = 0.5
"""How soon a source that had nothing at the moment is asked again."""
_START_SECONDS = 120.0
"""How long a fresh worker may take to give a sign of life."""


@dataclass(slots=True, kw_only=True)
class _Job:
    submission: Submission
    data: bytes
    alone: bool = False
    again: bool = False
    began: float = field(default_factory=time.monotonic)


class Pool:
    """Grades submissions with the help of workers, which stay open from one round to the next, until `close`."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._package: Package | None = None
        self._digest = ""
        self._packed = b""
        self._device = ""
        self._pending: dict[Future[bytes], _Job] = {}
        self._suspects: deque[_Job] = deque()
        self._executor: Executor | None = None
        self._more = False
        """Whether there is nothing to send out only for the moment."""

    def under_way(self) -> dict[str, float]:
        """Student -> seconds since the submission was sent out, longest first."""
        now = time.monotonic()
        jobs = sorted([*self._pending.values()], key=lambda job: job.began)
        return {job.submission.student: now - job.began for job in jobs}

    def grade(self, package: Package, submissions: Iterable[Submission | None]) -> Iterator[GradedSubmission]:
        """What comes of `submissions`, each as soon as it is there; they are read only as they are needed. One round at a time.

        None among them says that there is no other now: while some are being graded, the next is asked for a little later.

        Raises:
            PoolError: there are no workers (any more). What was not handed out by then was not graded.
            WallError: a worker's machine cannot wall student code in.
        """
        self._take(package)
        waiting, ended = iter(submissions), False
        try:
            while self._send(waiting):
                done, _ = wait(self._pending, _ASK_SECONDS if self._more else None, return_when=FIRST_COMPLETED)
                lost = []
                for future in done:
                    job = self._pending.pop(future)
                    if future.cancelled():
                        raise PoolError(f"the workers are gone, or whoever hands out their work. {GOES_ON}")
                    error = future.exception()
                    if error is None:
                        result = unpacked(future.result())
                        if job.again or not _was_disturbed(result):
                            yield result
                        else:
                            log.info("%s: a kernel was killed, or the grader failed: trying again", job.submission.student)
                            job.again = True
                            self._submit(job)
                    elif isinstance(error, PackageNeeded):
                        self._submit(job, self._packed)
                    elif self._workers.are_lost(error):
                        lost.append(job)
                    elif isinstance(error, WallError):
                        raise error
                    elif isinstance(error, OSError) and is_full(error):
                        raise _no_room(error) from error
                    else:
                        log.error("%s: grading failed", job.submission.student, exc_info=error)
                        yield GradedSubmission(student=job.submission.student, problem=_in_words(error))
                if lost:
                    yield from self._recover(lost)
            ended = True
        finally:
            self._pending.clear()
            self._suspects.clear()
            if not ended:  # its workers may still be busy with what nobody waits for
                self._executor = None

    def close(self) -> None:
        """End the workers, in order if they are idle. Safe to call twice."""
        executor, self._executor = self._executor, None
        if executor is not None and not self._pending:
            executor.shutdown()
        self._workers.close()

    def _take(self, package: Package) -> None:
        """Make ready for a round with `package`; workers that have it are not sent it again."""
        digest, device = package.digest(), package.rules.device_in_use
        if digest != self._digest:
            self._package, self._digest, self._packed = package, digest, packed(package)
        if self._executor is None or device != self._device:
            self._executor, self._device = self._workers.open(device), device

    def _send(self, waiting: Iterator[Submission | None]) -> bool:
        """Send out what may be sent out now; whether there is anything to wait for."""
        self._more = False
        while not self._suspects and len(self._pending) < self._workers.count + _AHEAD:
            if any(job.alone for job in self._pending.values()):
                break
            try:
                submission = next(waiting)
            except StopIteration:
                break
            if submission is None:
                self._more = True
                break
            self._submit(_Job(submission=submission, data=packed(submission)))
        if self._suspects and not self._pending:
            job = self._suspects.popleft()
            job.alone = True
            self._submit(job)
        return bool(self._pending)

    def _submit(self, job: _Job, package: bytes | None = None) -> None:
        assert self._executor is not None
        try:
            future = self._executor.submit(grade_packed, self._digest, package, job.data, self._workers.nursery)
        except BrokenExecutor as error:  # it broke since it was last looked at
            future = Future()
            future.set_exception(error)
        self._pending[future] = job

    def _is_lost(self, future: Future[bytes]) -> bool:
        error = future.exception() if future.done() else None
        return error is not None and self._workers.are_lost(error)

    def _recover(self, lost: list[_Job]) -> Iterator[GradedSubmission]:
        """Open fresh workers after some were lost; give up the submission that was alone with one."""
        assert self._package is not None
        if self._workers.lost_together:
            wait(self._pending)
            broken = [future for future in self._pending if self._is_lost(future)]
            lost += [self._pending.pop(future) for future in broken]
        for job in lost:
            if job.alone:
                log.error("%s: its worker died twice; a person must look at it", job.submission.student)
                why = "The grader failed here, twice; staff will look at it."
                yield given_up(self._package, job.submission, why)
            else:
                log.warning("a worker died while %s was being graded, or waiting: trying again", job.submission.student)
                self._suspects.append(job)
        self._executor = self._workers.open(self._device)
        try:
            self._executor.submit(ready).result(_START_SECONDS)
        except (BrokenExecutor, TimeoutError) as error:
            raise PoolError(
                f"a fresh worker died or said nothing: out of memory or processes, or something kills them. {GOES_ON}"
            ) from error


def _was_disturbed(result: GradedSubmission) -> bool:
    reports = [notebook.report for notebook in result.notebooks]
    killed = any(report.kernel.end == status_in_words(-signal.SIGKILL) for report in reports)
    return killed or any(cell.verdict is Verdict.INTERNAL for report in reports for cell in report.cells)


def _no_room(error: OSError) -> PoolError:
    where = error.filename or tempfile.gettempdir()
    return PoolError(
        f"a worker has no room for its temporary files in {where}: {error.strerror}. `TMPDIR` names another folder. {GOES_ON}"
    )


def _in_words(error: BaseException) -> str:
    return str(error) if isinstance(error, AutograderError) else f"grading failed with {type(error).__name__}: {error}"
