"""What a TA does beside formgrader: extensions and late penalties by a text file, the list of what waits, grades to take away."""

from __future__ import annotations

import csv
import io
import json
import shutil
from contextlib import chdir
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import ExportApp

from autograder import cli
from autograder.extensions import FILE
from tests import make

RULE = "[late]\npercent_per_day = 10\nmost_percent = 50\n"
EXTENSION = '[[extension]]\nstudent = "{}"\nassignment = "ps1"\nuntil = {}\nreason = "ill"\n'
SOURCE = make.notebook(
    make.exercise("f", "### BEGIN SOLUTION\nf = 1\n### END SOLUTION"),
    make.graded("test_f", "assert f == 1", points=10),
    make.answer("why", "### BEGIN SOLUTION\nBecause.\n### END SOLUTION", points=4),
)
HANDED_IN = {
    "ada": "2020-01-01 00:00:00",
    "ben": "2020-01-03 12:00:00",  # half a day late
    "cleo": "2020-01-04 12:00:00",  # a day and a half
    "dan": "2020-01-01 00:00:00",  # half a file
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> make.Course:
    """A class, graded with a rule for late work and without extensions; nobody may change it."""
    course = make.Course(tmp_path_factory.mktemp("class") / "course")
    released = course.release("ps1", SOURCE)
    for student, time in HANDED_IN.items():
        path = course.submit(student, "ps1", make.replaced(released, {"f": "f = 1", "why": "It is so."}))
        path.with_name("timestamp.txt").write_text(f"{time} UTC\n")
        if student == "dan":
            path.write_bytes(nbformat.writes(released).encode()[:200])
    with book(course) as gradebook:
        gradebook.update_or_create_assignment("ps1", duedate="2020-01-03 00:00:00")
        gradebook.add_student("eva", first_name="=HYPERLINK(1)", last_name="+Eve", email="@eva", lms_user_id="4711")
    (course.root / FILE).write_text(RULE)
    done = course.autograder("grade", "ps1", "--workers", "2")
    assert done.returncode == cli.ATTENTION, done.stderr  # half a file
    return course


@pytest.fixture
def course(graded: make.Course, tmp_path: Path) -> make.Course:
    """A copy to work in."""
    root = tmp_path / "course"
    shutil.copytree(graded.root, root)
    copy = make.Course.__new__(make.Course)
    copy.root = root
    return copy


def book(course: make.Course) -> Gradebook:
    return Gradebook(f"sqlite:///{course.root / 'gradebook.db'}")


def penalties(course: make.Course) -> dict[str, float | None]:
    with book(course) as gradebook:
        submissions = gradebook.find_assignment("ps1").submissions
        return {one.student.id: one.notebooks[0].late_submission_penalty for one in submissions}


def ours(course: make.Course, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    """Status and JSON of one command."""
    capsys.readouterr()
    status = cli.run([*arguments, "--json", "--course", str(course.root)])
    return status, json.loads(capsys.readouterr().out)


def table(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text())))


def test_rule_is_applied_in_grading(graded: make.Course) -> None:
    assert penalties(graded) == {"ada": None, "ben": 1, "cleo": 2, "dan": None}


def test_an_extension_changes_the_penalty_without_grading_again_and_nothing_else(
    course: make.Course, capsys: pytest.CaptureFixture[str]
) -> None:
    (course.root / FILE).write_text(RULE + EXTENSION.format("ben", "2020-01-03T18:00:00+02:00"))
    status, said = ours(course, capsys, "grade", "ps1", "--dry-run")
    assert (said["late_penalties"], penalties(course)["ben"]) == ([{"student": "ben", "notebook": "ps1", "old": 1, "new": 0}], 1)
    status, said = ours(course, capsys, "grade", "ps1")
    assert status == cli.OK
    assert (said["graded"], said["unchanged"]) == ([], 4)
    assert said["late_penalties"] == [{"student": "ben", "notebook": "ps1", "old": 1, "new": 0}]
    assert penalties(course) == {"ada": None, "ben": None, "cleo": 2, "dan": None}
    with book(course) as gradebook:
        assert gradebook.find_submission("ps1", "ben").extension is None


def test_points_by_hand_count_for_the_penalty_on_the_page_and_in_the_export_at_once(
    course: make.Course, capsys: pytest.CaptureFixture[str]
) -> None:
    with book(course) as gradebook:
        grade = gradebook.find_grade("why", "ps1", "ps1", "cleo")
        grade.manual_score, grade.needs_manual_grade = 4, False
        gradebook.db.commit()
    assert course.nbgrader("generate_feedback", "ps1", "--student=cleo").returncode == 0
    page = " ".join(course.feedback("cleo", "ps1").split())
    assert "ps1: 11.2 of " in page  # 14 less two tenths
    assert "Handed in late: 2.8 points less" in page
    ours(course, capsys, "export", "--student", "cleo")
    (row,) = csv.DictReader(io.StringIO((course.root / "grades.csv").read_text()))
    assert [float(row[name]) for name in ("raw_score", "late_submission_penalty", "score")] == [14, 2.8, 11.2]
    assert row["needs_manual_grade"] == "no"
    assert penalties(course)["cleo"] == 2  # an export writes nothing
    assert ours(course, capsys, "grade", "ps1")[1]["late_penalties"][0]["new"] == pytest.approx(2.8)


def test_nbgraders_command_applies_the_same_file_and_refuses_a_mistake(
    course: make.Course, capsys: pytest.CaptureFixture[str]
) -> None:
    (course.root / FILE).write_text(RULE + EXTENSION.format("cleo", "2020-01-04T00:00:00Z"))
    assert course.nbgrader("autograde", "ps1", "--student=cleo", "--force").returncode == 0
    assert penalties(course)["cleo"] == 1
    (course.root / FILE).write_text("[late]\npercent_per_day = 'ten'")
    refused = course.nbgrader("autograde", "ps1", "--force")
    assert refused.returncode == cli.FAILED
    assert "percent_per_day = 'ten' is not a number" in refused.stderr
    assert course.autograded("ada", "ps1").is_file()
    for command in ("feedback", "grade", "export"):
        status, said = ours(course, capsys, command, *(["ps1"] if command != "export" else []))
        assert (status, "percent_per_day = 'ten' is not a number" in said["error"]) == (cli.FAILED, True)


def test_two_rules_are_refused_and_names_that_nobody_knows_are_told(
    course: make.Course, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    (course.root / FILE).write_text(RULE + EXTENSION.format("bne", "2020-01-04T00:00:00Z"))
    assert ours(course, capsys, "grade", "ps1")[0] == cli.OK
    assert "'bne'" in caplog.text
    with (course.root / "nbgrader_config.py").open("a") as config:
        config.write('c.LateSubmissionPlugin.penalty_method = "zero"\n')
    status, said = ours(course, capsys, "grade", "ps1")
    assert status == cli.FAILED
    assert "which of them counts" in said["error"]
    (course.root / FILE).write_text(EXTENSION.format("ben", "2020-01-04T00:00:00Z"))
    assert ours(course, capsys, "grade", "ps1")[0] == cli.OK
    assert penalties(course) == {"ada": None, "ben": None, "cleo": 10, "dan": None}


def test_todo_says_who_which_cell_why_and_where(course: make.Course, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(course.root / "autograded" / "ada")
    with book(course) as gradebook:
        grade = gradebook.find_grade("test_f", "ps1", "ps1", "ben")
        grade.manual_score, grade.needs_manual_grade = 3, True  # as grading again leaves it
        gradebook.db.commit()
    status, found = ours(course, capsys, "todo")
    assert status == cli.ATTENTION
    assert [(one["student"], one["cell"], one["urgency"]) for one in found] == [
        ("ada", "", "not_graded"),
        ("dan", "", "unreadable"),
        ("ben", "test_f", "again"),
        ("ada", "why", "written"),
        ("ben", "why", "written"),
        ("cleo", "why", "written"),
    ]
    assert "it is not JSON" in found[1]["why"]
    assert "a person gave 3" in found[2]["why"]
    assert found[2]["path"] == "autograded/ben/ps1/ps1.ipynb"
    with book(course) as gradebook:
        page = gradebook.find_submission_notebook("ps1", "ps1", "ben").id
    assert found[2]["page"] == f"formgrader/submissions/{page}/"
    capsys.readouterr()
    assert cli.run(["todo", "ps1", "--student", "cleo", "--course", str(course.root)]) == cli.ATTENTION
    assert "  why: a written answer\n1 to do; 1 of them written answers.\n" in capsys.readouterr().out
    assert cli.run(["todo", "ps2", "--course", str(course.root)]) == cli.FAILED
    assert "knows no assignment ps2; it knows ps1" in " ".join(capsys.readouterr().out.split())


def test_exports_are_what_canvas_and_moodle_import_and_no_cell_runs(
    course: make.Course, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (course.root / "gradebook.db").read_bytes()
    status, said = ours(course, capsys, "export", "--format", "canvas")
    assert status == cli.ATTENTION  # written answers are still to be graded
    assert {one["student"] for one in said["waiting"]} == {"ada", "ben", "cleo", "dan"}
    rows = table(course.root / "grades.canvas.csv")
    assert rows[:2] == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "ps1"],
        ["    Points Possible", "", "", "", "", "14.0"],
    ]
    by_login = {row[3]: row for row in rows[2:]}
    assert by_login["eva"] == ["'+Eve, '=HYPERLINK(1)", "4711", "", "eva", "", ""]  # handed in nothing: no grade
    assert by_login["cleo"][5] == "8.0"
    ours(course, capsys, "export", "ps1", "--format", "moodle", "--to", str(course.root / "moodle.csv"))
    rows = table(course.root / "moodle.csv")
    assert rows[0] == ["Username", "First name", "Last name", "ID number", "Email address", "ps1"]
    assert ["eva", "'=HYPERLINK(1)", "'+Eve", "4711", "'@eva", ""] in rows
    assert (course.root / "gradebook.db").read_bytes() == before
    for exporter in ("Grades", "Canvas", "Moodle"):
        with chdir(course.root):  # nbgrader's command, in this process
            app = ExportApp()
            app.initialize([f"--exporter=autograder.export.{exporter}", "--to=theirs.csv"])
            app.start()
        form = {"Grades": "csv"}.get(exporter, exporter.lower())
        ours(course, capsys, "export", "--format", form, "--to", str(course.root / "ours.csv"))
        assert (course.root / "theirs.csv").read_text() == (course.root / "ours.csv").read_text()


def test_no_gradebook_is_told_and_none_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "nbgrader_config.py").write_text(make.TWO_LINES)
    for command in ("export", "todo"):
        assert cli.run([command, "--course", str(tmp_path)]) == cli.FAILED
        assert "nothing was released or graded here yet" in " ".join(capsys.readouterr().out.split())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["nbgrader_config.py"]
