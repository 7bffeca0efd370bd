"""Formgrader's buttons, nbgrader's and ours: a real Jupyter server of course staff, the requests that the buttons send."""

from __future__ import annotations

import time
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from autograder.report import read_report
from tests import make, server
from tests.test_foreign_course import SOURCE

NAME = "ps1"
SLOW = "import time\ntime.sleep(600)\nf = 1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """A course that has an assignment and an exchange, and its Jupyter server."""

    course: make.Course
    jupyter: server.Server

    def submit(self, **answers: str) -> None:
        """Have these students hand in."""
        for student, answer in answers.items():
            self.course.submit(student, NAME, make.replaced(SOURCE, {"f": answer}))

    def scores(self, *students: str) -> dict[str, float]:
        """What these have, by formgrader."""
        rows = {row["student"]: row["score"] for row in self.jupyter.request(f"formgrader/api/submissions/{NAME}")}
        return {student: rows[student] for student in students}

    def grading(self, wanted: str, assignment: str = NAME) -> dict[str, Any]:
        """The state of the grading once it says what is wanted."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            state: dict[str, Any] = self.jupyter.request(f"autograder/grading/{assignment}")
            if wanted in state["said"]:
                return state
            time.sleep(0.3)
        raise AssertionError(state)


@pytest.fixture(scope="module")
def staff(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staff]:
    place = tmp_path_factory.mktemp("staff")
    (place / "exchange").mkdir()
    (place / "exchange").chmod(0o777)
    config = f"c.CourseDirectory.course_id = 'ml'\nc.Exchange.root = {str(place / 'exchange')!r}\n"
    course = make.Course(place / "course", make.TWO_LINES + config)
    course.release(NAME, SOURCE)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in make.installed(place / "prefix").items():
            patch.setenv(name, value)
        with server.running(course.root, place / "server.log") as jupyter:
            yield Staff(course=course, jupyter=jupyter)


def test_autograde_button_grades_with_us(staff: Staff) -> None:
    staff.submit(good="f = 1", wrong="f = 2")
    for student in ("good", "wrong"):
        answer = staff.jupyter.request(f"formgrader/api/submission/{NAME}/{student}/autograde", method="POST")
        assert answer["success"], answer
    assert staff.scores("good", "wrong") == {"good": 1, "wrong": 0}
    report = read_report(staff.course.autograded("wrong", NAME, ".report.json"))
    assert report is not None
    assert [cell.verdict.value for cell in report.cells] == ["failed"]


def test_one_grading_of_all_goes_on_at_a_time_and_is_shown_stopped_and_gone_on_with(staff: Staff) -> None:
    jupyter, address = staff.jupyter, f"autograder/grading/{NAME}"
    staff.submit(ana="f = 1", ben=SLOW)
    assert jupyter.request(address) is None
    assert jupyter.request(address, method="POST")["running"] is True
    state = staff.grading("1 of 2 graded, about")
    assert (state["done"], state["todo"], state["verdicts"]) == (1, 2, "1 passed")
    assert jupyter.request("autograder/grading/another")["assignment"] == NAME  # it says what goes on in the course
    with pytest.raises(urllib.error.HTTPError, match="409"):
        jupyter.request("autograder/grading/another", method="POST")
    began = time.monotonic()
    state = jupyter.request(f"{address}?stop=yes", method="POST")
    assert time.monotonic() - began < 20
    assert (state["running"], state["failed"]) == (False, False)
    assert state["said"] == "Stopped after 1. What is graded stays, and Autograde all goes on from there."

    staff.submit(ben="f = 2")
    jupyter.request(address, method="POST")
    state = staff.grading("1 graded in ")
    assert state["said"].endswith(" unchanged, not graded again.")
    assert (state["running"], state["failed"], state["verdicts"]) == (False, False, "1 failed")
    assert staff.scores("ana", "ben") == {"ana": 1, "ben": 0}

    jupyter.request("autograder/grading/--force", method="POST")  # a name, not an option
    state = staff.grading("nobody handed in '--force'", "--force")
    assert (state["running"], state["failed"]) == (False, True)


def test_a_due_date_reaches_students_with_the_release_and_moves_with_an_edit(staff: Staff) -> None:
    jupyter = staff.jupyter

    def shown() -> list[str | None]:
        return [due["at"] for due in jupyter.request("autograder/due")]

    def edit(due: str) -> None:
        body = {"duedate_notimezone": due, "duedate_timezone": "+0200"}
        assert jupyter.request(f"formgrader/api/assignment/{NAME}", method="PUT", body=body)["duedate"] is not None

    edit("2031-11-01T12:00:00")
    assert shown() == []  # nothing is released yet
    assert jupyter.request(f"formgrader/api/assignment/{NAME}/release", method="POST")["success"]
    assert shown() == ["2031-11-01T10:00:00+00:00"]
    edit("2031-12-24T18:00:00")
    assert shown() == ["2031-12-24T16:00:00+00:00"]
    assert jupyter.request(f"formgrader/api/assignment/{NAME}")["name"] == NAME
    assert jupyter.request(f"formgrader/api/assignment/{NAME}/unrelease", method="POST")["success"]
    assert shown() == []
