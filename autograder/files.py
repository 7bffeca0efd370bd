"""Packing the files of a submission, whatever a submission has made of its folder.

Runs: both sides; imports nothing but the standard library.

Depth and number are bounded and nothing here recurses: a folder in a folder in a folder, three thousand times, is a
submission too. Only regular files are packed, each as a file of its own.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO

MAX_DEPTH = 40
MAX_ENTRIES = 20_000
NEVER_IN = ("*.ipynb", "*.report.json")
"""Kept from student code: the notebook in the folder holds the hidden tests."""
NEVER_OUT = (*NEVER_IN, "timestamp.txt")
"""Not taken from student code: nbgrader reads the time of submission from the last one."""

Stamp = tuple[int, int]


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether any part of the path `name` matches any of `patterns`."""
    return any(fnmatchcase(part, pattern) for part in name.split("/") for pattern in patterns)


def walk(folder: int) -> Iterator[tuple[str, os.stat_result]]:
    """Relative path and status of each folder and regular file below the open folder `folder`; links are not followed."""
    waiting = [""]
    seen = 0
    while waiting:
        top = waiting.pop()
        for name in _names(folder, top):
            path = f"{top}/{name}" if top else name
            seen += 1
            if seen > MAX_ENTRIES:
                return
            with contextlib.suppress(OSError):
                found = os.stat(path, dir_fd=folder, follow_symlinks=False)
                if stat.S_ISDIR(found.st_mode) and path.count("/") < MAX_DEPTH:
                    waiting.append(path)
                if stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode):
                    yield path, found


def _names(folder: int, path: str) -> list[str]:
    with contextlib.suppress(OSError):
        descriptor = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
        try:
            return sorted(os.listdir(descriptor))  # noqa: PTH208  of a descriptor
        finally:
            os.close(descriptor)
    return []


def links_outward(folder: Path) -> list[str]:
    """Relative paths of the links below `folder` that lead out of it, or nowhere."""
    root = folder.resolve()
    found: list[str] = []
    waiting = [root]
    while waiting and len(found) < MAX_ENTRIES:
        for path in sorted(waiting.pop().iterdir()):
            if path.is_symlink():
                if not path.resolve().is_relative_to(root):
                    found.append(str(path.relative_to(root)))
            elif path.is_dir() and len(path.relative_to(root).parts) < MAX_DEPTH:
                waiting.append(path)
    return found


def stamps(folder: int) -> dict[str, Stamp]:
    """Size and time of each file, to tell later what was written since."""
    return {path: _stamp(found) for path, found in walk(folder) if stat.S_ISREG(found.st_mode)}


def _stamp(found: os.stat_result) -> Stamp:
    return found.st_size, found.st_mtime_ns


def pack(
    folder: int,
    file: IO[bytes],
    *,
    leave_out: Sequence[str],
    room: int,
    before: Mapping[str, Stamp] | None = None,
    full: Callable[[], None] = lambda: None,
) -> None:
    """Pack the regular files below the open folder `folder` that are not as they were `before`, at most `room` bytes.

    A file that does not fit is left out, and `full` is called.
    """
    with tarfile.open(fileobj=file, mode="w:", format=tarfile.PAX_FORMAT) as tar:
        for path, found in walk(folder):
            is_folder = stat.S_ISDIR(found.st_mode)
            if matches(path, leave_out) or (before is not None and (is_folder or before.get(path) == _stamp(found))):
                continue
            size = 0 if is_folder else found.st_size
            if size > room:
                full()
                continue
            room -= size
            with contextlib.suppress(OSError):
                _add(tar, folder, path, found)


def _add(tar: tarfile.TarFile, folder: int, path: str, found: os.stat_result) -> None:
    info = tarfile.TarInfo(path)
    info.mode = stat.S_IMODE(found.st_mode) & 0o777
    info.mtime = found.st_mtime
    if stat.S_ISDIR(found.st_mode):
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
        return
    info.size = found.st_size
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as content:
        tar.addfile(info, content)
