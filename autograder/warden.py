"""Process 1 of a submission's own world: builds the walls, starts the kernel, watches it, and leaves nothing behind.

Runs: candidate side, but no student code: forked from the zygote, it stays outside the rights it takes from the kernel.

    zygote -- fork into new namespaces --> warden -- fork --> kernel, and whatever that starts

Student code cannot reach the warden: it cannot be traced (not dumpable), signals from inside its namespace do not arrive
at a process 1 without handlers, and Landlock and the system-call filter forbid trying. What it says about memory and CPU
therefore stands.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import tarfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from autograder import linux
from autograder.files import NEVER_OUT, Stamp, pack, stamps
from autograder.forked import ready_kernel
from autograder.lifeline import MESSAGE_BYTES, ON, PRIVATE, Ended, ForkRequest, Order, Planting, Started, Why
from autograder.usage import Usage

_TICK_SECONDS = 0.05
"""How often memory and CPU are looked at. A process can touch about 0.2 GB meanwhile."""
_NAMESPACES = (
    linux.CLONE_NEWUSER
    | linux.CLONE_NEWPID
    | linux.CLONE_NEWNS
    | linux.CLONE_NEWNET
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWCGROUP
)
_INNER_ID = 1000
_DEVICES = ("/dev/null", "/dev/full", "/dev/tty", "/dev/ptmx", "/dev/pts")
"""What may be written to. Not /dev/zero: mapped and shared, it is memory that nobody counts."""
_STACK_BYTES = 8 * 1024**2


def fork_warden(planting: Planting, request: ForkRequest, lifeline: socket.socket, descriptors: list[int]) -> None:
    """Fork a warden into new namespaces. The child never returns.

    Raises:
        OSError: Linux refused.
    """
    user, group = os.getuid(), os.getgid()  # in the new namespace nobody is known yet
    if linux.fork(_NAMESPACES if planting.walled else 0) != 0:
        return
    try:
        _keep_only_descriptors({lifeline.fileno(), *descriptors})
        if planting.walled:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{_INNER_ID} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{_INNER_ID} {group} 1")
        _watch_over(planting, request, lifeline, descriptors)
    except BaseException as error:  # noqa: BLE001  nothing may return into the zygote's loop; the driver hears why
        with contextlib.suppress(OSError):
            lifeline.send(Ended(why=Why.WARDEN, detail=f"{type(error).__name__}: {error}"[:2000]).encode())
    os._exit(1)


def _watch_over(planting: Planting, request: ForkRequest, lifeline: socket.socket, descriptors: list[int]) -> None:
    archive, kept, *listeners = descriptors
    walls, home = _build_walls(planting, request)
    folder = home / request.folder
    opened, before = _unpack(archive, folder)
    linux.set_dumpable(False)
    report, child_report = os.pipe()
    kernel = os.fork()
    if kernel == 0:
        _become_kernel(planting, request, folder, listeners, child_report)
    for descriptor in (child_report, *listeners):
        os.close(descriptor)
    # The kernel process tells which of its own walls stand, or what went wrong, and closes the pipe before student code.
    said = _read_all(report)
    if "problem" in said or not said:
        status = os.waitstatus_to_exitcode(os.waitpid(kernel, 0)[1])
        raise RuntimeError(said.get("problem", f"the kernel process ended with status {status} before its walls stood"))
    lifeline.send(Started(walls={**walls, **said}).encode())
    ended = _watch(request, lifeline, kernel, Usage(walled=planting.walled, memory_limit_bytes=request.memory_bytes))
    _keep_files(opened, before, kept, request.kept_bytes)
    if not planting.walled:
        shutil.rmtree(home, ignore_errors=True)
    lifeline.send(ended.encode())
    os._exit(0)


def _build_walls(planting: Planting, request: ForkRequest) -> tuple[dict[str, str], Path]:
    """Put up what surrounds the whole submission; which walls stand, and the home folder."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    if not planting.walled:
        linux.adopt_orphans()
        os.setsid()
        home = Path(f"/tmp/autograder-{os.getpid()}")
        home.mkdir(mode=0o700)
        off = "switched off by --unsafe-no-sandbox"
        return {"namespaces": off, "private files": off, "private network": off, "private processes": off}, home
    linux.mount("none", "/", None, linux.MS_REC | linux.MS_PRIVATE)
    plain = linux.MS_NOSUID | linux.MS_NODEV
    linux.mount("proc", "/proc", "proc", plain | linux.MS_NOEXEC)
    # One memory file system of limited size is everything that can be written: home, temporary files and shared memory.
    inodes = max(1000, request.disk_bytes // 4096)
    linux.mount("tmpfs", PRIVATE, "tmpfs", plain, f"size={request.disk_bytes},nr_inodes={inodes},mode=755")
    for name in ("home", "tmp", "shm"):
        Path(PRIVATE, name).mkdir()
        Path(PRIVATE, name).chmod(0o1777 if name != "home" else 0o700)
    with _shown_again(planting.under_tmp):
        linux.mount(f"{PRIVATE}/tmp", "/tmp", None, linux.MS_BIND)
    linux.mount(f"{PRIVATE}/shm", "/dev/shm", None, linux.MS_BIND)
    linux.mount("devpts", "/dev/pts", "devpts", linux.MS_NOSUID | linux.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    return {"namespaces": ON, "private files": ON, "private network": ON, "private processes": ON}, Path(PRIVATE, "home")


@contextlib.contextmanager
def _shown_again(paths: Sequence[str]) -> Iterator[None]:
    """Bind `paths`, which the body covers, again where they were."""
    held = [(os.open(path, os.O_PATH), Path(path)) for path in paths]
    yield
    for descriptor, path in held:
        path.mkdir(parents=True) if Path(f"/proc/self/fd/{descriptor}").is_dir() else path.touch()
        linux.mount(f"/proc/self/fd/{descriptor}", str(path), None, linux.MS_BIND | linux.MS_REC)
        os.close(descriptor)


def _become_kernel(planting: Planting, request: ForkRequest, folder: Path, listeners: list[int], report: int) -> NoReturn:
    """In the kernel's process: give up every right, then run the kernel. Never returns."""
    try:
        linux.set_dumpable(True)  # the warden's is off, and /proc/self would belong to nobody
        os.setsid()
        if planting.walled:
            _see_only_own_processes()
        os.chdir(folder)
        _keep_only_descriptors({report, *listeners})
        for standard in (1, 2):  # the zygote's lead to the driver
            os.dup2(0, standard)
        _set_limits(request, planting)
        walls = _give_up_rights(planting, folder)
        kernel = ready_kernel(request, folder, listeners)
        os.write(report, json.dumps(walls).encode())
        os.close(report)
    except BaseException as error:  # noqa: BLE001  no student code may run behind walls that do not stand
        os.write(report, json.dumps({"problem": f"{type(error).__name__}: {error}"}).encode())
        os._exit(1)
    try:
        kernel.start()
    finally:
        os._exit(0)


def _see_only_own_processes() -> None:
    """Cover /proc by one that does not show the warden; the warden's own goes on showing it everything."""
    linux.unshare(linux.CLONE_NEWNS)
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC, "hidepid=2")


def _give_up_rights(planting: Planting, folder: Path) -> dict[str, str]:
    linux.no_new_privileges()
    linux.drop_capabilities()
    walls = {"no new privileges": ON, "limits": ON, "Landlock": ON, "system-call filter": ON}
    if linux.landlock_version():
        private = [PRIVATE, "/tmp", "/dev/shm"] if planting.walled else [str(folder.parent)]
        linux.landlock([*planting.readable, "/dev"], [*_DEVICES, *planting.devices], private)
    else:
        walls["Landlock"] = "this Linux kernel does not have it"
    if planting.filter:
        linux.install_filter(base64.b64decode(planting.filter))
    else:
        walls["system-call filter"] = "this Linux kernel or machine does not have seccomp"
    return walls


def _set_limits(request: ForkRequest, planting: Planting) -> None:
    """What the kernel and everything it starts can never raise again."""
    seconds = int(request.cpu_seconds) + 2  # the warden, which counts the whole tree, comes first
    hard = {
        resource.RLIMIT_CPU: (seconds, seconds + 5),
        resource.RLIMIT_NPROC: request.processes,
        resource.RLIMIT_FSIZE: request.disk_bytes,
        resource.RLIMIT_NOFILE: request.open_files,
        resource.RLIMIT_STACK: _STACK_BYTES,
        resource.RLIMIT_CORE: 1,  # not 0: that would still start a program that collects crashes
        resource.RLIMIT_MSGQUEUE: 0,
    }
    if not planting.devices:  # CUDA reserves far more address space than it uses
        hard[resource.RLIMIT_DATA] = request.memory_bytes
    for kind, value in hard.items():
        wanted = value if isinstance(value, tuple) else (value, value)
        ceiling = resource.getrlimit(kind)[1]
        if ceiling != resource.RLIM_INFINITY:
            wanted = (min(wanted[0], ceiling), min(wanted[1], ceiling))
        resource.setrlimit(kind, wanted)
    Path("/proc/self/oom_score_adj").write_text("1000")  # if the machine runs out after all, this goes first


def _keep_only_descriptors(kept: set[int]) -> None:
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
        if int(name) > 2 and int(name) not in kept:
            with contextlib.suppress(OSError):
                os.close(int(name))


def _watch(request: ForkRequest, lifeline: socket.socket, kernel: int, usage: Usage) -> Ended:
    """Wait for the end, and bring it about where the driver or a limit asks for it; then end everything else."""
    poller = select.poll()
    poller.register(lifeline, select.POLLIN)
    why, status = Why.ITSELF, 0
    while True:
        if poller.poll(1000 * _TICK_SECONDS):
            order = _order(lifeline)
            if order is None or order.signal == 0:
                why = Why.ASKED
                break
            with contextlib.suppress(ProcessLookupError):
                os.killpg(kernel, order.signal)
        ended = _reap(kernel)
        if ended is not None:
            status = ended
            break
        usage.look()
        if usage.memory_bytes > request.memory_bytes:
            why = Why.MEMORY
            break
        if usage.cpu_seconds > request.cpu_seconds:
            why = Why.CPU
            break
    _end_all(usage)
    usage.close()
    return Ended(why=why, status=status, cpu_seconds=usage.cpu_seconds, peak_bytes=usage.peak_bytes)


def _order(lifeline: socket.socket) -> Order | None:
    """The driver's next order; None when it has gone."""
    data = lifeline.recv(MESSAGE_BYTES)
    return Order.decode(data) if data else None


def _reap(kernel: int) -> int | None:
    """Bury what ended; the kernel's exit status if it did."""
    found = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == kernel:
                found = os.waitstatus_to_exitcode(status)
    return found


def _end_all(usage: Usage) -> None:
    """Kill every process of the submission, and again until none is left: a fork bomb forks while it is being killed."""
    while True:
        if usage.walled:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        else:
            for pid in usage.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, 0 if usage.walled else os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.001)


def _unpack(archive: int, folder: Path) -> tuple[int, dict[str, Stamp]]:
    """Lay out the submission's files; the open folder, and their sizes and times.

    The folder stays open, because student code may put something else in its place.
    """
    folder.mkdir(mode=0o700)
    with os.fdopen(archive, "rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
        tar.extractall(folder, filter="data")
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    return opened, stamps(opened)


def _keep_files(folder: int, before: dict[str, Stamp], kept: int, room: int) -> None:
    """Pack what the notebook wrote into its folder, as far as there is room. Every process that could change it is dead."""
    with os.fdopen(kept, "wb") as file, contextlib.suppress(Exception):  # how it ended must be told whatever lies there
        pack(folder, file, leave_out=NEVER_OUT, room=room, before=before)


def _read_all(descriptor: int) -> dict[str, str]:
    with os.fdopen(descriptor, "rb") as file:
        text = file.read()
    return dict(json.loads(text)) if text else {}
