"""When a released assignment is due, for students to see: it lies in the exchange, beside what is released.

Runs: trusted side; written where course staff release, read in each student's Jupyter server.

    gradebook (formgrader's pencil), or else the words of assignment.toml
      --ReleaseWithDue-->  EXCHANGE/COURSE/due/ASSIGNMENT.txt  --read_dues-->  Assignment List

A student's server cannot read the gradebook. The date travels apart from the notebooks: no cell, no digest and nothing that is
handed in depends on it, and it can be moved later without another release.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbgrader.api import Assignment
from nbgrader.exchange.default import ExchangeReleaseAssignment
from sqlalchemy import select

from autograder.course import manifest_of
from autograder.errors import GradebookError, ManifestError
from autograder.scores import reading

_FOLDER = "due"
_MOST_BYTES = 400
"""More is no date, nor words for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """When something is due: a moment, or words such as `end of week 3`."""

    course: str
    assignment: str
    at: datetime | None
    """With its time zone."""
    words: str
    """What was said; for a moment ISO 8601."""

    def to_json(self) -> dict[str, Any]:
        """The same as plain data."""
        at = None if self.at is None else self.at.astimezone(UTC).isoformat()
        return {"course": self.course, "assignment": self.assignment, "at": at, "words": self.words}


class ReleaseWithDue(ExchangeReleaseAssignment):  # type: ignore[misc]
    """nbgrader's, which then says when the assignment is due."""

    def copy_files(self) -> None:
        """Release, and say when it is due."""
        super().copy_files()
        self.say_due()

    def say_due(self) -> None:
        """Put the due date of an assignment that is released where Assignment List looks; a failure is only logged."""
        course, name = Path(self.root) / self.coursedir.course_id, self.coursedir.assignment_id
        if not (course / "outbound" / name).is_dir():
            return
        try:
            words = self._due_in_gradebook(name) or self._due_in_manifest(name)
            path = _file(course, name)
            if not words:
                path.unlink(missing_ok=True)
                return
            group = stat.S_IWGRP if self.coursedir.groupshared else 0
            path.parent.mkdir(exist_ok=True)
            new = path.with_suffix(".new")
            new.write_text(f"{words}\n", encoding="utf-8")
            new.chmod(0o644 | group)
            new.replace(path)
            with suppress(PermissionError):  # it is a colleague's, who has done this
                path.parent.chmod(0o755 | group | (stat.S_ISGID if group else 0))
        except (OSError, GradebookError, ManifestError) as error:
            self.log.warning("%s is released; Assignment List may not show when it is due: %s", name, error)

    def _due_in_gradebook(self, name: str) -> str:
        url = self.coursedir.db_url
        if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///").partition("?")[0]).is_file():
            return ""  # a course may release without one
        with reading(url) as session:
            found: datetime | None = session.scalar(select(Assignment.duedate).where(Assignment.name == name))
        return "" if found is None else found.replace(tzinfo=UTC).isoformat()  # nbgrader keeps it in UTC, and does not say so

    def _due_in_manifest(self, name: str) -> str:
        manifest = manifest_of(self.coursedir, name)
        return "" if manifest is None else manifest.due


def read_dues(exchange: Path) -> Iterator[Due]:
    """When what is released in the folder `exchange` is due, as far as that was said; of all courses that can be read."""
    for path in sorted(exchange.glob(f"*/{_FOLDER}/*.txt")):
        course = path.parents[1]
        if not (course / "outbound" / path.stem).is_dir():
            continue  # it was released once
        words = _text(path)
        if words:
            yield Due(course=course.name, assignment=path.stem, at=_moment(words), words=words)


def _file(course: Path, assignment: str) -> Path:
    return course / _FOLDER / f"{assignment}.txt"


def _text(path: Path) -> str:
    """What the file says; empty where it is none. Anybody may make a course in the exchange, with what would block a reader."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            return ""
        return " ".join(os.read(opened, _MOST_BYTES).decode(errors="replace").split())
    finally:
        os.close(opened)


def _moment(words: str) -> datetime | None:
    """The moment, where the words are one; without a time zone they are not."""
    with suppress(ValueError):
        found = datetime.fromisoformat(words)
        return None if found.tzinfo is None else found
    return None
