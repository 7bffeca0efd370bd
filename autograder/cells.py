"""What a notebook's cells are, by their nbgrader metadata.

Runs: trusted side.
"""

from __future__ import annotations

import ast
import hashlib
import re
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import nbformat

SOLUTION_BEGIN, SOLUTION_END = "BEGIN SOLUTION", "END SOLUTION"
CODE_STUB = "# YOUR CODE HERE\nraise NotImplementedError()"
"""What nbgrader puts in place of a solution region."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delimiters:
    """What marks the parts of a cell that students never see; a course may choose its own."""

    hidden_begin: str = "BEGIN HIDDEN TESTS"
    hidden_end: str = "END HIDDEN TESTS"
    scheme_begin: str = "BEGIN MARK SCHEME"
    scheme_end: str = "END MARK SCHEME"


NBGRADERS = Delimiters()
"""nbgrader's own."""


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


def is_graded(cell: nbformat.NotebookNode) -> bool:
    """Whether a cell is worth points, by test or by hand."""
    return kind_of(cell) in (Kind.TEST, Kind.ANSWER, Kind.TASK)


def points_of(cell: nbformat.NotebookNode) -> float:
    """The points a cell is worth, 0 for a cell that is not graded."""
    if is_graded(cell):
        points = metadata_of(cell).get("points", 0)
        return float(points) if isinstance(points, int | float) else 0.0
    return 0.0


def parameters_of(nb: nbformat.NotebookNode) -> dict[str, object]:
    """The constants set in cells tagged `parameters` and in those that papermill injected after them."""
    found: dict[str, object] = {}
    for cell in nb.cells:
        tags = cell.metadata.get("tags", ())
        if cell.cell_type != "code" or not ("parameters" in tags or "injected-parameters" in tags):
            continue
        with suppress(SyntaxError):
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                    found |= {target.id: node.value.value for target in node.targets if isinstance(target, ast.Name)}
    return found


def seed_of(assignment: str, parameter: object) -> int:
    """The state that global random generators begin with: the same for every submission of an assignment, in 0 .. 2^32-1."""
    return int.from_bytes(hashlib.sha256(f"{assignment}:{parameter}".encode()).digest()[:4], "big")


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


def released_source(source: str, delimiters: Delimiters = NBGRADERS) -> str:
    """What a student gets of a cell: no hidden tests, no mark scheme."""
    source = without_region(source, delimiters.hidden_begin, delimiters.hidden_end)
    return without_region(source, delimiters.scheme_begin, delimiters.scheme_end)


def bound_names(source: str) -> set[str]:
    """The names that a code cell binds at its top level or below; none for a cell that is not plain Python."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set()
    bound: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).split(".")[0])
    return bound


def mentioned_names(source: str) -> set[str]:
    """Every name that a code cell mentions; none for a cell that is not plain Python."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return set()
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


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


def blank_of(nb: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The release of the instructor's `nb` as it comes back from who did nothing, its hidden tests restored."""
    blank = deepcopy(nb)
    for cell in blank.cells:
        if kind_of(cell) is Kind.EXERCISE and cell.cell_type == "code":
            cell.source = with_solution(cell.source, None)
    return blank
