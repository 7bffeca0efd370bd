"""Folders that come and go whole: scratch folders, and folders that are put in place when they are complete.

Runs: trusted side.

A process that is killed removes nothing. So whoever makes a scratch folder holds a lock on it for life, and one that nobody holds
is removed by the next that makes one there. The lock is the kernel's: it ends with the process, however that ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path


class Scratch:
    """A folder for this process and its children. `close` removes it, or the end of the process, or after its death another."""

    def __init__(self, prefix: str, place: Path | None = None) -> None:
        """It lies in `place`, or where temporary files do; nothing but scratch folders may have a name with `prefix` there."""
        place = place or Path(tempfile.gettempdir())
        remove_abandoned(prefix, place)
        lock = None
        while lock is None:  # until it is locked, another process may take it for abandoned
            self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
            lock = _locked(self.path)
        self.close = weakref.finalize(self, _remove, self.path, lock)
        """Remove it. Safe to call twice."""


def remove_abandoned(prefix: str, place: Path) -> None:
    """Remove the scratch folders in `place` whose makers are dead."""
    for path in place.glob(f"{prefix}*"):
        with suppress(OSError):  # another user's, or removed meanwhile
            lock = _locked(path)
            if lock is not None:
                _remove(path, lock)


def _locked(path: Path) -> int | None:
    """A descriptor that holds the lock of our folder `path`; None if another holds it, or the folder is gone or not ours."""
    try:
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        opened, named = os.fstat(lock), path.lstat()
        if (opened.st_dev, opened.st_ino, opened.st_uid) == (named.st_dev, named.st_ino, os.getuid()):
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(lock)
    return None


def _remove(path: Path, lock: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(lock)


def is_full(error: OSError) -> bool:
    """Whether nothing can be written there, whoever tries."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def beside(folder: Path, what: str) -> Path:
    """A folder beside `folder` that nbgrader's patterns do not match."""
    return folder.with_name(f".{folder.name}.{what}")


def put_in_place(partial: Path, final: Path, *, there: bool = True) -> None:
    """Make `partial` the folder `final`, or with `there` False leave none. Stopped anywhere, it is there or not."""
    old = beside(final, "old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    if there:
        partial.rename(final)
    shutil.rmtree(partial, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)
