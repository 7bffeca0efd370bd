"""Releasing: only what was proven for exactly this content, only where nobody loses a grade, and saying what students get."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from autograder import cli, equivalence, proofs
from autograder.build import Side, build
from autograder.check import CheckReport
from autograder.draft import drafted, files_of, locate
from autograder.errors import AutograderError
from autograder.manifest import Manifest, read_manifest
from autograder.proofs import Proof, check_and_remember, content_digest, known_proof
from autograder.release import release
from autograder.review import Review
from tests import make
from tests.assignment import write_assignment

HOOK = "c.GenerateAssignment.post_convert_hook = lambda **names: open('hook.txt', 'a').write('x')\n"


@pytest.fixture
def course(tmp_path: Path) -> make.Course:
    """A course with the tiny assignment, built."""
    course = make.Course(tmp_path / "course", make.TWO_LINES)
    build(write_assignment(course.root), course.root / "source")
    return course


@pytest.fixture(autouse=True)
def _package_at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may be editing this package while its tests run; that it counts has a test of its own."""
    monkeypatch.setattr(proofs, "_package", list)


def manifest_in(course: make.Course) -> Manifest:
    return read_manifest(course.root / "assignments" / "w1_means")


def edit(course: make.Course, old: str, new: str) -> None:
    """Change the assignment's text and build it."""
    manifest = manifest_in(course)
    text = manifest.text_path.read_text()
    assert old in text
    manifest.text_path.write_text(text.replace(old, new))
    build(manifest, course.root / "source", take=Side.TEXT)


def report_of(manifest: Manifest) -> CheckReport:
    """A report that holds."""
    return CheckReport(id=manifest.id, problems=(), mutants=(), cpu_seconds=0, test_cells=3)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replaces `check` by one that holds at once; the options of each call."""
    calls: list[dict[str, Any]] = []

    def holds(manifest: Manifest, source: Path, **options: Any) -> CheckReport:
        calls.append(options)
        return report_of(manifest)

    monkeypatch.setattr(proofs, "check", holds)
    monkeypatch.setattr(proofs, "repeat", lambda manifest, progress: Review())
    return calls


def test_what_holds_is_released_and_students_get_what_is_said(course: make.Course, tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    found = release(manifest_in(course), course.root, progress=lambda *step: done.append(step), cache=tmp_path / "cache")
    assert found.made
    assert done, "it was checked first"
    folder = course.root / "release" / "w1_means"
    assert found.handout is not None
    assert found.handout.folder == folder
    assert dict(found.handout.files) == {
        "data/numbers.txt": 6,
        "w1_means.ipynb": (folder / "w1_means.ipynb").stat().st_size,
    }
    assert (found.handout.cells, found.handout.exercises, found.handout.tests) == (8, 2, 3)
    assert (found.handout.points_by_test, found.handout.points_by_hand) == (5, 5)
    said = str(found)
    for part in ("w1_means: released. Means, due end of week 3.", "10 points: 5 by test, 5 by hand", "data/numbers.txt  6 bytes"):
        assert part in said
    assert json.loads(json.dumps(found.to_json()))["handout"]["files"]["data/numbers.txt"] == 6
    code = (
        "import sys; from pathlib import Path; from autograder import proofs; from autograder.manifest import read_manifest\n"
        "proofs._package = list\n"
        "manifest, source, cache = map(Path, sys.argv[1:])\n"
        "print(proofs.known_proof(read_manifest(manifest), source, cache=cache).holds)"
    )
    places = (course.root / "assignments" / "w1_means", course.root / "source", tmp_path / "cache")
    assert make.run([sys.executable, "-c", code, *map(str, places)], tmp_path).stdout == "True\n"


def test_what_does_not_hold_is_refused_and_not_checked_twice(
    course: make.Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(course, "return sum(values) / len(values)", "return sum(values)")
    for _ in range(2):
        found = release(manifest_in(course), course.root, cache=tmp_path)
        assert not found.made
        assert "reference: test_mean raised AssertionError" in found.refusal
        assert "autograder check w1_means" in found.refusal
        assert str(found).startswith("w1_means: NOT released.")
        assert not (course.root / "release").exists()
        monkeypatch.setattr(proofs, "check", None)


EDITS: dict[str, Callable[[Path], Any]] = {
    "text": lambda root: _append(root / "assignments/w1_means/w1_means.py", "\n# %%\n1\n"),
    "manifest": lambda root: _append(root / "assignments/w1_means/assignment.toml", "\n"),
    "mutant": lambda root: _append(root / "assignments/w1_means/mutants/mean.toml", "\n"),
    "new mutant": lambda root: _append(root / "assignments/w1_means/mutants/other.toml", "\n"),
    "shared file": lambda root: _append(root / "assignments/shared/lib.py", "\n"),
    "notebook": lambda root: _append(root / "source/w1_means/w1_means.ipynb", "\n"),
    "config of the course": lambda root: _append(root / "nbgrader_config.py", "\n"),
    "file that would be released": lambda root: _append(root / "source/w1_means/secret.txt", "x"),
}


def _append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


@pytest.mark.parametrize("what", EDITS)
def test_a_pass_never_speaks_for_changed_content(
    course: make.Course, tmp_path: Path, checks: list[dict[str, Any]], what: str
) -> None:
    source = course.root / "source"
    (course.root / "assignments" / "shared").mkdir()
    _append(course.root / "assignments/shared/lib.py", "x = 1\n")
    toml = course.root / "assignments/w1_means/assignment.toml"
    toml.write_text('shared = ["lib.py"]\n' + toml.read_text())
    build(manifest_in(course), source)
    check_and_remember(manifest_in(course), source, cache=tmp_path)
    assert known_proof(manifest_in(course), source, cache=tmp_path) is not None
    EDITS[what](course.root)
    assert known_proof(manifest_in(course), source, cache=tmp_path) is None


def test_another_version_has_to_be_proven_again(course: make.Course, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content_digest(manifest_in(course), course.root / "source")
    monkeypatch.setattr(proofs, "__version__", "9.9")
    assert content_digest(manifest_in(course), course.root / "source") != before


def test_another_state_of_this_package_has_to_be_proven_again(
    course: make.Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = tmp_path / "check.py"
    monkeypatch.setattr(proofs, "_package", lambda: [module])
    module.write_text("1")
    before = content_digest(manifest_in(course), course.root / "source")
    module.write_text("2")
    assert content_digest(manifest_in(course), course.root / "source") != before


def test_part_of_a_check_is_not_remembered(course: make.Course, tmp_path: Path, checks: list[dict[str, Any]]) -> None:
    part: list[dict[str, Any]] = [{"exercises": frozenset({"mean"})}, {"quick": True}]
    for options in part:
        check_and_remember(manifest_in(course), course.root / "source", cache=tmp_path, **options)
        assert known_proof(manifest_in(course), course.root / "source", cache=tmp_path) is None
    assert [call["generated"] for call in checks] == [True, False]


def test_what_holds_once_and_not_again_is_not_proven(
    course: make.Course, tmp_path: Path, checks: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proofs, "repeat", lambda manifest, progress: Review(problems=("reference with SEED = 1: fails",)))
    report = check_and_remember(manifest_in(course), course.root / "source", cache=tmp_path)
    assert not report.holds
    assert report.review.problems == report.problems == ("reference with SEED = 1: fails",)
    found = release(manifest_in(course), course.root, cache=tmp_path)
    assert "reference with SEED = 1: fails" in found.refusal
    assert len(checks) == 1


def test_check_during_which_files_change_is_not_remembered(
    course: make.Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edits(manifest: Manifest, source: Path, **options: Any) -> CheckReport:
        _append(manifest.text_path, "\n# %%\n2\n")
        return report_of(manifest)

    monkeypatch.setattr(proofs, "check", edits)
    check_and_remember(manifest_in(course), course.root / "source", cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("what", sorted(EDITS))
def test_what_is_recorded_as_proven_is_not_proven_wholly_again_until_it_changes(
    course: make.Course, checks: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    (course.root / "assignments" / "shared").mkdir()
    _append(course.root / "assignments/shared/lib.py", "x = 1\n")
    toml = course.root / "assignments/w1_means/assignment.toml"
    toml.write_text('shared = ["lib.py"]\n' + toml.read_text())
    build(manifest_in(course), course.root / "source")
    examined: list[str] = []

    def compare(manifest: Manifest, *_: Any, **__: Any) -> equivalence.Equivalence:
        examined.append(manifest.id)
        return equivalence.Equivalence(id=manifest.id, runs=3, differences=(), retried=(), seconds=1)

    monkeypatch.setattr(equivalence, "compare", compare)
    monkeypatch.setenv("XDG_CACHE_HOME", str(course.root / "cache"))

    def wholly(*options: str) -> bool:
        checks.clear()
        examined.clear()
        assert cli.run(["check", "--course", str(course.root), "--json", *options]) == 0
        return bool(checks[0]["generated"]) and examined == ["w1_means"]

    for part in (["--quick", "--record"], ["--exercise", "mean", "--record"]):
        wholly(*part)
        assert not (course.root / "assignments" / proofs.RECORD).exists(), part
    assert wholly("--examined", "--changed"), "nothing is recorded yet"
    assert wholly("--examined", "--record")
    (course.root / "assignments" / proofs.RECORD).unlink()
    wholly("--record")
    assert not wholly("--examined", "--changed")
    assert wholly("--examined"), "it was not asked for"
    EDITS[what](course.root)
    assert wholly("--examined", "--changed")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"id": "a", "holds": "yes", "problems": [], "when": ""}', "\0"])
def test_damaged_memory_claims_nothing(course: make.Course, tmp_path: Path, checks: list[dict[str, Any]], content: str) -> None:
    cache = tmp_path / "cache"
    check_and_remember(manifest_in(course), course.root / "source", cache=cache)
    next(cache.glob("*.json")).write_text(content)
    proof = known_proof(manifest_in(course), course.root / "source", cache=cache)
    assert proof is None or not proof.holds


def test_old_outcomes_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "KEPT", 3)
    for number in range(5):
        proofs._remember(Proof(id="a", holds=True, problems=(), when=""), f"{number}", tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_another_release_is_replaced_only_by_force(course: make.Course, checks: list[dict[str, Any]], tmp_path: Path) -> None:
    assert release(manifest_in(course), course.root, cache=tmp_path).made
    assert release(manifest_in(course), course.root, cache=tmp_path).made, "the same again"
    assert len(checks) == 1
    edit(course, "The arithmetic mean;", "The mean;")
    before = files_of(course.root / "release")
    found = release(manifest_in(course), course.root, cache=tmp_path)
    assert "holds another release" in found.refusal
    assert files_of(course.root / "release") == before
    assert release(manifest_in(course), course.root, force=True, cache=tmp_path).made
    assert b"The mean;" in files_of(course.root / "release")["w1_means/w1_means.ipynb"]


def test_submissions_are_not_graded_by_something_else_unasked(
    course: make.Course, checks: list[dict[str, Any]], tmp_path: Path
) -> None:
    release(manifest_in(course), course.root, cache=tmp_path)
    released = nbformat.read(course.root / "release" / "w1_means" / "w1_means.ipynb", as_version=4)
    course.submit("ada", "w1_means", released)
    assert course.nbgrader("autograde", "w1_means").returncode == 0
    edit(course, '"grade_id": "test_mean_empty"', '"grade_id": "test_empty"')
    edit(course, '"points": 5', '"points": 4')
    for force in (False, True):
        refused = release(manifest_in(course), course.root, force=force, cache=tmp_path)
        assert not refused.made
        assert "--update" in refused.refusal
        assert refused.revision is not None
        assert {change.grade_id for change in refused.revision.changes} == {"why", "test_empty"}
    found = release(manifest_in(course), course.root, update=True, cache=tmp_path)
    assert found.made
    assert found.updated is not None
    assert "nbgrader autograde w1_means --force" in str(found)
    assert json.loads(json.dumps(found.to_json()))["updated"]["backup"].endswith(".backup")
    assert course.nbgrader("autograde", "w1_means", "--force").returncode == 0


def test_draft_is_what_would_be_released_and_touches_nothing(course: make.Course) -> None:
    (course.root / "nbgrader_config.py").write_text(make.TWO_LINES + HOOK)
    before = files_of(course.root)
    place = locate(course.root, "w1_means")
    with drafted(place) as draft:
        drawn = files_of(draft.folder)
    assert not draft.folder.exists()
    assert {name: content for name, content in files_of(course.root).items() if name != ".nbgrader.log"} == dict(before)
    assert course.nbgrader("generate_assignment", "w1_means").returncode == 0
    assert files_of(place.release) == drawn


def test_other_folders_and_gradebook_of_the_course_are_found(course: make.Course) -> None:
    (course.root / "nbgrader_config.py").write_text(
        make.TWO_LINES + "c.CourseDirectory.db_url = 'sqlite:///grades/all.db'\nc.CourseDirectory.course_id = 'abc'\n"
        "c.CourseDirectory.directory_structure = 'now/{nbgrader_step}/{student_id}/{assignment_id}'\n"
    )
    place = locate(course.root, "w1_means")
    assert place.source == course.root / "now" / "source" / "w1_means"
    assert place.gradebook_path == course.root / "grades" / "all.db"
    assert place.course_id == "abc"
    assert not place.has_gradebook
    (course.root / "now").mkdir()
    (course.root / "source").rename(course.root / "now" / "source")
    with drafted(place) as draft:
        assert set(files_of(draft.folder)) == {"w1_means.ipynb", "data/numbers.txt"}
    assert not (course.root / "now" / "release").exists()


def test_what_was_proven_must_be_what_is_released(course: make.Course, checks: list[dict[str, Any]], tmp_path: Path) -> None:
    (course.root / "nbgrader_config.py").write_text(make.TWO_LINES + "c.CourseDirectory.source_directory = 'elsewhere'\n")
    with pytest.raises(AutograderError, match="has nbgrader release"):
        release(manifest_in(course), course.root, cache=tmp_path)


def test_what_nbgrader_cannot_release_is_an_error_with_its_reason(
    course: make.Course, checks: list[dict[str, Any]], tmp_path: Path
) -> None:
    edit(course, 'DEVICE = "cpu"', '### BEGIN SOLUTION\nDEVICE = "cpu"\n### END SOLUTION')
    with pytest.raises(AutograderError, match="Solution region detected in a non-solution cell"):
        release(manifest_in(course), course.root, cache=tmp_path)
    assert not (course.root / "release").exists()
