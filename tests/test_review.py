"""The review: each fault of structure is named, leaks and reading are in it, and what only informs does not fail a check."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from autograder.build import build, text_cells
from autograder.draft import metadata_errors
from autograder.manifest import Manifest, read_manifest, read_manifests
from autograder.reading import Figure
from autograder.review import Review, review
from tests import make
from tests.assignment import TEXT, write_assignment

ROOT = Path(__file__).parents[1]


def reviewed(root: Path, edit: Callable[[str], str] = lambda text: text, *, manifest: Manifest | None = None) -> Review:
    """The review of the tiny assignment, with its text changed by `edit`."""
    folder = (manifest or write_assignment(root)).folder
    path = folder / "w1_means.py"
    path.write_text(edit(TEXT))
    read = read_manifest(folder)
    build(read, root / "source")
    return review(read, text_cells(read), build(read, root / "source", write=False), root / "source")


def test_good_assignment_has_no_problems(tmp_path: Path) -> None:
    found = reviewed(tmp_path)
    assert found.problems == ()
    assert all(note.startswith("outside its budget: ") for note in found.notes)
    assert {figure.name: figure.measured for figure in found.figures}["cells"] == 8


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"points": 5', '"points": 6', "the cells are worth 11 points, the manifest says 10"),
        ('"points": 5', '"points": 0', "why is worth 0 points: nothing in it can count"),
        ('"grade_id": "parameters"', '"grade_id": "why"', "grade id why is used more than once"),
        (' tags=["parameters"]', "", "no cell is tagged `parameters`, so papermill cannot set DEVICE and SEED"),
        (
            '"schema_version": 3, "solution": true, "task": false}\ndef mean',
            '"schema_version": 3, "task": false}\ndef mean',
            "nbgrader",
        ),
        (
            '"points": 1, ',
            "",
            "nbgrader's metadata: cell 5 (test_mean_empty): nbgrader cell 'test_mean_empty' does not have points",
        ),
        (
            '"grade": false, "grade_id": "spread"',
            '"grade": "no", "grade_id": "spread"',
            "nbgrader's metadata: cell 6 (spread): 'no'",
        ),
        (
            '    ### END SOLUTION\n\n\n# %% nbgrader={"grade": true',
            '\n\n# %% nbgrader={"grade": true',
            "it cannot be released: `nbgrader generate_assignment w1_means` failed: RuntimeError",
        ),
        (
            'assert spread([1.0, 3.0]) == 1.0, "Exercise 2: two values"',
            "assert spread([1.0, 3.0]) == 1.0",
            "test cell test_spread: line 1 of it: an assertion without a message; say which exercise and what is wrong",
        ),
        ('assert mean([1.0, 3.0]) == 2.0, "Exercise 1: two values"', "mean([1.0])", "test cell test_mean has no visible part"),
        ("assert spread([0.0, 0.0, 6.0])", "spread([0.0])\nassert mean([4.0])", ""),
        (
            'assert spread([0.0, 0.0, 6.0]) == 4.0, "Exercise 2: three values"',
            "_found = spread([0.0, 6.0])",
            "test cell test_spread ends with `_found = spread([0.0, 6.0])`, neither a check nor a number",
        ),
        (
            'assert spread([0.0, 0.0, 6.0]) == 4.0, "Exercise 2: three values"',
            "spread([0.0, 6.0])",
            "test cell test_spread ends with the value of `spread([0.0, 6.0])`, which would count as its points",
        ),
        ("spread(", "mean(", "exercise spread is tested by no cell"),
        ("# Because.", "# ![figure](nowhere.png)", ""),
        ("# # Means", "# # Means\n#\n# ![figure](nowhere.png)", "cell 1: the link to nowhere.png leads nowhere"),
        (
            "SEED = 0",
            "SEED = 0\n# return max(abs(value - mean(values)) for value in values)",
            "leak: w1_means.ipynb, cell 2 (parameters) source: holds text of the solution in cell 6 (spread): 'return max(",
        ),
        (
            "SEED = 0",
            "SEED = 0\nimport matplotlib.pyplot as plt\nplt.plot([1])",
            "cell 2 (parameters) draws a figure without a title",
        ),
    ],
)
def test_each_fault_is_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    def edit(text: str) -> str:
        assert old in text
        if old == "spread(":
            return text.replace("assert spread(", "assert mean(").replace("Exercise 2", "Exercise 1")
        return text.replace(old, new, 1)

    found = reviewed(tmp_path, edit)
    if problem:
        assert any(one.startswith(problem) for one in found.problems), found.problems
    else:
        assert found.problems == ()


@pytest.mark.parametrize(
    ("ending", "holds"),
    [
        ('assert spread([6.0]) == 0.0, "a"\nprint("done")', True),
        ('for _x in (1.0, 2.0):\n    assert spread([_x]) == 0.0, "a"', True),
        ("with pytest.raises(ValueError):\n    spread([])", True),
        ('def _agree(a, b):\n    assert a == b, "a"\n\n_agree(spread([1.0]), 0.0)', True),
        ("np.testing.assert_allclose(spread([1.0]), 0.0)", True),
        ("_points = 1.0 if spread([1.0]) == 0.0 else 0.5\n_points", True),
        ("sum([spread([1.0]) == 0.0, spread([2.0]) == 0.0])", True),
        ('assert spread([6.0]) == 0.0, "a"\ndel _d', True),
        ("import math", False),
        ('def _agree(a, b):\n    assert a == b, "a"', False),
        ("'text'", False),
    ],
)
def test_a_test_ends_in_a_check_or_in_a_number(tmp_path: Path, ending: str, holds: bool) -> None:
    found = reviewed(
        tmp_path, lambda text: text.replace('assert spread([0.0, 0.0, 6.0]) == 4.0, "Exercise 2: three values"', ending)
    )
    assert (found.problems == ()) is holds, found.problems


def test_hidden_assertions_without_a_message_are_noted_with_their_lines(tmp_path: Path) -> None:
    found = reviewed(tmp_path, lambda text: text.replace(', "Exercise 2: three values"', "\nassert spread([2.0]) == 0.0, ''"))
    assert found.problems == ()
    assert "test cell test_spread: lines 3, 4 of it, hidden: no message, so feedback names only the exercise" in found.notes


def test_what_lies_beside_the_source_notebook_is_searched_too(tmp_path: Path) -> None:
    manifest = write_assignment(tmp_path)
    reviewed(tmp_path, manifest=manifest)
    folder = tmp_path / "source" / "w1_means"
    (folder / "old.py").write_text((manifest.folder / "mutants" / "mean.toml").read_text())
    found = reviewed(tmp_path, manifest=manifest)
    assert [problem for problem in found.problems if problem.startswith("leak: old.py: holds text of the mutant")]


def test_metadata_and_attachments_of_the_source_notebook_are_searched_too(tmp_path: Path) -> None:
    manifest = write_assignment(tmp_path)
    build(manifest, tmp_path / "source")
    path = tmp_path / "source" / "w1_means" / "w1_means.ipynb"
    nb = json.loads(path.read_text())
    nb["cells"][0]["metadata"]["notes"] = "return max(abs(value - mean(values)) for value in values)"
    path.write_text(json.dumps(nb))
    built = build(manifest, tmp_path / "source", write=False)
    found = review(manifest, text_cells(manifest), built, tmp_path / "source")
    assert any(problem.startswith("leak: w1_means.ipynb, cell 1 metadata notes: holds") for problem in found.problems)


def test_without_a_source_notebook_the_text_is_released(tmp_path: Path) -> None:
    manifest = write_assignment(tmp_path)
    built = build(manifest, tmp_path / "source", write=False)
    found = review(manifest, text_cells(manifest), built, tmp_path / "source")
    assert found.problems == tuple(f"{stale} (run `autograder build`)" for stale in built.stale)
    assert not (tmp_path / "source").exists()


def test_the_courses_own_config_makes_the_release(tmp_path: Path) -> None:
    header = make.notebook(make.code("# return max(abs(value - mean(values)) for value in values)"))
    nbformat.write(header, tmp_path / "header.ipynb")
    (tmp_path / "nbgrader_config.py").write_text('c = get_config()\nc.IncludeHeaderFooter.header = "header.ipynb"\n')
    found = reviewed(tmp_path)
    assert [problem.split(":")[1] for problem in found.problems] == [" w1_means.ipynb, cell 1 source"]


def test_unknown_schema_versions_are_errors() -> None:
    cells = [make.exercise("a", "x"), make.exercise("b", "x"), make.text("no metadata")]
    cells[0].metadata.nbgrader.schema_version = 2
    cells[1].metadata.nbgrader.schema_version = 4
    assert [error.split(":")[0] for error in metadata_errors(cells)] == ["cell 1 (a)", "cell 2 (b)"]


def test_reviews_add_up_and_can_be_read() -> None:
    one = Review(problems=("a",), notes=("b",))
    two = Review(figures=(Figure(name="cells", measured=3, low=4, high=5),), urls=("https://example.org",))
    both = one + two
    assert both == replace(one, figures=two.figures, urls=two.urls)
    assert str(both).splitlines() == ["problem: a", "note: b", "cells 3 (budget 4-5)", "not looked up: https://example.org"]
    assert json.loads(json.dumps(both.to_json()))["figures"][0]["holds"] is False


@pytest.mark.parametrize("manifest", read_manifests(ROOT / "assignments"), ids=lambda manifest: manifest.id)
def test_the_courses_own_assignments_have_no_problems(manifest: Manifest) -> None:
    built = build(manifest, ROOT / "source", write=False)
    assert review(manifest, text_cells(manifest), built, ROOT / "source").problems == ()
