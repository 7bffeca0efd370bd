"""Formgrader's autograde button: a real Jupyter server, the request that the button sends."""

from __future__ import annotations

from pathlib import Path

from autograder.report import read_report
from tests import make, server
from tests.test_foreign_course import SOURCE


def test_autograde_button_grades_with_us(tmp_path: Path) -> None:
    course = make.Course(tmp_path / "course")
    released = course.release("ps1", SOURCE)
    course.submit("good", "ps1", make.replaced(released, {"f": "f = 1"}))
    course.submit("wrong", "ps1", make.replaced(released, {"f": "f = 2"}))
    with server.running(course.root, tmp_path / "server.log") as jupyter:
        for student in ("good", "wrong"):
            answer = jupyter.request(f"formgrader/api/submission/ps1/{student}/autograde", method="POST")
            assert answer["success"], answer
        scores = {row["student"]: row["score"] for row in jupyter.request("formgrader/api/submissions/ps1")}
    assert scores == {"good": 1, "wrong": 0}
    report = read_report(course.autograded("wrong", "ps1", ".report.json"))
    assert report is not None
    assert [cell.verdict.value for cell in report.cells] == ["failed"]
