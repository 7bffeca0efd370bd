"""The two pages that nbgrader makes of a submission, by its own commands and server, from a student who attacks both."""

from __future__ import annotations

import urllib.request
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.api import Gradebook
from traitlets.config import Config

from autograder.markup import PREFIX
from autograder.pages import _NO_DESCRIPTION as NO
from autograder.pages import PageExporter, configure_pages, described
from tests import make, server
from tests.test_sanitise import HTML, MARKDOWN, ODD_CELLS, OUTPUTS, PNG, parse

PLOTS = Path(__file__).parents[1] / "assignments/shared/courselib/plots.py"
"""Its `show` gives a picture its description, which all stations keep: kernel, grader, cleaning, template."""
SOURCE = make.notebook(
    make.given("plots", PLOTS.read_text(encoding="utf-8")),
    make.given("line", "plt.plot([1, 2])\nshow('A \"line\".')"),
    make.text('# Question\n\n<div class="alert alert-info">Prove that $a < b$.</div>\n\n![given](images/given.png)'),
    make.exercise("f", "### BEGIN SOLUTION\nf = 1\n### END SOLUTION"),
    make.graded("t", "assert f == 1"),
    make.answer("essay", "Write here."),
)
SHOW = """
from IPython.display import display
for data, metadata in {shown!r}:
    display(data, metadata=metadata, raw=True)
f = 1
"""
CONFIG = make.TWO_LINES + "\nfrom autograder.pages import configure_pages\n\nconfigure_pages(c)\n"


def is_valid(cell: nbformat.NotebookNode) -> bool:
    """Whether a notebook with such a cell is graded at all."""
    nb = make.notebook()
    nb.cells = [cell]
    return bool(nbformat.validator.isvalid(nb))


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> make.Course:
    """A course in which ana attacks, with outputs, an answer and cells of her own, and ben does not; both are graded."""
    course = make.Course(tmp_path_factory.mktemp("pages") / "course", CONFIG)
    released = course.release("ps1", SOURCE)
    shown: list[Any] = [({"text/html": html}, {}) for html in HTML.values()] + list(OUTPUTS.values())
    answers = {"f": SHOW.format(shown=shown), "essay": "\n\n".join(["My *answer*.", *MARKDOWN.values(), *HTML.values()])}
    attack = make.replaced(released, answers)
    attack.cells += [cell for cell in ODD_CELLS.values() if is_valid(cell)]
    attack.metadata.title = "</title><script>alert(1)</script>"
    attack.metadata.widgets = {
        "application/vnd.jupyter.widget-state+json": {"state": {"x": "</script><script>alert(1)</script>"}}
    }
    course.submit("ana", "ps1", attack)
    course.submit("ben", "ps1", make.replaced(released, {"f": "f = 1", "essay": "My *answer*."}))
    done = course.nbgrader("autograde", "ps1")
    assert done.returncode == 0, done.stderr
    with Gradebook(f"sqlite:///{course.root / 'gradebook.db'}") as gradebook:
        gradebook.find_comment("essay", "ps1", "ps1", "ana").manual_comment = "Good. <script>alert(1)</script>"
        gradebook.update_or_create_student("ana", first_name="<script>alert(1)</script>", last_name="A")
        gradebook.db.commit()
    return course


def dangers(page: str) -> list[str]:
    """What is dangerous below the heading of a page; nbgrader's own scripts stand above, its own forms are in it."""
    return parse(page.split('<div class="container" id="notebook-container">', 1)[1]).found


def assert_shown_without_harm(page: str, harmless: str) -> None:
    assert "alert(1)</script>" not in page
    assert page.count("<script") == harmless.count("<script")
    assert dangers(page) == dangers(harmless)
    for text in (
        '<div class="alert alert-info">Prove that $a &lt; b$.</div>',
        "My <em>answer</em>.",
        f'<h1 id="{PREFIX}Question">',
    ):
        assert text in page
        assert text in harmless
    assert any(
        picture in page for picture in ('<img alt="given" src="images/given.png"/>', '<img src="images/given.png" alt="given">')
    )


def test_feedback_is_harmless(course: make.Course) -> None:
    done = course.nbgrader("generate_feedback", "ps1")
    assert done.returncode == 0, done.stderr
    page = course.feedback("ana", "ps1")
    assert_shown_without_harm(page, course.feedback("ben", "ps1"))
    assert 'A "line".' in Alternatives(page).found
    assert "Passed (1 of 1 points)" in page
    assert "<p>Good. </p>" in page


def test_grading_page_is_harmless(course: make.Course, tmp_path: Path) -> None:
    with server.running(course.root, tmp_path / "server.log") as jupyter:
        submissions = jupyter.request("formgrader/api/submitted_notebooks/ps1/ps1")
        shown = {row["student"]: read(f"{jupyter.address}formgrader/submissions/{row['id']}/") for row in submissions}
    assert_shown_without_harm(shown["ana"], shown["ben"])
    assert 'A "line".' in Alternatives(shown["ana"]).found
    assert "&lt;script&gt;alert(1)&lt;/script&gt;</a>" in shown["ana"]  # the name, in the heading
    assert '<input class="score tabbable" id="essay"' in shown["ana"]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<img src="a.png">', f'<img alt="{NO}" src="a.png">'),
        ("<IMG/>", f'<IMG alt="{NO}"/>'),
        ('<img src="a.png" alt="">', '<img src="a.png" alt="">'),
        ("<img title='>' src=a>", f"<img alt=\"{NO}\" title='>' src=a>"),
        ('<script>x = "<img>"</script><img>', f'<script>x = "<img>"</script><img alt="{NO}">'),
        ("<!-- <img> --><imgs>", "<!-- <img> --><imgs>"),
        ('<img alt-text="a">', f'<img alt="{NO}" alt-text="a">'),
    ],
)
def test_pictures_without_description_say_so(html: str, expected: str) -> None:
    assert described(html) == expected


def test_a_picture_is_described_by_who_drew_it_or_else_by_where_it_stands() -> None:
    hostile = '"><script>alert(1)</script><img alt="'
    outputs = [
        picture({"alt": "Accuracy against noise & rotation."}),
        picture({}),
        picture({"alt": hostile}),
        picture({"alt": ""}),
    ]
    plot = make.given("plot_noise", "show()")
    plot.outputs = [nbformat.v4.new_output("stream", text="drawing"), *outputs]
    mine = make.code("show()")
    mine.outputs, mine.execution_count = [picture({})], 7  # the page says `In [7]`
    c = Config()
    c.HTMLExporter.template_name = "classic"
    configure_pages(c)
    page = PageExporter(config=c).from_notebook_node(make.notebook(make.text("Look."), plot, mine))[0]
    notebook = page.split('<div class="container" id="notebook-container">', 1)[1]
    assert Alternatives(notebook).found == [
        "Accuracy against noise & rotation.",
        "Picture 2 of cell plot_noise, without a description",
        hostile,
        "Picture 4 of cell plot_noise, without a description",
        "Picture 1 of cell 7, without a description",
    ]
    assert "alert(1)</script>" not in notebook


def picture(settings: dict[str, str]) -> nbformat.NotebookNode:
    """A displayed picture with `settings` for it."""
    output: nbformat.NotebookNode = nbformat.v4.new_output("display_data", {"image/png": PNG}, metadata={"image/png": settings})
    return output


class Alternatives(HTMLParser):
    """The descriptions of the pictures of a page, as a browser reads them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.found.append(dict(attrs).get("alt"))


def test_what_was_coloured_for_one_page_fits_the_next() -> None:
    html = make.code("%%html\n<b>1</b>")
    python = make.notebook(html)
    marked = make.notebook(nbformat.from_dict({**html, "metadata": {"magics_language": "html"}}))
    c = Config()
    c.HTMLExporter.template_name = "classic"
    again = PageExporter(config=c)
    pages = [again.from_notebook_node(nb)[0] for nb in (python, marked, python)]
    assert pages == [PageExporter(config=c).from_notebook_node(nb)[0] for nb in (python, marked, python)]
    assert pages[0] != pages[1]


def read(address: str) -> str:
    """The page at `address`."""
    request = urllib.request.Request(address, headers={"Authorization": f"token {server.TOKEN}"})
    with urllib.request.urlopen(request, timeout=120) as response:
        return str(response.read().decode())


def test_a_courses_own_steps_and_filters_stay() -> None:
    c = Config()
    c.HTMLExporter.preprocessors.append("mine.Step")
    c.HTMLExporter.filters = {"shout": "mine.shout", "clean_html": "mine.clean"}
    configure_pages(c)
    configure_pages(c)
    assert c.HTMLExporter.preprocessors == ["mine.Step", "autograder.pages.CleanPage"]
    assert c.HTMLExporter.filters["shout"] == "mine.shout"
    assert c.HTMLExporter.filters["clean_html"] == "autograder.sanitise.clean_html"
