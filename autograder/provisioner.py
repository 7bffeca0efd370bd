"""Kernels forked from a zygote, as a jupyter_client kernel provisioner (entry point `autograder-warm`).

Runs: trusted side.

Whatever starts kernels through jupyter_client can use it: name it in a kernelspec's `metadata.kernel_provisioner`, with
transport `ipc`. `WarmKernelManager` brings a zygote that serves many kernels; without one, each kernel gets its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import secrets
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase
from traitlets import Any as AnyTrait
from traitlets import Unicode

from autograder.errors import KernelStartError
from autograder.kernel import Launch
from autograder.lifeline import CHANNELS, Ended, ForkRequest
from autograder.wall import Wall, python_of
from autograder.zygotes import Fork, PlantedZygote, Zygote

NAME = "autograder-warm"
_BACKLOG = 16


class WarmKernelManager(KernelManager):
    """A kernel manager whose kernels are forks of `zygote`, started by `launch`."""

    zygote = AnyTrait(help="the Zygote to fork")
    launch = AnyTrait(help="the Launch to start by")
    role = Unicode("", help="candidate or examiner, where it gets an end of a wire")
    wire = AnyTrait(None, help="that end, a socket")

    @property
    def kernel_spec(self) -> KernelSpec | None:
        """The kernelspec, with this provisioner in it."""
        spec = super().kernel_spec
        if spec is None:
            return None
        changed = copy.copy(spec)
        changed.metadata = {**spec.metadata, "kernel_provisioner": {"provisioner_name": NAME}}
        return changed


class WarmProvisioner(KernelProvisionerBase):
    """One forked kernel."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fork: Fork | None = None
        self._own_zygote: Zygote | None = None
        self._launch: Launch | None = None

    @property
    def has_process(self) -> bool:
        """Whether there is a kernel, dead or alive, that has not been cleaned up."""
        return self.fork is not None

    @property
    def ended(self) -> Ended | None:
        """How the kernel ended; None while it runs."""
        return None if self.fork is None else self.fork.poll()

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Choose the sockets' paths and write the connection file."""
        manager = self.parent
        if manager is None or manager.transport != "ipc":
            raise KernelStartError(f"kernels of {NAME} speak over unix sockets only: set KernelManager.transport = 'ipc'.")
        kwargs.pop("extra_arguments", None)
        manager.write_connection_file()
        self.connection_info = manager.get_connection_info()
        self._launch = getattr(manager, "launch", None) or Launch(
            folder=Path(kwargs.get("cwd") or Path.cwd()), kernel_name=manager.kernel_name, seed=secrets.randbits(32)
        )
        return await super().pre_launch(cmd=[], **kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork the kernel."""
        assert self._launch is not None
        zygote = getattr(self.parent, "zygote", None)
        if zygote is None:
            zygote = self._own_zygote = PlantedZygote(Wall(python=python_of(self.kernel_spec)))
        key: Any = self.connection_info["key"]  # bytes, whatever the annotation says
        request = request_for(self._launch, key.decode(), self.kernel_spec, zygote.wall)
        wire = getattr(self.parent, "wire", None)
        if wire is not None:
            request = replace(request, role=getattr(self.parent, "role", ""))
        with contextlib.ExitStack() as stack:
            listeners = [stack.enter_context(self._listen(channel)) for channel in CHANNELS]
            self.fork = zygote.fork(request, self._launch.folder, [*listeners, *([wire] if wire is not None else [])])
        return self.connection_info

    def _listen(self, channel: str) -> socket.socket:
        connection: dict[str, Any] = {**self.connection_info}
        path = f"{connection['ip']}-{connection[f'{channel}_port']}"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen(_BACKLOG)
        return listener

    async def poll(self) -> int | None:
        """The exit status; None while the kernel runs."""
        ended = self.ended
        return None if ended is None else ended.status

    async def wait(self) -> int | None:
        """Wait until the kernel has ended; its exit status."""
        while self.has_process and self.ended is None:
            await asyncio.sleep(0.02)
        return None if self.ended is None else self.ended.status

    async def send_signal(self, signum: int) -> None:
        """Send the kernel a signal."""
        if self.fork is not None and signum != 0:
            self.fork.send_signal(signum)

    async def kill(self, restart: bool = False) -> None:
        """End the kernel and everything it started."""
        if self.fork is not None:
            self.fork.end()

    async def terminate(self, restart: bool = False) -> None:
        """As `kill`: student code gets no chance to refuse."""
        await self.kill(restart)

    async def cleanup(self, restart: bool = False) -> None:
        """Forget the kernel."""
        if self.fork is not None:
            self.fork.end()
            if self._launch is not None and self._launch.keep_files:
                self.fork.keep_files(self._launch.folder)
            self.fork.close()
            self.fork = None
        if self._own_zygote is not None:
            self._own_zygote.close()
            self._own_zygote = None


def request_for(launch: Launch, key: str, spec: KernelSpec, wall: Wall) -> ForkRequest:
    """What the zygote is asked for."""
    limits = launch.limits
    return ForkRequest(
        folder=launch.folder.resolve().name or "work",
        key=key,
        seed=launch.seed,
        threads=int(limits.threads),
        memory_bytes=int(limits.memory_bytes),
        cpu_seconds=limits.cpu_seconds,
        processes=int(limits.processes),
        open_files=int(limits.open_files),
        disk_bytes=int(limits.disk_bytes),
        kept_bytes=int(limits.kept_bytes) if launch.keep_files else 0,
        environment={**spec.env, **_visible_devices(wall), **_let_through()},
    )


def _let_through() -> dict[str, str]:
    """The variables of the grader's that nbgrader promises to student code."""
    return {name: os.environ[name] for name in ("NBGRADER_EXECUTION", "NBGRADER_VALIDATING") if name in os.environ}


def _visible_devices(wall: Wall) -> dict[str, str]:
    """A CPU submission sees no GPU; one with a GPU sees the one that its wall lets through, as number 0."""
    return {} if wall.devices else {"CUDA_VISIBLE_DEVICES": ""}
