"""Leaks: every kind of secret is found wherever it is planted, and what is no secret raises no alarm."""

from __future__ import annotations

import base64
import bz2
import gzip
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pytest

from autograder.build import text_cells
from autograder.draft import drafted, locate
from autograder.leaks import Leak, find_leaks, secrets_of
from autograder.manifest import Manifest, read_manifests
from tests import make

ROOT = Path(__file__).parents[1]
MANIFESTS = read_manifests(ROOT / "assignments")

SOLUTION = """\
    ordered = sorted(scores, reverse=True)
    kept = ordered[: max(1, round(fraction * len(ordered)))]
    return sum(kept) / len(kept)"""
HIDDEN = """\
assert top_mean([4.0, 1.0, 7.0], 0.34) == 7.0, "Exercise 1: a third of three scores is one"
assert top_mean([2.0], 0.01) == 2.0, "Exercise 1: keep at least one score\""""
RUBRIC = "Full marks for naming selection bias and for saying that the kept scores are no sample of all of them."
ANSWER = "The best tenth overstates typical quality, since luck pushed some of these scores upwards before we looked."
MUTANTS = """
[[mutant]]
name = "keeps_lowest"
misconception = "Sorts in the wrong direction and therefore averages the worst scores instead."
replace = "reverse=True"
with = "reverse=False"
fails = ["test_top_mean"]
"""
SECRETS = {"solution": SOLUTION, "hidden test": HIDDEN, "rubric": RUBRIC, "model answer": ANSWER, "mutant": MUTANTS}
SIGNATURE = '''def top_mean(scores: list[float], fraction: float) -> float:
    """The mean of the best `fraction` of all scores, at least one of them."""
'''
CELLS = (
    make.text("# Scores\n\nHow good are the best?"),
    make.code("import math\nscores = [1.0, 2.0]"),
    make.exercise("top_mean", f"{SIGNATURE}    ### BEGIN SOLUTION\n{SOLUTION}\n    ### END SOLUTION"),
    make.graded(
        "test_top_mean",
        'assert top_mean([4.0, 1.0], 0.5) == 4.0, "Exercise 1: half of two scores is one"\n'
        f"### BEGIN HIDDEN TESTS\n{HIDDEN}\n### END HIDDEN TESTS",
    ),
    make.given(
        "question", f"Why is it misleading?\n\n=== BEGIN MARK SCHEME ===\n{RUBRIC}\n=== END MARK SCHEME ===", markdown=True
    ),
    make.answer("why", ANSWER),
)


@pytest.fixture
def mutants(tmp_path: Path) -> Path:
    folder = tmp_path / "mutants"
    folder.mkdir()
    (folder / "top_mean.toml").write_text(MUTANTS)
    return folder


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """What nbgrader would make of `CELLS`, and files beside it."""
    nb = make.replaced(make.notebook(*CELLS), {})
    stub = "    # YOUR CODE HERE\n    raise NotImplementedError()"
    nb.cells[2].source = SIGNATURE + stub
    nb.cells[3].source = nb.cells[3].source.split("\n### BEGIN")[0]
    nb.cells[4].source = "Why is it misleading?\n"
    nb.cells[5].source = "YOUR ANSWER HERE"
    folder = tmp_path / "release"
    (folder / "courselib").mkdir(parents=True)
    nbformat.write(nb, folder / "w1.ipynb")
    (folder / "courselib" / "tools.py").write_text("def finish(axes, title):\n    return sorted(axes, reverse=True)\n")
    return folder


def find(mutants: Path, release: Path) -> list[Leak]:
    return find_leaks(CELLS, mutants, release)


def change(release: Path, edit: Callable[[nbformat.NotebookNode], None]) -> None:
    """Edit the released notebook."""
    path = release / "w1.ipynb"
    nb = nbformat.read(path, as_version=4)
    edit(nb)
    path.write_text(json.dumps(nb), encoding="utf-8")


def test_clean_release_has_no_leaks(mutants: Path, release: Path) -> None:
    assert find(mutants, release) == []


@pytest.mark.parametrize("kind", SECRETS)
def test_every_kind_of_secret_is_found_in_a_cell(kind: str, mutants: Path, release: Path) -> None:
    change(release, lambda nb: nb.cells[0].update(source=f"# Scores\n\n{SECRETS[kind]}"))
    leaks = find(mutants, release)
    assert {(leak.kind, leak.file, leak.place, leak.overlap) for leak in leaks} == {(kind, "w1.ipynb", "cell 1 source", False)}
    assert SECRETS[kind].strip().split("\n")[0].strip()[:20] in str(leaks[0])


@pytest.mark.parametrize(
    ("kind", "origin"),
    [
        ("solution", "in cell 3 (top_mean)"),
        ("hidden test", "in cell 4 (test_top_mean)"),
        ("rubric", "in cell 5 (question)"),
        ("model answer", "in cell 6 (why)"),
        ("mutant", "in mutants/top_mean.toml"),
    ],
)
def test_a_leak_says_where_it_comes_from(kind: str, origin: str, mutants: Path, release: Path) -> None:
    (release / "notes.txt").write_text(SECRETS[kind])
    (leak,) = find(mutants, release)
    assert (leak.file, leak.place, leak.kind, leak.origin) == ("notes.txt", "", kind, origin)
    assert str(leak).startswith(f"notes.txt: holds text of the {kind} {origin}: ")


@pytest.mark.parametrize(
    ("place", "edit"),
    [
        ("cell 2 metadata author_notes", lambda nb, text: nb.cells[1].metadata.update(author_notes=text)),
        ("metadata backup 0 old", lambda nb, text: nb.metadata.update(backup=[{"old": text}])),
        ("metadata key", lambda nb, text: nb.metadata.update({text: 1})),
        (
            "cell 2 outputs 0 text",
            lambda nb, text: nb.cells[1].outputs.append(nbformat.v4.new_output("stream", text=text.splitlines(keepends=True))),
        ),
        (
            "cell 1 attachments notes.txt text/plain",
            lambda nb, text: nb.cells[0].update(
                attachments={"notes.txt": {"text/plain": base64.b64encode(text.encode()).decode()}}
            ),
        ),
    ],
)
def test_every_part_of_a_notebook_is_searched(
    place: str, edit: Callable[[nbformat.NotebookNode, str], None], mutants: Path, release: Path
) -> None:
    change(release, lambda nb: edit(nb, SOLUTION))
    assert [(leak.kind, leak.place) for leak in find(mutants, release)] == [("solution", place)]


def zipped(text: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner/solution.txt", text)
    return stream.getvalue()


def tarred(text: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        info = tarfile.TarInfo("solution.txt")
        info.size = len(text.encode())
        archive.addfile(info, io.BytesIO(text.encode()))
    return stream.getvalue()


def saved(*, fields: dict[str, np.ndarray]) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=True, **fields)
    return stream.getvalue()


def picture(text: str) -> bytes:
    """The start of a picture with a compressed text."""
    data = b"Comment\0\0" + zlib.compress(text.encode())
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("notes.txt", str.encode),
        ("notes.txt", lambda text: text.replace("\n", "\r\n").encode("utf-16")),
        ("data.json", lambda text: json.dumps({"rows": [1, {"note": text}]}).encode()),
        ("data.csv.gz", lambda text: gzip.compress(text.encode())),
        ("data.bz2", lambda text: bz2.compress(text.encode())),
        ("data.zip", zipped),
        ("data.tar.gz", tarred),
        ("net.npz", lambda text: saved(fields={"weights": np.zeros(9), "notes": np.array([text])})),
        ("net.npz", lambda text: saved(fields={"notes": np.array([{"text": text}], dtype=object)})),
        ("figure.png", picture),
        ("tools.py", lambda text: f"# {text}".replace("\n", "\n# ").encode()),
    ],
)
def test_every_kind_of_file_is_searched(name: str, pack: Callable[[str], bytes], mutants: Path, release: Path) -> None:
    (release / name).write_bytes(pack(SOLUTION))
    leaks = find(mutants, release)
    assert {(leak.file, leak.kind) for leak in leaks} == {(name, "solution")}


def test_names_of_files_and_members_are_searched(mutants: Path, release: Path) -> None:
    name = "kept = ordered[: max(1, round(fraction * len(ordered)))]"
    (release / f"{name}.txt").write_text("1 2 3")
    (release / "net.npz").write_bytes(saved(fields={name: np.zeros(2)}))
    assert {leak.file for leak in find(mutants, release)} == {f"{name}.txt", "net.npz"}


def test_white_space_line_breaks_and_quotes_do_not_hide_a_leak(mutants: Path, release: Path) -> None:
    (release / "notes.txt").write_text(" ".join(HIDDEN.replace('"', "'").split()).replace(", ", " ,\n\t"))
    assert [leak.kind for leak in find(mutants, release)] == ["hidden test"]


def test_one_telling_line_is_enough_in_data(mutants: Path, release: Path) -> None:
    (release / "notes.txt").write_text("x = 3\nkept = ordered[: max(1, round(fraction * len(ordered)))]\ny = 4")
    (leak,) = find(mutants, release)
    assert leak.excerpt == "kept = ordered[: max(1, round(fraction * len(ordered)))]"


def test_a_small_part_of_a_solution_in_given_code_is_an_overlap_and_no_leak(mutants: Path, release: Path) -> None:
    long = SOLUTION + "".join(f"\n    step_{i} = transform_{i}(argument_{i}, option_{i})" for i in range(9))
    cells = [
        *CELLS[:2],
        make.exercise("top_mean", f"{SIGNATURE}    ### BEGIN SOLUTION\n{long}\n    ### END SOLUTION"),
        *CELLS[3:],
    ]
    (release / "courselib" / "tools.py").write_text(f"def best(scores, fraction):\n{SOLUTION}\n")
    (leak,) = find_leaks(cells, mutants, release)
    assert leak.overlap
    assert "repeats a part of the solution" in str(leak)


@pytest.mark.parametrize("marker", ["### BEGIN SOLUTION", "### BEGIN HIDDEN TESTS", "=== BEGIN MARK SCHEME ==="])
def test_markers_that_are_left_are_leaks(marker: str, mutants: Path, release: Path) -> None:
    change(release, lambda nb: nb.cells[1].update(source=f"x = 1\n{marker}\ny = 2"))
    (leak,) = find(mutants, release)
    assert (leak.kind, leak.place, leak.excerpt) == ("marker", "cell 2 source", marker)


@pytest.mark.parametrize(
    "innocent",
    [
        "import math\nimport numpy as np\nfrom pathlib import Path",
        "return kept",
        "return sum(values) / len(values)",
        SIGNATURE,
        "for index in range(len(values)):\n    total = total + values[index]\nassert total == 4.0",
        'assert top_mean([4.0, 1.0], 0.5) == 4.0, "Exercise 1: half of two scores is one"',
        "Why is it misleading? Full marks for a good answer; what did we look at before?",
        'fails = ["test_top_mean"]\nname = "another"',
        "[1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 0.0, 1, 2, 3, 4, 5, 6]",
    ],
)
def test_common_lines_are_no_leaks(innocent: str, mutants: Path, release: Path) -> None:
    (release / "courselib" / "tools.py").write_text(innocent)
    assert find(mutants, release) == []


def test_broken_archives_are_searched_as_bytes(mutants: Path, release: Path) -> None:
    (release / "broken.gz").write_bytes(b"\x1f\x8b" + SOLUTION.encode())
    (release / "broken.json").write_text("{" + SOLUTION)
    (release / "broken.ipynb").write_text('{"cells": [1, {"metadata": 2}]}')
    assert {leak.file for leak in find(mutants, release)} == {"broken.gz", "broken.json"}


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest.id)
def test_the_courses_own_releases_are_clean(manifest: Manifest, tmp_path: Path) -> None:
    with drafted(locate(ROOT, manifest.id), recorded=False) as draft:
        assert (draft.folder / f"{manifest.id}.ipynb").is_file()
        assert find_leaks(text_cells(manifest), manifest.folder / "mutants", draft.folder) == []


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest.id)
def test_every_secret_of_the_course_would_be_found(manifest: Manifest, tmp_path: Path) -> None:
    cells = text_cells(manifest)
    planted = [(secret.kind, secret.text) for secret in secrets_of(cells)]
    planted += [("mutant", path.read_text()) for path in sorted((manifest.folder / "mutants").glob("*.toml"))]
    for number, (_, text) in enumerate(planted):
        (tmp_path / f"{number}.txt").write_text(text)
    found = {(leak.file, leak.kind) for leak in find_leaks(cells, manifest.folder / "mutants", tmp_path)}
    assert {(f"{number}.txt", kind) for number, (kind, _) in enumerate(planted)} <= found
