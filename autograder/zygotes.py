"""The driver's handles on a zygote and on what it forks.

Runs: trusted side; talks to zygotes and wardens, never to student code.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from autograder.errors import KernelStartError, WallError
from autograder.files import NEVER_IN, NEVER_OUT, matches, pack
from autograder.lifeline import MESSAGE_BYTES, Ended, ForkRequest, Order, Planting, Ready, Why, read_answer
from autograder.wall import INSTALL, Wall, system_call_filter

_PLANT_SECONDS = 120.0
_HANG_UP_SECONDS = 2.0
"""How long a zygote may take to end once nobody can ask it for anything."""
_END_SECONDS = 20.0
"""How long a warden may take to clear up after its submission."""
_TRIES = 20
"""How many modules that start threads are found out before we give up."""
_KEPT_MEMBERS = 1000


class Zygote:
    """A process that has imported what submissions need; this is an end of a connection to it, over which it is asked to fork."""

    def __init__(self, wall: Wall, control: socket.socket) -> None:
        """`wall` is what it lies behind, `control` leads to it; it has said that it is ready."""
        self.wall = wall
        self._control = control

    @property
    def alive(self) -> bool:
        """Whether it can fork."""
        return not select.select([self._control], [], [], 0)[0]  # it says nothing more, and hangs up when it ends

    def fork(self, request: ForkRequest, files: Path, sockets: Sequence[socket.socket]) -> Fork:
        """Fork a kernel that begins with a copy of the folder `files`; `sockets` are its listeners and perhaps its wire.

        Raises:
            KernelStartError: the zygote is gone, or the walls did not stand up.
        """
        fork = self.begin_fork(request, files, sockets)
        try:
            fork.wait_for_start()
        except BaseException:
            fork.close()
            raise
        return fork

    def begin_fork(self, request: ForkRequest, files: Path, sockets: Sequence[socket.socket]) -> Fork:
        """As `fork`, but do not wait for its walls.

        Raises:
            KernelStartError: the zygote is gone.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        kept: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the fork
        fork = Fork(ours, kept)
        try:
            with theirs, tempfile.TemporaryFile() as archive:
                _pack(files, archive, request.disk_bytes)
                descriptors = [theirs.fileno(), archive.fileno(), kept.fileno(), *(item.fileno() for item in sockets)]
                socket.send_fds(self._control, [request.encode()], descriptors)
        except OSError as error:
            fork.close()
            raise KernelStartError(f"the zygote is gone: {error}") from error
        except BaseException:
            fork.close()
            raise
        return fork

    def close(self) -> None:
        """Hang up. It ends when all have who are connected to it."""
        self._control.close()


class PlantedZygote(Zygote):
    """One of this process's own: it ends with it, and every fork of it that still runs."""

    _planting: PlantingProcess

    def __init__(self, wall: Wall, modules: Sequence[str] = ()) -> None:
        """Start it and wait until it can fork.

        Raises:
            WallError: this machine cannot put up the wall.
            KernelStartError: the zygote ended, or was not ready in time.
        """
        self.left_out: tuple[str, ...] = ()
        """Modules that start a thread when imported."""
        for _ in range(_TRIES):
            self._planting = planting = PlantingProcess(wall, [name for name in modules if name not in self.left_out])
            super().__init__(wall, planting.control)
            ready = heard(self._control)
            if ready is None:
                problem = planting.last_words()
                self.close()
                raise problem
            if not ready.threaded_by:
                self.seconds, self.missing = ready.seconds, ready.missing
                return
            self.close()
            self.left_out += (ready.threaded_by,)
        raise KernelStartError(f"{_TRIES} modules start threads when imported: {', '.join(self.left_out)}")

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The outermost: bubblewrap's."""
        return self._planting.process

    @property
    def alive(self) -> bool:
        """Whether it can fork: bubblewrap dies a moment before what it holds."""
        return self.process.poll() is None and super().alive

    def close(self) -> None:
        """End the zygote and every fork of it that still runs."""
        self._planting.close()


class PlantingProcess:
    """A zygote's process from its first moment, while it still imports."""

    def __init__(self, wall: Wall, modules: Sequence[str], listener: socket.socket | None = None) -> None:
        """Start it. Others can join it at `listener`, which they may knock at already.

        Raises:
            WallError: this machine cannot put up the wall.
        """
        planting = Planting(
            modules=tuple(modules),
            walled=wall.sandbox,
            become=wall.become() if wall.sandbox else None,
            readable=wall.readable(),
            under_tmp=tuple(path for path in wall.shown() if path.startswith("/tmp/")),
            filter=system_call_filter(),
            devices=wall.devices,
        )
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed by `close`
        passed = [theirs.fileno(), *([] if listener is None else [listener.fileno()])]
        try:
            with theirs:
                self.process = subprocess.Popen(
                    wall.command(passed),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=self._errors,
                    env=wall.environment(),
                    pass_fds=passed,
                    cwd="/",
                )
        except BaseException:
            self.control.close()
            self._errors.close()
            raise
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(planting.encode())
            self.process.stdin.close()

    def last_words(self) -> KernelStartError:
        """Why it never became ready."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(1)
        self._errors.seek(0)
        said = self._errors.read(20_000).decode(errors="replace").strip().splitlines()[-1:] or ["it said nothing"]
        if said[0].startswith("bwrap:"):
            return WallError(
                f"bubblewrap cannot put up the wall here ({said[0]}), and without it student code is not run. "
                f"`autograder doctor` says which part is missing. {INSTALL}"
            )
        return KernelStartError(f"the zygote was not ready within {_PLANT_SECONDS:g} s: {said[0]}")

    def close(self) -> None:
        """End it. Safe to call twice."""
        self.control.close()
        try:
            self.process.wait(_HANG_UP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._errors.close()


def heard(control: socket.socket) -> Ready | None:
    """What a zygote says once it has imported everything; None if it ends before, or takes too long."""
    data = _receive(control, time.monotonic() + _PLANT_SECONDS)
    return Ready.decode(data) if data else None


class Fork:
    """One kernel and everything that it starts, through its warden's lifeline."""

    def __init__(self, lifeline: socket.socket, kept: IO[bytes]) -> None:
        self._lifeline = lifeline
        self._kept = kept
        self.walls: dict[str, str] = {}
        self.ended: Ended | None = None

    def fileno(self) -> int:
        """Readable when the kernel has ended."""
        return self._lifeline.fileno()

    def wait_for_start(self) -> None:
        """Wait until the walls stand.

        Raises:
            KernelStartError: they do not.
        """
        data = _receive(self._lifeline, time.monotonic() + _PLANT_SECONDS)
        answer = read_answer(data) if data else Ended(why=Why.WARDEN, detail="it ended without a word")
        if isinstance(answer, Ended):
            self.ended = answer
            raise KernelStartError(f"the walls around a submission did not stand up: {answer.detail}. See `autograder doctor`.")
        self.walls = dict(answer.walls)

    def poll(self) -> Ended | None:
        """How it ended; None while it runs."""
        if self.ended is None and select.select([self._lifeline], [], [], 0)[0]:
            self._hear(time.monotonic())
        return self.ended

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel and to what shares its process group."""
        if self.poll() is None:
            with contextlib.suppress(OSError):
                self._lifeline.send(Order(signal=number).encode())

    def end(self) -> Ended:
        """End everything and wait until nothing is left."""
        if self.poll() is None:
            with contextlib.suppress(OSError):
                self._lifeline.send(Order().encode())
            self._hear(time.monotonic() + _END_SECONDS)
        assert self.ended is not None
        return self.ended

    def keep_files(self, folder: Path) -> list[str]:
        """Put what the notebook wrote into `folder`, never over a notebook or a report; the names."""
        self._kept.seek(0)
        names = []
        with contextlib.suppress(tarfile.TarError, OSError), tarfile.open(fileobj=self._kept, mode="r:") as tar:
            for member, _ in zip(tar, range(_KEPT_MEMBERS), strict=False):
                if member.isreg() and not matches(member.name, NEVER_OUT):
                    with contextlib.suppress(tarfile.TarError, OSError):
                        tar.extract(member, folder, filter="data")
                        names.append(member.name)
        return names

    def close(self) -> None:
        """Forget it; the warden ends everything if it has not."""
        self._lifeline.close()
        self._kept.close()

    def _hear(self, deadline: float) -> None:
        data = _receive(self._lifeline, deadline)
        answer = read_answer(data) if data else None
        self.ended = answer if isinstance(answer, Ended) else Ended(why=Why.WARDEN, detail="its warden fell silent")


def _receive(channel: socket.socket, deadline: float) -> bytes:
    """The next message; empty when the other side is gone or `deadline` has passed."""
    if not select.select([channel], [], [], max(0.0, deadline - time.monotonic()))[0]:
        return b""
    try:
        return channel.recv(MESSAGE_BYTES)
    except ConnectionResetError:
        return b""


def _pack(folder: Path, file: IO[bytes], room: int) -> None:
    """Pack what a submission brings along.

    Raises:
        KernelStartError: the files take more than `room` bytes.
    """

    def full() -> None:
        raise KernelStartError(
            f"the files in {folder} take more than the limit on disk space, so no copy of them can be made for the notebook. "
            "Raise `disk_bytes`, or keep in that folder only what the notebook needs."
        )

    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        pack(opened, file, leave_out=NEVER_IN, room=room, full=full)
    finally:
        os.close(opened)
    file.seek(0)
