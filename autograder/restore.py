"""Puts the instructor's cells back into a submission, and says what had been changed.

Runs: trusted side.

Whatever a student did to locked cells, points, grade ids and order, the instructor's version counts. A student's own
cells and exercise cells keep their text; they travel with the instructor's cell that they followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import nbformat

from autograder.cells import NBGRADERS, Delimiters, grade_id_of, metadata_of, released_source
from autograder.errors import WrongNotebook
from autograder.report import Change

_FLAGS = ("grade", "solution", "task", "locked")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCell:
    """One of the instructor's cells, as the gradebook holds it."""

    grade_id: str
    cell_type: str
    source: str
    """With hidden tests and mark scheme."""
    checksum: str | None
    grade: bool
    solution: bool
    task: bool
    locked: bool
    points: float | None
    """None for a cell that is not graded."""

    @property
    def restored_when_missing(self) -> bool:
        """Whether a deleted cell comes back. An exercise does not: the student may have written it elsewhere."""
        return self.locked or self.grade or self.task

    def metadata(self) -> dict[str, Any]:
        """The cell's nbgrader metadata."""
        data: dict[str, Any] = {flag: getattr(self, flag) for flag in _FLAGS}
        data |= {"grade_id": self.grade_id, "schema_version": 3, "cell_type": self.cell_type}
        if self.checksum is not None:
            data["checksum"] = self.checksum
        if self.points is not None:
            data["points"] = self.points
        return data


def restore(
    nb: nbformat.NotebookNode, sources: Sequence[SourceCell], *, reorder: bool, delimiters: Delimiters = NBGRADERS
) -> list[Change]:
    """Put `sources` back into `nb`, in place; what was changed comes back.

    `sources` are in the instructor's order; with `reorder` the submission's cells are brought into it.

    Raises:
        WrongNotebook: the submission has assignment cells, but none of `sources`.
    """
    known = {source.grade_id: source for source in sources}
    _refuse_another_assignment(nb, known)
    changes = _drop_foreign_metadata(nb, known)
    for cell in nb.cells:
        grade_id = grade_id_of(cell)
        if grade_id is not None:
            changes += _restore_cell(cell, known[grade_id], delimiters)
    if reorder:
        changes += _reorder(nb, [source.grade_id for source in sources])
    return changes + _add_missing(nb, sources, delimiters)


def _refuse_another_assignment(nb: nbformat.NotebookNode, known: dict[str, SourceCell]) -> None:
    claimed = [cell for cell in nb.cells if any(metadata_of(cell).get(flag) is True for flag in _FLAGS)]
    if claimed and not any(grade_id_of(cell) in known for cell in claimed):
        names = ", ".join(sorted({str(grade_id_of(cell)) for cell in claimed})[:3])
        raise WrongNotebook(
            f"it holds {len(claimed)} assignment cells ({names}, ...), and none of this assignment's: probably a notebook of "
            "another assignment under this name. Nothing was graded; ask the student for the right file."
        )


def _drop_foreign_metadata(nb: nbformat.NotebookNode, known: dict[str, SourceCell]) -> list[Change]:
    """Leave nbgrader metadata only on the last cell of each known grade id."""
    changes: list[Change] = []
    seen: set[str] = set()
    for cell in reversed(nb.cells):
        metadata = metadata_of(cell)
        grade_id = grade_id_of(cell)
        if grade_id in known and grade_id not in seen:
            seen.add(grade_id)
            continue
        cell.metadata.pop("nbgrader", None)
        if grade_id in known:
            changes.append(
                Change(grade_id=grade_id, what="duplicated", detail="the last copy counts; this one is an ordinary cell")
            )
        elif any(metadata.get(flag) is True for flag in _FLAGS):
            changes.append(
                Change(grade_id=str(grade_id), what="forged", detail="the assignment has no such cell; it is an ordinary cell")
            )
    return changes


def _restore_cell(cell: nbformat.NotebookNode, source: SourceCell, delimiters: Delimiters) -> list[Change]:
    changes: list[Change] = []
    claimed = metadata_of(cell)
    wrong = [flag for flag in _FLAGS if flag in claimed and bool(claimed[flag]) is not getattr(source, flag)]
    if source.points is not None and claimed.get("points") != source.points:
        wrong.append(f"points {claimed.get('points')!r} instead of {source.points:g}")
    if wrong:
        changes.append(Change(grade_id=source.grade_id, what="metadata", detail=f"put back: {', '.join(wrong)}"))
    cell.metadata["nbgrader"] = nbformat.from_dict(source.metadata())
    if cell.cell_type != source.cell_type:
        changes.append(
            Change(grade_id=source.grade_id, what="edited", detail=f"cell type was {cell.cell_type}, not {source.cell_type}")
        )
        _set_type(cell, source.cell_type)
    if source.locked:
        released = released_source(source.source, delimiters)
        if _bare(cell.source) not in (_bare(released), _bare(source.source)):
            changes.append(Change(grade_id=source.grade_id, what="edited", detail="not the current text of a locked cell"))
        cell.source = source.source
    return changes


def _bare(text: str) -> str:
    """`text` without what editors change by themselves: blanks at the ends of lines and around it all."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def is_blank(cell: nbformat.NotebookNode, source: SourceCell, delimiters: Delimiters = NBGRADERS) -> bool:
    """Whether the student left the cell that `source` released as it was."""
    return _bare(cell.source) == _bare(released_source(source.source, delimiters))


def _set_type(cell: nbformat.NotebookNode, cell_type: str) -> None:
    cell.cell_type = cell_type
    if cell_type == "code":
        cell.outputs, cell.execution_count = [], None
        cell.pop("attachments", None)
    else:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)


def _reorder(nb: nbformat.NotebookNode, order: Sequence[str]) -> list[Change]:
    """Bring the known cells into `order`; each takes along the ordinary cells that follow it."""
    groups: list[list[nbformat.NotebookNode]] = [[]]
    for cell in nb.cells:
        if grade_id_of(cell) is not None:
            groups.append([])
        groups[-1].append(cell)
    rank = {grade_id: position for position, grade_id in enumerate(order)}
    found = [grade_id_of(group[0]) or "" for group in groups[1:]]
    wanted = sorted(found, key=lambda grade_id: rank[grade_id])
    if found == wanted:
        return []
    kept: set[str] = set()
    for block in SequenceMatcher(a=found, b=wanted, autojunk=False).get_matching_blocks():
        kept.update(found[block.a : block.a + block.size])
    ordered = sorted(groups[1:], key=lambda group: rank[grade_id_of(group[0]) or ""])
    nb.cells = [cell for group in [groups[0], *ordered] for cell in group]
    moved = [grade_id for grade_id in wanted if grade_id not in kept]
    return [Change(grade_id=grade_id, what="moved", detail="put back in the assignment's order") for grade_id in moved]


def _add_missing(nb: nbformat.NotebookNode, sources: Sequence[SourceCell], delimiters: Delimiters) -> list[Change]:
    changes: list[Change] = []
    present = {grade_id_of(cell) for cell in nb.cells}
    taken = {cell.get("id") for cell in nb.cells}
    previous: str | None = None
    for number, source in enumerate(sources):
        if source.grade_id not in present:
            if not source.restored_when_missing:
                changes.append(Change(grade_id=source.grade_id, what="deleted", detail="an exercise cell is gone; not put back"))
                continue
            cell_id = f"restored-{number}"
            cell = _new_cell(source, cell_id if cell_id not in taken else f"{cell_id}-by-grader", delimiters)
            nb.cells.insert(_place_after(nb, previous), cell)
            changes.append(Change(grade_id=source.grade_id, what="deleted", detail="put back"))
        previous = source.grade_id
    return changes


def _place_after(nb: nbformat.NotebookNode, grade_id: str | None) -> int:
    """Where a missing cell goes: after the cell `grade_id` and the ordinary cells that follow it."""
    index = 0
    if grade_id is not None:
        index = next((i + 1 for i, cell in enumerate(nb.cells) if grade_id_of(cell) == grade_id), len(nb.cells))
    while index < len(nb.cells) and grade_id_of(nb.cells[index]) is None:
        index += 1
    return index


def _new_cell(source: SourceCell, cell_id: str, delimiters: Delimiters) -> nbformat.NotebookNode:
    new = nbformat.v4.new_code_cell if source.cell_type == "code" else nbformat.v4.new_markdown_cell
    text = released_source(source.source, delimiters) if source.solution else source.source
    cell: nbformat.NotebookNode = new(source=text, id=cell_id)
    cell.metadata["nbgrader"] = nbformat.from_dict(source.metadata())
    return cell


def source_cells(notebook: Any) -> list[SourceCell]:
    """The instructor's cells of a notebook of the gradebook."""
    points = {cell.name: float(cell.max_score) for cell in (*notebook.grade_cells, *notebook.task_cells)}
    grade, solution, task = (
        {cell.name for cell in cells} for cells in (notebook.grade_cells, notebook.solution_cells, notebook.task_cells)
    )
    return [
        SourceCell(
            grade_id=cell.name,
            cell_type=cell.cell_type,
            source=cell.source,
            checksum=cell.checksum,
            grade=cell.name in grade,
            solution=cell.name in solution,
            task=cell.name in task,
            locked=cell.locked,
            points=points.get(cell.name),
        )
        for cell in notebook.source_cells
    ]
