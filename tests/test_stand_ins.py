"""Which references stand in, and which do not because student code could keep them."""

from __future__ import annotations

import nbformat

from autograder.stand_ins import kept_for_later, stand_ins_of
from tests.make import exercise, graded

DOUBLE, TOTAL = "def double(x):\n    return 2 * x", "def total(xs):\n    return sum(map(double, xs))"


def notebook(*order: str) -> list[nbformat.NotebookNode]:
    cells = {
        "double": exercise("double", DOUBLE),
        "total": exercise("total", TOTAL),
        "test_double": graded("test_double", "assert double(1) == 2"),
        "test_total": graded("test_total", "assert total([1]) == 2"),
    }
    return [cells[name] for name in order]


WANTED = {"test_total": ("double",)}


def test_a_reference_stands_in_where_the_exercise_has_been_tested_before() -> None:
    cells = notebook("double", "test_double", "total", "test_total")
    assert list(kept_for_later(WANTED, cells)) == []
    assert stand_ins_of(WANTED, cells) == {"test_total": {"double": DOUBLE}}


def test_it_does_not_where_a_later_test_is_about_that_exercise() -> None:
    cells = notebook("double", "total", "test_total", "test_double")
    assert list(kept_for_later(WANTED, cells)) == [("test_total", "double", "test_double")]
    assert stand_ins_of(WANTED, cells) == {"test_total": {}}


def test_it_does_where_it_stands_in_for_the_later_test_too() -> None:
    cells = notebook("double", "total", "test_total", "test_double")
    wanted = WANTED | {"test_double": ("double",)}
    assert list(kept_for_later(wanted, cells)) == []


def test_what_the_notebook_does_not_have_is_left_out() -> None:
    assert stand_ins_of({"test_total": ("gone",)}, notebook("total", "test_total")) == {"test_total": {}}
