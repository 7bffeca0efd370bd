"""Cells that students may have chosen: no spreadsheet takes any for a formula, whatever it separates cells by."""

from __future__ import annotations

import csv
import io

from hypothesis import example, given
from hypothesis import strategies as st

from autograder.spreadsheet import Cell, csv_of, harmless

ATTACK = """=cmd|'/c calc'!A1"""
TEXT = st.text(st.sampled_from("=+-@\t\r\n\0,;|\"' ax\uff1d\u2028") | st.characters(codec="utf-8"), max_size=12)


@given(st.lists(st.lists(TEXT, min_size=1, max_size=4), min_size=1, max_size=4))
@example([[ATTACK, "\t=1", "a;=1", '"=1', " -1", '";@x', "\n+1"]])
def test_no_cell_is_a_formula_however_the_file_is_read(rows: list[list[str]]) -> None:
    text = csv_of(rows)
    for separator in ",;|\t":
        for cells in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            for cell in cells:
                assert not cell.lstrip().startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20")), (separator, cell)


@given(st.lists(st.lists(TEXT, min_size=1, max_size=4), min_size=1, max_size=4))
def test_what_is_harmless_stays_where_it_was(rows: list[list[str]]) -> None:
    read = list(csv.reader(io.StringIO(csv_of(rows), newline="")))
    assert read == [[harmless(cell) for cell in row] for row in rows]
    assert all(harmless(cell) == cell for row in read for cell in row)


def test_names_and_numbers_are_left_alone() -> None:
    row: list[Cell] = ["O'Brien-Smith, Ann", "Zoë", "ann@example.org", 8.5, -1, None]
    assert csv_of([row]) == '"O\'Brien-Smith, Ann","Zoë","ann@example.org",8.5,-1,""\r\n'
