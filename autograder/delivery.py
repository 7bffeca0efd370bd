"""What students hand in through nbgrader's exchange, and their feedback on its way back.

Runs: trusted side.

`nbgrader submit` copies the files, then writes `timestamp.txt`, then `submission_secret.txt`, and last opens the folder for
everybody: a folder that is open and has both is whole. Copying to and fro is nbgrader's own, with its rules and settings.

The exchange is a letter box: anybody may put any folder into it. nbgrader warns of one that belongs to somebody else than it
says, and copies what links in it point to, with the rights of whoever collects. A person reads the warning and looks first;
where nobody looks, such a folder stays where it is.
"""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import sqlite3
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from datetime import datetime
from glob import escape
from pathlib import Path
from typing import Any

from nbgrader.api import StatementError
from nbgrader.apps import CollectApp
from nbgrader.auth import Authenticator
from nbgrader.exchange import ExchangeError, ExchangeFactory
from nbgrader.exchange.default import ExchangeCollect
from nbgrader.utils import parse_utc

from autograder.errors import DeliveryError
from autograder.files import links_outward, stamps

_TIMESTAMP, _SECRET = "timestamp.txt", "submission_secret.txt"
_NO_TIME = (ValueError, OverflowError, TypeError, AttributeError)
"""How nbgrader refuses a text that is no time."""
_QUIET_SECONDS = 5.0
"""How long nothing may have changed in a folder that has a time but was not closed by nbgrader's last step."""


class Stillness:
    """Tells when nothing has changed in a folder for a while, by looking at it again and again."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: dict[Path, tuple[object, float]] = {}

    def is_still(self, folder: Path, state: object) -> bool:
        """Whether all looks at it within these seconds saw the same `state_of` it, and there was a look before them."""
        now = time.monotonic()
        if folder not in self._seen or self._seen[folder][0] != state:
            self._seen[folder] = state, now
        return now - self._seen[folder][1] >= self._seconds

    def keep(self, folders: Iterable[Path]) -> None:
        """Forget all but these."""
        kept = set(folders)
        self._seen = {folder: seen for folder, seen in self._seen.items() if folder in kept}


def state_of(folder: Path) -> object:
    """Equal for a folder in which nothing changed: names, sizes and times of the files, which are not read."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return tuple(sorted(stamps(opened).items()))
    finally:
        os.close(opened)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A student's newest submission of an assignment in the exchange."""

    student: str
    assignment: str
    time: datetime
    folder: Path


class Delivery:
    """The exchange of the course in the folder `root`, and the course's own folders."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        with chdir(self._root):
            self._app = CollectApp()
            self._app.initialize(["--log-level=CRITICAL", f"--CourseDirectory.root={self._root}"])
        self._app.log.setLevel(logging.CRITICAL + 1)  # what nbgrader says of a failure is said once, by us
        self._coursedir = self._app.coursedir
        self._authenticator = Authenticator(parent=self._app)
        self._exchange = ExchangeFactory(parent=self._app)
        collect = self._collect()
        self._inbound = Path(collect.root) / self._coursedir.course_id / "inbound"
        self._foreign = not isinstance(collect, ExchangeCollect)
        self._into: str = self._coursedir.submitted_directory
        self._aside = f"{self._into}.arriving"
        shutil.rmtree(Path(self._coursedir.format_path(self._aside, ".", ".")), ignore_errors=True)  # of one that was killed
        self._stillness = Stillness(_QUIET_SECONDS)
        self._parsed: dict[str, tuple[str, str, datetime] | None] = {}
        self._taken: dict[tuple[str, str], Path] = {}

    @property
    def no_exchange(self) -> str:
        """Why there is no exchange to look into; empty where there is one."""
        if not self._coursedir.course_id:
            return "the course has no `c.CourseDirectory.course_id`"
        if self._foreign:
            return "the course's exchange is not nbgrader's own, made of folders"
        if not self._inbound.is_dir():
            return f"there is no folder {self._inbound}; `nbgrader release_assignment` makes it"
        return ""

    def released(self) -> list[str]:
        """The assignments that are released."""
        folder = Path(self._coursedir.format_path(self._coursedir.release_directory, ".", "*"))
        return sorted(path.name for path in folder.parent.glob("*") if path.is_dir() and not path.name.startswith("."))

    def arrived(self, assignments: Iterable[str]) -> list[Parcel]:
        """What lies in the exchange for `assignments` and was not taken out yet, whole or not, oldest first."""
        if self.no_exchange:
            return []
        newest: dict[tuple[str, str], Parcel] = {}
        wanted = set(assignments)
        with os.scandir(self._inbound) as entries:
            for entry in entries:
                parsed = self._parse(entry.name)
                if parsed is None or parsed[1] not in wanted or not entry.is_dir(follow_symlinks=False):
                    continue
                student, assignment, handed_in = parsed
                if (student, assignment) not in newest or newest[student, assignment].time < handed_in:
                    newest[student, assignment] = Parcel(
                        student=student, assignment=assignment, time=handed_in, folder=Path(entry.path)
                    )
        found = [parcel for key, parcel in newest.items() if self._taken.get(key) != parcel.folder and self._is_newer(parcel)]
        self._stillness.keep(parcel.folder for parcel in found)
        return sorted(found, key=lambda parcel: parcel.time)

    def copies_of(self, student: str, assignment: str) -> Iterator[tuple[Path, datetime, str]]:
        """Folder, time and owner of everything that `student` handed in of `assignment`: collected, and in the exchange."""
        collected = Path(self._coursedir.format_path(self._into, student, assignment))
        if collected.is_dir():
            try:
                handed_in = self._coursedir.get_existing_timestamp(str(collected))
            except (OSError, *_NO_TIME):
                handed_in = None
            if handed_in is not None:
                yield collected, handed_in, _user(collected.stat().st_uid)
        for path in [] if self.no_exchange else sorted(self._inbound.glob(f"{escape(student)}+{escape(assignment)}+*")):
            parsed = self._parse(path.name)
            if parsed is not None and parsed[:2] == (student, assignment) and not path.is_symlink():
                yield path, parsed[2], _user(path.stat().st_uid)

    def is_whole(self, parcel: Parcel) -> bool:
        """Whether all of it is there."""
        try:
            if not (parcel.folder / _TIMESTAMP).stat().st_size:
                return False
            if parcel.folder.stat().st_mode & stat.S_IWOTH and (parcel.folder / _SECRET).stat().st_size:
                return True
            return self._stillness.is_still(parcel.folder, state_of(parcel.folder))
        except OSError:  # not there yet, or not open to us yet
            return False

    def take(self, parcel: Parcel) -> None:
        """Copy it to where the course keeps what was handed in, as `nbgrader collect --update` does.

        It is copied to another name and then moved: stopped anywhere, there is the old one, the new one or none, and without any
        it is taken again.

        Raises:
            DeliveryError: it could not be done, or a person must look first.
        """
        with self._about(parcel.student, parcel.assignment):
            self._mistrust(parcel)
            final, arriving = (
                Path(self._coursedir.format_path(folder, parcel.student, parcel.assignment))
                for folder in (self._into, self._aside)
            )
            shutil.rmtree(arriving, ignore_errors=True)
            self._coursedir.submitted_directory = self._aside
            try:
                self._collect().start()
            finally:
                self._coursedir.submitted_directory = self._into
            if final.exists():
                shutil.rmtree(final)
            final.parent.mkdir(parents=True, exist_ok=True)
            arriving.rename(final)
        self._taken[parcel.student, parcel.assignment] = parcel.folder

    def give_back(self, assignment: str, student: str) -> bool:
        """Put the feedback of `student` where `nbgrader fetch_feedback` finds it; whether what was handed in came that way.

        Raises:
            DeliveryError: it could not be done.
        """
        page = Path(self._coursedir.format_path(self._coursedir.feedback_directory, student, assignment))
        if self.no_exchange or not all((page / name).is_file() for name in (_TIMESTAMP, _SECRET)):
            return False
        with self._about(student, assignment):
            self._step(self._exchange.ReleaseFeedback).start()
        return True

    def _collect(self) -> Any:
        return self._step(self._exchange.Collect)

    def _step(self, make: Any) -> Any:
        return make(coursedir=self._coursedir, authenticator=self._authenticator, parent=self._app)

    def _parse(self, name: str) -> tuple[str, str, datetime] | None:
        """Student, assignment and time from the name of a folder in the exchange, as nbgrader reads it; each read once."""
        if name not in self._parsed:
            parts = name.rsplit("+", 3)
            try:
                # A student becomes a folder's name; these two are names of other folders.
                self._parsed[name] = None if parts[0] in ("", ".", "..") else (parts[0], parts[1], parse_utc(parts[2]))
            except (IndexError, *_NO_TIME):
                self._parsed[name] = None
        return self._parsed[name]

    def _is_newer(self, parcel: Parcel) -> bool:
        """Whether it was handed in after what the course has already; then nbgrader would collect it."""
        folder = self._coursedir.format_path(self._coursedir.submitted_directory, parcel.student, parcel.assignment)
        try:
            there = self._coursedir.get_existing_timestamp(folder)
        except (OSError, *_NO_TIME):
            there = None
        if there is None or there < parcel.time:
            return True
        self._taken[parcel.student, parcel.assignment] = parcel.folder
        return False

    def _mistrust(self, parcel: Parcel) -> None:
        name, owner = parcel.folder.name, parcel.folder.lstat().st_uid
        advice = "It was left where it is: look at it, then collect it with `nbgrader collect` or remove it."
        if self._collect().check_owner and _user(owner) != parcel.student:
            raise DeliveryError(
                f"{name} says that {parcel.student} handed it in, but it belongs to {_user(owner)}. {advice} A course whose "
                "students have no accounts of their own says `c.ExchangeCollect.check_owner = False`."
            )
        outward = links_outward(parcel.folder)
        if outward:
            raise DeliveryError(f"{name}: {outward[0]} is a link out of the submission. {advice}")

    @contextmanager
    def _about(self, student: str, assignment: str) -> Iterator[None]:
        """Have nbgrader's steps work on one submission; what they refuse is told in our words."""
        before = self._coursedir.student_id, self._coursedir.assignment_id
        self._coursedir.student_id, self._coursedir.assignment_id = escape(student), assignment
        try:
            with chdir(self._root):
                yield
        except (ExchangeError, StatementError, sqlite3.Error, OSError, RuntimeError, *_NO_TIME) as error:
            raise DeliveryError(str(error).partition("\n")[0] or type(error).__name__) from error
        finally:
            self._coursedir.student_id, self._coursedir.assignment_id = before


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"nobody known here (user {number})"
