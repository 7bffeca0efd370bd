"""What the driver tells a zygote and the processes forked from it, and what they answer. Plain data, sent as JSON.

Runs: both sides; imports nothing but the standard library.

    driver                 zygote (inside the wall)                    warden                  kernel or desk
       | Planting (stdin)     |
       |<---- ready ----------|
       | ForkRequest + descriptors |-- fork, new namespaces --> |-- fork, rights dropped --> |
       |<----------------------------- lifeline: started, ended ---|                         |
       |------------------------------ lifeline: signal, end ----->|                         |
       |------------------------------ Prepare, Examine, Release -----------------------> desk
       |<----------------------------- Examined ----------------------------------------- desk
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Self

PACKAGE_FOLDER = "/opt/autograder"
"""Where the wall shows the modules that run inside it."""
PRIVATE = "/student"
"""Where a submission's own file system is mounted: home, temporary files, shared memory."""
ON = "on"
"""The state of a wall that stands; any other text says why it does not."""
CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
"""The sockets of a kernel, in the order in which their descriptors travel."""
SERVED = "served"
"""A candidate's status, beside Jupyter's `busy` and `idle`: the test that it served is done, and it waits for the next."""
MESSAGE_BYTES = 65_536
"""No message between the processes is longer."""


class Why(StrEnum):
    """Why a kernel ended."""

    ASKED = "asked"
    """The driver asked for it."""
    ITSELF = "itself"
    """It exited, or was killed by a signal that the warden did not send."""
    MEMORY = "memory"
    CPU = "cpu"
    WARDEN = "warden"
    """The warden failed: our fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    kind: ClassVar[str]

    def encode(self) -> bytes:
        return json.dumps({"kind": self.kind, **asdict(self)}).encode()

    @classmethod
    def decode(cls, data: bytes | str) -> Self:
        return cls(**{name: value for name, value in json.loads(data).items() if name != "kind"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Planting(_Message):
    """How a zygote is to begin."""

    kind = "planting"
    modules: tuple[str, ...]
    """What to import, in order. One that cannot be imported is left out."""
    walled: bool
    """Whether bubblewrap is around: then each fork gets namespaces of its own and refuses to go on without."""
    become: int | None
    """User and group to become, when bubblewrap was started by root."""
    readable: tuple[str, ...]
    """What forks may read: Landlock holds them to it, also where there are no namespaces."""
    under_tmp: tuple[str, ...]
    """What of that lies below /tmp, which each fork gets a fresh one of."""
    filter: str
    """Program of the system-call filter, base64; empty where the kernel has none."""
    devices: tuple[str, ...] = ()
    """Device nodes of accelerators that forks may use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready(_Message):
    """A zygote's word that it can fork, or the module because of which it cannot."""

    kind = "ready"
    seconds: float
    missing: tuple[str, ...] = ()
    """Modules that could not be imported, with why."""
    threaded_by: str = ""
    """The module whose import started a thread; the zygote has ended, and another must leave that module out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForkRequest(_Message):
    """One kernel or desk to fork. With it travel the lifeline, an archive of files to begin with, an empty file for those to
    keep; for a kernel the listening sockets of `CHANNELS`, for a desk the driver's socket; and, for a pair, its end of the wire.
    """

    kind = "fork"
    folder: str
    """Name of the working folder."""
    key: str
    """Signs the kernel's messages."""
    seed: int
    threads: int
    memory_bytes: int
    cpu_seconds: float
    processes: int
    open_files: int
    disk_bytes: int
    kept_bytes: int
    role: str = ""
    """`candidate` for a kernel with a wire, `examiner` for a desk; empty for a kernel on its own."""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(_Message):
    """A warden's word that the walls stand and the kernel process runs."""

    kind = "started"
    walls: Mapping[str, str]
    """Name of each wall -> "on", or why it is off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(_Message):
    """How a kernel ended; every process of its submission is gone by now."""

    kind = "ended"
    why: Why
    status: int = 0
    """Exit status, negative for a signal."""
    detail: str = ""
    cpu_seconds: float = 0.0
    """Of everything that ran for this submission; what the zygote spent on the fork itself is not in it."""
    peak_bytes: int = 0
    """Most memory seen in use at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(_Message):
    """The driver's word to a warden: send the kernel this signal; 0 means end it."""

    kind = "order"
    signal: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare(_Message):
    """A cell that the examiner's process runs for what it defines."""

    kind = "prepare"
    source: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Examine(_Message):
    """A test cell, and what `ownership.Cell` says of it."""

    kind = "examine"
    source: str
    seconds: float
    seed: int
    takes: tuple[str, ...]
    refetch: tuple[str, ...]
    writes_back: tuple[str, ...]
    known: tuple[str, ...] | None = None
    """What it asks of the reference's objects (`questions`); None if nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(_Message):
    """Let the candidate leave off serving: it is to run a cell. Not answered."""

    kind = "release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined(_Message):
    """How a cell ended in the examiner's process; with no `ename` it ran to its end."""

    kind = "examined"
    ename: str = ""
    evalue: str = ""
    messages: list[dict[str, Any]] = field(default_factory=list)
    """What it showed: `msg_type` and `content` of messages of a kernel's output channel."""
    out_of_time: bool = False
    lines: list[int] = field(default_factory=list)
    """Numbers, from 1, of the cell's lines that the exception passed through, outermost first."""
    by_student: bool = False
    """Whether student code raised it."""
    builtin: bool = False
    """Whether its class is one of Python's own."""
    broken: bool = False
    """Whether the wire is of no more use."""
    asked: list[str] = field(default_factory=list)
    """What it asked of the student's objects, if nothing was known before."""
    unlike: str = ""
    """Why it was ended, if it asked something of them that it does not ask of the reference's."""


def read_task(data: bytes) -> Prepare | Examine | Release:
    """An order of the driver's."""
    tasks: dict[str, type[Prepare | Examine | Release]] = {task.kind: task for task in (Prepare, Examine, Release)}
    return tasks[json.loads(data)["kind"]].decode(data)


def send_frame(connection: socket.socket, data: bytes) -> None:
    """Send `data`, of any length, over a stream."""
    connection.sendall(struct.pack(">I", len(data)) + data)


def read_frame(connection: socket.socket, most_bytes: int = 2**32) -> bytes | None:
    """The next frame of a stream; None at its end.

    Raises:
        ValueError: it is longer than `most_bytes`.
    """
    head = _read(connection, 4)
    if head is None:
        return None
    (length,) = struct.unpack(">I", head)
    if length > most_bytes:
        raise ValueError(f"a frame of {length:,} bytes, where at most {most_bytes:,} are expected")
    return _read(connection, length)


def _read(connection: socket.socket, length: int) -> bytes | None:
    parts, left = [], length
    while left:
        part = connection.recv(min(left, 1 << 20))
        if not part:
            return None
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def read_answer(data: bytes) -> Started | Ended:
    """What a warden said.

    Raises:
        ValueError: it is neither.
    """
    kind = json.loads(data).get("kind")
    if kind == Started.kind:
        return Started.decode(data)
    if kind == Ended.kind:
        return Ended.decode(data)
    raise ValueError(f"a warden sent a message of kind {kind!r}")
