"""Any bytes at all give a notebook or a clear reason."""

from __future__ import annotations

import json
from collections.abc import Callable
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


def untidy(nb: nbformat.NotebookNode, key: str) -> bytes:
    """The file that another program might write for `nb`."""
    data = json.loads(nbformat.writes(nb))
    cell = data["cells"][0]
    good = {"output_type": "stream", "name": "stdout", "text": "x"}
    changes: dict[str, Callable[[], object]] = {
        "no outputs": lambda: cell.pop("outputs"),
        "no execution count": lambda: cell.pop("execution_count"),
        "invalid output": lambda: cell.update(outputs=[{"output_type": "display_data", "data": {}}, good]),
        "extra key in an output": lambda: cell.update(outputs=[{**good, "extra": 1}]),
        "extra key in a cell": lambda: cell.update(extra=1),
        "extra key at the top": lambda: data.update(extra=1),
        "attachments on code": lambda: cell.update(attachments={}),
        "outputs on text": lambda: data["cells"][1].update(outputs=[], execution_count=None),
        "id of another program": lambda: cell.update(id="#VSC-1a2b"),
        "kernelspec without a display name": lambda: data["metadata"].update(kernelspec={"name": "python3"}),
        "language without a name": lambda: data["metadata"].update(language_info={"version": "3"}),
        "tags as text": lambda: cell["metadata"].update(tags="a"),
        "widgets without a state": lambda: data["metadata"].update(
            widgets={"application/vnd.jupyter.widget-state+json": {"a": {}}}
        ),
        "no minor version": lambda: data.pop("nbformat_minor"),
        "windows line ends": lambda: cell.update(source="x = 1\r\ny = 2"),
        "no metadata": lambda: data.pop("metadata"),
        "NaN": lambda: cell["metadata"].update(collapsed="PLACE"),
        "too large a number": lambda: cell["metadata"].update(collapsed="PLACE"),
    }
    changes[key]()
    number = {"NaN": "NaN", "too large a number": "1e999"}.get(key, '"PLACE"')
    return json.dumps(data).replace('"PLACE"', number).encode()


@pytest.mark.parametrize(
    "key",
    [
        "no outputs",
        "no execution count",
        "invalid output",
        "extra key in an output",
        "extra key in a cell",
        "extra key at the top",
        "attachments on code",
        "outputs on text",
        "id of another program",
        "kernelspec without a display name",
        "language without a name",
        "tags as text",
        "widgets without a state",
        "no minor version",
        "windows line ends",
        "no metadata",
        "NaN",
        "too large a number",
    ],
)
def test_what_other_programs_write_is_tidied_not_refused(tmp_path: Path, key: str) -> None:
    nb = read(tmp_path, untidy(make.notebook(make.code("x = 1\ny = 2"), make.text("why")), key))
    nbformat.validate(nb)
    assert [cell.source for cell in nb.cells] == ["x = 1\ny = 2", "why"]


def test_too_large_a_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_BYTES", 10)
    with pytest.raises(UnreadableSubmission, match="larger"):
        read(tmp_path, b'{"nbformat": 4, "cells": []}')


def test_copied_cells_get_ids_of_their_own(tmp_path: Path) -> None:
    nb = make.notebook(make.code("a"), make.code("b"))
    nb.cells[1]["id"] = nb.cells[0]["id"]
    ids = [cell["id"] for cell in read(tmp_path, json.dumps(nb).encode()).cells]
    assert len(set(ids)) == 2


def test_ids_made_up_for_some_cells_do_not_meet_those_of_others(tmp_path: Path) -> None:
    nb = make.notebook(make.code("a"), make.code("b"), make.code("c"))
    for cell, cell_id in zip(nb.cells, ("submitted-1", "submitted-1", "submitted-2"), strict=True):
        cell["id"] = cell_id
    ids = [cell["id"] for cell in read(tmp_path, json.dumps(nb).encode()).cells]
    assert len(set(ids)) == 3


def test_lone_surrogates_are_replaced(tmp_path: Path) -> None:
    content = nbformat.writes(make.notebook(make.code("x = 'PLACE'"))).replace("PLACE", "\\ud800")
    assert read(tmp_path, content.encode()).cells[0].source == "x = '\ufffd'"
