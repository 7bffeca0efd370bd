"""Kernels: where student code runs, and the source they come from.

Runs: trusted side; talks to the candidate, whose messages are treated as hostile.

A `KernelSource` starts a `Kernel` for each submission; this is the seam behind which a warm, walled source will stand.
`ColdKernels` starts a new interpreter each time, as nbgrader does. A kernel runs one cell at a time and reports how the
cell ended as a value: a dead kernel, an endless loop and a flood of output are replies, not exceptions.

         driver                                kernel process
      Kernel.execute --- shell (request, reply) --->  cell
                     <-- iopub (outputs, idle) -----
                     --- signal (interrupt, kill) -->
"""

from __future__ import annotations

import logging
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from queue import Empty
from typing import Any, Protocol

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import KernelManager

from autograder.errors import KernelStartError
from autograder.limits import Limits
from autograder.outputs import Outputs

log = logging.getLogger(__name__)

_MESSAGE_BYTES = 256 * 1024 * 1024
"""A single larger message from a kernel is refused by the socket, so that one print cannot fill the driver's memory."""
_IDLE_SECONDS = 4.0
"""How long after a cell's reply its last outputs may still arrive."""
_POLL_MILLISECONDS = 200
"""How often a silent kernel is asked whether it still lives."""


class Ending(StrEnum):
    """How a cell ended."""

    OK = "ok"
    ERROR = "error"
    TIMEOUT = "timeout"
    FLOOD = "flood"
    DIED = "died"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """How one cell ended."""

    ending: Ending
    ename: str = ""
    evalue: str = ""
    seconds: float = 0.0


class Kernel(Protocol):
    """One kernel of one submission."""

    start_seconds: float

    @property
    def alive(self) -> bool:
        """Whether another cell can run."""

    @property
    def end(self) -> str:
        """How the kernel ended, in words; empty while it lives."""

    def execute(self, source: str, outputs: Outputs, *, seconds: float) -> Reply:
        """Run `source`, collecting what it prints into `outputs`, for at most `seconds`."""

    def close(self) -> None:
        """End the kernel and everything it holds. Safe to call twice."""


class KernelSource(Protocol):
    """Starts kernels."""

    name: str

    def start(self, kernel_name: str, folder: Path, limits: Limits) -> Kernel:
        """A fresh kernel of the kernelspec `kernel_name` whose working folder is `folder`.

        Raises:
            KernelStartError: the kernelspec is unknown, or the kernel was not ready within `limits.start_seconds`.
        """


class ColdKernels:
    """A new interpreter for each submission, with the grader's rights: no wall yet."""

    name = "cold"

    def start(self, kernel_name: str, folder: Path, limits: Limits) -> Kernel:
        """See `KernelSource.start`."""
        return JupyterKernel(kernel_name, folder, limits)


class JupyterKernel:
    """A kernel behind `jupyter_client`, over unix sockets (TCP ports race when several kernels start at once)."""

    def __init__(self, kernel_name: str, folder: Path, limits: Limits) -> None:
        began = time.monotonic()
        self._limits = limits
        self._end = ""
        self._sockets = tempfile.mkdtemp(prefix="ag-")  # short: a unix socket's path has at most 107 bytes
        self._context = zmq.Context()
        self._context.setsockopt(zmq.MAXMSGSIZE, _MESSAGE_BYTES)
        self._manager = KernelManager(
            kernel_name=kernel_name,
            transport="ipc",
            ip=f"{self._sockets}/k",
            connection_file=f"{self._sockets}/kernel.json",
            context=self._context,
        )
        self._client: BlockingKernelClient | None = None
        try:
            arguments = ["--HistoryManager.hist_file=:memory:"] if self._manager.ipykernel else []
            self._manager.start_kernel(extra_arguments=arguments, cwd=str(folder))
            self._client = self._manager.client()
            self._client.start_channels(stdin=False)
            self._client.wait_for_ready(timeout=limits.start_seconds)
        except NoSuchKernel as error:
            self.close()
            raise KernelStartError(
                f"no kernel named {kernel_name!r} on this machine. The notebook asks for it; `jupyter kernelspec list` "
                "shows what is installed, and `pip install ipykernel` brings python3."
            ) from error
        except (RuntimeError, OSError) as error:
            self.close()
            raise KernelStartError(
                f"kernel {kernel_name!r} was not ready within {limits.start_seconds:g} s: {error}. A machine short of "
                "memory or a broken environment are the usual causes; `autograder doctor` says more."
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
        began = time.monotonic()
        if self._end:
            return Reply(ending=Ending.DIED)
        try:
            ending, reply = self._run(source, outputs, began + seconds)
        except zmq.ZMQError as error:
            self._stop(f"lost contact: {error}")
            ending, reply = Ending.DIED, {}
        ename = _text(reply.get("ename"))
        evalue = _text(reply.get("evalue"))
        if ending is Ending.ERROR and not outputs.has_error(ename):
            # A patched `showtraceback` swallows the output, but not the reply.
            outputs.add_error(ename, evalue, reply.get("traceback") if _is_text_list(reply.get("traceback")) else None)
        return Reply(ending=ending, ename=ename, evalue=evalue, seconds=time.monotonic() - began)

    def _run(self, source: str, outputs: Outputs, deadline: float) -> tuple[Ending, dict[str, Any]]:
        assert self._client is not None
        shell, iopub = self._client.shell_channel, self._client.iopub_channel
        request = self._client.execute(source, allow_stdin=False, stop_on_error=False)
        poller = zmq.Poller()
        poller.register(shell.socket, zmq.POLLIN)
        poller.register(iopub.socket, zmq.POLLIN)
        stopped: Ending | None = None  # why the cell was interrupted, once it was
        reply: dict[str, Any] | None = None
        idle = False
        while reply is None or not idle:
            events = dict(poller.poll(max(1, min(_POLL_MILLISECONDS, int(1000 * (deadline - time.monotonic()))))))
            if iopub.socket in events:
                message = _receive(iopub, request)
                if message is not None:
                    outputs.take(message)
                    idle = idle or _is_idle(message)
            if shell.socket in events and reply is None:
                message = _receive(shell, request)
                if message is not None:
                    reply = message["content"]
                    if _leaves(reply):
                        self._stop("died: the notebook called exit()")
                        return Ending.DIED, {}
                    deadline = min(deadline, time.monotonic() + _IDLE_SECONDS)
            if not events and not self._manager.is_alive():
                self._stop(self._death())
                return stopped or Ending.DIED, {}
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

    def _death(self) -> str:
        """How a kernel that ended by itself ended."""
        process = getattr(self._manager.provisioner, "process", None)
        code = getattr(process, "returncode", None)
        if code is None:
            return "died"
        if code < 0:
            return f"died: killed by signal {-code} ({signal.Signals(-code).name})"
        return f"died: exited with status {code}"


def _receive(channel: Any, request: str) -> dict[str, Any] | None:
    """The next message of `channel` if it answers `request` and is well formed, else None."""
    try:
        message = channel.get_msg(timeout=0)
    except Empty:
        return None
    except Exception as error:  # noqa: BLE001  student code holds the signing key: anything can arrive, and none of it is ours
        log.debug("dropped a malformed message: %s", error)
        return None
    parts = [message.get(name) for name in ("header", "parent_header", "content")]
    if not all(isinstance(part, dict) for part in parts) or message["parent_header"].get("msg_id") != request:
        return None
    return dict(message)


def _is_idle(message: dict[str, Any]) -> bool:
    return bool(message["header"].get("msg_type") == "status" and message["content"].get("execution_state") == "idle")


def _leaves(reply: dict[str, Any]) -> bool:
    """Whether the cell called `exit()`: the kernel ends a moment later, and what still runs until then would be chance."""
    payload = reply.get("payload")
    return isinstance(payload, list) and any(isinstance(item, dict) and item.get("source") == "ask_exit" for item in payload)


def _is_text_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
