"""Choosing a GPU, as far as a machine without one can tell."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from autograder import warm as warm_module
from autograder.errors import KernelStartError
from autograder.gpu import Gpu, Lease, device_of, find_gpus, lease
from autograder.kernel import Launch
from autograder.outputs import Outputs
from autograder.wall import Wall
from autograder.warm import WarmKernels


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like /dev of a machine with three GPUs."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for name in ("nvidia2", "nvidia0", "nvidia10", "nvidiactl", "nvidia-uvm", "nvidia-modeset", "null"):
        (tmp_path / name).touch()
    return tmp_path


def test_gpus_are_found_by_their_nodes_and_show_only_their_own(nodes: Path) -> None:
    gpus = find_gpus(nodes)
    assert [gpu.index for gpu in gpus] == [0, 2, 10]
    assert gpus[1].nodes == tuple(str(nodes / name) for name in ("nvidia2", "nvidiactl", "nvidia-uvm"))


@pytest.mark.parametrize(("value", "indices"), [("2", [2]), (" 10 , 0", [0, 10]), ("", []), ("7", []), ("GPU-5ab2", [0, 2, 10])])
def test_cuda_visible_devices_is_respected(nodes: Path, monkeypatch: pytest.MonkeyPatch, value: str, indices: list[int]) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert [gpu.index for gpu in find_gpus(nodes)] == indices


def test_one_submission_at_a_time_on_each_gpu(nodes: Path) -> None:
    gpus = find_gpus(nodes)
    held = [lease(gpus) for _ in gpus]
    assert [each.gpu.index for each in held] == [0, 2, 10]
    code = f"""
from pathlib import Path
from autograder.gpu import find_gpus, lease
print("asked", flush=True)
print(lease(find_gpus(Path({str(nodes)!r}))).gpu.index, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "asked\n"
        time.sleep(0.5)
        assert waiting.poll() is None, "another process waits while every GPU is in use"
        held[1].close()
        held[1].close()
        assert waiting.stdout.readline() == "2\n"
    again: Lease = lease([gpus[1]])
    again.close()
    held[0].close()
    held[2].close()


def test_no_gpu_is_said_clearly_and_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(KernelStartError, match=r"no GPU.*DEVICE = cpu"):
        lease(find_gpus())
    with pytest.raises(KernelStartError, match="no GPU"):
        WarmKernels().start(Launch(folder=tmp_path, device="cuda"))


def test_unknown_device() -> None:
    assert device_of("cuda") == "cuda"
    with pytest.raises(KernelStartError, match=r"'tpu' is not one of cpu, cuda"):
        device_of("tpu")


def test_wall_lets_the_chosen_nodes_through_and_a_cpu_submission_sees_none(warm_kernels: WarmKernels, tmp_path: Path) -> None:
    command = Wall(devices=("/dev/nvidia2", "/dev/nvidiactl")).command([9])
    bound = [command[index + 1] for index, option in enumerate(command) if option == "--dev-bind"]
    assert bound == ["/dev/nvidia2", "/dev/nvidiactl"]
    kernel = warm_kernels.start(Launch(folder=tmp_path))
    outputs = Outputs(10_000, 10_000)
    kernel.execute(
        "import os; print(sorted(os.listdir('/dev')), repr(os.environ.get('CUDA_VISIBLE_DEVICES')))", outputs, seconds=9
    )
    kernel.close()
    seen = outputs.items[0].text
    assert "nvidia" not in seen
    assert seen.endswith("''\n")


def test_submission_with_a_gpu_can_open_its_node_and_holds_the_lease_until_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for a GPU: a device that anybody may open and, where there is one, that a CPU submission does not see."""
    node = Path("/dev/fuse" if Path("/dev/fuse").exists() else "/dev/full")
    pretended = [Gpu(index=0, node=node, common=())]
    monkeypatch.setattr(warm_module, "find_gpus", lambda: pretended)
    kernels = WarmKernels()
    try:
        kernel = kernels.start(Launch(folder=tmp_path, device="cuda"))
        outputs = Outputs(10_000, 10_000)
        source = f"import os; print(os.open({str(node)!r}, os.O_RDWR) > 2, os.environ.get('CUDA_VISIBLE_DEVICES'))"
        kernel.execute(source, outputs, seconds=9)
        assert outputs.items[0].text == "True None\n"
        held = os.open(node, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        kernel.close()
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(held)
    finally:
        kernels.close()
