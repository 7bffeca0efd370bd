"""Courses we have never seen adopt the grader with two lines: nbgrader's documentation course, other languages, the API."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import nbgrader
import pytest
from nbgrader.api import Gradebook

from autograder.report import read_report
from autograder.verdict import Verdict
from tests import make

DOCUMENTATION = Path(nbgrader.__file__).parent / "docs" / "source" / "user_guide"


def _documentation_course(root: Path, config: str) -> make.Course:
    course = make.Course(root, config)
    shutil.copytree(DOCUMENTATION / "source" / "ps1", root / "source" / "ps1")
    shutil.copyfile(DOCUMENTATION / "source" / "header.ipynb", root / "source" / "header.ipynb")
    for student in ("bitdiddle", "hacker"):
        shutil.copytree(DOCUMENTATION / "submitted" / student / "ps1", root / "submitted" / student / "ps1")
    for command in ("generate_assignment", "autograde", "generate_feedback"):
        done = course.nbgrader(command, "ps1")
        assert done.returncode == 0, done.stderr
    return course


def _scores(course: make.Course) -> dict[tuple[str, str, str], float | None]:
    with Gradebook(f"sqlite:///{course.root / 'gradebook.db'}") as gradebook:
        return {
            (submission.student.id, notebook.name, grade.name): grade.auto_score
            for submission in gradebook.assignment_submissions("ps1")
            for notebook in submission.notebooks
            for grade in notebook.grades
        }


def test_nbgraders_documentation_course_gets_the_scores_that_nbgrader_gives(tmp_path: Path) -> None:
    stock = _scores(_documentation_course(tmp_path / "stock", ""))
    ours = _scores(_documentation_course(tmp_path / "ours", make.TWO_LINES))
    assert len(ours) == 18
    assert ours == stock
    reports = [read_report(path) for path in (tmp_path / "ours" / "autograded").rglob("*.report.json")]
    assert not any(incident.what == "unexamined" for report in reports if report is not None for incident in report.incidents)
    tests = [
        cell
        for report in reports
        if report is not None
        for cell in report.cells
        if cell.verdict in (Verdict.PASSED, Verdict.FAILED)
    ]
    assert len(tests) == 8
    assert all(cell.examined for cell in tests)


def test_notebook_in_another_language_is_left_ungraded_unless_the_wall_is_given_up(tmp_path: Path) -> None:
    kernels = tmp_path / "jupyter" / "kernels" / "pretend-r"
    kernels.mkdir(parents=True)
    spec = {"argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "R", "language": "R"}
    (kernels / "kernel.json").write_text(json.dumps(spec))
    course = make.Course(tmp_path / "course")
    source = make.notebook(
        make.exercise("f", "f = 1"), make.graded("good", "f"), make.graded("bad", "1 / 0"), language="R", kernel="pretend-r"
    )
    environment = {"JUPYTER_PATH": str(tmp_path / "jupyter")}
    (course.root / "source" / "ps1").mkdir(parents=True)
    (course.root / "source" / "ps1" / "ps1.ipynb").write_text(json.dumps(source))
    course.submit("ana", "ps1", make.replaced(source, {"f": "f = 1"}))
    nbgrader = [sys.executable, "-m", "nbgrader"]
    assert make.run([*nbgrader, "generate_assignment", "ps1"], course.root, environment=environment).returncode == 0
    refused = make.run([*nbgrader, "autograde", "ps1"], course.root, environment=environment)
    assert refused.returncode == 1
    assert "only Python's can run behind the wall" in refused.stderr
    assert read_report(course.autograded("ana", "ps1", ".report.json")) is None
    unsafe = [*nbgrader, "autograde", "ps1", "--Grade.unsafe_no_sandbox=True"]
    done = make.run(unsafe, course.root, environment=environment)
    assert done.returncode == 0, done.stderr
    assert "ps1 runs in R: nbgrader runs it itself" in done.stderr
    report = read_report(course.autograded("ana", "ps1", ".report.json"))
    assert report is not None
    assert (report.kernel.source, report.kernel.sandbox) == ("nbgrader", False)
    assert [(cell.grade_id, cell.verdict.value, cell.points) for cell in report.cells] == [
        ("good", "passed", 1),
        ("bad", "error", 0),
    ]


SOURCE = make.notebook(
    make.exercise("f", "### BEGIN SOLUTION\nf = 1\n### END SOLUTION"),
    make.graded("t", "assert f\n### BEGIN HIDDEN TESTS\nassert f == 1\n### END HIDDEN TESTS"),
)
API = """
import json, sys
from traitlets.config import Config
from nbgrader.apps import NbGraderAPI, NbGrader
app = NbGrader()
app.initialize([])
api = NbGraderAPI(config=app.config)
results = [api.autograde("ps1", student) for student in ("good", "broken")]
results.append(api.generate_feedback("ps1"))
print("RESULT" + json.dumps(results))
"""


@pytest.fixture
def two_students(tmp_path: Path) -> make.Course:
    course = make.Course(tmp_path / "course")
    released = course.release("ps1", SOURCE)
    course.submit("good", "ps1", make.replaced(released, {"f": "f = 1"}))
    course.submit("broken", "ps1", b"not json")
    return course


def test_python_api_grades_with_us(two_students: make.Course) -> None:
    done = make.run([sys.executable, "-c", API], two_students.root)
    line = next((line for line in done.stdout.splitlines() if line.startswith("RESULT")), None)
    assert line is not None, done.stderr
    good, broken, feedback = json.loads(line.removeprefix("RESULT"))
    assert good["success"], good
    assert not broken["success"]
    assert "could not be read" in broken["log"]
    assert feedback["success"], feedback
    report = read_report(two_students.autograded("good", "ps1", ".report.json"))
    assert report is not None
    assert report.score == 1
    assert "not JSON" in two_students.feedback("broken", "ps1")


def test_course_whose_notebook_belongs_to_another_assignment_is_left_ungraded(two_students: make.Course) -> None:
    other = make.notebook(make.exercise("g", "g = 1"), make.graded("u", "assert g"))
    two_students.submit("mixed_up", "ps1", other)
    done = two_students.nbgrader("autograde", "ps1", "--student", "mixed_up")
    assert done.returncode == 1
    assert "none of this assignment's" in done.stderr
    assert not two_students.autograded("mixed_up", "ps1").exists()


def test_courses_own_delimiters_are_respected(tmp_path: Path) -> None:
    own = "c.ClearHiddenTests.begin_test_delimeter = 'VERSTECKT AN'\nc.ClearHiddenTests.end_test_delimeter = 'VERSTECKT AUS'\n"
    course = make.Course(tmp_path / "course", make.TWO_LINES + own + "c.CourseDirectory.student_id_exclude = 'zed'\n")
    source = make.notebook(
        make.exercise("f", "### BEGIN SOLUTION\nf = 1\n### END SOLUTION"),
        make.graded("t", "assert f\n# VERSTECKT AN\nsecret = 'hidden-4714'\n# VERSTECKT AUS"),
    )
    released = course.release("ps1", source)
    for student in ("ana", "zed"):
        course.submit(student, "ps1", make.replaced(released, {"f": "f = 1"}))
    course.submit("eve", "ps1", b"{broken")
    done = course.nbgrader("autograde", "ps1")
    assert done.returncode == 1
    assert "1 submission(s) need attention" in done.stderr
    assert course.nbgrader("generate_feedback", "ps1").returncode == 0
    report = read_report(course.autograded("ana", "ps1", ".report.json"))
    assert report is not None
    assert report.changes == ()
    assert "hidden-4714" not in course.feedback("ana", "ps1")


def test_course_sets_limits_and_shows_data_and_says_when_there_is_no_gpu(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)
    (data / "numbers.csv").write_text("1,2,3")
    tmp_path.chmod(0o755)
    config = make.TWO_LINES + f"c.Grade.limits = {{'memory_bytes': 300_000_000}}\nc.Grade.visible = [{str(data)!r}]\n"
    course = make.Course(tmp_path / "course", config)
    source = make.notebook(
        make.exercise("f", f"### BEGIN SOLUTION\nf = open({str(data / 'numbers.csv')!r}).read()\n### END SOLUTION"),
        make.graded("data", "assert f == '1,2,3'"),
        make.graded("hog", "x = bytearray(500_000_000)"),
    )
    released = course.release("ps1", source)
    course.submit("ana", "ps1", make.replaced(released, {"f": f"f = open({str(data / 'numbers.csv')!r}).read()"}))
    no_gpu = course.nbgrader("autograde", "ps1", "--Grade.device=cuda")
    assert no_gpu.returncode == 1
    assert "this machine shows no GPU" in no_gpu.stderr
    assert not course.autograded("ana", "ps1").exists()
    done = course.nbgrader("autograde", "ps1")
    assert done.returncode == 0, done.stderr
    report = read_report(course.autograded("ana", "ps1", ".report.json"))
    assert report is not None
    assert {cell.grade_id: cell.verdict.value for cell in report.cells} == {"data": "passed", "hog": "memory"}
    wrong = course.nbgrader("autograde", "ps1", "--force", "--Grade.limits={'memory': 1}")
    assert "unknown limit memory" in wrong.stderr


def test_links_out_of_a_submission_bring_nothing_to_student_code(tmp_path: Path) -> None:
    course = make.Course(tmp_path / "course")
    look = "import os\nf = sorted(os.listdir('.')), open('inner.txt').read(), sorted(os.listdir('folder'))"
    source = make.notebook(
        make.exercise("f", "### BEGIN SOLUTION\nf = 1\n### END SOLUTION"),
        make.graded("t", "assert f == (['data.txt', 'folder', 'inner.txt'], 'mine', ['own.txt']), f"),
    )
    released = course.release("ps1", source)
    folder = course.submit("ana", "ps1", make.replaced(released, {"f": look})).parent
    (folder / "data.txt").write_text("mine")
    (folder / "inner.txt").symlink_to("data.txt")
    (folder / "book.txt").symlink_to(course.root / "gradebook.db")
    (folder / "tests.txt").symlink_to("../../../source/ps1/ps1.ipynb")
    (folder / "folder").mkdir()
    (folder / "folder" / "own.txt").write_text("x")
    (folder / "folder" / "book.txt").symlink_to("../../../../gradebook.db")
    (folder / "everything").symlink_to(course.root)
    done = course.nbgrader("autograde", "ps1")
    report = read_report(course.autograded("ana", "ps1", ".report.json"))
    assert report is not None, done.stderr
    assert report.cells[0].verdict.value == "passed", report.cells
    assert "tests.txt is a link out of the submission" in done.stderr
