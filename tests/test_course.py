"""One class graded by `nbgrader autograde` with our two lines: each student misbehaves in one way, or does not."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder.report import Report, read_report
from autograder.verdict import Verdict
from tests import make

GOOD = "def double(x):\n    return 2 * x"
TRIPLE = "def triple(x):\n    return 3 * x"
SECRET = "the-hidden-value-4711"
SOURCE = make.notebook(
    make.text("# Doubling"),
    make.given("setup", "import warnings"),
    make.exercise("double", "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"),
    make.graded(
        "test_double",
        "assert double(2) == 4, 'two doubled'\n### BEGIN HIDDEN TESTS\n"
        f"secret = '{SECRET}'\nassert double(7) == 14, 'Exercise 1: other numbers'\n### END HIDDEN TESTS",
        points=3,
    ),
    make.exercise("triple", "def triple(x):\n    ### BEGIN SOLUTION\n    return 3 * x\n    ### END SOLUTION"),
    make.graded(
        "test_triple",
        "assert triple(2) == 6\n### BEGIN HIDDEN TESTS\nassert triple(7) == 21, 'Exercise 2'\n### END HIDDEN TESTS",
        points=2,
    ),
    make.graded(
        "partial",
        "out = triple(1)\n### BEGIN HIDDEN TESTS\nout if isinstance(out, str) else out / 2\n### END HIDDEN TESTS",
        points=4,
    ),
    make.given("question", "Why?\n\n=== BEGIN MARK SCHEME ===\nrubric-4712\n=== END MARK SCHEME ===", markdown=True),
    make.answer(
        "why",
        "Because:\n### BEGIN SOLUTION\nmodel\n### END SOLUTION\n=== BEGIN MARK SCHEME ===\nrubric-4713\n=== END MARK SCHEME ===",
        points=5,
    ),
)


@dataclass
class Class:
    """The graded class."""

    course: make.Course
    released: nbformat.NotebookNode
    status: int
    log: str

    def report(self, student: str) -> Report:
        report = read_report(self.course.autograded(student, "ps1", ".report.json"))
        assert report is not None, f"no report for {student}"
        return report

    def verdicts(self, student: str) -> dict[str, Verdict]:
        return {cell.grade_id: cell.verdict for cell in self.report(student).cells}

    def gradebook_scores(self, student: str) -> dict[str, float | None]:
        with Gradebook(f"sqlite:///{self.course.root / 'gradebook.db'}") as gradebook:
            submission = gradebook.find_submission_notebook("ps1", "ps1", student)
            return {grade.name: grade.auto_score for grade in submission.grades}


def _forged(released: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Deletes a test, empties one and makes it dear, copies one, moves one, invents one."""
    nb = make.replaced(released, {"double": GOOD, "test_double": "pass"})
    by_id = {cell.metadata["nbgrader"]["grade_id"]: cell for cell in nb.cells if "nbgrader" in cell.metadata}
    by_id["test_double"].metadata["nbgrader"]["points"] = 99
    by_id["partial"].metadata["nbgrader"]["solution"] = True
    nb.cells.remove(by_id["test_triple"])
    nb.cells.insert(0, nb.cells.pop(nb.cells.index(by_id["partial"])))
    nb.cells.append(make.graded("double", "copy of an exercise"))
    nb.cells.append(make.graded("invented", "100", points=100))
    return nb


def hand_in_everybody(course: make.Course) -> nbformat.NotebookNode:
    """Release the assignment to `course` and hand in for each student; the released notebook."""
    released = course.release("ps1", SOURCE)
    right = {"double": GOOD, "triple": TRIPLE, "why": "because"}

    def hand_in(student: str, **changes: str) -> None:
        course.submit(student, "ps1", make.replaced(released, {**right, **changes}))

    hand_in("right")
    hand_in(
        "warns",
        double="import sys\ndef double(x):\n    warnings.warn('deprecated')\n    print('x', file=sys.stderr)\n    return 2 * x",
    )
    hand_in("wrong", double="def double(x):\n    return x + 2")
    hand_in("nan", triple="def triple(x):\n    return 3 * x if x > 1 else float('nan')")
    hand_in("infinite", triple="def triple(x):\n    return 3 * x if x > 1 else float('inf')")
    hand_in("negative", triple="def triple(x):\n    return 3 * x if x > 1 else -5")
    hand_in(
        "words",
        triple="def triple(x):\n    return 3 * x if x > 1 else 'full marks'",
    )
    hand_in("too_large", triple="def triple(x):\n    return 3 * x if x > 1 else 1e9")
    hand_in("exits", triple="import os\ndef triple(x):\n    os._exit(0)")
    hand_in("sys_exits", triple="import sys\ndef triple(x):\n    sys.exit()")
    hand_in("segfaults", triple="import ctypes\ndef triple(x):\n    ctypes.string_at(0)")
    hand_in("loops", double="def double(x):\n    while True: pass")
    hand_in("silences", double="get_ipython().showtraceback = lambda *a, **k: None\ndef double(x):\n    return 0")
    hand_in("surrogate", double="def double(x):\n    print('\\ud800')\n    return 2 * x")
    course.submit("blank", "ps1", released)
    course.submit("forges", "ps1", _forged(released))
    good = nbformat.writes(make.replaced(released, right)).encode()
    course.submit("bom", "ps1", b"\xef\xbb\xbf" + good)
    course.submit("not_json", "ps1", good[: len(good) // 2])
    course.submit("not_notebook", "ps1", b'{"cells": 3, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}')
    course.submit("empty", "ps1", b"")
    course.submit("too_new", "ps1", good.replace(b'"nbformat": 4', b'"nbformat": 9'))
    course.submit("too_old", "ps1", b'{"worksheets": [], "nbformat": 1}')
    course.submit("latin1", "ps1", "# äöü".encode("latin-1"))
    course.submit("old", "ps1", _as_version_3(good))
    folder = course.submit("folder", "ps1", b"")
    folder.unlink()
    folder.mkdir()
    (folder / "inside.txt").write_text("x")
    link = course.submit("broken_link", "ps1", b"")
    link.unlink()
    link.symlink_to("nowhere.ipynb")
    theft = course.submit("thief", "ps1", b"")
    theft.unlink()
    theft.symlink_to(course.submit("right", "ps1", good).resolve())
    in_the_way = course.submit("in_the_way", "ps1", make.replaced(released, right))
    (in_the_way.parent / "ps1.report.json").mkdir()
    deleted = make.replaced(released, right)
    deleted.cells = [cell for cell in deleted.cells if cell.metadata.get("nbgrader", {}).get("grade_id") != "why"]
    course.submit("no_answer", "ps1", deleted)
    return released


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Class:
    """Everybody's submission, graded in one run, and feedback for all."""
    course = make.Course(tmp_path_factory.mktemp("course"), make.TWO_LINES + "c.Execute.timeout = 4\n")
    released = hand_in_everybody(course)
    done = course.nbgrader("autograde", "ps1")
    feedback = course.nbgrader("generate_feedback", "ps1")
    assert feedback.returncode == 0, feedback.stderr
    return Class(course, released, done.returncode, done.stderr)


def _as_version_3(content: bytes) -> bytes:
    nb = nbformat.reads(content.decode(), as_version=4)
    return str(nbformat.writes(nbformat.convert(nb, 3), version=3)).encode()


def test_right_solution_gets_everything_and_waits_only_for_the_written_answer(graded: Class) -> None:
    assert graded.verdicts("right") == {
        "test_double": Verdict.PASSED,
        "test_triple": Verdict.PASSED,
        "partial": Verdict.PARTIAL,
        "why": Verdict.NOT_EXAMINED,
    }
    assert graded.gradebook_scores("right") == {"test_double": 3, "test_triple": 2, "partial": 1.5, "why": None}


def test_blank_release_gets_nothing_and_its_empty_answer_needs_no_human(graded: Class) -> None:
    assert set(graded.verdicts("blank").values()) == {Verdict.MISSING}
    assert graded.gradebook_scores("blank") == {"test_double": 0, "test_triple": 0, "partial": 0, "why": 0}


def test_warnings_and_stderr_cost_nothing(graded: Class) -> None:
    assert graded.gradebook_scores("warns") == graded.gradebook_scores("right")


def test_wrong_solution_fails_the_test_that_sees_it_and_only_that(graded: Class) -> None:
    assert graded.verdicts("wrong")["test_double"] is Verdict.FAILED
    assert graded.gradebook_scores("wrong") == {"test_double": 0, "test_triple": 2, "partial": 1.5, "why": None}


@pytest.mark.parametrize(
    ("student", "points", "verdict", "said"),
    [
        ("nan", 0, Verdict.FAILED, "nan"),
        ("infinite", 0, Verdict.FAILED, "inf"),
        ("negative", 0, Verdict.FAILED, "-2.5"),
        ("words", 0, Verdict.FAILED, "full marks"),
        ("too_large", 4, Verdict.PASSED, "at most 4"),
    ],
)
def test_partial_score_is_finite_and_within_bounds(
    graded: Class, student: str, points: float, verdict: Verdict, said: str
) -> None:
    cell = graded.report(student).cell("partial")
    assert cell is not None
    assert (cell.points, cell.verdict) == (points, verdict)
    assert said in cell.detail
    assert graded.gradebook_scores(student)["partial"] == points


@pytest.mark.parametrize("student", ["exits", "segfaults"])
def test_dead_kernel_keeps_what_was_earned_before(graded: Class, student: str) -> None:
    assert graded.verdicts(student) == {
        "test_double": Verdict.PASSED,
        "test_triple": Verdict.CRASHED,
        "partial": Verdict.CRASHED,
        "why": Verdict.NOT_EXAMINED,
    }
    assert graded.gradebook_scores(student)["test_double"] == 3
    assert "died" in graded.report(student).kernel.end


def test_sys_exit_ends_the_cell_but_not_the_notebook(graded: Class) -> None:
    assert graded.verdicts("sys_exits")["test_double"] is Verdict.PASSED
    assert graded.gradebook_scores("sys_exits") == {"test_double": 3, "test_triple": 0, "partial": 0, "why": None}


def test_endless_loop_is_stopped_and_the_rest_is_graded(graded: Class) -> None:
    assert graded.verdicts("loops")["test_double"] is Verdict.TIMEOUT
    assert graded.gradebook_scores("loops")["test_triple"] == 2


def test_error_hidden_from_the_screen_still_counts(graded: Class) -> None:
    assert graded.verdicts("silences")["test_double"] is Verdict.FAILED


def test_text_that_cannot_be_written_as_utf8_is_replaced(graded: Class) -> None:
    assert graded.gradebook_scores("surrogate") == graded.gradebook_scores("right")


def test_forged_cells_are_put_back_and_reported(graded: Class) -> None:
    report = graded.report("forges")
    assert {cell.grade_id: (cell.points, cell.max_points) for cell in report.cells} == {
        "test_double": (3, 3),
        "test_triple": (0, 2),
        "partial": (0, 4),
        "why": (0, 5),
    }
    changes = {(change.grade_id, change.what) for change in report.changes}
    assert changes >= {
        ("test_double", "edited"),
        ("test_double", "metadata"),
        ("test_triple", "deleted"),
        ("partial", "metadata"),
        ("partial", "moved"),
        ("double", "duplicated"),
        ("invented", "forged"),
    }


def test_cells_are_run_in_the_instructors_order(graded: Class) -> None:
    nb = nbformat.read(graded.course.autograded("forges", "ps1"), as_version=4)
    ids = [cell.metadata["nbgrader"]["grade_id"] for cell in nb.cells if "nbgrader" in cell.metadata]
    assert ids == ["setup", "double", "test_double", "triple", "test_triple", "partial", "question", "why"]


@pytest.mark.parametrize("student", ["bom", "old"])
def test_unusual_but_readable_file_is_graded_like_any_other(graded: Class, student: str) -> None:
    assert graded.gradebook_scores(student) == graded.gradebook_scores("right")


UNREADABLE = {
    "not_json": "not JSON",
    "not_notebook": "not a notebook",
    "empty": "empty",
    "too_new": "newer",
    "too_old": "too old",
    "latin1": "not UTF-8",
    "folder": "a folder",
    "broken_link": "a link",
    "thief": "a link",
}


@pytest.mark.parametrize(("student", "said"), UNREADABLE.items())
def test_unreadable_file_gets_a_clear_message_and_a_human(graded: Class, student: str, said: str) -> None:
    report = graded.report(student)
    assert said in report.unreadable
    assert set(graded.verdicts(student).values()) == {Verdict.MISSING}
    assert said in graded.course.feedback(student, "ps1")
    with Gradebook(f"sqlite:///{graded.course.root / 'gradebook.db'}") as gradebook:
        assert gradebook.find_submission("ps1", student).needs_manual_grade
    assert f"{student}, ps1: ps1.ipynb could not be read" in graded.log


def test_status_says_that_some_submissions_need_attention(graded: Class) -> None:
    assert graded.status == 1
    assert f"{len(UNREADABLE)} submission(s) need attention" in graded.log


def test_everybody_has_a_report_and_feedback(graded: Class) -> None:
    for folder in sorted((graded.course.root / "submitted").iterdir()):
        assert graded.course.autograded(folder.name, "ps1", ".report.json").is_file(), folder.name
        assert "ps1" in graded.course.feedback(folder.name, "ps1")


def test_feedback_shows_messages_but_nothing_hidden(graded: Class) -> None:
    page = graded.course.feedback("wrong", "ps1")
    assert "Exercise 1: other numbers" in page
    assert SECRET not in page
    assert "BEGIN HIDDEN" not in page
    assert "rubric-4712" not in page


def test_staff_see_the_rubric_next_to_the_answer_and_students_do_not(graded: Class) -> None:
    assert "rubric-4712" in graded.course.autograded("right", "ps1").read_text()
    assert "rubric-4712" not in nbformat.writes(graded.released)
    assert SECRET not in nbformat.writes(graded.released)


def test_folder_named_like_the_report_makes_way(graded: Class) -> None:
    assert graded.gradebook_scores("in_the_way") == graded.gradebook_scores("right")


def test_deleted_answer_comes_back_blank(graded: Class) -> None:
    assert graded.verdicts("no_answer")["why"] is Verdict.MISSING
    assert "rubric-4713" not in graded.course.feedback("no_answer", "ps1")
    assert "rubric-4713" not in graded.course.feedback("not_json", "ps1")


def test_reports_are_for_staff(graded: Class) -> None:
    assert not list(graded.course.root.glob("feedback/*/ps1/*.report.json"))


def test_papermill_metadata_do_not_stay(graded: Class) -> None:
    assert "papermill" not in graded.course.autograded("right", "ps1").read_text()


def test_export_gives_every_student_a_row(graded: Class) -> None:
    done = graded.course.nbgrader("export")
    assert done.returncode == 0, done.stderr
    with (graded.course.root / "grades.csv").open(newline="") as file:
        scores = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    assert scores["right"] == 6.5
    assert scores["not_json"] == 0
    assert len(scores) == len(list((graded.course.root / "submitted").iterdir()))


def test_reports_follow_the_schema(graded: Class) -> None:
    schema = json.loads((Path(__file__).parents[1] / "autograder" / "report.schema.json").read_text())
    for path in sorted(graded.course.root.glob("autograded/*/ps1/ps1.report.json")):
        jsonschema.validate(json.loads(path.read_text()), schema)


def test_regrading_keeps_a_persons_score(graded: Class) -> None:
    url = f"sqlite:///{graded.course.root / 'gradebook.db'}"
    with Gradebook(url) as gradebook:
        gradebook.find_grade("why", "ps1", "ps1", "warns").manual_score = 4.5
        gradebook.find_grade("test_double", "ps1", "ps1", "warns").manual_score = 1
        gradebook.db.commit()
    done = graded.course.nbgrader("autograde", "ps1", "--student", "warns", "--force")
    assert done.returncode == 0, done.stderr
    with Gradebook(url) as gradebook:
        why, double = (gradebook.find_grade(name, "ps1", "ps1", "warns") for name in ("why", "test_double"))
        assert (why.manual_score, why.needs_manual_grade) == (4.5, True)
        assert (double.score, double.auto_score, double.needs_manual_grade) == (1, 3, True)


def test_no_execute_takes_outputs_as_handed_in(graded: Class) -> None:
    done = graded.course.nbgrader("autograde", "ps1", "--student", "exits", "--force", "--no-execute")
    assert done.returncode == 0, done.stderr
    assert "taken as they were handed in" in done.stderr
    assert graded.report("exits").kernel.source == "none"
