# ruff: noqa
# mypy: ignore-errors
"""What every attacker brings along: the harness puts this text into the first cell of each hostile notebook.

`facts` tells where everything worth reaching is. `attempt` keeps what a route brought in `reached`, and in `refused` how the
wall said no; any other error is a fault of the attack, leaves `finished` unset and fails the notebook.
"""

import contextlib, ctypes, errno, glob, itertools, json, mmap, os, platform, re, resource, select, shutil, signal
import socket, stat, struct, subprocess, sys, tempfile, threading, time
from pathlib import Path

facts = json.loads(Path("facts.json").read_text())
marker = facts["marker"]
reached, refused = {}, {}
finished = False
libc = ctypes.CDLL(None, use_errno=True)
ARM = platform.machine() == "aarch64"
# name: (x86_64, aarch64)
NUMBERS = {
    "bpf": (321, 280), "capset": (126, 91), "clone3": (435, 435), "exit": (60, 93), "fsopen": (430, 430),
    "io_uring_setup": (425, 425), "ioprio_set": (251, 30), "keyctl": (250, 219), "add_key": (248, 217), "kill": (62, 129),
    "landlock_create_ruleset": (444, 444), "memfd_create": (319, 279), "mount": (165, 40), "open_by_handle_at": (304, 265),
    "open_tree": (428, 428), "perf_event_open": (298, 241), "pidfd_getfd": (438, 438), "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424), "pivot_root": (155, 41), "prlimit64": (302, 261), "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271), "ptrace": (101, 117), "request_key": (249, 218), "rt_tgsigqueueinfo": (297, 240),
    "sched_setaffinity": (203, 122), "sched_setattr": (314, 274), "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119), "semget": (64, 190), "msgget": (68, 186), "setns": (308, 268),
    "setpriority": (141, 140), "shmget": (29, 194), "shmat": (30, 196), "tgkill": (234, 131), "tkill": (200, 130),
    "unshare": (272, 97), "userfaultfd": (323, 282), "prctl": (157, 167), "memfd_secret": (447, 447),
}  # fmt: skip


def attempt(route, action):
    try:
        reached[route] = action()
    except (OSError, MemoryError, subprocess.SubprocessError) as error:
        refused[route] = f"{type(error).__name__}: {error}"


def call(name, *arguments):
    """The system call `name`; raises OSError as Python's own do."""
    values = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = libc.syscall(ctypes.c_long(NUMBERS[name][ARM]), *values)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), name)
    return result


def in_child(action, seconds=5):
    """Run `action` in a fork and have its result, which must be JSON; raises OSError if it did."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read)
            try:
                answer = {"result": action()}
            except OSError as error:
                answer = {"errno": error.errno, "text": str(error)}
            os.write(write, json.dumps(answer).encode())
        finally:
            os._exit(0)
    os.close(write)
    with open(read, "rb") as file:
        said = file.read() if select.select([file], [], [], seconds)[0] else b""
    if not said:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if not said:
        raise OSError(errno.EINTR, f"the child ended with {status}")
    answer = json.loads(said)
    if "errno" in answer:
        raise OSError(answer["errno"], answer["text"])
    return answer["result"]
