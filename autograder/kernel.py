"""Kernels: where student code runs, and the source they come from.

Runs: trusted side; talks to the candidate, whose messages are treated as hostile.

A `KernelSource` starts a `Kernel` for each submission; `warm` has the one that is used, and `ColdKernels` here starts a new
interpreter each time, as nbgrader does, with no wall around it. A kernel runs one cell at a time and reports how the cell
ended as a value: a dead kernel, an endless loop and a flood of output are replies, not exceptions.

         driver                                kernel process
      Kernel.execute --- shell (request, reply) --->  cell
                     <-- iopub (outputs, idle) -----
                     --- signal (interrupt, kill) -->
"""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import KernelManager

from autograder.errors import KernelStartError
from autograder.limits import Limits
from autograder.messages import DriverMemory, is_idle, is_served, is_text_list, leaves, message_of, text_of
from autograder.outputs import Outputs

_MESSAGE_BYTES = 10_000_000
"""A larger message from a kernel is refused, so that one print cannot fill the driver's memory: JSON may grow twentyfold."""
_WAITING_MESSAGES = 20
"""How many messages wait in the driver; the rest waits in the kernel, at the kernel's own expense."""
_IDLE_SECONDS = 4.0
"""How long after a cell's reply its last outputs may still arrive."""
_ASK_AGAIN_SECONDS = 0.1
"""A kernel that has answered but whose output channel is silent is asked again: a subscription takes a moment to arrive."""
_POLL_MILLISECONDS = 200
"""How often a silent kernel is asked whether it still lives."""


class Ending(StrEnum):
    """How a cell ended."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    FLOOD = "flood"
    DIED = "died"
    MEMORY = "memory"
    """Killed, with everything it had started, because it used more memory than it may."""
    CPU = "cpu"
    """Killed because the submission used up its CPU seconds."""
    LOST = "lost"
    """Our side of the kernel failed, not the cell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How one cell ended."""

    ending: Ending
    ename: str = ""
    evalue: str = ""
    seconds: float = 0.0
    goes_on: bool = False
    """Whether it still runs: it served a test, and waits for the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What a kernel is started with."""

    folder: Path
    """The working folder, or what it begins as a copy of."""
    limits: Limits = field(default_factory=Limits)
    kernel_name: str = "python3"
    """Name of the kernelspec."""
    seed: int = 0
    """State that the global random generators begin with."""
    device: str = "cpu"
    """What the submission may compute on: `cpu` or `cuda`."""
    modules: tuple[str, ...] = ()
    """What a zygote imports beforehand, in this order."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    """Set right after the cell tagged `parameters`, as papermill does."""
    keep_files: bool = False
    """Whether files that the notebook writes into its folder are to appear in `folder` at the end."""

    @property
    def parameter_source(self) -> str:
        """The cell that sets the parameters."""
        return "\n".join(f"{name} = {value!r}" for name, value in self.parameters.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a kernel and everything it started used, known once it has ended."""

    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    examiner_cpu_seconds: float = 0.0
    """What its examiner used, where it has one."""


class Kernel(Protocol):
    """One kernel of one submission."""

    start_seconds: float

    @property
    def usage(self) -> Usage:
        """What it used, known once it has ended."""

    @property
    def walls(self) -> Mapping[str, str]:
        """Name of each wall around it -> "on", or why it is off. Empty where there are none."""

    @property
    def alive(self) -> bool:
        """Whether another cell can run."""

    @property
    def end(self) -> str:
        """How the kernel ended, in words; empty while it lives."""

    def execute(self, source: str, outputs: Outputs, *, seconds: float) -> Reply:
        """Run `source`, collecting what it prints into `outputs`, for at most `seconds`."""

    def begin(self, source: str) -> None:
        """Start running `source`; `finish` says how it ended."""

    def finish(self, outputs: Outputs, *, seconds: float, served: bool = False) -> Reply:
        """Wait for what `begin` started, for at most `seconds`; with `served` only until it says that it has served a test."""

    def close(self) -> None:
        """End the kernel and everything it holds. Safe to call twice."""


class KernelSource(Protocol):
    """Starts kernels."""

    name: str
    sandbox: bool
    """Whether student code is walled in."""

    def start(self, launch: Launch) -> Kernel:
        """A fresh kernel.

        Raises:
            KernelStartError: the kernelspec is unknown, or the kernel was not ready within `limits.start_seconds`.
        """

    def close(self) -> None:
        """End what serves several kernels. Safe to call twice."""


class ColdKernels:
    """A new interpreter for each submission, with the grader's rights: no wall. What the warm source is measured against."""

    name = "cold"
    sandbox = False

    def start(self, launch: Launch) -> Kernel:
        """See `KernelSource.start`."""
        return JupyterKernel(launch)

    def close(self) -> None:
        """See `KernelSource.close`."""


class JupyterKernel:
    """A kernel behind `jupyter_client`, over unix sockets (TCP ports race when several kernels start at once)."""

    def __init__(self, launch: Launch, manager: Callable[..., KernelManager] = KernelManager) -> None:
        began = time.monotonic()
        self._limits = launch.limits
        self._end = ""
        self._request = ""
        self.usage = Usage()
        self.walls: Mapping[str, str] = {}
        self._sockets = tempfile.mkdtemp(prefix="ag-")  # short: a unix socket's path has at most 107 bytes
        self._context = zmq.Context()
        self._context.setsockopt(zmq.MAXMSGSIZE, _MESSAGE_BYTES)
        self._context.setsockopt(zmq.RCVHWM, _WAITING_MESSAGES)
        self._context.setsockopt(zmq.LINGER, 0)  # what a dead kernel never took must not keep this process waiting
        self._manager = manager(
            kernel_name=launch.kernel_name,
            transport="ipc",
            ip=f"{self._sockets}/k",
            connection_file=f"{self._sockets}/kernel.json",
            context=self._context,
        )
        self._client: BlockingKernelClient | None = None
        try:
            arguments = ["--HistoryManager.hist_file=:memory:"] if self._manager.ipykernel else []
            self._manager.start_kernel(extra_arguments=arguments, cwd=str(launch.folder))
            self._client = self._manager.client()
            self._client.start_channels(stdin=False, hb=False)
            self._await_ready(began + launch.limits.start_seconds)
        except KernelStartError:
            self.close()
            raise
        except NoSuchKernel as error:
            self.close()
            raise KernelStartError.no_such(launch.kernel_name) from error
        except (RuntimeError, OSError) as error:
            self.close()
            raise KernelStartError(
                f"kernel {launch.kernel_name!r} was not ready within {launch.limits.start_seconds:g} s: {error}. A machine "
                "short of memory or a broken environment are the usual causes; `autograder doctor` says more."
            ) from error
        self.start_seconds = time.monotonic() - began

    @property
    def alive(self) -> bool:
        """See `Kernel.alive`."""
        return not self._end

    @property
    def end(self) -> str:
        """See `Kernel.end`."""
        return self._end

    def execute(self, source: str, outputs: Outputs, *, seconds: float) -> Reply:
        """See `Kernel.execute`."""
        self.begin(source)
        return self.finish(outputs, seconds=seconds)

    def begin(self, source: str) -> None:
        """See `Kernel.begin`."""
        if not self._end:
            assert self._client is not None
            self._request = self._client.execute(source, allow_stdin=False, stop_on_error=False)

    def finish(self, outputs: Outputs, *, seconds: float, served: bool = False) -> Reply:
        """See `Kernel.finish`."""
        began = time.monotonic()
        if self._end:
            return Reply(ending=Ending.DIED)
        try:
            ending, reply = self._follow(outputs, began + seconds, served=served)
        except zmq.ZMQError as error:
            self._stop(f"lost contact: {error}")
            ending, reply = Ending.DIED, {}
        said = reply or {}
        ename, evalue = text_of(said.get("ename")), text_of(said.get("evalue"))
        if ending is Ending.ERROR and not outputs.has_error(ename):
            # A patched `showtraceback` swallows the output, but not the reply.
            outputs.add_error(ename, evalue, said.get("traceback") if is_text_list(said.get("traceback")) else None)
        return Reply(ending=ending, ename=ename, evalue=evalue, seconds=time.monotonic() - began, goes_on=reply is None)

    def _follow(self, outputs: Outputs, deadline: float, *, served: bool) -> tuple[Ending, dict[str, Any] | None]:
        """How the cell ended, with its reply: None if it has `served` a test and goes on."""
        assert self._client is not None
        shell, iopub, request = self._client.shell_channel, self._client.iopub_channel, self._request
        poller = zmq.Poller()
        poller.register(shell.socket, zmq.POLLIN)
        poller.register(iopub.socket, zmq.POLLIN)
        for descriptor in self._signs_of_death():
            poller.register(descriptor, zmq.POLLIN)
        stopped: Ending | None = None  # why the cell was interrupted, once it was
        reply: dict[str, Any] | None = None
        idle = False
        memory = DriverMemory()
        while reply is None or not idle:
            events = dict(poller.poll(max(1, min(_POLL_MILLISECONDS, int(1000 * (deadline - time.monotonic()))))))
            if iopub.socket in events:
                message, size = _receive(iopub, request)
                if message is not None:
                    outputs.take(message)
                    idle = idle or is_idle(message)
                    if served and is_served(message):
                        return stopped or Ending.OK, None
                else:
                    outputs.seen_bytes += size  # junk is output too
            if shell.socket in events and reply is None:
                message, size = _receive(shell, request)
                if message is None:
                    outputs.seen_bytes += size
                else:
                    reply = message["content"]
                    if leaves(reply):
                        self._stop("died: the notebook called exit()")
                        return Ending.DIED, {}
                    deadline = min(deadline, time.monotonic() + _IDLE_SECONDS)
            if memory.has_grown():
                self._stop("killed: it filled the grader's memory with messages")
                return Ending.FLOOD, {}
            if iopub.socket not in events and shell.socket not in events and not self._manager.is_alive():
                ending, why = self._death()
                self._stop(why)
                return (stopped or ending) if ending is Ending.DIED else ending, {}
            if reply is not None:
                if time.monotonic() > deadline:
                    outputs.complete = False
                    break  # the reply says how the cell ended; its last outputs never came
                continue
            if stopped is None and (outputs.flooded or time.monotonic() > deadline):
                stopped = Ending.FLOOD if outputs.flooded else Ending.TIMEOUT
                deadline = time.monotonic() + self._limits.interrupt_seconds
                self._manager.interrupt_kernel()
            elif stopped is not None and time.monotonic() > deadline:
                self._stop("killed: it did not stop when interrupted")
                return stopped, {}
        status = reply.get("status") if reply is not None else None
        return stopped or (Ending.OK if status == "ok" else Ending.ERROR), reply or {}

    def _await_ready(self, deadline: float) -> None:
        """Wait until a request is answered on both channels; jupyter_client's own wait adds a fixed 0.2 s.

        Raises:
            RuntimeError: the kernel died, or `deadline` passed.
        """
        assert self._client is not None
        shell, iopub = self._client.shell_channel, self._client.iopub_channel
        while time.monotonic() < deadline:
            request = self._client.kernel_info()
            replied = idle = False
            until = min(deadline, time.monotonic() + _ASK_AGAIN_SECONDS)
            while not (replied and idle) and time.monotonic() < until:
                zmq.select([shell.socket, iopub.socket], [], [], timeout=0.05)
                message, _ = _receive(iopub, request)
                idle = idle or (message is not None and is_idle(message))
                replied = replied or _receive(shell, request)[0] is not None
            if replied and idle:
                return
            if not self._manager.is_alive():
                raise RuntimeError("it died before it answered")
        raise RuntimeError("it did not answer")

    def close(self) -> None:
        """See `Kernel.close`."""
        self._stop("ended by the grader")

    def _stop(self, why: str) -> None:
        if self._end:
            return
        self._end = why
        try:
            if self._client is not None:
                self._client.stop_channels()
            if self._manager.has_kernel:
                self._manager.shutdown_kernel(now=True)
        finally:
            self._manager.cleanup_resources()
            self._context.destroy(linger=0)
            shutil.rmtree(self._sockets, ignore_errors=True)

    def _signs_of_death(self) -> list[int]:
        """Descriptors that become readable when the kernel ends."""
        return []

    def _death(self) -> tuple[Ending, str]:
        """How a kernel that was not ended by us ended, also in words."""
        process = getattr(self._manager.provisioner, "process", None)
        return Ending.DIED, status_in_words(getattr(process, "returncode", None))


def status_in_words(code: int | None) -> str:
    """An exit status, negative for a signal, in words."""
    if code is None:
        return "died"
    if code >= 0:
        return f"died: exited with status {code}"
    known = {number.value: number.name for number in signal.Signals}
    return f"died: killed by signal {-code} ({known.get(-code, 'unknown')})"


def _receive(channel: Any, request: str) -> tuple[dict[str, Any] | None, int]:
    """The next message of `channel` if it answers `request` and is well formed, else None; and its size in bytes."""
    try:
        parts = channel.socket.recv_multipart(zmq.NOBLOCK)
    except zmq.Again:
        return None, 0
    size = sum(map(len, parts))
    if size > _MESSAGE_BYTES:
        return None, size
    return message_of(parts, request), size
