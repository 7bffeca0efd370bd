"""Puts up every wall once and says which stand, why others do not, and how to get them.

Runs: trusted side.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.errors import KernelStartError
from autograder.kernel import Launch
from autograder.wall import INSTALL
from autograder.warm import WarmKernels

WALLS = {
    "namespaces": "each submission has users, processes, mounts, host name and IPC of its own",
    "private files": "no course folder, gradebook, home folder or other submission can be seen; nothing written stays",
    "private network": "no connection, not even to this machine's own services",
    "private processes": "no other process can be seen or signalled",
    "no new privileges": "set-uid programs give no rights",
    "limits": "memory, CPU, processes, files and their sizes",
    "Landlock": "files, TCP and signals once more, by another part of Linux",
    "system-call filter": "network, tracing, mounting and rarely used calls are refused",
}
"""Every wall, with what it is for."""
_OFF_SWITCHES = (
    (
        "/proc/sys/kernel/unprivileged_userns_clone",
        "0",
        "This system lets only root make user namespaces: sudo sysctl -w kernel.unprivileged_userns_clone=1",
    ),
    (
        "/proc/sys/user/max_user_namespaces",
        "0",
        "User namespaces are switched off: sudo sysctl -w user.max_user_namespaces=10000",
    ),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor keeps programs from making user namespaces (Ubuntu 23.10 and newer). Give /usr/bin/bwrap a profile with "
        "`userns,`, or for all programs: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)
_CONTAINER = (
    "This looks like a container, whose own wall forbids namespaces inside. Start it with --security-opt seccomp=unconfined "
    "--security-opt apparmor=unconfined --security-opt systempaths=unconfined, or grade outside of it."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What was found."""

    problem: str
    """Why student code is not run on this machine; empty when it is."""
    advice: str
    walls: Mapping[str, str]
    """Name of each wall -> "on", or why it is off. With a problem: as they would be with --unsafe-no-sandbox."""


def probe_walls() -> Probe:
    """Start a kernel behind the wall, or, where that fails, one without it, and say what stands."""
    walls, problem = _walls_of(WarmKernels())
    if not problem:
        return Probe(problem="", advice="", walls=walls)
    left, worse = _walls_of(WarmKernels(sandbox=False))
    return Probe(problem=problem, advice=_advice(), walls=left if not worse else dict.fromkeys(WALLS, worse))


def _walls_of(kernels: WarmKernels) -> tuple[Mapping[str, str], str]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            kernel = kernels.start(Launch(folder=Path(folder)))
            kernel.close()
            return kernel.walls, ""
        except KernelStartError as error:
            return {}, str(error)
        finally:
            kernels.close()


def _advice() -> str:
    """The likeliest cause."""
    if shutil.which("bwrap") is None:
        return INSTALL
    if os.getuid() != 0:
        for path, off, advice in _OFF_SWITCHES:
            if _read(path) == off:
                return advice
    if Path("/.dockerenv").exists() or Path("/run/.containerenv").exists():
        return _CONTAINER
    return INSTALL


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
