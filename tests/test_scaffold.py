"""`autograder new`: what it makes holds, releases, and grades as it is."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import nbformat
import pytest

from autograder import cli
from autograder.build import build, notebook_to_text, text_cells, text_to_notebook
from autograder.cells import Kind, grade_id_of, kind_of, released_source
from autograder.check import CheckReport, check
from autograder.errors import ManifestError
from autograder.manifest import Manifest, read_manifest
from autograder.report import read_report
from autograder.scaffold import EXERCISE, Scaffold, scaffold
from autograder.simulate import read_material, solved
from autograder.verdict import Verdict
from tests import make

ID = "w7_my_topic"
ROOT = Path(__file__).parents[1]
DOTS = "      ...\n"
"""Stands in the document for what it leaves out of an output."""
SECRETS = (
    "accuracy on random data",  # a hidden check's message
    "order of the examples must",
    "answered.any()",  # the solution
    "abstaining_is_wrong",  # the mutant
    "the overconfident one cannot",  # the rubric
    "only to about 0.73",  # the model answer
)


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> make.Course:
    """A course with nothing but a new assignment, released, handed in solved and as it was, and graded: by nbgrader."""
    found = make.Course(tmp_path_factory.mktemp("course"))
    made = scaffold(found.root, ID)
    manifest = read_manifest(found.root / "assignments" / ID)
    done = found.nbgrader("generate_assignment", ID)
    assert done.returncode == 0, done.stderr
    material = read_material(manifest, _release(found) / f"{ID}.ipynb")
    found.submit("ada", ID, solved(material))
    found.submit("finn", ID, material.release)
    done = found.nbgrader("autograde", ID)
    assert done.returncode == 0, done.stderr
    assert made.written[-1] == found.root / "source" / ID / f"{ID}.ipynb"
    return found


@pytest.fixture(scope="module")
def report(course: make.Course) -> CheckReport:
    """What `autograder check` says of it."""
    return check(_manifest(course), course.root / "source")


def _manifest(course: make.Course) -> Manifest:
    return read_manifest(course.root / "assignments" / ID)


def _release(course: make.Course) -> Path:
    return course.root / "release" / ID


def test_scaffold_holds_as_it_is(report: CheckReport) -> None:
    assert report.holds, report.problems
    assert {result.mutant.is_alternative for result in report.mutants} == {True, False}
    assert report.cpu_seconds < 10


def test_every_test_runs_apart_from_the_student(report: CheckReport) -> None:
    places = {row[0]: row[2] for row in report.cells}
    assert {place for name, place in places.items() if name.startswith("test_")} == {"examiner"}


def test_text_and_notebook_agree_in_both_directions(course: make.Course) -> None:
    manifest = _manifest(course)
    assert build(manifest, course.root / "source", write=False).stale == ()
    text = manifest.text_path.read_text()
    assert notebook_to_text(text_to_notebook(text)) == text


def test_release_has_no_outputs_and_leaks_nothing(course: make.Course) -> None:
    assert [path.name for path in _release(course).iterdir()] == [f"{ID}.ipynb"]
    text = (_release(course) / f"{ID}.ipynb").read_text()
    source = "".join(path.read_text() for path in (course.root / "assignments" / ID).rglob("*") if path.is_file())
    for secret in (*SECRETS, "HIDDEN TESTS", "MARK SCHEME"):
        assert secret in source, f"{secret!r} is no longer in the template"
        assert secret not in text
    assert "worked example" in text  # the visible checks stay
    assert "### BEGIN SOLUTION" not in text


def test_reference_gets_full_automatic_points_and_blank_none(course: make.Course) -> None:
    scores = {}
    for student in ("ada", "finn"):
        found = read_report(course.autograded(student, ID, ".report.json"))
        assert found is not None
        scores[student] = found.score
        assert {cell.verdict for cell in found.cells if cell.grade_id.startswith("test_")} == {
            Verdict.PASSED if student == "ada" else Verdict.MISSING
        }
    assert scores == {"ada": 6, "finn": 0}


def test_it_has_the_parts_of_a_teaching_notebook(course: make.Course) -> None:
    cells = text_cells(_manifest(course))
    kinds = [kind_of(cell) for cell in cells]
    assert (kinds.count(Kind.EXERCISE), kinds.count(Kind.TEST), kinds.count(Kind.ANSWER)) == (1, 2, 1)
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    for part in ("After this notebook you can", "What it costs", "Worked example", "Reading.", "Summary", "References"):
        assert part in prose
    exercise = next(cell.source for cell in cells if grade_id_of(cell) == EXERCISE)
    (function,) = ast.parse(exercise).body
    assert isinstance(function, ast.FunctionDef)
    assert ast.get_docstring(function)
    assert function.returns is not None
    assert all(argument.annotation for argument in function.args.args)
    code = [released_source(cell.source).count("\n") + 1 for cell in cells if cell.cell_type == "code"]
    assert max(code) <= 25
    assert 0.4 <= len(code) / len(cells) <= 0.6


def test_every_assertion_names_its_exercise_and_has_a_message(course: make.Course) -> None:
    for cell in text_cells(_manifest(course)):
        if kind_of(cell) is Kind.TEST:
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Assert):
                    assert isinstance(node.msg, ast.Constant)
                    assert str(node.msg.value).startswith("Exercise 1.1: ")


def test_numbers_quoted_in_the_text_are_those_the_notebook_prints(course: make.Course) -> None:
    nb = nbformat.read(course.autograded("ada", ID), as_version=4)
    printed = "".join(output.get("text", "") for cell in nb.cells for output in cell.get("outputs", []))
    assert re.findall(r"(\w+), threshold 0.90: coverage (\S+), accuracy (\S+)", printed) == [
        ("honest", "0.20", "0.95"),
        ("overconfident", "0.20", "0.72"),
    ]
    reading = next(cell.source for cell in nb.cells if cell.source.startswith("**Reading.**"))
    assert "right in 0.95 of its answers, the overconfident one in 0.72" in reading


@pytest.mark.timeout(900)
def test_first_assignment_can_be_written_by_the_document_to_the_letter(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each command prints what the document shows. A comment above a block of text says where the text goes."""
    shutil.copytree(ROOT / "assignments" / "shared", tmp_path / "assignments" / "shared", ignore=shutil.ignore_patterns("__*"))
    (tmp_path / "assignments" / "shared" / "courselib" / "__init__.py").write_text('"""Helpers."""\n')
    (tmp_path / "nbgrader_config.py").write_text(make.TWO_LINES)
    document = (ROOT / "docs" / "first_assignment.md").read_text()
    for place, language, text in re.findall(r"(?:<!-- ([^\n]*) -->\n)?```(\w+)\n(.*?)```", document, re.S):
        if language != "console":
            _put(tmp_path, place, text)
            continue
        for command, shown in re.findall(r"^\$ autograder (.*)\n((?:(?!\$).*\n)*)", text, re.M):
            capsys.readouterr()
            cli.run([*shlex.split(command), "--course", str(tmp_path)])
            printed = _plain(capsys.readouterr().out, tmp_path)
            expected = _plain(shown, tmp_path)
            if DOTS in expected:
                first, last = expected.split(DOTS)
                printed = printed[: len(first)] + DOTS + printed[-len(last) :]
            assert printed == expected, command
    assert (tmp_path / "release" / "w7_abstaining" / "w7_abstaining.ipynb").is_file()


def _put(course: Path, place: str, text: str) -> None:
    """Edit a file as `place` says: `new FILE`, `append to FILE`, or `before "START OF A LINE" in FILE`, or `replace` it."""
    found = re.fullmatch(r'(new|append to|before|replace) (?:"(.*)" in )?(\S+)', place)
    assert found is not None, place
    verb, start, name = found.groups()
    path = course / name
    if verb in ("new", "append to"):
        path.write_text((path.read_text() if verb == "append to" else "") + text)
        return
    lines = path.read_text().splitlines(keepends=True)
    (at,) = (number for number, line in enumerate(lines) if line.startswith(start))
    first = at - 1 if lines[at - 1].startswith("# %%") else at  # a cell begins above its first line
    lines[first : at + 1] = [text, *(lines[first : at + 1] if verb == "before" else [])]
    path.write_text("".join(lines))


def _plain(text: str, course: Path) -> str:
    """`text` without what differs from run to run: the course's folder, times, seconds and sizes."""
    return re.sub(r"\d{4}-\d\d-\d\dT\S+|\d+\.\d(?= CPU s| kB)|\d+(?= bytes)", "#", text.replace(f"{course}/", ""))


def test_title_week_and_due_come_from_the_id_unless_given(tmp_path: Path) -> None:
    (tmp_path / "assignments").mkdir()
    scaffold(tmp_path, "w7_label-noise")
    found = read_manifest(tmp_path / "assignments" / "w7_label-noise")
    assert (found.title, found.track, found.week, found.due, found.points) == ("Label noise", "safety", 7, "end of week 9", 10)
    title = 'Noise: "half" the labels, \\ and 🙂'
    made = scaffold(tmp_path, "noise", title=title, track="dl", week=3, due="in May")
    found = read_manifest(tmp_path / "assignments" / "noise")
    assert (found.title, found.track, found.week, found.due) == (title, "dl", 3, "in May")
    assert f"# # {title}\n" in made.written[0].read_text()


def test_course_style_is_used_where_there_is_one(tmp_path: Path) -> None:
    shared = tmp_path / "assignments" / "shared" / "courselib"
    shared.mkdir(parents=True)
    for name in ("__init__.py", "plots.py"):
        (shared / name).write_text((ROOT / "assignments" / "shared" / "courselib" / name).read_text())
    made = scaffold(tmp_path, ID)
    manifest = read_manifest(tmp_path / "assignments" / ID)
    assert manifest.shared == ("courselib/__init__.py", "courselib/plots.py")
    assert tmp_path / "source" / ID / "courselib" / "plots.py" in made.written
    assert check(manifest, tmp_path / "source", exercises=frozenset()).holds


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "W7_topic",
        "7_topic",
        "_topic",
        "my topic",
        "w7+topic",
        "../w7",
        "w7/x",
        "w7.x",
        "w7_é",
        "a" * 51,
        "shared",
        "con",
        "w7\n",
    ],
)
def test_an_id_that_nbgrader_or_a_file_system_may_refuse_is_refused(bad: str, tmp_path: Path) -> None:
    (tmp_path / "assignments").mkdir()
    with pytest.raises(ManifestError, match=r"cannot name an assignment.*such as w7_my_topic"):
        scaffold(tmp_path, bad, week=1)
    assert list((tmp_path / "assignments").iterdir()) == []


@pytest.mark.parametrize("place", ["assignments", "source"])
def test_nothing_is_overwritten(place: str, tmp_path: Path) -> None:
    (tmp_path / "assignments").mkdir()
    taken = tmp_path / place / ID
    taken.mkdir(parents=True)
    (taken / "mine.txt").write_text("keep")
    with pytest.raises(ManifestError, match="exists already, and nothing was changed"):
        scaffold(tmp_path, ID)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [taken / "mine.txt"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"title": " "}, "title"),
        ({"title": "two\nlines"}, "title"),
        ({"due": ""}, "due"),
        ({"track": "art"}, "track = 'art' is not one of ml, dl, safety"),
        ({"week": -1}, "week = -1"),
    ],
)
def test_values_that_cannot_be_are_refused_before_anything_is_made(options: dict[str, object], said: str, tmp_path: Path) -> None:
    (tmp_path / "assignments").mkdir()
    with pytest.raises(ManifestError, match=said):
        scaffold(tmp_path, ID, **options)  # type: ignore[arg-type]
    assert list((tmp_path / "assignments").iterdir()) == []


def test_an_id_without_a_week_needs_one(tmp_path: Path) -> None:
    (tmp_path / "assignments").mkdir()
    with pytest.raises(ManifestError, match="Add --week 7"):
        scaffold(tmp_path, "topic")


def test_a_folder_that_is_no_course_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="not the folder of a course"):
        scaffold(tmp_path, ID)
    assert list(tmp_path.iterdir()) == []


def test_next_commands_begin_with_the_proof() -> None:
    first, second, third = Scaffold(id=ID, written=()).next_commands
    assert first == f"autograder check {ID}"
    assert ID in second
    assert ID in third


def test_templates_are_shipped_with_the_package() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["autograder"]
    assert "template/*" in data
