"""Accounts on this machine for tests: people who must not read each other's files."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import autograder


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Somebody with a home of their own."""

    name: str
    home: Path
    entrance: tuple[str, ...]
    """What shows this Python to others than root, where it lies in a folder that they cannot enter."""

    def run(self, *command: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command as this account, with nothing of the test's environment but where Python finds the package."""
        path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"])
        known = {"HOME": str(self.home), "USER": self.name, "LOGNAME": self.name, "PATH": path}
        known |= {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
        settings = [f"{name}={value}" for name, value in known.items()]
        whole = [*self.entrance, "runuser", "-u", self.name, "--", "env", "-i", *settings, *command]
        return subprocess.run(whole, cwd=folder or self.home, capture_output=True, text=True, timeout=250, check=False)

    def python(self, *arguments: str, folder: Path | None = None) -> str:
        """Run Python as this account, to its good end; what it prints."""
        done = self.run(sys.executable, *arguments, folder=folder)
        assert done.returncode == 0, f"{self.name}: {arguments}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def can_read(self, path: Path) -> bool:
        """Whether this account can list the folder, or read the file, at `path`."""
        return self.run("test", "-r", str(path)).returncode == 0


def entrance(place: Path) -> tuple[str, ...]:
    """The start of a command that runs in a file system of its own, in which this Python and its packages can be reached."""
    needed = {Path(sys.base_prefix).resolve(), Path(sys.prefix).resolve(), Path(autograder.__file__).parents[1].resolve()}
    hidden = {path: closed for path in sorted(needed) if (closed := _closed(path)) is not None}
    if not hidden:
        return ()
    stash = {path: place / f"shown{number}" for number, path in enumerate(hidden)}
    lines = [f"mkdir -p {stash[path]}; mount --rbind {path} {stash[path]}" for path in hidden]
    lines += [f"mount -t tmpfs -o mode=755 tmpfs {closed}" for closed in sorted(set(hidden.values()))]
    lines += [f"mkdir -p {path}; mount --rbind {stash[path]} {path}" for path in hidden]
    return ("unshare", "--mount", "sh", "-ec", "; ".join([*lines, 'exec "$@"']), "sh")


def _closed(path: Path) -> Path | None:
    """The topmost folder on the way to `path` that others cannot enter."""
    return next((folder for folder in [*reversed(path.parents), path] if not folder.stat().st_mode & 0o001), None)


@contextmanager
def a_place() -> Iterator[Path]:
    """A folder that every account can enter; pytest's are root's alone. Skips the test where no accounts can be made."""
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{before}:/usr/sbin:/sbin"  # where that lies which makes accounts; a script's PATH may lack it
    try:
        with _place() as place:
            yield place
    finally:
        os.environ["PATH"] = before


@contextmanager
def _place() -> Iterator[Path]:
    if os.geteuid() != 0 or any(shutil.which(name) is None for name in ("useradd", "userdel", "runuser", "unshare")):
        pytest.skip("NOT TESTED here: separate accounts need root, useradd, runuser and unshare")
    folder = Path(tempfile.mkdtemp(prefix="autograder-accounts-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def people(place: Path, roles: Sequence[str]) -> Iterator[dict[str, Account]]:
    """An account for each of `roles`, with a home in `place` that nobody else can enter; they go in the end."""
    made: dict[str, Account] = {}
    way_in = entrance(place)
    try:
        for role in roles:
            name = f"ag-{role}-{os.getpid()}"
            home = place / role
            subprocess.run(["useradd", "--create-home", "--home-dir", str(home), "--shell", "/bin/sh", name], check=True)
            home.chmod(0o700)
            made[role] = Account(name=name, home=home, entrance=way_in)
        seen = made[roles[0]].run(sys.executable, "-c", "import autograder, nbgrader")
        if seen.returncode != 0:
            pytest.skip(f"NOT TESTED here: other accounts cannot use this Python: {seen.stderr[-300:]}")
        yield made
    finally:
        for account in made.values():
            assert pwd.getpwnam(account.name).pw_dir == str(account.home)
            subprocess.run(["userdel", account.name], check=True)


def hand_over(account: Account) -> None:
    """Make everything in the home of `account` its own."""
    subprocess.run(["chown", "-R", f"{account.name}:", str(account.home)], check=True)
