"""The folder of a graded submission: written under another name, moved into place, and marked with what it was made of.

Runs: trusted side, in the driver.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.errors import NoTime
from autograder.folders import beside
from autograder.history import Entry
from autograder.package import GradedSubmission, Package, Submission
from autograder.packing import MARK
from autograder.report import Report, read_report, report_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Of what a graded folder was made."""

    submission: str = ""
    """Digest of what was handed in; empty where the next run is to grade it again."""
    package: str = ""
    """Digest of what it was graded by; empty where it was graded by more than one."""
    entry: Entry | None = None
    """What the assignment's history says of it: the folder is moved into place before that is written there."""

    def is_of(self, submission: Submission, package_digest: str) -> bool:
        """Whether the folder holds what grading `submission` by that package gives."""
        return (self.submission, self.package) == (submission.digest(), package_digest)

    def to_text(self) -> str:
        """As it stands in its file."""
        entry = None if self.entry is None else self.entry.to_json()
        return json.dumps({"submission": self.submission, "package": self.package, "entry": entry}) + "\n"


class Places:
    """Where nbgrader has the submissions of one assignment, by its `converter`."""

    def __init__(self, converter: Any, assignment: str) -> None:
        self._converter = converter
        self._assignment = assignment

    def source(self, student: str) -> Path:
        """The folder of what was handed in."""
        return Path(self._converter._format_source(self._assignment, student))

    def graded(self, student: str) -> Path:
        """The folder of what was graded."""
        return Path(self._converter._format_dest(self._assignment, student))

    @property
    def permissions(self) -> int:
        """Those of graded files."""
        return int(str(self._converter.permissions), 8)

    def timestamp(self, folder: Path) -> Any:
        """When what lies in `folder` was handed in; None where nothing says it.

        Raises:
            NoTime: what says it is no time.
        """
        try:
            return self._converter.coursedir.get_existing_timestamp(str(folder))
        except (AttributeError, OverflowError, UnicodeDecodeError):  # nbgrader's own way of refusing it
            raise NoTime(f"{folder.name}/timestamp.txt of {folder.parent.name} holds no time; nothing was graded") from None


def read_mark(folder: Path) -> Mark | None:
    """The mark in `folder`; None where nbgrader's own command wrote it. One that cannot be read is empty."""
    try:
        data = json.loads((folder / MARK).read_text(encoding="utf-8"))
        entry = Entry.from_json(data["entry"]) if data.get("entry") else None
        return Mark(submission=data.get("submission", ""), package=data.get("package", ""), entry=entry)
    except OSError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError):
        return Mark()


def reports_in(folder: Path, package: Package) -> tuple[Report, ...]:
    """The reports on the notebooks of `package` that lie in `folder` and can be read."""
    found = (read_report(report_path(folder, sheet.name)) for sheet in package.sheets)
    return tuple(report for report in found if report is not None)


def is_torn(folder: Path) -> bool:
    """Whether a run was stopped while it wrote what was to become `folder`: the gradebook may be further than the folder."""
    return beside(folder, "partial").exists()


def recover(folder: Path) -> None:
    """Put back what a run had moved away before it was stopped: what stood there before is known only from it."""
    if not folder.exists() and beside(folder, "old").exists():
        beside(folder, "old").rename(folder)


def emptied(folder: Path) -> None:
    """Make sure that `folder` is there and empty. It is never away on the way: see `is_torn`."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def write_folder(
    folder: Path, package: Package, submission: Submission, result: GradedSubmission, permissions: int, mark: Mark
) -> None:
    """Write everything that belongs into the folder of a graded submission."""
    emptied(folder)
    contents = {path: file.content for path, file in {**submission.files, **package.given}.items()} | dict(result.written)
    for notebook in result.notebooks:
        contents[f"{notebook.name}.ipynb"] = notebook.content
        contents[report_path(Path(), notebook.name).name] = notebook.report.to_text().encode()
    write_files(folder, contents, permissions, mark)


def write_files(folder: Path, contents: Mapping[str, bytes], permissions: int, mark: Mark) -> None:
    """Write the files named by `contents` into `folder`, and its mark."""
    for name, content in {**contents, MARK: mark.to_text().encode()}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)  # in a copied folder it may be read-only
        path.write_bytes(content)
        path.chmod(permissions)


def discard(folder: Path) -> None:
    """Remove what was not to become a graded folder after all."""
    shutil.rmtree(folder, ignore_errors=True)
