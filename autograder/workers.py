"""Where workers come from: processes of this machine.

Runs: trusted side. Imports nothing heavy, so that workers can begin to start before anything else does.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from multiprocessing.connection import wait
from multiprocessing.forkserver import ensure_running
from types import FrameType
from typing import Protocol

from autograder.errors import PoolError
from autograder.folders import Scratch

GRADING = ("autograder.beforehand", "papermill.engines")
"""What every worker that grades needs."""
_FIRST = "autograder.light"
_LONGEST_TEMPORARY = 60
"""Bytes: a kernel's sockets lie two folders below, `autograder-run-<8>/ag-<8>/k-<number>`."""


class Workers(Protocol):
    """Where workers come from."""

    count: int
    """How many submissions they grade at once."""
    lost_together: bool
    """Whether one that dies takes all that were sent out with it."""
    nursery: str
    """The folder where they find zygotes that the driver has planted (`nursery`); empty if there is none on their machine."""

    def open(self, device: str) -> Executor:
        """Workers with that device (`cpu` or `cuda`), ready to use; fresh ones in place of those that were lost.

        Raises:
            PoolError: there are none.
        """

    def are_lost(self, error: BaseException) -> bool:
        """Whether `error`, of a submission, says that its worker died."""

    def close(self) -> None:
        """End them, also in the middle of a submission. Safe to call twice."""


class LocalWorkers:
    """Processes on this machine, forked from one that does nothing but import what they need: it takes seconds, and is done once,
    while the driver does the same. Forks of the driver itself would have its threads' locks.
    """

    lost_together = True

    def __init__(self, count: int, needs: Sequence[str] = GRADING) -> None:
        """`needs` are the modules that they will use.

        Raises:
            PoolError: the folder for temporary files has too long a name.
        """
        if len(os.fsencode(tempfile.gettempdir())) > _LONGEST_TEMPORARY:
            raise PoolError(
                f"{tempfile.gettempdir()}, the folder for temporary files, has too long a name: sockets lie below it, and Linux "
                f"allows the whole path of one 107 bytes. Nothing was done. Set TMPDIR to a folder whose name has at most "
                f"{_LONGEST_TEMPORARY} bytes: TMPDIR=/tmp"
            )
        self.count = count
        self._scratch = Scratch("autograder-run-")
        self.nursery = ""
        self._executor: ProcessPoolExecutor | None = None
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([_FIRST, *needs])
        self._others = set(multiprocessing.active_children())

    def start(self) -> None:
        """Begin to import what they need, beside whatever this process does until it opens them."""
        ensure_running()

    def open(self, device: str = "cpu") -> Executor:
        """See `Workers`."""
        self._end()
        self._executor = ProcessPoolExecutor(self.count, self._context, initializer=_begin, initargs=(str(self._scratch.path),))
        return self._executor

    def are_lost(self, error: BaseException) -> bool:
        """See `Workers`."""
        return isinstance(error, BrokenExecutor)

    def close(self) -> None:
        """See `Workers`."""
        self._end()
        self._scratch.close()

    def _end(self) -> None:
        if self._executor is not None:
            ours = [child for child in multiprocessing.active_children() if child not in self._others]
            for child in ours:
                child.terminate()
            for child in ours:
                child.join(5)
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None


def ready() -> int:
    """The worker's process id: a sign of life."""
    return os.getpid()


def _begin(scratch: str) -> None:
    """Prepare a worker: temporary files lie below `scratch`, which the driver removes; it ends when the driver does.

    Ctrl-C reaches every process of a terminal; what it means is the driver's business.
    """
    tempfile.tempdir = scratch
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_leave_with_driver, daemon=True).start()


def _leave(_signal: int, _frame: FrameType | None) -> None:
    """End at once; zygotes and what they forked end with the process that planted them."""
    os._exit(1)


def _leave_with_driver() -> None:
    driver = multiprocessing.parent_process()
    if driver is not None:
        wait([driver.sentinel])
        os._exit(1)
