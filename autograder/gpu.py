"""Which GPU a submission gets: one submission at a time for each.

Runs: trusted side. Never starts CUDA: it looks at device nodes only.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.errors import KernelStartError
from autograder.manifest import DEVICES

log = logging.getLogger(__name__)

_CARD = re.compile(r"nvidia(\d+)")
_COMMON = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")
"""Nodes that every process with a GPU needs, whichever GPU it is."""
_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU of this machine."""

    index: int
    node: Path
    """Its own device node; a lock on it is the right to use it."""
    common: tuple[Path, ...]

    @property
    def nodes(self) -> tuple[str, ...]:
        """The device nodes that the wall lets through: this GPU's and no other's."""
        return tuple(str(path) for path in (self.node, *self.common))


class Lease:
    """The right to use one GPU, until `close`; other processes of any user wait for it."""

    def __init__(self, gpu: Gpu, descriptor: int) -> None:
        self.gpu = gpu
        self._descriptor: int | None = descriptor

    def close(self) -> None:
        """Give the GPU back. Safe to call twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def device_of(value: object) -> str:
    """`value` as the name of a device.

    Raises:
        KernelStartError: it is not one we know.
    """
    if value not in DEVICES:
        raise KernelStartError(f"DEVICE = {value!r} is not one of {', '.join(DEVICES)}.")
    return str(value)


def find_gpus(folder: Path = Path("/dev")) -> list[Gpu]:
    """The GPUs whose device nodes lie in `folder`, by index; where CUDA_VISIBLE_DEVICES is set to numbers, only those."""
    common = tuple(folder / name for name in _COMMON if (folder / name).exists())
    found = [
        Gpu(index=int(match[1]), node=path, common=common)
        for path in folder.glob("nvidia*")
        if (match := _CARD.fullmatch(path.name)) is not None
    ]
    allowed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if allowed is not None and re.fullmatch(r"\s*(\d+\s*(,\s*\d+\s*)*)?", allowed):
        numbers = {int(number) for number in re.findall(r"\d+", allowed)}
        found = [gpu for gpu in found if gpu.index in numbers]
    return sorted(found, key=lambda gpu: gpu.index)


def lease(gpus: Sequence[Gpu]) -> Lease:
    """The first of `gpus` that is or becomes free.

    Raises:
        KernelStartError: there is none.
    """
    if not gpus:
        raise KernelStartError(
            "DEVICE is cuda, but this machine shows no GPU (no /dev/nvidia0, or CUDA_VISIBLE_DEVICES leaves none). Grade with "
            "DEVICE = cpu, or on a machine with a GPU and its driver; `nvidia-smi` says whether the driver works."
        )
    waiting = False
    while True:
        for gpu in gpus:
            descriptor = os.open(gpu.node, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            return Lease(gpu, descriptor)
        if not waiting:
            log.info("every GPU is in use by another submission; waiting")
            waiting = True
        time.sleep(_POLL_SECONDS)
