"""What surrounds a zygote: bubblewrap's command line, and what may be seen through it.

Runs: trusted side.

Bubblewrap gives the zygote a file system with nothing in it but Python, libraries and a few files of /etc, all read-only,
and its own network, process, IPC and host-name namespaces. The warden of each fork adds the second ring (`warden`).
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from autograder.errors import KernelStartError, WallError
from autograder.lifeline import PACKAGE_FOLDER, PRIVATE
from autograder.syscalls import filter_program

if TYPE_CHECKING:  # it takes longer to import than everything else that plants a zygote
    from jupyter_client.kernelspec import KernelSpec

CANDIDATE_MODULES = (
    *("__init__", "lifeline", "files", "seeds", "linux", "usage", "warden", "forked", "zygote"),
    *(
        "wire",
        "candidate",
        "composites",
        "encoding",
        "decoding",
        "arrays",
        "exchange",
        "failures",
        "gradients",
        "lending",
        "loans",
        "objects",
        "proxy",
        "peer",
        "questions",
    ),
    *("weaving", "transcript", "desk"),
)
"""The modules of this package that run inside the wall; nothing else of it can be seen there."""
INSTALL = "On Debian or Ubuntu type: sudo apt-get install bubblewrap libseccomp2"
_ALWAYS_VISIBLE = (
    "/usr",
    "/etc/alternatives",
    "/etc/fonts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/localtime",
)
_LINKS_INTO_USR = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")
_NOBODY = 65534
_ASK_PYTHON = """
import json, site, sys
base, packages = (site.getuserbase(), [site.getusersitepackages()]) if site.ENABLE_USER_SITE else ("", [])
print(json.dumps([base, [sys.prefix, sys.exec_prefix, sys.base_prefix, *site.getsitepackages(), *packages]]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wall:
    """What one zygote's wall lets through."""

    python: str = sys.executable
    """The interpreter that runs the notebooks."""
    visible: tuple[str, ...] = ()
    """Further files and folders that submissions may read: data sets, libraries outside the interpreter's own folders."""
    devices: tuple[str, ...] = ()
    """Device nodes of accelerators."""
    sandbox: bool = True
    """False leaves bubblewrap and namespaces away, because the operator said --unsafe-no-sandbox."""

    def shown(self) -> list[str]:
        """The paths that can be seen behind the wall, besides those that every Linux system has."""
        return _outermost([*_ALWAYS_VISIBLE, *python_folders(self.python), *self.visible])

    def readable(self) -> tuple[str, ...]:
        """Every path that submissions may read."""
        if self.sandbox:
            return ("/",)  # bubblewrap shows nothing else
        return (*self.shown(), *_LINKS_INTO_USR, "/proc", "/sys/devices/system/cpu")

    def command(self, sockets: Iterable[int]) -> list[str]:
        """The command line of a zygote whose control socket, and perhaps listening socket, are these descriptors.

        Raises:
            WallError: bubblewrap is not installed.
        """
        zygote = [self.python, "-m", "autograder.zygote", *map(str, sockets)]
        if not self.sandbox:
            return zygote
        bwrap = shutil.which("bwrap")
        if bwrap is None:
            raise WallError(f"bubblewrap is not installed, and without it student code is not run. {INSTALL}")
        return [bwrap, *self._bubblewrap(), "--", *zygote]

    def environment(self) -> dict[str, str]:
        """The zygote's environment: nothing of the grader's."""
        package = PACKAGE_FOLDER if self.sandbox else str(Path(__file__).parent.parent)
        return {
            "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # huge pages for half of what is imported: a fork copies fewer entries
            "HOME": "/tmp",
            "LANG": "C.UTF-8",
            "MKL_NUM_THREADS": "1",
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # ipykernel would set it too late for what is imported
            "NUMEXPR_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "PATH": os.pathsep.join([str(Path(self.python).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",  # the order of a set must not decide a grade
            "PYTHONPATH": package,
            "PYTORCH_NVML_BASED_CUDA_CHECK": "1",  # asking whether there is a GPU must not start CUDA before the fork
            "PYTHONUSERBASE": _asked(self.python)[0],
            "USER": "student",
        }

    def become(self) -> int | None:
        """The user that a zygote started by root turns into."""
        return _NOBODY if os.getuid() == 0 else None

    def _bubblewrap(self) -> list[str]:
        """Bubblewrap's options."""
        unshare = ["pid", "ipc", "uts", "net"] if os.getuid() == 0 else ["user", "pid", "ipc", "uts", "net"]
        options = ["--die-with-parent", "--new-session", "--unshare-cgroup-try", *(f"--unshare-{kind}" for kind in unshare)]
        if os.getuid() == 0:
            # Root needs no user namespace for the mounts, and keeps only what it takes to stop being root inside.
            options += ["--cap-drop", "ALL"]
            for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SYS_ADMIN"):
                options += ["--cap-add", capability]
            options += ["--dir", "/proc"]
        else:
            options += ["--proc", "/proc"]
        options += ["--hostname", "student", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/tmp"]
        shown = {path: path for path in self.shown()}
        for name in CANDIDATE_MODULES:
            shown[f"{PACKAGE_FOLDER}/autograder/{name}.py"] = str(Path(__file__).with_name(f"{name}.py"))
        folders = {str(parent) for path in [*shown, f"{PRIVATE}/home"] for parent in Path(path).parents}
        for folder in sorted(folders - {"/", "/tmp"}):
            options += ["--perms", "0755", "--dir", folder]  # bubblewrap's own would be for root alone
        for path, source in shown.items():
            options += ["--ro-bind-try", source, path]
        for path in _LINKS_INTO_USR:
            if os.path.islink(path):  # noqa: PTH114
                options += ["--symlink", os.readlink(path), path]  # noqa: PTH115
            else:
                options += ["--ro-bind-try", path, path]
        for device in self.devices:
            options += ["--dev-bind", device, device]
        return [*options, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/"]


@cache
def system_call_filter() -> str:
    """The filter program as text.

    Raises:
        WallError: libseccomp is missing.
    """
    try:
        return base64.b64encode(filter_program()).decode()
    except OSError as error:
        raise WallError(f"the system-call filter cannot be made, and without it student code is not run: {error}") from error


def python_folders(python: str) -> tuple[str, ...]:
    """The folders that the interpreter `python` imports from, and lies in.

    Raises:
        WallError: it cannot be run.
    """
    return _asked(python)[1]


@cache
def _asked(python: str) -> tuple[str, tuple[str, ...]]:
    """Where packages lie that the user installed for themselves, and all folders of `python`."""
    try:
        done = subprocess.run([python, "-c", _ASK_PYTHON], capture_output=True, text=True, check=True, timeout=60)
        base, found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise WallError(
            f"the notebook's Python, {python}, cannot be run: {error}. `jupyter kernelspec list` shows it."
        ) from error
    folders = [*found, str(Path(python).parent), str(Path(python).resolve().parent)]
    return str(base), tuple(_outermost(folder for folder in folders if Path(folder).is_dir()))


def is_ipykernel(spec: KernelSpec) -> bool:
    """Whether a kernelspec starts the only kernel that we can fork."""
    return any(part.startswith("ipykernel") for part in spec.argv)


def python_of(spec: KernelSpec) -> str:
    """The interpreter that a kernelspec starts.

    Raises:
        KernelStartError: it starts something else than ipykernel, which is the only kernel that we can fork.
    """
    if not is_ipykernel(spec):
        raise KernelStartError(
            f"the kernel {spec.display_name!r} is not ipykernel ({' '.join(spec.argv[:3])} ...), and only ipykernel can run "
            "behind the wall. Nothing was run."
        )
    name = Path(spec.argv[0]).name
    if spec.argv[0] == name and re.fullmatch(r"python(3(\.\d+)?)?", name):
        return sys.executable  # as jupyter_client reads it
    found = shutil.which(spec.argv[0])
    return found or spec.argv[0]


def _outermost(paths: Iterable[str]) -> list[str]:
    """`paths` without those that lie in another of them."""
    kept: list[str] = []
    for path in sorted(dict.fromkeys(paths), key=lambda path: path.count("/")):
        if not any(Path(path).is_relative_to(other) for other in kept):
            kept.append(path)
    return kept
