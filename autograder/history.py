"""Who graded what when and why, and what it changed: the record of an assignment's gradings, for audits.

Runs: trusted side.

A file beside the gradebook, `gradebook.db.<assignment>.history.jsonl`, that is only ever appended to: one line when a run has
its first result, with who, when, why and the versions, then one line for each submission when it is put into place. So a run that
is killed has said what it did and no more. Between the moving of a graded folder and its line lies a moment; that is why the line
also lies in the folder, in its mark: a line that is missing is written by whoever meets the folder next. Each has an id, and what
has the same id is one entry. A line that was cut off is ignored; what it was to say is in a mark.
"""

from __future__ import annotations

import json
import os
import pwd
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autograder.differences import Difference
from autograder.report import versions

_SQLITE = "sqlite:///"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _new_id() -> str:
    return uuid.uuid4().hex


def user_name() -> str:
    """Who runs this process, by the system's word; the environment can say anything."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of `autograder grade`."""

    assignment: str
    package: str
    """Digest of everything of the assignment that a score depends on."""
    why: str = ""
    """In the words of who ran it."""
    options: Mapping[str, Any] = field(default_factory=dict)
    who: str = field(default_factory=user_name)
    when: str = field(default_factory=_now)
    """ISO 8601, UTC."""
    versions: Mapping[str, str] = field(default_factory=versions)
    id: str = field(default_factory=_new_id)

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        names = ("who", "when", "why", "assignment", "options", "versions", "package")
        return {"run": self.id, **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One submission that a run has graded."""

    run: str
    student: str
    points: float | None
    """The automatic points; None where nothing was graded."""
    again: bool = False
    """Whether it had been graded before."""
    differences: tuple[Difference, ...] = ()
    problem: str = ""
    """Why nothing was graded."""
    when: str = field(default_factory=_now)
    id: str = field(default_factory=_new_id)

    def to_json(self) -> dict[str, Any]:
        """The same as plain data; what there is none of is left out, since most lines are of submissions graded once."""
        data = {"run": self.run, "id": self.id, "when": self.when, "student": self.student, "points": self.points}
        rest = {
            "again": self.again,
            "changes": [difference.to_json() for difference in self.differences],
            "problem": self.problem,
        }
        return {**data, **{name: value for name, value in rest.items() if value}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Entry:
        """The inverse of `to_json`.

        Raises:
            KeyError, TypeError, ValueError: it is no entry.
        """
        return cls(
            **{name: data[name] for name in ("run", "id", "when", "student", "points")},
            again=data.get("again", False),
            differences=tuple(map(Difference.from_json, data.get("changes", ()))),
            problem=data.get("problem", ""),
        )


class History:
    """The gradings of one assignment, in the order in which they were written down."""

    def __init__(self, path: Path, mode: int = 0o600) -> None:
        """`mode` are the permissions of a file that is not there yet.

        Raises:
            OSError: it is there and cannot be read.
        """
        self.path = path
        self.runs: dict[str, Run] = {}
        self.entries: dict[str, Entry] = {}
        """By id."""
        self._mode = mode
        with suppress(FileNotFoundError):
            for line in path.read_bytes().splitlines():
                self._read(line)

    def begin(self, run: Run) -> None:
        """Write down that there is this run, unless that is done."""
        if run.id not in self.runs:
            self._append(run.to_json())
            self.runs[run.id] = run

    def add(self, entry: Entry) -> None:
        """Write `entry` down, unless it is there."""
        if entry.id not in self.entries:
            self._append(entry.to_json())
            self.entries[entry.id] = entry

    def _read(self, line: bytes) -> None:
        with suppress(ValueError, KeyError, TypeError):  # a line that was cut off
            data = json.loads(line)
            if "student" in data:
                entry = Entry.from_json(data)
                self.entries.setdefault(entry.id, entry)
            else:
                run = Run(id=data.pop("run"), **data)
                self.runs.setdefault(run.id, run)

    def _append(self, data: Mapping[str, Any]) -> None:
        is_new = not self.path.exists()
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, self._mode)
        with os.fdopen(descriptor, "r+b", buffering=0) as file:
            line = json.dumps(data, allow_nan=False).encode() + b"\n"
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":  # cut off: what follows is not to be lost with it
                line = b"\n" + line
            while line:
                line = line[file.write(line) :]
            os.fsync(descriptor)
        if is_new:
            _sync_folder(self.path.parent)


def history_of(db_url: str, root: Path, assignment: str, *, for_group: bool = False) -> History:
    """The history of `assignment`: it lies where the gradebook does, and whoever may read that may read it.

    A gradebook that is a server's has no place: there it lies in the course's folder `root`, for its owner or, with
    `for_group`, for the group.

    Raises:
        OSError: it is there and cannot be read.
    """
    gradebook = root / (db_url.removeprefix(_SQLITE).partition("?")[0] if db_url.startswith(_SQLITE) else "gradebook.db")
    try:
        mode = gradebook.stat().st_mode & 0o660
    except OSError:
        mode = 0o660 if for_group else 0o600
    return History(gradebook.with_name(f"{gradebook.name}.{assignment}.history.jsonl"), mode)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
