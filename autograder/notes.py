"""What reading and restoring one submitted notebook found, and how it enters the report.

Runs: trusted side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import nbformat

from autograder.cells import Kind, grade_id_of, kind_of
from autograder.report import CellReport, Change, Report
from autograder.verdict import Verdict


@dataclass(slots=True, kw_only=True)
class Notes:
    """What was found before the notebook was run."""

    unreadable: str = ""
    changes: tuple[Change, ...] = ()
    blank: frozenset[str] = frozenset()
    """Grade ids of exercises and answers that were left as released."""


def completed(report: Report, nb: nbformat.NotebookNode, notes: Notes, *, assignment: str, student: str, notebook: str) -> Report:
    """`report` with its names and what reading and restoring found.

    A written answer that was left as released is `missing` and worth nothing, as nbgrader has it.
    """
    blank = {grade_id_of(cell) for cell in nb.cells if kind_of(cell) is Kind.ANSWER} & notes.blank

    def settled(cell: CellReport) -> CellReport:
        if cell.grade_id not in blank:
            return cell
        return replace(cell, verdict=Verdict.MISSING, points=0.0, message="No answer was given.")

    return replace(
        report,
        cells=tuple(map(settled, report.cells)),
        assignment=assignment,
        student=student,
        notebook=notebook,
        changes=notes.changes,
        unreadable=notes.unreadable,
    )
