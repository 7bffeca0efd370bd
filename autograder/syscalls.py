"""Which system calls student code may not make. Rules as data; libseccomp turns them into the kernel's filter program.

Runs: trusted side. The only module that imports pyseccomp.

Everything else is allowed: an allow-list breaks with each new libc. What is listed is what reaches out of the wall, what
has been used to break out of one, and what holds memory that no limit sees.
"""

from __future__ import annotations

import errno
import io
import os
import tempfile
from dataclasses import dataclass

from autograder import linux


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Calls that fail with `error`; with `argument`, only where that argument is as said."""

    calls: tuple[str, ...]
    why: str
    error: int = errno.EPERM
    argument: int | None = None
    unless: tuple[int, ...] = ()
    """Refused unless the argument has one of these values."""
    bits: int | None = None
    """Refused if the argument has any of these bits."""
    equals: int | None = None
    """Refused if the argument has this value."""


_NAMESPACE_BITS = (
    linux.CLONE_NEWNS
    | linux.CLONE_NEWCGROUP
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUSER
    | linux.CLONE_NEWPID
    | linux.CLONE_NEWNET
)
_AF_UNIX = 1
_AF_NETLINK = 16  # asks about interfaces; libzmq aborts the process when it may not, and the namespace has none to show
_ITSELF = 0
_WARDEN = 1
_PRIO_PROCESS, _IOPRIO_WHO_PROCESS = 0, 1
_SLOW = "could slow the warden down"
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

RULES = (
    Rule(calls=("socket", "socketpair"), argument=0, unless=(_AF_UNIX, _AF_NETLINK), error=errno.EACCES,
         why="no network, also where there is no namespace"),
    Rule(calls=("clone",), argument=0, bits=_NAMESPACE_BITS, why="a new user namespace would give capabilities"),
    Rule(calls=("clone3",), error=errno.ENOSYS, why="its flags cannot be looked at; the C library falls back to clone"),
    Rule(
        calls=("unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsconfig",
               "fsmount", "fspick", "mount_setattr", "swapon", "swapoff", "quotactl", "open_by_handle_at", "name_to_handle_at"),
        why="changes what the file system shows",
    ),
    Rule(
        calls=("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd", "pidfd_open",
               "pidfd_send_signal"),
        why="reaches into other processes",
    ),
    Rule(calls=("prlimit64",), argument=0, unless=(_ITSELF,), why="sets the limits of other processes"),
    Rule(calls=("sched_setscheduler", "sched_setparam", "sched_setattr", "sched_setaffinity"), argument=0, equals=_WARDEN,
         why=_SLOW),
    Rule(calls=("setpriority",), argument=0, unless=(_PRIO_PROCESS,), why=_SLOW),
    Rule(calls=("setpriority", "ioprio_set"), argument=1, equals=_WARDEN, why=_SLOW),
    Rule(calls=("ioprio_set",), argument=0, unless=(_IOPRIO_WHO_PROCESS,), why=_SLOW),
    Rule(calls=("memfd_create", "memfd_secret", "shmget"), why="memory that no process owns; /dev/shm is limited"),
    Rule(
        calls=("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl",
               "add_key", "request_key", "fanotify_init", "lookup_dcookie", "vmsplice", "modify_ldt"),
        why="rarely needed, and a long history of holes",
    ),
    Rule(
        calls=("reboot", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "settimeofday",
               "clock_settime", "clock_adjtime", "adjtimex", "acct", "syslog", "iopl", "ioperm", "sethostname",
               "setdomainname", "vhangup", "nfsservctl"),
        why="changes the machine",
    ),
    Rule(calls=("ioctl",), argument=1, equals=_TIOCSTI, why="types into a terminal"),
    Rule(calls=("ioctl",), argument=1, equals=_TIOCLINUX, why="types into a terminal"),
)  # fmt: skip


def filter_program() -> bytes:
    """`RULES` as the program that prctl(PR_SET_SECCOMP) takes; empty where the kernel has no filters.

    Raises:
        OSError: the kernel has filters, but libseccomp, which makes the programs, is not installed.
    """
    if not os.path.exists("/proc/sys/kernel/seccomp"):  # noqa: PTH110
        return b""
    try:
        import pyseccomp
    except (ImportError, OSError, RuntimeError) as error:
        advice = "On Debian or Ubuntu type: sudo apt-get install libseccomp2"
        raise OSError(f"libseccomp.so.2 cannot be loaded ({error}). {advice}") from error
    program = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    for rule in RULES:
        for call in rule.calls:
            for arguments in _arguments(rule):
                try:
                    program.add_rule(pyseccomp.ERRNO(rule.error), call, *arguments)
                except (OSError, ValueError):
                    continue  # this architecture, or this libseccomp, does not know the call
    with tempfile.TemporaryFile() as file:
        program.export_bpf(file)
        file.seek(0, io.SEEK_SET)
        return file.read()


def _arguments(rule: Rule) -> list[list[object]]:
    """What libseccomp is to compare: one list for each of its rules that express ours."""
    import pyseccomp

    if rule.unless:
        below = [value for value in range(max(rule.unless)) if value not in rule.unless]
        ranges = [(pyseccomp.EQ, value) for value in below] + [(pyseccomp.GT, max(rule.unless))]
        return [[pyseccomp.Arg(rule.argument, operator, value)] for operator, value in ranges]
    if rule.equals is not None:
        return [[pyseccomp.Arg(rule.argument, pyseccomp.EQ, rule.equals)]]
    if rule.bits is not None:
        single = [1 << bit for bit in range(64) if rule.bits >> bit & 1]
        return [[pyseccomp.Arg(rule.argument, pyseccomp.MASKED_EQ, bit, bit)] for bit in single]
    return [[]]
