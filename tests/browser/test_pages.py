"""One graded submission as a TA grades it and as its student reads it."""

from __future__ import annotations

import base64
import shutil
import struct
import zlib
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Frame, Page, expect

from tests import make
from tests.browser.conftest import Site
from tests.browser.lab import Lab


def png(width: int, height: int) -> bytes:
    """A grey picture."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = zlib.compress((b"\0" + b"\x99" * width) * height)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )


pytestmark = pytest.mark.browser
PLOT = 4
PICTURE = base64.b64encode(png(320, 120)).decode()
SOURCE = make.notebook(
    make.given(
        "intro", "# Means\n\nThe mean is $\\bar x = \\frac{1}{n} \\sum_i x_i$.\n\n![axis](images/axis.png)", markdown=True
    ),
    make.exercise("mean", "def mean(x):\n    ### BEGIN SOLUTION\n    return sum(x) / len(x)\n    ### END SOLUTION"),
    make.graded("test_mean", "assert mean([1, 3]) == 2, 'Exercise 1: two values'", points=2),
    make.graded(
        "test_mean_hidden",
        "assert mean([2, 2]) == 2\n"
        "### BEGIN HIDDEN TESTS\nassert mean([1, 2, 6]) == 3, 'Exercise 1: three values'\n### END HIDDEN TESTS",
        points=3,
    ),
    make.code(f"from IPython.display import display\ndisplay({{'image/png': '{PICTURE}'}}, raw=True)"),
    make.given(
        "question",
        "Why not the median?\n\n=== BEGIN MARK SCHEME ===\nTwo points for robustness.\n=== END MARK SCHEME ===",
        markdown=True,
    ),
    make.answer("why", "A model answer.", points=4),
)


@pytest.fixture(scope="module")
def feedback(site: Site) -> Path:
    """The page of a graded submission, by formgrader's buttons: one test passed, one failed, the written answer waits."""
    source, submitted = site.root / "source" / "ps1", site.root / "submitted" / "ana" / "ps1"
    (source / "images").mkdir(parents=True)
    (source / "images" / "axis.png").write_bytes(png(400, 60))
    nbformat.write(SOURCE, source / "ps1.ipynb")
    press(site, "assignment/ps1/assign")
    shutil.copytree(site.root / "release" / "ps1", submitted)
    released = nbformat.read(submitted / "ps1.ipynb", as_version=4)
    handed_in = make.replaced(released, {"mean": "def mean(x):\n    return sum(x) / 2", "why": "It is **robust**, $O(n)$."})
    handed_in.cells[PLOT].outputs = [nbformat.v4.new_output("display_data", data={"image/png": PICTURE})]
    nbformat.write(handed_in, submitted / "ps1.ipynb")
    press(site, "submission/ps1/ana/autograde")
    press(site, "assignment/ps1/generate_feedback")
    return site.root / "feedback" / "ana" / "ps1" / "ps1.html"


def press(site: Site, path: str) -> None:
    """What a button of formgrader sends."""
    answer = site.jupyter.request(f"formgrader/api/{path}", method="POST")
    assert answer["success"], answer


@pytest.fixture
def noise(page: Page) -> list[str]:
    """Every error in the tab and every file that it could not load. The formulas' script comes from the internet: left out."""
    heard: list[str] = []
    page.route("https://**", lambda route: route.abort())
    page.on("response", lambda answer: heard.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    page.on("pageerror", lambda error: heard.append(str(error)) if "MathJax" not in str(error) else None)
    return heard


def assert_readable(frame: Frame) -> None:
    """All pictures are there, and nobody must scroll sideways."""
    pictures = frame.locator("#notebook-container img")
    expect(pictures).to_have_count(2)
    for picture in pictures.all():
        expect(picture).to_be_visible()
    assert all(frame.evaluate("[...document.images].map(picture => picture.complete && picture.naturalWidth > 0)"))
    assert frame.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.usefixtures("feedback")
def test_ta_grades_a_written_answer(lab: Lab, noise: list[str]) -> None:
    frame = lab.formgrader()
    frame.get_by_role("link", name="Manual Grading").click()
    for column, name in (("Assignment ID", "ps1"), ("Notebook ID", "ps1"), ("Submission ID", "Submission #1")):
        expect(frame.locator("th", has_text=column)).to_be_visible()  # two pages have a link of the same name
        frame.locator("td").get_by_role("link", name=name, exact=True).click()
    score = frame.locator("input.score[id=why]")
    expect(score).to_be_visible()
    lab.shot("grading")
    assert_readable(frame)
    expect(frame.locator("body")).to_contain_text("Two points for robustness.")
    score.fill("3")
    with lab.page.expect_response(lambda answer: "/api/grade/" in answer.url and answer.request.method == "PUT") as put:
        score.blur()
    assert put.value.json()["manual_score"] == 3
    lab.shot("graded")
    assert noise == []


def test_student_reads_the_feedback(page: Page, noise: list[str], feedback: Path, tmp_path: Path) -> None:
    page.goto(feedback.as_uri())
    expect(page.get_by_text("Passed (2 of 2 points)")).to_be_visible()
    expect(page.get_by_text("A check did not hold (0 of 3 points)")).to_be_visible()
    expect(page.get_by_text("Exercise 1: three values")).to_be_visible()
    page.screenshot(path=tmp_path / "feedback.png", full_page=True)
    assert_readable(page.main_frame)
    expect(page.locator("body")).not_to_contain_text("Two points for robustness.")
    assert noise == []
