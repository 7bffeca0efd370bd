"""The kernel source that is used: warm forks behind a wall.

Runs: trusted side.

One `WarmKernels` serves a whole run. It plants a zygote for the first submission of an assignment and forks it for each;
zygotes for another interpreter, set of modules or GPU are planted when first asked for.
"""

from __future__ import annotations

import logging
import socket
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel

from autograder.errors import KernelStartError
from autograder.examiners import ExaminerProcess
from autograder.gpu import Lease, find_gpus, lease
from autograder.kernel import Ending, JupyterKernel, Kernel, Launch, Usage, status_in_words
from autograder.lifeline import Why
from autograder.nursery import Nursery, Plan
from autograder.provisioner import WarmKernelManager, request_for
from autograder.wall import Wall, python_of
from autograder.wire import connected
from autograder.zygotes import Fork, PlantedZygote, Zygote

log = logging.getLogger(__name__)

_KEPT_ZYGOTES = 2
"""How many zygotes are kept: each holds a few hundred megabytes, and a run seldom needs more than one."""


class WarmKernels:
    """Forks of zygotes, walled in unless `sandbox` is False."""

    name = "warm"

    def __init__(self, *, sandbox: bool = True, visible: tuple[str, ...] = (), nursery: Nursery | None = None) -> None:
        """`visible` are further paths that submissions may read; in `nursery` zygotes may have been planted already."""
        self.sandbox = sandbox
        self._visible = visible
        self._nursery = nursery
        self._zygotes: dict[tuple[Wall, tuple[str, ...]], Zygote] = {}

    def start(self, launch: Launch) -> Kernel:
        """See `KernelSource.start`."""
        return self._start(launch, "", None)

    def start_pair(self, candidate: Launch, examiner: Launch) -> tuple[Kernel, ExaminerProcess]:
        """A kernel for the student's cells and a process for the test cells, with a wire between them.

        Raises:
            KernelStartError: either did not start.
        """
        ours, theirs = connected()
        with ours, theirs, ExitStack() as undone:
            orders, fork = self._begin_examiner(examiner, ours)  # it sets itself up beside the candidate
            undone.callback(orders.close)
            undone.callback(fork.close)
            first = self._start(candidate, "candidate", theirs)
            undone.callback(first.close)
            fork.wait_for_start()
            undone.pop_all()
            return first, ExaminerProcess(fork, orders)

    def _begin_examiner(self, launch: Launch, wire: socket.socket) -> tuple[socket.socket, Fork]:
        spec = _kernel_spec(launch.kernel_name)
        wall = Wall(python=python_of(spec), visible=self._visible, sandbox=self.sandbox)
        zygote = self._zygote(wall, launch.modules)
        orders, theirs = socket.socketpair()
        with theirs:
            request = replace(request_for(launch, "", spec, wall), role="examiner")
            try:
                return orders, zygote.begin_fork(request, launch.folder, [theirs, wire])
            except BaseException:
                orders.close()
                raise

    def _start(self, launch: Launch, role: str, wire: socket.socket | None) -> Kernel:
        spec = _kernel_spec(launch.kernel_name)
        held = lease(find_gpus()) if launch.device == "cuda" else None
        try:
            devices = held.gpu.nodes if held is not None else ()
            wall = Wall(python=python_of(spec), visible=self._visible, devices=devices, sandbox=self.sandbox)
            zygote = self._zygote(wall, launch.modules)
            manager = partial(WarmKernelManager, zygote=zygote, launch=launch, role=role, wire=wire)
            return WarmKernel(launch, manager, held)
        except BaseException:
            if held is not None:
                held.close()
            raise

    def _zygote(self, wall: Wall, modules: tuple[str, ...]) -> Zygote:
        key = wall, modules
        zygote = self._zygotes.pop(key, None)
        if zygote is not None and not zygote.alive:
            log.warning("the zygote had ended; planting another")
            zygote.close()
            zygote = None
        if zygote is None:
            while len(self._zygotes) >= _KEPT_ZYGOTES:
                self._zygotes.pop(next(iter(self._zygotes))).close()
            zygote = self._found(wall, modules)
        self._zygotes[key] = zygote
        return zygote

    def _found(self, wall: Wall, modules: tuple[str, ...]) -> Zygote:
        """One that was planted ahead, or else one of our own."""
        plan = Plan(wall=wall, modules=modules)
        joined = self._nursery.join(plan) if self._nursery is not None else None
        zygote = joined or PlantedZygote(wall, modules)
        left_out = zygote.left_out if isinstance(zygote, PlantedZygote) else ()
        if left_out:
            log.info("not imported beforehand, since they start threads: %s", ", ".join(left_out))
        elif self._nursery is not None and modules and not wall.devices:
            self._nursery.note(plan)
        return zygote

    def close(self) -> None:
        """See `KernelSource.close`."""
        while self._zygotes:
            self._zygotes.popitem()[1].close()


class WarmKernel(JupyterKernel):
    """A forked kernel; its warden says how it ended and what it used."""

    def __init__(self, launch: Launch, manager: Any, held: Lease | None = None) -> None:
        self._lease = held
        self._launch = launch
        super().__init__(launch, manager)
        self.walls = self._fork.walls

    @property
    def _fork(self) -> Any:
        provisioner = self._manager.provisioner
        return getattr(provisioner, "fork", None)

    def _signs_of_death(self) -> list[int]:
        return [self._fork.fileno()] if self._fork is not None else []

    def _death(self) -> tuple[Ending, str]:
        limits, ended = self._launch.limits, self._fork.ended
        match ended.why:
            case Why.MEMORY:
                return Ending.MEMORY, f"killed: it used more than {limits.memory_bytes / 1e9:.1f} GB of memory"
            case Why.CPU:
                return Ending.CPU, f"killed: it used up its {limits.cpu_seconds:.0f} CPU seconds"
            case Why.WARDEN:
                return Ending.LOST, f"lost: {ended.detail or 'its warden failed'}"
            case _:
                return Ending.DIED, status_in_words(ended.status)

    def _stop(self, why: str) -> None:
        if not self._end:
            fork = self._fork if hasattr(self, "_manager") else None
            if fork is not None:
                ended = fork.end()
                self.usage = Usage(cpu_seconds=ended.cpu_seconds, peak_bytes=ended.peak_bytes)
        try:
            super()._stop(why)
        finally:
            if self._lease is not None:
                self._lease.close()


def _kernel_spec(name: str) -> KernelSpec:
    try:
        return KernelSpecManager().get_kernel_spec(name)
    except NoSuchKernel as error:
        raise KernelStartError.no_such(name) from error
