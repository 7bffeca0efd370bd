"""Any bytes at all give a notebook or a clear reason."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder import reader
from autograder.errors import UnreadableSubmission
from autograder.reader import read_submission
from tests import make

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=20,
)
almost_notebooks = st.fixed_dictionaries(
    {"nbformat": st.integers(-1, 6) | json_values, "nbformat_minor": st.integers(0, 9), "metadata": json_values},
    optional={
        "cells": st.lists(st.fixed_dictionaries({"cell_type": st.sampled_from(["code", "markdown", "x"]), "source": json_values}))
    },
)


def read(folder: Path, content: bytes) -> nbformat.NotebookNode:
    path = folder / "ps1.ipynb"
    path.write_bytes(content)
    return read_submission(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(content=st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_bytes_are_a_notebook_or_unreadable(tmp_path: Path, content: bytes) -> None:
    _check_valid_or_clearly_unreadable(tmp_path, content)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=almost_notebooks)
def test_nearly_a_notebook_is_valid_after_reading_or_unreadable(tmp_path: Path, data: object) -> None:
    _check_valid_or_clearly_unreadable(tmp_path, json.dumps(data).encode())


def _check_valid_or_clearly_unreadable(folder: Path, content: bytes) -> None:
    try:
        nb = read(folder, content)
    except UnreadableSubmission as error:
        said = str(error)
    else:
        nbformat.validate(nb)
        return
    assert "ps1.ipynb" in said
    assert str(folder) not in said


def test_deep_nesting_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSubmission):
        read(tmp_path, b'{"nbformat": 4, "cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")


def test_nan_in_json_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSubmission, match="NaN"):
        read(tmp_path, b'{"nbformat": 4, "x": NaN}')


def test_too_large_a_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_BYTES", 10)
    with pytest.raises(UnreadableSubmission, match="larger"):
        read(tmp_path, b'{"nbformat": 4, "cells": []}')


def test_copied_cells_get_ids_of_their_own(tmp_path: Path) -> None:
    nb = make.notebook(make.code("a"), make.code("b"))
    nb.cells[1]["id"] = nb.cells[0]["id"]
    ids = [cell["id"] for cell in read(tmp_path, json.dumps(nb).encode()).cells]
    assert len(set(ids)) == 2


def test_lone_surrogates_are_replaced(tmp_path: Path) -> None:
    content = nbformat.writes(make.notebook(make.code("x = 'PLACE'"))).replace("PLACE", "\\ud800")
    assert read(tmp_path, content.encode()).cells[0].source == "x = '\ufffd'"
