"""An instructor edits a source notebook in JupyterLab, and the text follows; edits the text, and JupyterLab shows it."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import expect

from autograder import cli
from autograder.build import build
from autograder.manifest import Manifest
from tests.assignment import TEXT, write_assignment
from tests.browser.conftest import Site
from tests.browser.lab import Lab

pytestmark = pytest.mark.browser
CELLS = ["start-1", "parameters", "mean", "test_mean", "test_mean_empty", "spread", "test_spread", "why"]
TITLE, PARAMETERS, TEST_MEAN, SPREAD, TEST_SPREAD = 0, 1, 3, 5, 6


def start(root: Path, name: str) -> tuple[Manifest, Path]:
    """A built assignment in the course at `root`; its manifest, and its notebook's path."""
    manifest = write_assignment(root, name)
    build(manifest, root / "source")
    return manifest, root / "source" / name / f"{name}.ipynb"


def changed_lines(before: str, after: str) -> list[str]:
    """The lines that left and came, as in a diff."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in lines if line[0] in "+-" and line[:3] not in ("+++", "---")]


def read(path: Path) -> nbformat.NotebookNode:
    notebook: nbformat.NotebookNode = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def ours(notebook: nbformat.NotebookNode) -> list[dict[str, Any]]:
    """Of each cell what the assignment consists of."""
    return [{key: cell[key] for key in ("id", "cell_type", "source", "metadata")} for cell in notebook.cells]


def test_what_is_edited_in_jupyterlab_reaches_the_text_and_nothing_else_changes(
    lab: Lab, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, path = start(site.root, "w1_means")
    built = read(path)
    lab.open("source/w1_means/w1_means.ipynb", len(CELLS))
    lab.shot("opened")
    lab.show_create_assignment()
    expect(lab.page.locator(".nbgrader-TotalPointsInput")).to_have_value("10")
    expect(lab.card(TEST_MEAN).locator(".nbgrader-CellId input")).to_have_value("test_mean")
    lab.shot("create_assignment")
    points = lab.card(TEST_MEAN).locator(".nbgrader-CellPoints input")
    points.fill("4")
    points.press("Enter")
    expect(lab.page.locator(".nbgrader-TotalPointsInput")).to_have_value("12")
    lab.card(TEST_SPREAD).locator("select").select_option(label="Read-only")
    expect(lab.page.locator(".nbgrader-TotalPointsInput")).to_have_value("10")
    lab.write(TITLE, "# Means, edited in JupyterLab")
    lab.run(PARAMETERS)
    lab.shot("edited")
    assert lab.save() == 200
    lab.shot("saved")

    kind = '"schema_version": 3, "solution": false, "task": false}'
    assert changed_lines(TEXT, manifest.text_path.read_text()) == [
        "-# # Means",
        "+# # Means, edited in JupyterLab",
        f'-# %% nbgrader={{"grade": true, "grade_id": "test_mean", "locked": true, "points": 2, {kind}',
        f'+# %% nbgrader={{"grade": true, "grade_id": "test_mean", "locked": true, "points": 4, {kind}',
        f'-# %% nbgrader={{"grade": true, "grade_id": "test_spread", "locked": true, "points": 2, {kind}',
        f'+# %% nbgrader={{"grade": false, "grade_id": "test_spread", "locked": true, {kind}',
    ]
    saved = read(path)
    assert [cell.id for cell in saved.cells] == CELLS
    assert saved.metadata.kernelspec == built.metadata.kernelspec
    assert saved.cells[PARAMETERS].execution_count == 1

    assert autograder(site.root, capsys, "build", "--check", "w1_means") == (cli.OK, "w1_means: agrees\n")
    text = manifest.text_path.read_text()
    assert autograder(site.root, capsys, "build", "w1_means")[0] == cli.OK
    assert manifest.text_path.read_text() == text
    assert ours(read(path)) == ours(saved)
    assert read(path).cells[PARAMETERS].execution_count is None
    assert {**read(path).metadata, "autograder": None} == {**built.metadata, "autograder": None}
    assert autograder(site.root, capsys, "build", "--check", "w1_means") == (cli.OK, "w1_means: agrees\n")


def test_a_cell_is_given_a_type_and_an_id_and_loses_them(lab: Lab, site: Site) -> None:
    manifest, _ = start(site.root, "w2_means")
    lab.open("source/w2_means/w2_means.ipynb", len(CELLS))
    lab.show_create_assignment()
    lab.card(TITLE).locator("select").select_option(label="Read-only")
    name = lab.card(TITLE).locator(".nbgrader-CellId input")
    name.fill("title")
    name.press("Enter")
    lab.card(SPREAD).locator("select").select_option(label="-")
    assert lab.save() == 200
    lab.shot("saved")
    flags = '"locked": {}, "schema_version": 3, "solution": {}, "task": false}}'
    assert changed_lines(TEXT, manifest.text_path.read_text()) == [
        "-# %% [markdown]",
        f'+# %% [markdown] nbgrader={{"grade": false, "grade_id": "title", {flags.format("true", "false")}',
        f'-# %% nbgrader={{"grade": false, "grade_id": "spread", {flags.format("false", "true")}',
        "+# %%",
    ]


def test_what_is_edited_in_the_text_is_seen_in_jupyterlab(lab: Lab, site: Site) -> None:
    manifest, _ = start(site.root, "w3_means")
    lab.open("source/w3_means/w3_means.ipynb", len(CELLS))
    expect(lab.cell(TITLE)).to_contain_text("Means")
    manifest.text_path.write_text(TEXT.replace("# # Means", "# # Means, as text").replace('"points": 5', '"points": 7'))
    build(manifest, site.root / "source")
    lab.page.reload()
    expect(lab.cell(TITLE)).to_contain_text("Means, as text")
    lab.show_create_assignment()
    expect(lab.page.locator(".nbgrader-TotalPointsInput")).to_have_value("12")
    lab.shot("reloaded")


def test_jupyterlab_asks_before_it_overwrites_a_text_that_was_edited_meanwhile(lab: Lab, site: Site) -> None:
    manifest, path = start(site.root, "w4_means")
    lab.open("source/w4_means/w4_means.ipynb", len(CELLS))
    lab.write(TITLE, "# Means, edited in JupyterLab")
    manifest.text_path.write_text(TEXT.replace("# # Means", "# # Means, as text"))
    before = manifest.text_path.read_bytes(), path.read_bytes()
    lab.page.keyboard.press("ControlOrMeta+s")
    dialog = lab.page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("has changed on disk")
    lab.shot("asked")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert (manifest.text_path.read_bytes(), path.read_bytes()) == before


def test_where_nothing_pairs_them_a_build_refuses_when_both_were_edited(
    lab: Lab, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server without jupytext, or a course without jupytext.toml: here its file pairs nothing."""
    root = site.root / "unpaired"
    root.mkdir()
    (root / "jupytext.toml").write_text("")
    manifest, path = start(root, "w5_means")
    lab.open("unpaired/source/w5_means/w5_means.ipynb", len(CELLS))
    lab.write(TITLE, "# Means, edited in JupyterLab")
    assert lab.save() == 200
    assert manifest.text_path.read_text() == TEXT
    manifest.text_path.write_text(TEXT.replace("# # Means", "# # Means, as text"))
    before = manifest.text_path.read_bytes(), path.read_bytes()
    status, said = autograder(root, capsys, "build", "w5_means")
    assert status == cli.FAILED
    assert "Nothing was changed" in " ".join(said.split())
    assert (manifest.text_path.read_bytes(), path.read_bytes()) == before


def autograder(root: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit status and output of one command in the course."""
    capsys.readouterr()
    status = cli.run([*arguments, "--course", str(root)])
    return status, capsys.readouterr().out
