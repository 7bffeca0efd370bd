"""Imports what an assignment needs, then forks a kernel for each submission.

Runs: candidate side, before any student code: the zygote itself never runs any.

    python -m autograder.zygote <descriptor of the control socket> [<of a listening socket>]   with a Planting on standard input

A fork copies only the thread that calls it, so a lock held by another thread stays locked for ever in the child: the zygote
must have one thread. It computes nothing, and proves before each fork that it is alone, shares no memory that a child
could write, and has not touched an accelerator (a CUDA context does not survive a fork).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autograder import linux, warden
from autograder.lifeline import CHANNELS, MESSAGE_BYTES, Ended, ForkRequest, Planting, Ready, Why

_DESCRIPTORS = 4 + len(CHANNELS)
_MISSING_SHOWN = 100
_FEW_FORKS = 64
"""Huge pages take about as long as half as many forks gain by them: a zygote that forks no more often does without."""
_THREAD_SECONDS = 1.0


def main() -> None:
    """Plant the zygote and serve fork requests until all who could make one have hung up."""
    began = time.monotonic()
    control, *listeners = (socket.socket(fileno=int(text)) for text in sys.argv[1:])
    planting = Planting.decode(sys.stdin.read())
    _leave_standard_input()
    if planting.walled:
        _step_down(planting.become)
    _forget_own_folder()
    gc.disable()  # while PyTorch is imported it would look for garbage for a quarter of the time, and find hardly any
    missing, threaded_by = _import_all(planting.modules)
    signal.signal(signal.SIGCHLD, _bury)
    gc.freeze()  # the collector must not write into pages that forks share
    gc.enable()
    ready = Ready(seconds=time.monotonic() - began, missing=tuple(missing[:_MISSING_SHOWN]), threaded_by=threaded_by)
    control.send(ready.encode())
    if threaded_by:
        return
    for number, (data, descriptors) in enumerate(_requests(control, listeners, ready.encode())):
        if number == _FEW_FORKS:
            linux.use_huge_pages()
        _fork(planting, ForkRequest.decode(data), descriptors)
    os._exit(0)  # to take down what it has imported would take longer than many a submission


def _requests(control: socket.socket, listeners: list[socket.socket], greeting: bytes) -> Iterator[tuple[bytes, list[int]]]:
    """What those ask for who planted this zygote, or joined it at one of `listeners`, until all have hung up."""
    poller, connections = select.poll(), {control.fileno(): control}
    waiting = {listener.fileno(): listener for listener in listeners}
    for number in (*connections, *waiting):
        poller.register(number, select.POLLIN)
    while connections:
        for number, _ in poller.poll():
            if number in waiting:
                joined, _ = waiting[number].accept()
                with contextlib.suppress(OSError):  # it has given up
                    joined.send(greeting)
                connections[joined.fileno()] = joined
                poller.register(joined, select.POLLIN)
                continue
            data, descriptors = _received(connections[number])
            if data:
                yield data, descriptors
            else:
                poller.unregister(number)
                connections.pop(number).close()


def _received(connection: socket.socket) -> tuple[bytes, list[int]]:
    try:
        data, descriptors, _, _ = socket.recv_fds(connection, MESSAGE_BYTES, _DESCRIPTORS)
    except ConnectionResetError:
        return b"", []
    return data, descriptors


def _bury(*_: object) -> None:
    """Wait for the wardens that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _leave_standard_input() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)


def _step_down(become: int | None) -> None:
    """Inside bubblewrap as root: mount /proc, then stop being root.

    Bubblewrap's own /proc has parts covered, and then Linux refuses forks one of theirs. A user of its own is what makes
    limits on processes bind: they do not for root.
    """
    if become is None:
        return
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    os.setgroups([])
    os.setresgid(become, become, become)
    os.setresuid(become, become, become)
    linux.set_dumpable(True)  # changing the user cleared it, and with it the right to write one's own uid_map


def _forget_own_folder() -> None:
    """Student code has no business importing this package, nor, by `python -m`, from the root folder."""
    own = os.environ.pop("PYTHONPATH", "")
    sys.path[:] = [path for path in sys.path if path not in (own, "/")]


def _import_all(modules: tuple[str, ...]) -> tuple[list[str], str]:
    """Import what can be imported; what could not be, and the module that started a thread, if one did."""
    missing = []
    with (
        warnings.catch_warnings(),
        open(os.devnull, "w") as nowhere,  # noqa: PTH123
        contextlib.redirect_stdout(nowhere),
        _forgotten_if_it_asks_for_the_shell(modules),
    ):
        warnings.simplefilter("ignore")
        for name in modules:
            try:
                importlib.import_module(name)
            except Exception as error:  # noqa: BLE001  whatever it is, the submission that needs it will say so
                missing.append(f"{name}: {type(error).__name__}: {error}"[:200])
            if not _alone(_THREAD_SECONDS):
                return missing, name
    return missing, ""


@contextlib.contextmanager
def _forgotten_if_it_asks_for_the_shell(modules: tuple[str, ...]) -> Iterator[None]:
    """Forget each module that asks, while it is imported, for the running shell: there is none here, but in a fork there is.

    Matplotlib's inline backend is such a module: imported here, it would never show a picture.
    """
    if "IPython.core.getipython" not in modules:
        yield
        return
    import IPython
    from IPython.core import getipython

    original = getipython.get_ipython
    asking: set[str] = set()

    def get_ipython() -> Any:
        asking.add(sys._getframe(1).f_globals.get("__name__", ""))
        return original()

    getipython.get_ipython = IPython.get_ipython = get_ipython
    yield
    getipython.get_ipython = IPython.get_ipython = original
    for name in asking:
        if name.split(".")[0] not in ("IPython", "ipykernel") and sys.modules.pop(name, None) is not None:
            parent, _, child = name.rpartition(".")
            with contextlib.suppress(KeyError, AttributeError):
                delattr(sys.modules[parent], child)


def _fork(planting: Planting, request: ForkRequest, descriptors: list[int]) -> None:
    lifeline = socket.socket(fileno=descriptors[0])
    problem = why_not_fork()
    if problem:
        lifeline.send(Ended(why=Why.WARDEN, detail=problem).encode())
    else:
        try:
            warden.fork_warden(planting, request, lifeline, descriptors[1:])
        except OSError as error:
            lifeline.send(Ended(why=Why.WARDEN, detail=f"{type(error).__name__}: {error}").encode())
    lifeline.close()
    for descriptor in descriptors[1:]:
        os.close(descriptor)


def why_not_fork() -> str:
    """Why a fork of this process would not be a clean one; empty when it would."""
    threads = _threads()
    if threads > 1:
        return f"the zygote has {threads} threads"
    maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    shared = [line for line in maps if line.split(maxsplit=2)[1][1:4:2] == "ws"]
    if shared:
        return f"the zygote shares memory that forks could write: {shared[0]}"
    if any("/dev/nvidia" in line for line in maps):
        return "the zygote has opened a GPU; a CUDA context does not survive a fork"
    return ""


def _alone(seconds: float) -> bool:
    """Whether this process has one thread, or will have within `seconds`: some modules use one while they are imported."""
    deadline = time.monotonic() + seconds
    while _threads() > 1:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208  a path object per entry is for nothing


if __name__ == "__main__":
    main()
