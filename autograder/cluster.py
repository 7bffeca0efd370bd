"""Workers of a Dask cluster: on other machines, behind one scheduler.

Runs: trusted side, in the driver. A worker's machine has this package and what the wall needs, and nothing of the course.

A worker is to have one thread: grading is not made for more, so a second one only waits. Machines with GPUs announce
them (`--resources GPU=1` for each card): an assignment that needs one goes only there.
"""

from __future__ import annotations

import logging
from concurrent.futures import Executor

from distributed import Client
from distributed.scheduler import KilledWorker

from autograder.errors import PoolError

_CONNECT_SECONDS = 20


class DaskWorkers:
    """The workers that the scheduler at `address` has. See `Workers`."""

    lost_together = False
    nursery = ""

    def __init__(self, address: str) -> None:
        """Raises: PoolError: no scheduler answers there, or it has no workers."""
        for name in ("distributed", "distributed.client"):  # what goes wrong is told by us, in a sentence
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            self._client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise PoolError(
                f"no Dask scheduler answers at {address} ({error}). `dask scheduler` prints its address when it starts; "
                "machines between may have to let the port through."
            ) from error
        self._executor: Executor | None = None
        threads = self._client.nthreads()
        if not threads:
            self._client.close()
            raise PoolError(f"the scheduler at {address} has no workers. `dask worker {address} --nthreads 1` starts one.")
        self.count = sum(threads.values())

    def open(self, device: str) -> Executor:
        """The cluster; Dask itself replaces workers that it lost."""
        if self._executor is None:
            needs = {"resources": {"GPU": 1}} if device == "cuda" else {}
            self._executor = self._client.get_executor(pure=False, **needs)
        return self._executor

    def are_lost(self, error: BaseException) -> bool:
        """Whether the worker died, and others after it: Dask tries a few before it says so."""
        return isinstance(error, KilledWorker)

    def close(self) -> None:
        """Leave the cluster; what it still grades for us is cancelled."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None
        self._client.close()
