"""Which system calls student code may not make. Rules as data; libseccomp turns them into the kernel's filter program.

Runs: trusted side. The only module that imports pyseccomp.

Everything else is allowed: an allow-list breaks with each new libc. What is listed is what reaches out of the wall, what
has been used to break out of one, and what holds memory that no limit sees.
"""

from __future__ import annotations

import errno
import io
import itertools
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

from autograder import linux


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """A condition on one argument of a call, counted from 0: exactly one of the others is given."""

    argument: int
    equals: int | None = None
    unless: tuple[int, ...] = ()
    any_bit: int = 0
    all_bits: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Calls that fail with `error`, where every condition holds."""

    calls: tuple[str, ...]
    why: str
    error: int = errno.EPERM
    when: tuple[When, ...] = ()


_NAMESPACES = (
    linux.CLONE_NEWNS
    | linux.CLONE_NEWCGROUP
    | linux.CLONE_NEWUTS
    | linux.CLONE_NEWIPC
    | linux.CLONE_NEWUSER
    | linux.CLONE_NEWPID
    | linux.CLONE_NEWNET
)
_AF_UNIX = 1
_AF_NETLINK, _NETLINK_ROUTE = 16, 0  # asks about interfaces; libzmq aborts the process when it may not
_MAP_SHARED_ANONYMOUS, _MAP_HUGETLB = 0x21, 0x40000
_SOL_SOCKET, _BUFFER_SIZES = 1, (7, 8, 32, 33)
_PR_SET_DUMPABLE = 4
_ITSELF, _WARDEN = 0, 1
_PRIO_PROCESS, _IOPRIO_WHO_PROCESS = 0, 1
_TYPE_INTO_TERMINAL = (0x5412, 0x541C)
_UNCOUNTED = "memory that no process owns, or that no limit sees; files in /dev/shm are limited"
_SLOW = "could slow the warden down"

RULES = (
    Rule(calls=("socket", "socketpair"), when=(When(argument=0, unless=(_AF_UNIX, _AF_NETLINK)),), error=errno.EACCES,
         why="no network, also where there is no namespace"),
    Rule(calls=("socket",), when=(When(argument=0, equals=_AF_NETLINK), When(argument=2, unless=(_NETLINK_ROUTE,))),
         error=errno.EACCES, why="of netlink, only questions about interfaces"),
    Rule(calls=("clone",), when=(When(argument=0, any_bit=_NAMESPACES),), why="a new user namespace would give capabilities"),
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
    Rule(calls=("prlimit64",), when=(When(argument=0, unless=(_ITSELF,)),), why="sets the limits of other processes"),
    Rule(calls=("sched_setscheduler", "sched_setparam", "sched_setattr", "sched_setaffinity"),
         when=(When(argument=0, equals=_WARDEN),), why=_SLOW),
    Rule(calls=("setpriority",), when=(When(argument=0, unless=(_PRIO_PROCESS,)),), why=_SLOW),
    Rule(calls=("setpriority", "ioprio_set"), when=(When(argument=1, equals=_WARDEN),), why=_SLOW),
    Rule(calls=("ioprio_set",), when=(When(argument=0, unless=(_IOPRIO_WHO_PROCESS,)),), why=_SLOW),
    Rule(calls=("prctl",), when=(When(argument=0, equals=_PR_SET_DUMPABLE),), why="hides a process from the warden"),
    Rule(calls=("memfd_create", "memfd_secret", "shmget", "semget", "msgget"), why=_UNCOUNTED),
    Rule(calls=("mmap",), when=(When(argument=3, all_bits=_MAP_SHARED_ANONYMOUS),), why=_UNCOUNTED),
    Rule(calls=("mmap",), when=(When(argument=3, all_bits=_MAP_HUGETLB),), why=_UNCOUNTED),
    *(
        Rule(calls=("setsockopt",), when=(When(argument=1, equals=_SOL_SOCKET), When(argument=2, equals=name)),
             why="sockets are counted at their usual size")
        for name in _BUFFER_SIZES
    ),
    Rule(calls=("inotify_init", "inotify_init1", "fanotify_init"), error=errno.ENOSYS,
         why="a user has few of them, and all submissions are one user"),
    Rule(
        calls=("bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl",
               "add_key", "request_key", "lookup_dcookie", "vmsplice", "modify_ldt", "landlock_create_ruleset"),
        why="rarely needed, and a long history of holes",
    ),
    Rule(
        calls=("reboot", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "settimeofday",
               "clock_settime", "clock_adjtime", "adjtimex", "acct", "syslog", "iopl", "ioperm", "sethostname",
               "setdomainname", "vhangup", "nfsservctl"),
        why="changes the machine",
    ),
    *(
        Rule(calls=("ioctl",), when=(When(argument=1, equals=request),), why="types into a terminal")
        for request in _TYPE_INTO_TERMINAL
    ),
)  # fmt: skip
"""Most of these were tried by a hostile notebook (tests/hostile)."""


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
            for arguments in itertools.product(*map(_comparisons, rule.when)):
                try:
                    program.add_rule(pyseccomp.ERRNO(rule.error), call, *arguments)
                except (OSError, ValueError):
                    continue  # this architecture, or this libseccomp, does not know the call
    with tempfile.TemporaryFile() as file:
        program.export_bpf(file)
        file.seek(0, io.SEEK_SET)
        return file.read()


def _comparisons(when: When) -> Sequence[object]:
    """What libseccomp is to compare: `when` holds if any of these does.

    Linux takes most of these arguments as 32 bits, so a value that differs only above them must not pass as another.
    """
    import pyseccomp

    def compare(operator: int, *values: int) -> object:
        return pyseccomp.Arg(when.argument, operator, *values)

    if when.equals is not None:
        return [compare(pyseccomp.MASKED_EQ, 0xFFFFFFFF, when.equals)]
    if when.all_bits:
        return [compare(pyseccomp.MASKED_EQ, when.all_bits, when.all_bits)]
    if when.any_bit:
        single = [1 << bit for bit in range(32) if when.any_bit >> bit & 1]
        return [compare(pyseccomp.MASKED_EQ, bit, bit) for bit in single]
    largest = max(when.unless)
    below = [value for value in range(largest) if value not in when.unless]
    return [*(compare(pyseccomp.EQ, value) for value in below), compare(pyseccomp.GT, largest)]
