"""What grading a submission needs to know of its assignment, and the submission itself, as plain data.

Runs: trusted side.

    course folder, gradebook, configuration --driver--> Package --bytes--> worker
    submitted/<student>/<id>/               --driver--> Submission --bytes--> worker --> GradedSubmission --bytes--> driver

A worker has neither the course's folder nor its gradebook: all that it takes from them stands here.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from autograder.cells import NBGRADERS, Delimiters
from autograder.limits import Limits
from autograder.manifest import Manifest
from autograder.report import Report, versions
from autograder.restore import SourceCell

_FORM = "package/1"
"""Changes when the same package would be graded otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a course wants the submissions of one assignment graded."""

    limits: Limits
    manifest: Manifest | None = None
    """None in a course that has none."""
    device: str = ""
    """Overrides the manifest's."""
    unexamined: tuple[str, ...] = ()
    """Patterns of grade ids: tests that may run among the student's code where they cannot be examined."""
    delimiters: Delimiters = NBGRADERS
    """What marks hidden parts in this course."""
    visible: tuple[str, ...] = ()
    """Further files and folders that submissions may read; each worker has them under the same names."""
    sandbox: bool = True
    run: bool = True
    """Whether notebooks are run at all, or judged by the outputs that were handed in."""

    @property
    def device_in_use(self) -> str:
        """What submissions are graded on: `cpu` or `cuda`."""
        return self.device or ("cpu" if self.manifest is None else self.manifest.device)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One notebook of an assignment, as the gradebook and the source folder have it."""

    name: str
    cells: tuple[SourceCell, ...]
    """In the instructor's order where `ordered`."""
    ordered: bool
    kernelspec: Mapping[str, Any] = field(default_factory=dict)
    """What nbgrader sets in every submission; empty where the gradebook has none."""
    source: str | None = None
    """The instructor's notebook, as text; None where the driver's machine does not have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file."""

    content: bytes
    mode: int = 0o644
    """Permissions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One assignment."""

    assignment: str
    sheets: tuple[Sheet, ...]
    rules: Rules
    staff: Mapping[str, File] = field(default_factory=dict)
    """Relative path -> what lies in the source folder, where test cells run; no notebooks."""
    given: Mapping[str, File] = field(default_factory=dict)
    """What replaces that which was handed in under the same path."""
    traits: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Class of nbgrader's steps that we keep -> the values of its settings."""

    def sheet(self, name: str) -> Sheet:
        """The notebook of that name.

        Raises:
            KeyError: the assignment has none.
        """
        return {sheet.name: sheet for sheet in self.sheets}[name]

    def digest(self) -> str:
        """A hash of everything in it and of the versions that a score depends on: what it gives equal submissions is equal."""
        parts = [_FORM, versions(), asdict(self)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=_plain).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What one student handed in for one assignment."""

    student: str
    notebooks: Mapping[str, bytes] = field(default_factory=dict)
    """Name -> content of the submitted file, whatever it is."""
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Name -> why the file under that name has no content that could be read."""
    files: Mapping[str, File] = field(default_factory=dict)
    """Relative path -> everything else, without what links lead out to."""
    problem: str = ""
    """Why nothing of it could be read; then it is empty."""

    def digest(self) -> str:
        """A hash of everything in it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True, default=_plain).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What the gradebook learns of one notebook."""

    points: Mapping[str, float | None] = field(default_factory=dict)
    """Graded cell -> automatic points; None leaves it to a person."""
    comments: Mapping[str, str | None] = field(default_factory=dict)
    """Cell that the student writes -> the automatic comment."""
    by_hand: bool = False
    """Whether a person must look at all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedNotebook:
    """One notebook after grading."""

    name: str
    content: bytes
    """The autograded notebook, as it is written."""
    report: Report
    marks: Marks


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedSubmission:
    """What came of one submission."""

    student: str
    notebooks: tuple[GradedNotebook, ...] = ()
    written: Mapping[str, bytes] = field(default_factory=dict)
    """Relative path -> what the notebooks wrote, new or changed."""
    problem: str = ""
    """Why nothing of it was graded; then there are no notebooks."""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    """What the worker's own process spent; the reports have what ran behind the wall."""


def packed(value: Package | Submission | GradedSubmission) -> bytes:
    """`value` as bytes, for `unpacked` in another process of ours."""
    return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)


def unpacked(data: bytes) -> Any:
    """The inverse of `packed`. Never for bytes that a submission had a part in making: those travel inside."""
    return pickle.loads(data)


def _plain(value: object) -> str:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, set | frozenset):
        return repr(sorted(map(str, value)))
    if isinstance(value, Path):
        return value.name  # where the course lies says nothing of its tests
    raise TypeError(f"a package holds {type(value).__name__}, which is not plain data")
