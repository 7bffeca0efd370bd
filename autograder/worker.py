"""What a worker does: grades one packed submission after another, and keeps what it needs for that.

Runs: trusted side, in a process of its own, on this machine or another.

A package can be large, so it comes along only when a worker asks for it: `PackageNeeded` is the question.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from functools import cache
from multiprocessing.connection import wait
from types import FrameType

from autograder.package import packed, unpacked
from autograder.submission import Workplace


class PackageNeeded(Exception):
    """The worker has not got the package that a submission is to be graded with."""


class _Kept:
    """The workplace of the package in use. Grading is not made for threads: a second one waits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._digest = ""
        self._workplace: Workplace | None = None

    def grade(self, digest: str, package: bytes | None, submission: bytes) -> bytes:
        with self._lock:
            if self._digest != digest or self._workplace is None:
                if package is None:
                    raise PackageNeeded(digest)
                self.close()
                self._workplace, self._digest = Workplace(unpacked(package)), digest
            return packed(self._workplace.grade(unpacked(submission)))

    def close(self) -> None:
        workplace, self._workplace, self._digest = self._workplace, None, ""
        if workplace is not None:
            workplace.close()


@cache
def _kept() -> _Kept:
    """What this process keeps for its life."""
    return _Kept()


def grade_packed(digest: str, package: bytes | None, submission: bytes) -> bytes:
    """The packed result of a packed submission.

    Raises:
        PackageNeeded: this worker has no package of that digest and was given none.
        WallError: this machine cannot wall student code in.
    """
    return _kept().grade(digest, package, submission)


def ready() -> int:
    """The worker's process id: a sign of life."""
    return os.getpid()


def begin(scratch: str) -> None:
    """Prepare a local worker: temporary files lie below `scratch`, which the driver removes; it ends when the driver does.

    Ctrl-C reaches every process of a terminal; what it means is the driver's business.
    """
    tempfile.tempdir = scratch
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_leave_with_driver, daemon=True).start()


def _leave(_signal: int, _frame: FrameType | None) -> None:
    _kept().close()
    os._exit(1)


def _leave_with_driver() -> None:
    driver = multiprocessing.parent_process()
    if driver is not None:
        wait([driver.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
