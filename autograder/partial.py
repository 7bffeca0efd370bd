"""Grading some cells of a submission again, and leaving all others as they were.

Runs: trusted side, in the driver. The whole notebook is run, because cells need those before them; then:

    folder     the graded folder as it was, with the chosen cells of the new run in its notebook, source and outputs, and in its
               report. Everything else is the old run's: what students and staff read of a kept cell fits its kept points.
    gradebook  the chosen cells' points and comments. The late penalty follows from the sum, as always.
    feedback   is made of folder and gradebook, so it shows the chosen cells as they came out now and the others as they had.
    mark       Such a folder is of two runs. It counts as graded as it is now only where the two agree, so that elsewhere the next
               `autograder grade` grades it whole.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import nbformat

from autograder.cells import Kind, grade_id_of, kind_of
from autograder.errors import AutograderError, GradebookError
from autograder.graded_folders import Mark, emptied, is_torn, read_mark, write_files
from autograder.history import Entry, Run
from autograder.package import GradedNotebook, GradedSubmission, Marks, Package, Submission
from autograder.report import Incident, Report, read_report, report_path
from autograder.verdict import Verdict

_HANDED_IN_AGAIN = "handed in again since it was graded, so no single cell of it can be graded again; grade it without --cells"


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A graded submission in which only the chosen cells are new."""

    result: GradedSubmission
    """The notebooks that have chosen cells; `marks` hold these cells alone."""
    agrees: bool
    """Whether the new run has the same everywhere else, so that nobody can tell the two apart."""


def chosen_cells(package: Package, patterns: Sequence[str]) -> frozenset[str] | None:
    """The graded cells whose ids match any of `patterns`; None, which is all of them, where there are no patterns.

    Raises:
        GradebookError: a pattern matches none.
    """
    if not patterns:
        return None
    graded = [cell.grade_id for sheet in package.sheets for cell in sheet.cells if cell.points is not None]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in graded):
            raise GradebookError(
                f"--cells {pattern}: no graded cell of {package.assignment} has such an id. There are {', '.join(graded)}."
            )
    return frozenset(name for name in graded if any(fnmatchcase(name, pattern) for pattern in patterns))


def why_not(folder: Path, submission: Submission) -> str:
    """Why no single cell of `submission`, graded in `folder`, can be graded again; empty where it can."""
    if not folder.exists():
        return "not graded yet, so no single cell of it can be graded again; grade it without --cells"
    mark = read_mark(folder)
    if mark is not None and mark.submission != submission.digest():
        return _HANDED_IN_AGAIN
    return ""


def merged(folder: Path, result: GradedSubmission, chosen: Collection[str], run: Run) -> Merged:
    """What is graded in `folder` with the `chosen` cells as they are in `result`, of this `run`.

    Raises:
        AutograderError: the old notebook or report cannot be read, or the submission could not be, then or now.
    """
    notebooks, agrees = [], True
    for notebook in result.notebooks:
        report = read_report(report_path(folder, notebook.name))
        if report is None or report.unreadable or notebook.report.unreadable:
            raise AutograderError(
                f"{notebook.name}: its report cannot be read by this version, or the submission itself could not be read, so no "
                "single cell of it can be graded again; grade it without --cells"
            )
        try:
            before = nbformat.read(folder / f"{notebook.name}.ipynb", as_version=4)
        except (OSError, ValueError, nbformat.ValidationError) as error:
            raise AutograderError(
                f"{notebook.name}.ipynb in {folder} cannot be read: {error}; grade it without --cells"
            ) from None
        now = nbformat.reads(notebook.content.decode(), as_version=4)
        if read_mark(folder) is None and _answers(before) != _answers(now):  # no digest says what nbgrader's command graded
            raise AutograderError(_HANDED_IN_AGAIN)
        names = [cell.grade_id for cell in notebook.report.cells if cell.grade_id in chosen]
        content, cells = _with_cells(before, now, names), _with_reports(report, notebook.report, names, run)
        agrees = agrees and _sources(content) == _sources(now) and _judged(cells) == _judged(notebook.report)
        notebooks.append(
            GradedNotebook(
                name=notebook.name,
                content=f"{nbformat.writes(content)}\n".encode(),
                report=cells,
                marks=_marks(notebook.marks, names, report if is_torn(folder) else None),
            )
        )
    return Merged(result=replace(result, notebooks=tuple(notebooks), written={}), agrees=agrees)


def write_merged(partial: Path, folder: Path, merged: Merged, permissions: int, mark: Mark) -> None:
    """Write into `partial` what lies in `folder` with what is new in `merged`."""
    emptied(partial)
    shutil.copytree(folder, partial, symlinks=True, dirs_exist_ok=True)
    contents = {}
    for notebook in merged.result.notebooks:
        path = report_path(folder, notebook.name)
        report = notebook.report.to_json()
        report["versions"] = json.loads(path.read_text(encoding="utf-8"))["versions"]  # most of it is theirs
        contents[f"{notebook.name}.ipynb"] = notebook.content
        contents[path.name] = (json.dumps(report, indent=1, allow_nan=False) + "\n").encode()
    write_files(partial, contents, permissions, mark)


def mark_of(folder: Path, merged: Merged, submission: Submission, package_digest: str, entry: Entry) -> Mark:
    """The mark of a folder that is of two runs."""
    before = read_mark(folder)
    same = merged.agrees or (before is not None and before.is_of(submission, package_digest))
    failed = any(cell.verdict is Verdict.INTERNAL for notebook in merged.result.notebooks for cell in notebook.report.cells)
    return Mark(submission=submission.digest(), package=package_digest if same and not failed else "", entry=entry)


def _marks(now: Marks, names: Sequence[str], torn: Report | None) -> Marks:
    """What the gradebook learns. Where a run was stopped, it may know of other cells what the folder does not hold: `torn`, the
    report there, says what they had before."""
    before = {} if torn is None else {cell.grade_id: cell.points for cell in torn.cells}
    return Marks(
        points={name: now.points[name] if name in names else before[name] for name in now.points if name in {*names, *before}},
        comments={name: text for name, text in now.comments.items() if name in names},
    )


def _with_cells(before: nbformat.NotebookNode, now: nbformat.NotebookNode, names: Sequence[str]) -> nbformat.NotebookNode:
    """The notebook `before` with the cells of these ids as they are `now`; one that it lacks comes behind its neighbour."""
    found = deepcopy(before)
    place = -1
    for cell in now.cells:
        name = grade_id_of(cell)
        there = next((index for index, other in enumerate(found.cells) if name and grade_id_of(other) == name), None)
        if name in names and there is not None:
            found.cells[there] = cell
        elif name in names:
            found.cells.insert(place + 1, cell)
            there = place + 1
        place = place if there is None else there
    return found


def _with_reports(before: Report, now: Report, names: Sequence[str], run: Run) -> Report:
    """The report `before` with the chosen cells as they are `now`, and a note on when these were graded again."""
    new = {cell.grade_id: cell for cell in now.cells if cell.grade_id in names}
    there = {cell.grade_id for cell in before.cells}
    kept = [new.get(cell.grade_id, cell) for cell in before.cells]
    again = tuple(Incident(where=name, what="graded again", detail=f"alone, {run.when}, run {run.id}") for name in names)
    # Only the last word on each cell: a report does not grow with every look at it.
    earlier = tuple(found for found in before.incidents if (found.where, found.what) not in {(a.where, a.what) for a in again})
    added = [cell for name, cell in new.items() if name not in there]
    return replace(before, cells=(*kept, *added), incidents=(*earlier, *again))


def _answers(nb: nbformat.NotebookNode) -> dict[str | None, str]:
    """Grade id -> what the student wrote there."""
    return {grade_id_of(cell): cell.source for cell in nb.cells if kind_of(cell) in (Kind.EXERCISE, Kind.ANSWER)}


def _sources(nb: nbformat.NotebookNode) -> list[tuple[str, str, Any]]:
    return [(cell.cell_type, cell.source, cell.metadata.get("nbgrader")) for cell in nb.cells]


def _judged(report: Report) -> dict[str, tuple[Any, ...]]:
    return {cell.grade_id: (cell.verdict, cell.points, cell.max_points, cell.message) for cell in report.cells}
