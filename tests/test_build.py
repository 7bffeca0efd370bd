"""Text and notebook: either may be edited, neither is ever lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from autograder.build import Side, build, notebook_to_text, text_to_notebook
from autograder.errors import BuildConflict, ManifestError, SourceError
from autograder.manifest import Manifest
from tests.assignment import TEXT, write_assignment


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return write_assignment(tmp_path)


def notebook_path(manifest: Manifest) -> Path:
    return manifest.folder.parents[1] / "source" / manifest.id / f"{manifest.id}.ipynb"


def source_of(manifest: Manifest) -> Path:
    return manifest.folder.parents[1] / "source"


def edit_notebook(manifest: Manifest) -> None:
    """What an instructor does who saves the notebook in JupyterLab without pairing: a new text, and outputs."""
    path = notebook_path(manifest)
    nb = nbformat.read(path, as_version=4)
    nb.cells[0].source = "# Means, by hand"
    nb.cells[1].outputs = [nbformat.v4.new_output("stream", text="ran")]
    nbformat.write(nb, path)


def edit_text(manifest: Manifest) -> None:
    manifest.text_path.write_text(manifest.text_path.read_text().replace("# # Means", "# # Means, as text"))


def test_text_survives_the_way_to_the_notebook_and_back() -> None:
    assert notebook_to_text(text_to_notebook(TEXT)) == TEXT


def test_first_build_writes_the_notebook_and_stages_files(manifest: Manifest) -> None:
    built = build(manifest, source_of(manifest))
    assert {path.name for path in built.written} == {"w1_means.ipynb", "numbers.txt"}
    nb = nbformat.read(notebook_path(manifest), as_version=4)
    nbformat.validate(nb)
    assert nb.cells[2].id == "mean"
    assert build(manifest, source_of(manifest), write=False).stale == ()


def test_building_again_changes_no_byte(manifest: Manifest) -> None:
    build(manifest, source_of(manifest))
    before = notebook_path(manifest).read_bytes()
    assert build(manifest, source_of(manifest)).written == ()
    assert notebook_path(manifest).read_bytes() == before


def test_edited_text_makes_the_notebook_stale_and_is_built(manifest: Manifest) -> None:
    build(manifest, source_of(manifest))
    edit_text(manifest)
    assert build(manifest, source_of(manifest), write=False).stale
    build(manifest, source_of(manifest))
    assert "as text" in nbformat.read(notebook_path(manifest), as_version=4).cells[0].source


def test_edited_notebook_updates_the_text_and_loses_its_outputs(manifest: Manifest) -> None:
    build(manifest, source_of(manifest))
    edit_notebook(manifest)
    assert any("older than the notebook" in stale for stale in build(manifest, source_of(manifest), write=False).stale)
    build(manifest, source_of(manifest))
    assert "# # Means, by hand" in manifest.text_path.read_text()
    assert "ran" not in notebook_path(manifest).read_text()
    assert build(manifest, source_of(manifest), write=False).stale == ()


def test_when_both_were_edited_nothing_is_overwritten(manifest: Manifest) -> None:
    build(manifest, source_of(manifest))
    edit_notebook(manifest)
    edit_text(manifest)
    before = notebook_path(manifest).read_bytes(), manifest.text_path.read_bytes()
    with pytest.raises(BuildConflict, match="--take"):
        build(manifest, source_of(manifest))
    assert (notebook_path(manifest).read_bytes(), manifest.text_path.read_bytes()) == before


@pytest.mark.parametrize(("side", "title"), [(Side.TEXT, "as text"), (Side.NOTEBOOK, "by hand")])
def test_conflict_is_settled_by_naming_a_side(manifest: Manifest, side: Side, title: str) -> None:
    build(manifest, source_of(manifest))
    edit_notebook(manifest)
    edit_text(manifest)
    build(manifest, source_of(manifest), take=side)
    assert title in manifest.text_path.read_text()
    assert title in notebook_path(manifest).read_text()


def test_jupytext_pairing_saves_both_sides(manifest: Manifest) -> None:
    """What JupyterLab's save does, by the pairing in jupytext.toml."""
    root = manifest.folder.parents[1]
    build(manifest, source_of(manifest))
    (root / "jupytext.toml").write_text((Path(__file__).parents[1] / "jupytext.toml").read_text())
    edit_notebook(manifest)
    done = subprocess.run(
        [sys.executable, "-m", "jupytext", "--sync", str(notebook_path(manifest))],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert manifest.text_path.read_text() == TEXT.replace("# # Means", "# # Means, by hand")
    build(manifest, source_of(manifest))
    assert build(manifest, source_of(manifest), write=False).stale == ()


def test_file_that_no_manifest_names_is_reported_because_nbgrader_would_release_it(manifest: Manifest) -> None:
    build(manifest, source_of(manifest))
    (notebook_path(manifest).parent / "solution.txt").write_text("42")
    assert build(manifest, source_of(manifest)).stale == (
        "solution.txt is in no manifest and would be released; name it or delete it",
    )


def test_staged_file_with_another_digest_is_refused(manifest: Manifest) -> None:
    (manifest.folder / "data" / "numbers.txt").write_text("other")
    with pytest.raises(ManifestError, match="SHA-256"):
        build(manifest, source_of(manifest))


@pytest.mark.parametrize("damage", ["missing", "binary", "empty"])
def test_text_that_cannot_be_read_says_so(manifest: Manifest, damage: str) -> None:
    if damage == "missing":
        manifest.text_path.unlink()
    else:
        manifest.text_path.write_bytes(b"\xff\xfe" if damage == "binary" else b"")
    with pytest.raises(SourceError, match=r"w1_means\.py"):
        build(manifest, source_of(manifest))


def test_notebook_that_is_none_says_what_to_do(manifest: Manifest) -> None:
    build(manifest, source_of(manifest))
    notebook_path(manifest).write_text("{}")
    with pytest.raises(SourceError, match="autograder build"):
        build(manifest, source_of(manifest))
