"""A feedback page as it is read: on a phone, by keyboard, and by whoever cannot see it well, or at all."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests import make

pytestmark = pytest.mark.browser
PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1500, "height": 1000}
LONG = (
    "average = sum(value_in_the_data for value_in_the_data in data_of_the_whole_experiment) / len(data_of_the_whole_experiment)"
)
TABLE = f"<table><tr>{''.join(f'<td>measured value {n}</td>' for n in range(12))}</tr></table>"
SOURCE = make.notebook(
    make.given(
        "intro", "# Means\n\n## What is asked\n\nA mean, $\\bar x$, and `why`: [the source](https://example.org).", markdown=True
    ),
    make.exercise("mean", "def mean(x):\n    ### BEGIN SOLUTION\n    return sum(x) / len(x)\n    ### END SOLUTION"),
    make.graded("test_mean", "assert mean([1, 3]) == 2, 'Exercise 1: two values'", points=2),
    make.graded("test_mean_of_three", "assert mean([1, 2, 6]) == 3, 'Exercise 1: three values'", points=3),
    make.exercise("empty", "def empty():\n    ### BEGIN SOLUTION\n    return 0\n    ### END SOLUTION"),
    make.graded("test_empty", "assert empty() == 0, 'Exercise 2'", points=1),
    make.code(f"# {LONG}\nfrom IPython.display import HTML\nprint({LONG!r})\nHTML({TABLE!r})"),
    make.answer("why", "A model answer.", points=4),
)
RUN = 6


@pytest.fixture(scope="module")
def feedback(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page on which one test passed, one failed and one waits; with long lines, a wide table and a file that printed."""
    course = make.Course(tmp_path_factory.mktemp("reading") / "course")
    handed_in = make.replaced(
        course.release("ps1", SOURCE), {"mean": "def mean(x):\n    return sum(x) / 2", "why": "**Robust**."}
    )
    handed_in.cells[RUN].outputs = [
        nbformat.v4.new_output("stream", name="stdout", text=LONG),
        nbformat.v4.new_output("display_data", data={"text/html": TABLE, "text/plain": "a table"}),
    ]
    course.submit("ana", "ps1", handed_in)
    for command in ("grade", "feedback"):
        done = course.autograder(command, "ps1")
        assert done.returncode == 0, done.stdout + done.stderr
    return course.root / "feedback" / "ana" / "ps1" / "ps1.html"


@pytest.fixture
def opened(page: Page, feedback: Path) -> Page:
    """The page; the formulas' script comes from the internet and is left out."""
    page.route("https://**", lambda route: route.abort())
    page.goto(feedback.as_uri())
    return page


def test_on_a_phone_nothing_is_cut_off_and_nobody_scrolls_sideways(opened: Page, shots: Path) -> None:
    opened.set_viewport_size(PHONE)
    opened.screenshot(path=shots / "phone.png")
    opened.screenshot(path=shots / "phone_whole.png", full_page=True)
    expect(opened.get_by_role("heading", name="ps1: 2 of 10 points")).to_be_visible()
    assert opened.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    beyond = """() => [...document.querySelectorAll("#notebook *")].filter(
        part => !part.closest(".wide") && part.getBoundingClientRect().right > window.innerWidth).map(part => part.outerHTML)"""
    assert opened.evaluate(beyond) == []
    last = opened.get_by_role("cell", name="measured value 11")
    last.scroll_into_view_if_needed()
    expect(last).to_be_in_viewport()


def test_by_keyboard_each_graded_cell_is_two_keys_from_the_list_and_back(opened: Page) -> None:
    focused = "document.activeElement.textContent"
    names = ["test_mean", "test_mean_of_three", "Comment on empty", "test_empty", "why"]
    for name in names:
        opened.keyboard.press("Tab")
        assert opened.evaluate(focused) == name
    opened.keyboard.press("Shift+Tab")
    opened.keyboard.press("Enter")
    expect(opened.get_by_role("heading", name="Test test_empty")).to_be_in_viewport()
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.closest('.nbgrader_cell').innerText").startswith("Test test_empty")
    opened.keyboard.press("Enter")
    expect(opened.get_by_role("link", name="test_mean", exact=True)).to_be_in_viewport()


@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_axe_finds_nothing_serious(opened: Page, size: ViewportSize, axe: Path) -> None:
    opened.set_viewport_size(size)
    opened.add_script_tag(path=axe)
    found = opened.evaluate("axe.run()")
    assert found["testEngine"]["name"] == "axe-core"
    assert len(found["passes"]) > 10  # it has looked
    serious = [
        (rule["id"], rule["help"], [node["html"][:200] for node in rule["nodes"]])
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
    assert serious == []
