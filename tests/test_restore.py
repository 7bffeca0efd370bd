"""Whatever is done to a submission's cells, the instructor's come back, once each, in order."""

from __future__ import annotations

import copy
import itertools

import nbformat
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.cells import grade_id_of, released_source
from autograder.restore import SourceCell, restore
from tests import make


def _source(grade_id: str, source: str, *, points: float | None = None, **flags: bool) -> SourceCell:
    defaults = {"grade": False, "solution": False, "task": False, "locked": False}
    return SourceCell(grade_id=grade_id, cell_type="code", source=source, checksum="c", points=points, **{**defaults, **flags})


SOURCES = [
    _source("setup", "import math", locked=True),
    _source("f", "def f(): ...", solution=True),
    _source(
        "test_f", "assert f()\n### BEGIN HIDDEN TESTS\nassert f() == 2\n### END HIDDEN TESTS", points=2, grade=True, locked=True
    ),
    _source("g", "def g(): ...", solution=True),
    _source("test_g", "assert g()", points=3, grade=True, locked=True),
]


def released() -> nbformat.NotebookNode:
    """What a student starts from."""
    cells = [make.text("intro")]
    for source in SOURCES:
        cell = make.code(released_source(source.source))
        cell.metadata["nbgrader"] = nbformat.from_dict(source.metadata())
        cells.append(cell)
    return make.notebook(*cells)


def ids(nb: nbformat.NotebookNode) -> list[str]:
    return [grade_id for cell in nb.cells if (grade_id := grade_id_of(cell)) is not None]


def test_untouched_submission_changes_nothing_but_brings_hidden_tests_back() -> None:
    nb = released()
    assert restore(nb, SOURCES, reorder=True) == []
    assert "BEGIN HIDDEN TESTS" in nb.cells[3].source


def test_students_own_cells_travel_with_the_cell_they_follow() -> None:
    nb = released()
    nb.cells.insert(3, make.code("helper = 1"))  # after f
    nb.cells = [nb.cells[0], *nb.cells[4:], *nb.cells[1:4]]
    restore(nb, SOURCES, reorder=True)
    sources = [cell.source for cell in nb.cells]
    assert sources.index("helper = 1") == sources.index("def f(): ...") + 1
    assert ids(nb) == [source.grade_id for source in SOURCES]


def test_without_a_known_order_nothing_is_moved() -> None:
    nb = released()
    nb.cells.reverse()
    before = ids(nb)
    assert restore(nb, SOURCES, reorder=False) == []
    assert ids(nb) == before


def test_deleted_exercise_is_reported_but_not_put_back_over_the_students_own() -> None:
    nb = released()
    nb.cells[2] = make.code("def f(): return 2")
    changes = restore(nb, SOURCES, reorder=True)
    assert [(change.grade_id, change.what) for change in changes] == [("f", "deleted")]
    assert ids(nb) == ["setup", "test_f", "g", "test_g"]


def test_metadata_of_cells_that_are_not_graded_are_dropped_in_silence() -> None:
    nb = released()
    cell = make.code("x")
    cell.metadata["nbgrader"] = {"grade_id": "cell-1", "grade": False, "locked": False, "solution": False}
    nb.cells.append(cell)
    assert restore(nb, SOURCES, reorder=True) == []
    assert "nbgrader" not in cell.metadata


_NUMBERS = itertools.count()
operations = st.lists(
    st.tuples(
        st.sampled_from(["delete", "duplicate", "move", "edit", "metadata", "type", "garbage"]),
        st.integers(0, 30),
        st.integers(0, 30),
    ),
    max_size=12,
)


@settings(max_examples=100)
@given(operations=operations)
def test_after_any_vandalism_every_graded_cell_is_the_instructors(operations: list[tuple[str, int, int]]) -> None:
    nb = released()
    for operation, first, second in operations:
        _vandalise(nb, operation, first, second)
    restore(nb, SOURCES, reorder=True)
    found = {grade_id_of(cell): cell for cell in nb.cells if grade_id_of(cell)}
    assert len(found) == len(ids(nb))
    for source in SOURCES:
        if source.restored_when_missing:
            cell = found[source.grade_id]
            assert cell.source == source.source
            assert cell.cell_type == source.cell_type
            assert dict(cell.metadata["nbgrader"]) == source.metadata()
    order = [source.grade_id for source in SOURCES]
    assert ids(nb) == sorted(ids(nb), key=order.index)
    nbformat.validate(nb)


def _vandalise(nb: nbformat.NotebookNode, operation: str, first: int, second: int) -> None:
    if not nb.cells:
        return
    i, j = first % len(nb.cells), second % len(nb.cells)
    cell = nb.cells[i]
    if operation == "delete":
        del nb.cells[i]
    elif operation == "duplicate":
        twin = copy.deepcopy(cell)
        twin["id"] = f"twin-{next(_NUMBERS)}"
        nb.cells.insert(j, twin)
    elif operation == "move":
        nb.cells.insert(j, nb.cells.pop(i))
    elif operation == "edit":
        cell.source = "1 / 0"
    elif operation == "metadata" and isinstance(cell.metadata.get("nbgrader"), dict):
        cell.metadata["nbgrader"] = {**cell.metadata["nbgrader"], "points": 99, "locked": False, "grade": False}
    elif operation == "type" and cell.cell_type == "code":
        nb.cells[i] = nbformat.v4.new_markdown_cell(cell.source, id=cell["id"], metadata=cell.metadata)
    elif operation == "garbage":
        cell.metadata["nbgrader"] = [None, "text", 7, {"grade_id": 3}, {"grade_id": "test_f"}][first % 5]
