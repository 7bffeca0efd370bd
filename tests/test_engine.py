"""The grader as a papermill engine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests import make


def write(path: Path, *cells: nbformat.NotebookNode) -> Path:
    parameters = make.code("DEVICE = 'cpu'\nSEED = 0")
    parameters.metadata["tags"] = ["parameters"]
    nbformat.write(make.notebook(parameters, *cells), path)
    return path


def test_command_line_runs_a_notebook_with_parameters(tmp_path: Path) -> None:
    path = write(tmp_path / "in.ipynb", make.graded("t", "assert (DEVICE, SEED) == ('cpu', 3)"))
    command = ["papermill", "--engine", "autograder", "in.ipynb", "out.ipynb", "-p", "SEED", "3"]
    done = make.run(command, tmp_path)
    assert done.returncode == 0, done.stderr
    nb = nbformat.read(path.with_name("out.ipynb"), as_version=4)
    report = nb.metadata["autograder"]
    assert [(cell["grade_id"], cell["verdict"]) for cell in report["cells"]] == [("t", "passed")]


def test_every_cell_is_run_although_one_fails(tmp_path: Path) -> None:
    write(tmp_path / "in.ipynb", make.graded("bad", "assert False, 'why'"), make.graded("good", "assert True"))
    done = make.run(["papermill", "--engine", "autograder", "in.ipynb", "out.ipynb"], tmp_path)
    assert done.returncode != 0  # papermill's own rule for a notebook with an error
    report = nbformat.read(tmp_path / "out.ipynb", as_version=4).metadata["autograder"]
    assert [cell["verdict"] for cell in report["cells"]] == ["failed", "passed"]


def test_papermills_time_limit_is_ours(tmp_path: Path) -> None:
    write(tmp_path / "in.ipynb", make.graded("slow", "import time; time.sleep(60)"))
    make.run(["papermill", "--engine", "autograder", "--execution-timeout", "2", "in.ipynb", "out.ipynb"], tmp_path)
    report = nbformat.read(tmp_path / "out.ipynb", as_version=4).metadata["autograder"]
    assert [cell["verdict"] for cell in report["cells"]] == ["timeout"]


def test_misspelt_option_is_an_error(tmp_path: Path) -> None:
    import papermill

    path = write(tmp_path / "in.ipynb", make.graded("t", "assert True"))
    with pytest.raises(TypeError, match="exection_timeout"):
        papermill.execute_notebook(path, None, engine_name="autograder", progress_bar=False, exection_timeout=1)


@pytest.mark.parametrize("first", ["autograder.engine", "papermill.engines"])
def test_engine_is_found_whichever_side_is_imported_first(first: str) -> None:
    code = f"import {first}\nfrom papermill.engines import papermill_engines as e\nprint(e.get_engine('autograder').__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "AutograderEngine"


def test_report_in_the_notebook_is_plain_json(tmp_path: Path) -> None:
    write(tmp_path / "in.ipynb", make.graded("t", "1.5", points=2))
    make.run(["papermill", "--engine", "autograder", "in.ipynb", "out.ipynb"], tmp_path)
    report = json.loads((tmp_path / "out.ipynb").read_text())["metadata"]["autograder"]
    assert report["score"] == 1.5
