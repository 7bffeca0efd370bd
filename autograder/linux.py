"""The Linux calls that a wall is built of and that Python has no name for.

Runs: candidate side, before any student code.

Thin: each function is one call, or one feature of the kernel, and raises OSError with the call's name when it is refused.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import struct
from collections.abc import Sequence
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_libc_with_lock = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter's lock, which a fork must hold
_CLONE_NUMBERS = {"x86_64": 56, "aarch64": 220, "riscv64": 220}

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC = 0x00020000, 0x02000000, 0x04000000, 0x08000000
CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP = 4, 22, 24
_PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 36, 38
_SECCOMP_MODE_FILTER = 2
_CAPABILITY_VERSION_3 = 0x20080522
_LANDLOCK_CREATE, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT = 444, 445, 446  # the same number on every architecture
_LANDLOCK_VERSION_FLAG, _LANDLOCK_PATH_BENEATH = 1, 1
_MAKE_CHAR, _MAKE_BLOCK = 1 << 6, 1 << 11
_READ = 1 << 0 | 1 << 2 | 1 << 3  # execute, read a file, read a folder
_WRITE_OPEN = 1 << 1 | 1 << 15  # write into what exists; ioctl on devices
_OF_FILES = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15  # what may be said of a path that is no folder
_FS_BITS_OF_ABI = {1: 13, 2: 14, 3: 15, 4: 15}
"""How many kinds of access to files each version of Landlock knows; 16 from version 5 on."""
_DENY_TCP = 3
_HUGE_BYTES = 1 << 21
_MADV_COLLAPSE = 25
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 3


def _check(result: int, call: str, detail: object = "") -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}", str(detail) or None)
    return result


def fork(namespaces: int = 0) -> int:
    """fork(2) whose child begins in new namespaces, in one call: 0 in the child, its process id in the parent.

    Leaving namespaces first and forking then would copy the page tables of everything imported twice. The C library does not
    know of this fork; that is harmless in a process with one thread, and puts itself right when the child forks by `os.fork`.
    """
    number = _CLONE_NUMBERS.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, f"the number of clone(2) on {os.uname().machine} is not known here")
    ctypes.pythonapi.PyOS_BeforeFork()
    child = _libc_with_lock.syscall(number, ctypes.c_long(namespaces | signal.SIGCHLD), *[ctypes.c_long(0)] * 4)
    if child == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
    else:
        ctypes.pythonapi.PyOS_AfterFork_Parent()
    return _check(child, "clone")


def use_huge_pages() -> int:
    """Put the memory that this process has filled so far into huge pages, where Linux can; how many bytes it tried.

    A fork copies, and its end frees, one entry for each page. For a process that has imported PyTorch that is most of what a fork
    costs, and with huge pages a fifth of it. What a child then writes is copied in small pages as ever.
    """
    tried = 0
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines():
        addresses, rights, _, _, _, *name = line.split(maxsplit=5)
        if rights != "rw-p" or (name and name[0] != "[heap]"):
            continue
        start, end = (int(address, 16) for address in addresses.split("-"))
        start, end = -(-start // _HUGE_BYTES) * _HUGE_BYTES, end // _HUGE_BYTES * _HUGE_BYTES
        if start < end:  # it may refuse parts that are empty, or all on a machine that has none: then they stay as they are
            _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_COLLAPSE)
            tried += end - start
    return tried


def unshare(flags: int) -> None:
    """Leave the namespaces that `flags` name for new ones."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """mount(2)."""
    encoded = [source.encode(), target.encode(), kind.encode() if kind else None]
    _check(_libc.mount(*encoded, ctypes.c_ulong(flags), data.encode() or None), "mount", target)


def set_dumpable(value: bool) -> None:
    """Whether processes of the same user may trace this one and look into its /proc entries."""
    _check(_libc.prctl(_PR_SET_DUMPABLE, int(value), 0, 0, 0), "prctl(PR_SET_DUMPABLE)")


def adopt_orphans() -> None:
    """Become the parent of descendants whose parent ended."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl(PR_SET_CHILD_SUBREAPER)")


def no_new_privileges() -> None:
    """No program started from here on gains rights from its file (set-uid, file capabilities)."""
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)")


def drop_capabilities() -> None:
    """Give up every capability, for good where this process still may say so."""
    for capability in range(64):
        if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break  # past the last one, or not ours to drop: the sets below are emptied anyway
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, bytes(24)), "capset")


def install_filter(program: bytes) -> None:
    """Filter system calls from here on by the BPF program `program` (seccomp(2)); needs `no_new_privileges`."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))

    described = Program(len(program) // 8, program)
    result = _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(described), 0, 0)
    _check(result, "prctl(PR_SET_SECCOMP)")


def landlock_version() -> int:
    """The version of Landlock that this kernel has switched on; 0 when none."""
    return max(0, int(_libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), _LANDLOCK_VERSION_FLAG)))


def landlock(readable: Sequence[str], usable: Sequence[str], writable: Sequence[str]) -> None:
    """Confine this process and its descendants to files beneath the given paths, with no TCP and no signals to others.

    `usable` may be written but get no new entries (devices); `writable` allow everything but device nodes. Paths that do
    not exist are left out. Needs `no_new_privileges` (kernel documentation, userspace-api/landlock).
    """
    version = landlock_version()
    handled = (1 << _FS_BITS_OF_ABI.get(version, 16)) - 1
    attributes = struct.pack(
        "QQQ", handled, _DENY_TCP if version >= 4 else 0, _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS if version >= 6 else 0
    )
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _check(_libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(size), 0), "landlock_create_ruleset")
    everything = handled & ~(_MAKE_CHAR | _MAKE_BLOCK)
    try:
        for paths, access in ((readable, _READ), (usable, _READ | _WRITE_OPEN), (writable, everything)):
            for path in filter(os.path.exists, paths):
                _allow_beneath(ruleset, path, access & handled)
        _check(_libc.syscall(_LANDLOCK_RESTRICT, ruleset, 0), "landlock_restrict_self")
    finally:
        os.close(ruleset)


def _allow_beneath(ruleset: int, path: str, access: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", access if Path(path).is_dir() else access & _OF_FILES, descriptor)
        _check(_libc.syscall(_LANDLOCK_ADD_RULE, ruleset, _LANDLOCK_PATH_BENEATH, rule, 0), "landlock_add_rule", path)
    finally:
        os.close(descriptor)
