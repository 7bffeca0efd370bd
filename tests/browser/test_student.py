"""A student's day in JupyterLab: fetch, solve, validate, hand in, keep the receipt, read the feedback."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from playwright.sync_api import Page, expect

from autograder.build import build
from tests import make, server
from tests.assignment import write_assignment
from tests.browser.lab import Lab

pytestmark = pytest.mark.browser
NAME = "w1_means"
CELLS, MEAN, SPREAD = 8, 2, 5
SECONDS = 9
RIGHT = {
    "mean": "def mean(values):\n    if not values:\n        raise ValueError('no values')\n    return sum(values) / len(values)",
    "spread": "def spread(values):\n    return max(abs(value - mean(values)) for value in values)",
    "why": "Each value pulls it.",
}
TOO_WIDE = "def spread(values):\n    return max(values) - min(values)"
KINDS = {
    "unsolved": ({}, "mean, spread (5 points)", "Not attempted. Tests that wait for it: test_mean,"),
    "half": ({"mean": RIGHT["mean"]}, "spread (2 points)", "Right: test_mean, test_mean_empty."),
    "loop": (RIGHT | {"spread": "def spread(values):\n    while True:\n        pass"}, "test_spread (2 points)", "Out of time."),
    "crash": (RIGHT | {"spread": "import os\ndef spread(values):\n    os.abort()"}, "test_spread (2 points)", "Python crashed."),
}
"""What stands in a notebook, where the dialog says that something is wrong, and a part of what it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """A course with an exchange, and the Jupyter server of its only student."""

    course: make.Course
    home: Path
    jupyter: server.Server

    def autograder(self, *arguments: str) -> None:
        """What staff type, and see end well."""
        done = self.course.autograder(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr

    def nbgrader(self, *arguments: str) -> None:
        """See `autograder`."""
        done = self.course.nbgrader(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr

    def due(self, when: str) -> None:
        """What staff enter as the due date."""
        with Gradebook(f"sqlite:///{self.course.root / 'gradebook.db'}", "ml") as book:
            book.update_or_create_assignment(NAME, duedate=when)


@pytest.fixture(scope="module")
def group(plain_lab: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Class]:
    """With one assignment that is released."""
    place = tmp_path_factory.mktemp("class")
    exchange, home, settings = place / "exchange", place / "home", place / "prefix" / "etc" / "jupyter"
    for folder in (exchange, home):
        folder.mkdir(parents=True)
    exchange.chmod(0o777)
    config = (
        f"{make.TWO_LINES}c.CourseDirectory.course_id = 'ml'\nc.Exchange.root = {str(exchange)!r}\n"
        f"c.Exchange.cache = {str(place / 'cache')!r}\n"
    )
    course = make.Course(place / "course", config)
    build(write_assignment(course.root, NAME), course.root / "source")
    (home / "nbgrader_config.py").write_text(config)
    jupyter_environment = make.installed(place / "prefix")
    (settings / "jupyter_server_config.json").write_text(json.dumps({"ValidateButton": {"seconds": SECONDS}}))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in jupyter_environment.items():
            patch.setenv(name, value)
        with server.running(home, place / "server.log") as jupyter:
            found = Class(course=course, home=home, jupyter=jupyter)
            found.nbgrader("generate_assignment", NAME)
            found.due("2031-10-12 21:59:00 UTC")
            found.nbgrader("release_assignment", NAME)
            yield found


@pytest.fixture
def desk(page: Page, group: Class, shots: Path) -> Lab:
    """The student's JupyterLab."""
    return Lab(page, group.jupyter.address, shots)


def validated(desk: Lab) -> str:
    """Press Validate in the Assignment List; what the dialog says. It stays open."""
    desk.page.get_by_role("button", name="Validate", exact=True).click()
    dialog = desk.page.locator(".jp-Dialog", has_text="Validation Results")
    expect(dialog).to_be_visible(timeout=60_000)
    return dialog.inner_text()


def test_a_students_day(desk: Lab, group: Class) -> None:
    released, fetched, submitted = map(desk.assignments, ("released", "fetched", "submitted"))
    desk.show_assignments()
    expect(released).to_contain_text(NAME)
    expect(released).to_contain_text("due Sun, Oct 12, 2031, 23:59 GMT+2")  # the reader's time
    desk.shot("released")
    released.get_by_role("button", name="Fetch").click()
    fetched.get_by_role("button", name=NAME).click()
    fetched.get_by_role("link", name=NAME, exact=True).click()
    expect(desk.page.locator(".jp-Notebook .jp-Cell")).to_have_count(CELLS)
    expect(desk.page.locator(".jp-NotebookPanel-toolbar [data-status='idle']")).to_be_visible()
    desk.write(MEAN, RIGHT["mean"])
    desk.write(SPREAD, TOO_WIDE)
    desk.run(MEAN)
    assert desk.save() == 200
    desk.shot("solved")

    group.due("2020-01-06 08:00:00 UTC")
    group.nbgrader("release_assignment", NAME, "--force")
    desk.show_assignments()
    expect(fetched).to_contain_text("was due Mon, Jan 6, 2020, 09:00 GMT+1")
    expect(fetched.locator(".autograder-due")).to_have_count(1)
    fetched.get_by_role("button", name=NAME).click()
    said = validated(desk)
    assert "A check did not hold. Exercise 2: two values" in said
    assert "Right: test_mean, test_mean_empty." in said
    desk.shot("validated")
    desk.page.get_by_role("button", name="OK").click()
    notebook = group.home / NAME / f"{NAME}.ipynb"
    nbformat.write(make.replaced(nbformat.read(notebook, as_version=4), {"spread": RIGHT["spread"]}), notebook)
    assert "Success! Your notebook passes all the tests." in validated(desk)
    desk.page.get_by_role("button", name="OK").click()

    fetched.get_by_role("button", name="Submit").click()
    expect(submitted).to_contain_text(re.compile(r"20\d\d-\d\d-\d\d \d\d:\d\d"))
    expect(submitted).to_contain_text("was due Mon, Jan 6, 2020")
    desk.shot("submitted")
    (receipt,) = (group.home / "receipts").glob("*.txt")
    desk.page.get_by_role("listitem", name="receipts").dblclick()
    desk.page.locator(".jp-DirListing-item", has_text=NAME).dblclick()
    expect(desk.page.locator(".jp-FileEditor .cm-content")).to_contain_text("SHA-256 of each file")
    desk.shot("receipt")
    group.nbgrader("collect", NAME)
    group.autograder("receipt", str(receipt))

    group.autograder("grade", NAME)
    group.autograder("feedback", NAME)
    group.nbgrader("release_feedback", NAME)
    desk.show_assignments()
    expect(submitted).to_contain_text("(feedback available to fetch)")
    submitted.get_by_role("button", name="Fetch Feedback").click()
    submitted.get_by_text("(view feedback)").click()
    desk.page.locator(".jp-DirListing-item", has_text=f"{NAME}.html").dblclick()
    inside = desk.page.frame_locator(".jp-HTMLViewer iframe")
    expect(inside.get_by_text("Passed (2 of 2 points)").first).to_be_visible()
    desk.shot("feedback")


def test_validate_helps_whatever_the_notebook_is_like(desk: Lab, group: Class) -> None:
    shutil.rmtree(group.home / NAME, ignore_errors=True)
    shutil.copytree(group.course.root / "release" / NAME, group.home / NAME)
    notebook = group.home / NAME / f"{NAME}.ipynb"
    released = nbformat.read(notebook, as_version=4)
    desk.show_assignments()
    desk.assignments("fetched").get_by_role("button", name=NAME).click()
    for kind, (sources, where, words) in KINDS.items():
        nbformat.write(make.replaced(released, sources), notebook)
        said = validated(desk)
        assert where in said
        assert words in said
        desk.shot(kind)
        desk.page.get_by_role("button", name="OK").click()
