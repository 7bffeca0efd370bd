"""Makes small notebooks and courses for tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).parents[1]
TWO_LINES = "from autograder import configure\n\nc = get_config()\nconfigure(c)\n"


def _cell(source: str, grade_id: str, *, markdown: bool = False, **flags: Any) -> nbformat.NotebookNode:
    metadata = {
        "grade": False,
        "grade_id": grade_id,
        "locked": False,
        "schema_version": 3,
        "solution": False,
        "task": False,
        **flags,
    }
    make = nbformat.v4.new_markdown_cell if markdown else nbformat.v4.new_code_cell
    cell: nbformat.NotebookNode = make(source, metadata={"nbgrader": metadata})
    return cell


def code(source: str) -> nbformat.NotebookNode:
    """An ordinary code cell."""
    cell: nbformat.NotebookNode = nbformat.v4.new_code_cell(source)
    return cell


def text(source: str) -> nbformat.NotebookNode:
    """An ordinary markdown cell."""
    cell: nbformat.NotebookNode = nbformat.v4.new_markdown_cell(source)
    return cell


def given(grade_id: str, source: str, *, markdown: bool = False) -> nbformat.NotebookNode:
    """A locked cell that is not graded."""
    return _cell(source, grade_id, locked=True, markdown=markdown)


def exercise(grade_id: str, source: str) -> nbformat.NotebookNode:
    """A cell that the student writes."""
    return _cell(source, grade_id, solution=True)


def graded(grade_id: str, source: str, points: float = 1) -> nbformat.NotebookNode:
    """A cell of automatic tests."""
    return _cell(source, grade_id, grade=True, locked=True, points=points)


def answer(grade_id: str, source: str, points: float = 2) -> nbformat.NotebookNode:
    """A written answer."""
    return _cell(source, grade_id, grade=True, solution=True, points=points, markdown=True)


def notebook(*cells: nbformat.NotebookNode, language: str = "python", kernel: str = "python3") -> nbformat.NotebookNode:
    """A notebook with `cells`."""
    metadata = {"kernelspec": {"display_name": kernel, "language": language, "name": kernel}}
    nb: nbformat.NotebookNode = nbformat.v4.new_notebook(cells=list(cells), metadata=metadata)
    return nb


def replaced(nb: nbformat.NotebookNode, sources: dict[str, str]) -> nbformat.NotebookNode:
    """A copy of `nb` with the cells of the given grade ids rewritten."""
    copy: nbformat.NotebookNode = nbformat.reads(nbformat.writes(nb), as_version=4)
    for cell in copy.cells:
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id")
        if grade_id in sources:
            cell.source = sources[grade_id]
    return copy


def installed(folder: Path) -> dict[str, str]:
    """Put what a wheel brings for Jupyter beside the package into `folder`; the environment in which Jupyter finds it there."""
    for place, files in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"].items():
        (folder / place).mkdir(parents=True)
        for file in files:
            shutil.copy(ROOT / file, folder / place)
    return {"JUPYTER_CONFIG_PATH": str(folder / "etc" / "jupyter"), "JUPYTER_PATH": str(folder / "share" / "jupyter")}


class Course:
    """An nbgrader course in a folder, driven by nbgrader's own commands."""

    def __init__(self, root: Path, config: str = TWO_LINES) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        (root / "nbgrader_config.py").write_text(config)

    def release(self, assignment: str, nb: nbformat.NotebookNode) -> nbformat.NotebookNode:
        """Write the source notebook of `assignment` and release it; the released notebook."""
        path = self.root / "source" / assignment / f"{assignment}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nb, path)
        done = self.nbgrader("generate_assignment", assignment)
        assert done.returncode == 0, done.stderr
        released: nbformat.NotebookNode = nbformat.read(self.root / "release" / assignment / f"{assignment}.ipynb", as_version=4)
        return released

    def submit(self, student: str, assignment: str, content: nbformat.NotebookNode | bytes) -> Path:
        """Put a submission where nbgrader collects them; the notebook's path."""
        path = self.root / "submitted" / student / assignment / f"{assignment}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else nbformat.writes(content).encode())
        return path

    def nbgrader(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run an nbgrader command here."""
        return run([sys.executable, "-m", "nbgrader", *arguments], self.root)

    def autograder(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ours here."""
        return run([sys.executable, "-m", "autograder", *arguments], self.root)

    def autograded(self, student: str, assignment: str, suffix: str = ".ipynb") -> Path:
        """Where nbgrader puts what it graded."""
        return self.root / "autograded" / student / assignment / f"{assignment}{suffix}"

    def feedback(self, student: str, assignment: str) -> str:
        """The feedback page."""
        return (self.root / "feedback" / student / assignment / f"{assignment}.html").read_text()


def run(
    command: Sequence[str], folder: Path, *, seconds: float = 280, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `command` in `folder`, with this Python's commands first."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
