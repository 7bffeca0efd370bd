"""What a worker does: grades one packed submission after another, and keeps what it needs for that.

Runs: trusted side, in a process of its own, on this machine or another.

A package can be large, so it comes along only when a worker asks for it: `PackageNeeded` is the question.
"""

from __future__ import annotations

import threading
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path

from autograder.nursery import Nursery
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

    def grade(self, digest: str, package: bytes | None, submission: bytes, nursery: str) -> bytes:
        with self._lock:
            if self._digest != digest or self._workplace is None:
                if package is None:
                    raise PackageNeeded(digest)
                self.close()
                shared = Nursery(Path(nursery)) if nursery else None
                self._workplace, self._digest = Workplace(unpacked(package), shared), digest
            return packed(self._workplace.grade(unpacked(submission)))

    def close(self) -> None:
        workplace, self._workplace, self._digest = self._workplace, None, ""
        if workplace is not None:
            workplace.close()


@cache
def _kept() -> _Kept:
    """What this process keeps for its life; let go of when it ends in order, so that nothing has to be killed."""
    kept = _Kept()
    Finalize(None, kept.close, exitpriority=10)
    return kept


def grade_packed(digest: str, package: bytes | None, submission: bytes, nursery: str = "") -> bytes:
    """The packed result of a packed submission; `nursery` is the folder of the nursery that the driver has on this machine.

    Raises:
        PackageNeeded: this worker has no package of that digest and was given none.
        WallError: this machine cannot wall student code in.
    """
    return _kept().grade(digest, package, submission, nursery)
