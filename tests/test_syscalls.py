"""The filter of system calls: what it refuses, and that nothing that notebooks use is refused."""

from __future__ import annotations

import platform
import subprocess
import sys

import pyseccomp
import pytest

from autograder.syscalls import RULES, filter_program

BEHIND = """
import ctypes, os, socket, sys
from autograder import linux
from autograder.syscalls import filter_program
linux.no_new_privileges()
linux.install_filter(filter_program())
libc = ctypes.CDLL(None, use_errno=True)
def refused(call, *arguments):
    ctypes.set_errno(0)
    return libc[call](*arguments) == -1 and ctypes.get_errno() in (1, 13)
"""


def behind(code: str) -> str:
    """What `code` prints behind the filter."""
    done = subprocess.run([sys.executable, "-c", BEHIND + code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_every_call_that_is_named_is_known() -> None:
    if platform.machine() == "x86_64":
        unknown = [
            call for rule in RULES for call in rule.calls if pyseccomp.resolve_syscall(pyseccomp.Arch.X86_64, call) in (-1, None)
        ]
        assert unknown == []
    assert len(filter_program()) % 8 == 0


@pytest.mark.parametrize(
    "call",
    [
        "libc['unshare'], 0x10000000",
        "libc['ptrace'], 0, 0, 0, 0",
        "libc['memfd_create'], b'x', 0",
        "libc['shmget'], 1, 100, 0o1600",
        "libc['semget'], 0, 10, 0o1600",
        "libc['msgget'], 0, 0o1600",
        "libc['prctl'], 4, 0, 0, 0, 0",
        "libc['mmap'], None, 4096, 3, 0x21, -1, 0",
        "libc['mmap'], None, 4096, 3, 0x40022, -1, 0",
        "libc['setsockopt'], 0, 1, 7, b'xxxx', 4",
        "libc['setpriority'], 0, 1, 5",
        "libc['setpriority'], 0, (1 << 31 << 1) | 1, 5",
        "libc['setpriority'], 2, 0, 5",
        "libc['ioctl'], 0, 0x5412, b'x'",
        "libc['mount'], b'none', b'/tmp', b'tmpfs', 0, None",
        "libc['syscall'], 425, 1, None",
        "libc['syscall'], 444, None, 0, 1",
        "libc['syscall'], 56, 0x20000000 | 17, 0, 0, 0, 0",
    ],
)
def test_refused(call: str) -> None:
    function, _, arguments = call.partition(", ")
    code = f"ctypes.set_errno(0)\nresult = {function}({arguments})\nprint(result, ctypes.get_errno())"
    assert behind(code) == "-1 1"


@pytest.mark.parametrize("family", [2, 10, 15, 17, 29, 31, 38, 40, 44], ids=lambda number: f"AF {number}")
def test_sockets_of_other_families_are_refused(family: int) -> None:
    code = f"try:\n    socket.socket({family}, socket.SOCK_DGRAM)\nexcept PermissionError: print('refused')"
    assert behind(code) == "refused"


def test_what_notebooks_use_is_allowed() -> None:
    code = """
import asyncio, multiprocessing, resource, signal, subprocess, tempfile, threading
a, b = socket.socketpair()
a.send(b"x"); assert b.recv(1) == b"x"
thread = threading.Thread(target=lambda: None); thread.start(); thread.join()
assert subprocess.run(["true"]).returncode == 0
with multiprocessing.get_context("fork").Pool(2) as pool: assert pool.map(abs, [-1, 2]) == [1, 2]
asyncio.run(asyncio.sleep(0))
async def shell(): return await (await asyncio.create_subprocess_exec("true")).wait()
assert asyncio.run(shell()) == 0
resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))
os.sched_setaffinity(0, os.sched_getaffinity(0))
os.nice(0)
with tempfile.TemporaryFile() as file: file.write(b"x")
import numpy as np; assert np.ones((300, 300)) @ np.ones((300, 300)) is not None
print("fine")
"""
    assert behind(code) == "fine"
