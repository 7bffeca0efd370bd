"""An IPython kernel in a process that was forked, over sockets that were handed to it.

Runs: candidate side; once the kernel is started, student code may do what it likes in this process.

The sockets listen already when they arrive, so the kernel needs no folder that it shares with the driver.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from autograder.candidate import Candidate, serve
from autograder.desk import ready_desk
from autograder.lifeline import CHANNELS, SERVED, ForkRequest
from autograder.seeds import seed_generators


def ready_kernel(request: ForkRequest, folder: Path, descriptors: list[int]) -> Any:
    """A kernel application that needs only to be started; `descriptors` are its listening sockets and perhaps a wire.

    For an examiner it is a desk instead; see `ready_desk`.
    """
    os.environ.update(request.environment)
    os.environ.update({"HOME": str(folder.parent), "PWD": str(folder), "OMP_NUM_THREADS": str(request.threads)})
    _set_threads(request.threads)
    if request.role == "examiner":
        return ready_desk(request, descriptors)
    app = _application(request, dict(zip(CHANNELS, descriptors, strict=False)), folder)
    if request.role:
        wire = socket.socket(fileno=descriptors[-1])
        app.shell.serve_examiner = partial(serve, Candidate(wire, app.shell.user_ns, after_each=partial(_end_test, app)))
    else:  # the wire's modules import as they go
        _forget_this_package()
    sees_devices = request.environment.get("CUDA_VISIBLE_DEVICES") != ""
    seed_generators(request.seed, accelerators=sees_devices)  # last: what sets up a kernel may draw numbers itself
    return app


def _application(request: ForkRequest, listeners: dict[str, int], folder: Path) -> Any:
    import zmq
    from ipykernel import iostream, ipkernel
    from ipykernel.heartbeat import Heartbeat
    from ipykernel.kernelapp import IPKernelApp

    def bind(socket: Any, descriptor: int) -> None:
        socket.setsockopt(zmq.USE_FD, descriptor)
        socket.bind("ipc:///inherited")  # not looked at: the descriptor listens already

    class HandedHeartbeat(Heartbeat):
        def _try_bind_socket(self) -> None:
            bind(self.socket, self.port)

    class HandedKernelApp(IPKernelApp):
        """Takes sockets instead of making them. A port is the number of a descriptor here."""

        def _try_bind_socket(self, s: Any, port: int) -> int:
            bind(s, port)
            return port

        def _without(self, *_: Any, **options: Any) -> None:
            """No connection file, no command line; just to parse an empty one takes a tenth of setting up."""

        init_connection_file = write_connection_file = parse_command_line = _without

        def _configure_logging(self) -> None:
            """Only what is to be seen: nothing. Handlers of its own would have those closed that imported modules made."""
            self.log.setLevel(self.log_level)

        def init_control(self, context: Any) -> None:
            super().init_control(context)
            self.debug_shell_socket.close()  # for a debugger, which nobody attaches to a graded notebook
            self.shell_channel_thread = None  # it would hand each request on to the thread that runs cells, and each reply back

        def init_iopub(self, context: Any) -> None:
            self.iopub_socket = context.socket(zmq.XPUB)
            self.iopub_socket.linger = 1000
            self.iopub_socket.sndhwm = 0  # what the driver has not read yet waits here; nothing is dropped
            self.iopub_port = self._bind_socket(self.iopub_socket, self.iopub_port)
            self.configure_tornado_logger()
            # No pipe: it is a TCP socket, through which the notebook's own forks print, and there is no network.
            self.iopub_thread = iostream.IOPubThread(self.iopub_socket, pipe=False, session=self.session)
            self.iopub_thread.start()
            self.iopub_socket = self.iopub_thread.background_socket

        def init_heartbeat(self) -> None:
            if request.role:
                return  # its warden says whether it lives
            self.heartbeat = HandedHeartbeat(zmq.Context(), (self.transport, self.ip, self.hb_port))
            self.heartbeat.start()

    _flush_only_what_was_written(iostream)
    app = HandedKernelApp.instance(transport="ipc", ip="inherited", config=_settings(request))
    for channel, descriptor in listeners.items():
        setattr(app, f"{channel}_port", descriptor)
    with warnings.catch_warnings(), _unlisted_modules(ipkernel):
        warnings.simplefilter("ignore")
        app.initialize([])
    return app


def _settings(request: ForkRequest) -> Any:
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False  # no database, no thread that saves into it
    config.IPKernelApp.log_level = 50
    config.InteractiveShell.enable_tip = False  # each answer about the kernel would draw one by the student's generator
    config.Session.key = request.key.encode()
    config.BaseIPythonApplication.auto_create = True
    return config


@contextlib.contextmanager
def _unlisted_modules(ipkernel: Any) -> Iterator[None]:
    """A kernel that is set up lists the files of all modules, for its debugger; a fork would copy a page for each: 15 MB."""
    whole, ipkernel.sys = ipkernel.sys, SimpleNamespace(modules={})
    try:
        yield
    finally:
        ipkernel.sys = whole


def _end_test(app: Any) -> None:
    """What a kernel does after a cell: draw figures that are open, send what was printed, and say so."""
    app.shell.events.trigger("post_execute")
    sys.stdout.flush()
    sys.stderr.flush()
    app.kernel._publish_status(SERVED, "shell")


def _flush_only_what_was_written(iostream: Any) -> None:
    """A kernel flushes its streams four times for each cell, and that wakes another thread each time, also for nothing."""

    class Stream(iostream.OutStream):  # type: ignore[misc]  # a class of what is imported only when it is needed
        def flush(self) -> None:
            if self._flush_pending or self._subprocess_flush_pending or self._buffers:
                super().flush()

    iostream.OutStream = Stream  # looked up there, by its name


def _set_threads(threads: int) -> None:
    """Raise the number of threads that the zygote kept at one."""
    torch, threadpoolctl = sys.modules.get("torch"), sys.modules.get("threadpoolctl")
    if threads > 1 and torch is not None:
        torch.set_num_threads(threads)
    if threads > 1 and threadpoolctl is not None:
        with contextlib.suppress(Exception):
            threadpoolctl.threadpool_limits(threads)


def _forget_this_package() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "autograder"]:
        del sys.modules[name]
