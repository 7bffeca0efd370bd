"""An instructor's new assignment: made, edited in JupyterLab with Create Assignment, proven, released."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect

from tests import make
from tests.browser.conftest import Site
from tests.browser.lab import Lab

pytestmark = pytest.mark.browser
NAME = "w7_label_noise"


def autograder(root: Path, *arguments: str) -> str:
    """What one command in the course says; it must end well."""
    done = make.run(["autograder", *arguments], root)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_an_assignment_from_the_scaffold_to_its_release(lab: Lab, site: Site) -> None:
    autograder(site.root, "new", NAME, "--title", "Label noise")
    text, manifest = (site.root / "assignments" / NAME / name for name in (f"{NAME}.py", "assignment.toml"))
    source = site.root / "source" / NAME / f"{NAME}.ipynb"
    cells = nbformat.read(source, as_version=4).cells
    tests = [index for index, cell in enumerate(cells) if cell.metadata.get("nbgrader", {}).get("points")]
    before = [cells[index].metadata.nbgrader.points for index in tests]

    lab.open(f"source/{NAME}/{NAME}.ipynb", len(cells))
    lab.show_create_assignment()
    expect(lab.page.locator(".nbgrader-TotalPointsInput")).to_have_value(str(sum(before)))
    points = lab.card(tests[0]).locator(".nbgrader-CellPoints input")
    points.fill(str(before[0] + 2))
    points.press("Enter")
    expect(lab.page.locator(".nbgrader-TotalPointsInput")).to_have_value(str(sum(before) + 2))
    lab.write(0, "# Label noise\n\nWhat becomes of a classifier when some labels are wrong?")
    lab.shot("edited")
    assert lab.save() == 200
    assert "# What becomes of a classifier when some labels are wrong?" in text.read_text()

    manifest.write_text(manifest.read_text().replace(f"points = {sum(before)}", f"points = {sum(before) + 2}"))
    autograder(site.root, "build", NAME)
    assert "agrees" in autograder(site.root, "build", "--check", NAME)
    autograder(site.root, "check", NAME)
    assert f"{NAME}: released." in autograder(site.root, "release", NAME)
    released = nbformat.read(site.root / "release" / NAME / f"{NAME}.ipynb", as_version=4)
    assert released.cells[tests[0]].metadata.nbgrader.points == before[0] + 2
    assert not any("HIDDEN TESTS" in cell.source or "BEGIN SOLUTION" in cell.source for cell in released.cells)
    lab.open(f"release/{NAME}/{NAME}.ipynb", len(released.cells))
    expect(lab.cell(0)).to_contain_text("What becomes of a classifier")
    lab.shot("released")
