"""What grading one notebook found: typed here, JSON on disk, schema in `report.schema.json`, explained in docs/report.md.

Runs: trusted side.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from autograder import __version__
from autograder.verdict import Verdict

SCHEMA = "autograder-report/1"
"""Changes when a reader of older reports could misread a newer one."""
_VERSIONED = ("nbgrader", "papermill", "jupyter_client", "ipykernel", "nbformat", "numpy", "torch")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellReport:
    """One graded cell."""

    grade_id: str
    verdict: Verdict
    points: float | None
    """None when only a human can say."""
    max_points: float
    message: str = ""
    """For the student: nothing of hidden tests, see `disclosure`."""
    detail: str = ""
    """For staff: everything that the test said."""
    seconds: float = 0.0
    examined: bool = False
    """Whether the student's process had no part in the verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something in the submission that was not as released, and was put back."""

    grade_id: str
    what: str
    """`deleted`, `duplicated`, `moved`, `edited`, `metadata` or `forged`."""
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that happened outside graded cells and that staff should know."""

    where: str
    """Grade id, or `cell N` counted from 1."""
    what: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelReport:
    """The kernels that one notebook used."""

    source: str
    """Name of the kernel source; `none` when nothing was run, `nbgrader` when nbgrader ran the notebook itself."""
    sandbox: bool = False
    """Whether student code was walled in; False also when nothing was run."""
    walls: Mapping[str, str] = field(default_factory=dict)
    """Name of each wall -> `on`, or why it was off."""
    starts: int = 0
    end: str = ""
    """How the last kernel ended."""
    cpu_seconds: float = 0.0
    """Of all kernels and what they started; 0 where nobody counted."""
    examiner_cpu_seconds: float = 0.0
    """Of the examiner's process."""
    peak_bytes: int = 0
    """Most memory seen in use at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that grading one notebook found."""

    cells: tuple[CellReport, ...]
    kernel: KernelReport
    assignment: str = ""
    student: str = ""
    notebook: str = ""
    changes: tuple[Change, ...] = ()
    incidents: tuple[Incident, ...] = ()
    unreadable: str = ""
    """Why the submitted file could not be read; empty when it could."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Where the time went: `kernel_start`, `cells`, `total`."""

    @property
    def score(self) -> float:
        """The automatic points earned."""
        return sum(cell.points or 0.0 for cell in self.cells)

    @property
    def max_score(self) -> float:
        """The points there are, by hand included."""
        return sum(cell.max_points for cell in self.cells)

    @property
    def needs_attention(self) -> bool:
        """Whether the grader could not do its work: an unreadable file, or a failure of our own."""
        return bool(self.unreadable) or any(cell.verdict is Verdict.INTERNAL for cell in self.cells)

    def cell(self, grade_id: str) -> CellReport | None:
        """The report of the graded cell `grade_id`, if there is one."""
        return next((cell for cell in self.cells if cell.grade_id == grade_id), None)

    def to_json(self) -> dict[str, Any]:
        """The report as plain data, by `report.schema.json`."""
        data = {"schema": SCHEMA, "score": self.score, "max_score": self.max_score, **asdict(self), "versions": dict(versions())}
        data["seconds"] = {name: round(value, 4) for name, value in self.seconds.items()}
        return data

    def to_text(self) -> str:
        """The report as it stands in its file: a line for each field, and for each cell, change or incident.

        Not by `json`'s own indenting: that takes ten times as long, and the driver writes one for each submission.
        """
        return "{\n" + ",\n".join(f' "{name}": {_lines_of(value)}' for name, value in self.to_json().items()) + "\n}\n"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Report:
        """The inverse of `to_json`, for data that this package wrote.

        Raises:
            ValueError: the data are of another schema.
        """
        if data.get("schema") != SCHEMA:
            raise ValueError(f"report schema is {data.get('schema')!r}; this version reads {SCHEMA!r}. Grade again to renew it.")
        return cls(
            cells=tuple(CellReport(**{**cell, "verdict": Verdict(cell["verdict"])}) for cell in data["cells"]),
            kernel=KernelReport(**data["kernel"]),
            changes=tuple(Change(**change) for change in data["changes"]),
            incidents=tuple(Incident(**incident) for incident in data["incidents"]),
            **{name: data[name] for name in ("assignment", "student", "notebook", "unreadable", "seconds")},
        )


def _lines_of(value: Any) -> str:
    """`value` as JSON, each element of a list on a line of its own."""
    if not isinstance(value, list | tuple) or not value:
        return json.dumps(value, allow_nan=False)
    return "[\n" + ",\n".join(f"  {json.dumps(item, allow_nan=False)}" for item in value) + "\n ]"


@cache
def versions() -> Mapping[str, str]:
    """The versions that a score depends on; packages that are not installed are left out."""
    found = {"autograder": __version__, "python": platform.python_version()}
    for name in _VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def report_path(folder: Path, notebook: str) -> Path:
    """Where the report of `notebook` lies in the autograded folder of one submission."""
    return folder / f"{notebook}.report.json"


def write_report(report: Report, path: Path) -> None:
    """Write `report` to `path` so that a reader sees the old one or the new one, never a part.

    A folder of that name, which a submission may hold, makes way.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(report.to_text())
        os.replace(temporary, path)  # noqa: PTH105  Path.replace gives the same; this mirrors mkstemp's plain string
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_report(path: Path) -> Report | None:
    """The report at `path`; None when there is none, or when it cannot be read by this version."""
    try:
        return Report.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        return None
