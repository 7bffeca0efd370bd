"""Manifests: impossible values are named with the file that holds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.errors import ManifestError
from autograder.limits import Limits
from autograder.manifest import Manifest, read_manifest, read_manifests
from tests.assignment import write_assignment


def read_changed(root: Path, old: str, new: str) -> Manifest:
    path = write_assignment(root).folder / "assignment.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return read_manifest(path.parent)


def test_manifest_is_read(tmp_path: Path) -> None:
    manifest = write_assignment(tmp_path)
    assert manifest.id == "w1_means"
    assert manifest.limits == Limits(cell_seconds=1)
    assert read_manifest(manifest.folder, Limits(cell_seconds=9, processes=7)).limits == Limits(cell_seconds=1, processes=7)
    assert manifest.references == {"test_spread": ("mean",)}
    assert manifest.text_path.is_file()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('title = "Means"\n', "", "missing title"),
        ("week = 1", 'week = "one"', "week = 'one' is not a int"),
        ("week = 1", "week = true", "week = True"),
        ('track = "ml"', 'track = "maths"', "not one of ml, dl, safety"),
        ('device = "cpu"', 'device = "tpu"', "not one of cpu, cuda"),
        ("points = 10", "points = 10\ncolour = 3", "unknown key 'colour'"),
        ("cell_seconds = 1", "cell_second = 1", "unknown limit cell_second"),
        ("cell_seconds = 1", "cell_seconds = 0", "not a number above 0"),
        ("cell_seconds = 1", 'cell_seconds = "1"', "not a number above 0"),
        ('"data/numbers.txt"]', '"../secret.txt"]', "not a relative path inside the folder"),
        ('"data/numbers.txt"]', '"/etc/passwd"]', "not a relative path inside the folder"),
        ('"data/numbers.txt"]', '"mutants/mean.toml"]', "must not be staged"),
        ("[limits]", "[limits", "not valid TOML"),
        ('["mean"]', '"mean"', "not a list of exercises"),
        ('["data/numbers.txt"]', '[""]', "not a relative path"),
    ],
)
def test_impossible_manifest_says_what_is_wrong(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(ManifestError, match=r"assignment\.toml") as caught:
        read_changed(tmp_path, old, new)
    assert said in str(caught.value)


def test_missing_manifest_and_folder_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="needs a manifest"):
        read_manifest(tmp_path)
    with pytest.raises(ManifestError, match="--course"):
        read_manifests(tmp_path / "nowhere")
    with pytest.raises(ManifestError, match="no assignment in it"):
        read_manifests(tmp_path)
