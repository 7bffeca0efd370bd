"""What the driver tells a zygote and the processes forked from it, and what they answer. Plain data, sent as JSON.

Runs: both sides; imports nothing but the standard library.

    driver                 zygote (inside the wall)                    warden                  kernel
       | Planting (stdin)     |
       |<---- ready ----------|
       | ForkRequest + descriptors |-- fork, new namespaces --> |-- fork, rights dropped --> |
       |<----------------------------- lifeline: started, ended ---|
       |------------------------------ lifeline: signal, end ----->|
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import ClassVar, Self

PACKAGE_FOLDER = "/opt/autograder"
"""Where the wall shows the modules that run inside it."""
PRIVATE = "/student"
"""Where a submission's own file system is mounted: home, temporary files, shared memory."""
ON = "on"
"""The state of a wall that stands; any other text says why it does not."""
CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
"""The sockets of a kernel, in the order in which their descriptors travel."""
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
    """One kernel to fork. With it travel the lifeline, an archive of files to begin with, an empty file for those to
    keep, the listening sockets of `CHANNELS`, and perhaps a wire."""

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
    """`candidate` or `examiner`, where one end of a wire between the two travels with the request; empty where none does."""
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
