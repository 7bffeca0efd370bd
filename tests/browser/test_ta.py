"""A TA's day in formgrader: collect, autograde, see verdicts, grade by hand, return feedback; from a real exchange and back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import nbformat
import pytest
from playwright.sync_api import Frame, Locator, expect

from autograder.bench_watch import Students
from tests import make, server
from tests.browser.conftest import NO_NEWS, Site
from tests.browser.lab import Lab

pytestmark = pytest.mark.browser
RUBRIC = (
    "- 1 point: it says that the mean follows outliers\n- 3 points: it shows that with numbers\n\nWrong statements cost 1 point."
)
SOURCE = make.notebook(
    make.exercise("mean", "def mean(x):\n    ### BEGIN SOLUTION\n    return sum(x) / len(x)\n    ### END SOLUTION"),
    make.graded(
        "test_mean",
        "assert mean([1, 3]) == 2\n"
        "### BEGIN HIDDEN TESTS\nassert mean([1, 2, 6]) == 3, 'Exercise 1: three values'\n### END HIDDEN TESTS",
        points=3,
    ),
    make.given("question", f"Why?\n\n=== BEGIN MARK SCHEME ===\n{RUBRIC}\n=== END MARK SCHEME ===", markdown=True),
    make.answer("why", "A model answer.", points=4),
)
ANSWERS = {
    "ana": "def mean(x):\n    return sum(x) / 2",
    "ben": "import time\ntime.sleep(6)\ndef mean(x):\n    return sum(x) / len(x)",
}
COMMENT = "Right. Which number moves it most?"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A course with an exchange, into which two students have handed in."""
    folder = tmp_path_factory.mktemp("ta")
    exchange = folder / "exchange"
    exchange.mkdir()
    exchange.chmod(0o777)
    config = f"c.CourseDirectory.course_id = 'ml'\nc.Exchange.root = {str(exchange)!r}\nc.ExchangeCollect.check_owner = False\n"
    course = make.Course(folder / "course", make.TWO_LINES + config)
    course.release("ps1", SOURCE)
    assert course.nbgrader("release_assignment", "ps1").returncode == 0
    students = Students(folder / "students", exchange, "ml")
    released = nbformat.read(course.root / "release" / "ps1" / "ps1.ipynb", as_version=4)
    for student, answer in ANSWERS.items():
        nb = make.replaced(released, {"mean": answer, "why": "It follows *outliers*."})
        students.hand_in(student, "ps1", nb)
    notification = folder / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    notification.parent.mkdir(parents=True)
    notification.write_text(json.dumps(NO_NEWS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTERLAB_SETTINGS_DIR", str(folder / "settings"))
        patch.setenv("JUPYTERLAB_WORKSPACES_DIR", str(folder / "workspaces"))
        for name, value in make.installed(folder / "prefix").items():
            patch.setenv(name, value)
        with server.running(course.root, folder / "server.log") as jupyter:
            yield Site(root=course.root, jupyter=jupyter, log=folder / "server.log")


def row_of(frame: Frame, name: str) -> Locator:
    """The row of a table of formgrader's that has a cell saying just `name`."""
    return frame.locator("tbody tr").filter(has=frame.locator("td", has_text=re.compile(rf"^\s*{name}\s*$")))


def press(frame: Frame, row: Locator, column: str) -> str:
    """Press the button in a column, and wait for the dialog that says how it went; what it says."""
    row.locator(f"td.{column} a").click()
    dialog = frame.locator(".modal.in .modal-body")
    expect(dialog).to_be_visible(timeout=120_000)
    said = dialog.inner_text()
    frame.locator(".modal.in .close").first.click()
    expect(frame.locator(".modal, .modal-backdrop")).to_have_count(0)
    return said


def graded_by_hand(lab: Lab, frame: Frame, points: str, comment: str) -> None:
    """Give points and a comment for the written answer, and wait until both are stored."""
    for field, text in (("input.score[id=why]", points), ("[id=why-comment]", comment)):
        with lab.page.expect_response(lambda answer: "/formgrader/api/" in answer.url and answer.request.method == "PUT") as put:
            frame.locator(field).fill(text)
            frame.locator(field).blur()
        assert put.value.ok


def test_from_collecting_to_releasing_feedback(lab: Lab, site: Site) -> None:
    """All by the buttons that a TA presses."""
    frame = lab.formgrader()
    lab.shot("assignments")
    assert "Successfully collected" in press(frame, row_of(frame, "ps1"), "collect")
    row_of(frame, "ps1").locator("td.num-submissions a").click()
    expect(frame.locator(".breadcrumb")).to_contain_text("ps1")
    expect(row_of(frame, "ana").locator(".status")).to_have_text("needs autograding")
    button, state = frame.get_by_role("button", name="Autograde all"), frame.locator("#autograde-state")
    button.click()
    expect(state).to_contain_text("1 of 2 graded, about", timeout=120_000)
    expect(button).to_be_disabled()
    lab.shot("all_on_the_way")
    frame.get_by_role("button", name="Stop").click()
    expect(state).to_contain_text("Stopped after 1.")
    expect(row_of(frame, "ana").locator(".score")).to_have_text("0 / 7")  # the table is brought up to date
    lab.shot("stopped")
    button.click()
    expect(state).to_contain_text("graded in", timeout=120_000)
    expect(state).to_contain_text("; 1 unchanged, not graded again.")
    expect(state).to_contain_text("Verdicts: 1 passed, 1 left to a person.")
    expect(row_of(frame, "ben").locator(".score")).to_have_text("3 / 7")
    lab.shot("all_graded")
    assert "Successfully autograded 'ps1' for student 'ana'" in press(frame, row_of(frame, "ana"), "autograde")
    expect(row_of(frame, "ana").locator(".status")).to_have_text("needs manual grading")
    lab.shot("one_graded")

    frame = lab.formgrader()
    frame.get_by_role("link", name="Manual Grading").click()
    for column, name in (("Assignment ID", "ps1"), ("Notebook ID", "ps1")):
        expect(frame.locator("th", has_text=column)).to_be_visible()
        frame.locator("td").get_by_role("link", name=name, exact=True).click()
    seen = {}
    frame.locator("td").get_by_role("link", name="Submission #1", exact=True).click()
    for number in (1, 2):
        expect(frame.locator(".panel-title")).to_contain_text(f"Submission {number} / 2")
        expect(frame.locator("input.score[id=why]")).to_be_visible()
        page = frame.locator("#notebook-container").first  # nbconvert's own page lies in it, with the same name
        student = "ana" if "sum(x) / 2" in page.inner_text() else "ben"
        words = {"ana": "failed, 0 of 3 points: Exercise 1: three values", "ben": "passed, 3 of 3 points"}
        expect(page).to_contain_text(words[student])
        expect(page).to_contain_text(f"Verdicts: 1 {words[student].split(',')[0]}, 1 left to a person")
        expect(page.locator("blockquote li")).to_have_count(2)  # the rubric, as it was written
        expect(page).not_to_contain_text("MARK SCHEME")
        lab.shot(f"submission_{number}")
        given_before = page.locator("pre", has_text=COMMENT)
        expect(given_before).to_have_count(number - 1)
        graded_by_hand(lab, frame, str(number + 1), COMMENT)
        if number == 2:
            given_before.scroll_into_view_if_needed()
        lab.shot(f"graded_{number}")
        seen[student] = number + 1
        frame.get_by_role("link", name="Next").click()

    assert set(seen) == {"ana", "ben"}
    frame = lab.formgrader()
    assert "Success" in press(frame, row_of(frame, "ps1"), "generate-feedback")
    lab.shot("feedback_generated")
    assert "Success" in press(frame, row_of(frame, "ps1"), "release-feedback")
    scores = {one["student"]: one["score"] for one in site.jupyter.request("formgrader/api/submissions/ps1")}
    assert scores == {"ana": seen["ana"], "ben": 3 + seen["ben"]}
    folder = site.root.parent
    (received,) = Students(folder / "students", folder / "exchange", "ml").fetch("ana", "ps1")
    assert COMMENT in received
