"""The course's own assignments: reference full marks, blank nothing, release clean. Their mutants: `make prove`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autograder.build import build, text_cells
from autograder.cells import Kind, kind_of, released_source
from autograder.check import check
from autograder.manifest import Manifest, read_manifests

ROOT = Path(__file__).parents[1]
MANIFESTS = read_manifests(ROOT / "assignments")
QUICK = "w1_perceptrons"
"""The one whose notebook `make test` runs; `make slow` and `make prove` run all."""


@pytest.fixture(params=MANIFESTS, ids=lambda manifest: manifest.id)
def manifest(request: pytest.FixtureRequest) -> Manifest:
    found: Manifest = request.param
    return found


def test_text_and_notebook_agree(manifest: Manifest) -> None:
    assert build(manifest, ROOT / "source", write=False).stale == ()


@pytest.mark.parametrize(
    "manifest",
    [pytest.param(one, marks=() if one.id == QUICK else pytest.mark.slow, id=one.id) for one in MANIFESTS],
)
def test_reference_gets_everything_and_blank_nothing(manifest: Manifest) -> None:
    report = check(manifest, ROOT / "source", exercises=frozenset())
    assert report.problems == ()
    assert report.cpu_seconds <= 20


def test_every_exercise_has_wrong_solutions_and_another_right_one(manifest: Manifest) -> None:
    exercises = {cell.metadata["nbgrader"]["grade_id"] for cell in text_cells(manifest) if kind_of(cell) is Kind.EXERCISE}
    for exercise in exercises:
        text = (manifest.folder / "mutants" / f"{exercise}.toml").read_text()
        assert text.count("[[mutant]]") >= 3, exercise
        assert text.count("[[alternative]]") >= 1, exercise


def test_every_written_question_has_a_rubric_that_leaves_the_release(manifest: Manifest) -> None:
    cells = text_cells(manifest)
    answers = [index for index, cell in enumerate(cells) if kind_of(cell) is Kind.ANSWER]
    assert answers
    for index in answers:
        question = cells[index - 1].source
        assert "BEGIN MARK SCHEME" in question
        assert "Rubric" not in released_source(question)


def test_every_assertion_names_its_exercise(manifest: Manifest) -> None:
    """A failing check is all that a student sees of a hidden test, so it must say where to look."""
    for cell in text_cells(manifest):
        if kind_of(cell) is Kind.TEST:
            assert re.search(r"Exercise \d", cell.source), cell.metadata["nbgrader"]["grade_id"]


def test_every_picture_of_ours_is_described(manifest: Manifest) -> None:
    """Pages show what `courselib.plots.show` is given; in cells that students write, they may draw as they like."""
    cells = [cell.source for cell in text_cells(manifest) if kind_of(cell) is Kind.READ_ONLY and cell.cell_type == "code"]
    assert not [source for source in cells if "plt.show" in source]
    assert any(re.search(r"\bshow\(", source) for source in cells)


def test_reading_budgets(manifest: Manifest) -> None:
    cells = text_cells(manifest)
    code = sorted(len(released_source(cell.source).splitlines()) for cell in cells if cell.cell_type == "code")
    assert 40 <= len(cells) <= 80
    assert 0.4 <= len(code) / len(cells) <= 0.6
    assert max(code) <= 60
    assert sum(line.startswith("#") for cell in cells if cell.cell_type == "markdown" for line in cell.source.splitlines()) <= 20
