"""What lives below a process, as Linux shows it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from autograder.zygotes import PlantedZygote, Zygote


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process at one moment."""

    pid: int
    parent: int
    command: str
    namespaces: int
    """How many process namespaces it lies in: 1 outside of every wall."""
    threads: int


def below(pid: int) -> list[Process]:
    """Every process below `pid`, parents before children."""
    living: dict[int, Process] = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, KeyError):
            fields = _status(int(path.name))
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            living[int(path.name)] = Process(
                pid=int(path.name),
                parent=int(fields["PPid"]),
                command=command,
                namespaces=len(fields["NSpid"].split()),
                threads=int(fields["Threads"]),
            )
    found: list[Process] = []
    newest = {pid}
    while newest:
        children = [process for process in living.values() if process.parent in newest]
        found += children
        newest = {process.pid for process in children}
    return found


def has_pipe(pid: int) -> bool:
    """Whether it holds an end of a pipe, or cannot be looked into: it is gone, or has not begun."""
    try:
        return any(str(path.readlink()).startswith("pipe:") for path in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return True


def end(pid: int) -> bool:
    """Kill it; False if it had ended already. It is stopped first: then it cannot end by itself between the look and the kill."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        while (state := _status(pid).get("State", "Z")[0]) not in "TZ":
            time.sleep(0.001)
        if state == "T":
            os.kill(pid, signal.SIGKILL)
            return True
    return False


def survivors(pids: list[int], seconds: float = 15) -> list[int]:
    """Those of `pids` that have not ended after some seconds."""
    until = time.monotonic() + seconds
    left = pids
    while left and time.monotonic() < until:
        time.sleep(0.1)
        left = [pid for pid in left if _status(pid).get("State", "Z")[0] != "Z"]
    return left


def _status(pid: int) -> dict[str, str]:
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return {}


def outermost(zygote: Zygote) -> subprocess.Popen[bytes]:
    """The process that a zygote of this process's own lives in."""
    assert isinstance(zygote, PlantedZygote)
    return zygote.process
