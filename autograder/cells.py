"""What a notebook's cells are, by their nbgrader metadata.

Runs: trusted side.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

import nbformat

HIDDEN_BEGIN, HIDDEN_END = "BEGIN HIDDEN TESTS", "END HIDDEN TESTS"
SCHEME_BEGIN, SCHEME_END = "BEGIN MARK SCHEME", "END MARK SCHEME"
SOLUTION_BEGIN, SOLUTION_END = "BEGIN SOLUTION", "END SOLUTION"
CODE_STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
"""What nbgrader puts in place of a solution region."""


class Kind(StrEnum):
    """The part a cell plays."""

    TEST = "test"
    """Locked, graded automatically."""
    EXERCISE = "exercise"
    """The student writes it; tests elsewhere grade it."""
    ANSWER = "answer"
    """The student writes it; a person grades it."""
    TASK = "task"
    """A locked task graded by a person."""
    READ_ONLY = "read_only"
    """Locked, given: set-up, helpers, plots."""
    FREE = "free"
    """Anything else: text, and whatever the student added."""


def metadata_of(cell: nbformat.NotebookNode) -> dict[str, Any]:
    """The cell's nbgrader metadata, empty when it has none that is usable."""
    metadata = cell.metadata.get("nbgrader")
    return metadata if isinstance(metadata, dict) else {}


def grade_id_of(cell: nbformat.NotebookNode) -> str | None:
    """The cell's grade id, or None."""
    grade_id = metadata_of(cell).get("grade_id")
    return grade_id if isinstance(grade_id, str) and grade_id else None


def kind_of(cell: nbformat.NotebookNode) -> Kind:
    """The part `cell` plays, by nbgrader's rules."""
    metadata = metadata_of(cell)
    if grade_id_of(cell) is None:
        return Kind.FREE
    if metadata.get("task"):
        return Kind.TASK
    if metadata.get("grade"):
        return Kind.ANSWER if metadata.get("solution") else Kind.TEST
    if metadata.get("solution"):
        return Kind.EXERCISE
    return Kind.READ_ONLY if metadata.get("locked") else Kind.FREE


def points_of(cell: nbformat.NotebookNode) -> float:
    """The points a cell is worth, 0 for a cell that is not graded."""
    if kind_of(cell) in (Kind.TEST, Kind.ANSWER, Kind.TASK):
        return float(metadata_of(cell).get("points", 0))
    return 0.0


def without_region(source: str, begin: str, end: str) -> str:
    """`source` without the lines from one that contains `begin` to one that contains `end`, both included."""
    kept, inside = [], False
    for line in source.split("\n"):
        if begin in line:
            inside = True
        elif end in line and inside:
            inside = False
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def released_source(source: str) -> str:
    """What a student gets of a locked cell: no hidden tests, no mark scheme."""
    return without_region(without_region(source, HIDDEN_BEGIN, HIDDEN_END), SCHEME_BEGIN, SCHEME_END)


def with_solution(source: str, body: str | None) -> str:
    """`source` with `body` in place of what lies between the solution markers, or of everything where there are none.

    `body=None` gives nbgrader's stub, as a release does.
    """
    out: list[str] = []
    inside = found = False
    for line in source.split("\n"):
        if SOLUTION_BEGIN in line and not inside:
            inside = found = True
            indent = re.match(r"\s*", line)
            prefix = indent.group(0) if indent else ""
            out += [prefix + stub for stub in CODE_STUB.split("\n")] if body is None else body.strip("\n").split("\n")
        elif SOLUTION_END in line:
            inside = False
        elif not inside:
            out.append(line)
    if not found:
        return CODE_STUB if body is None else body.strip("\n")
    return "\n".join(out)
