"""What formgrader's page of a submission adds for staff: from staff's own cells and files, and nothing a student could forge."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from nbgrader.api import Gradebook
from traitlets.config import Config

from autograder import configure
from autograder.cells import NBGRADERS
from autograder.report import CellReport, Change, Incident, KernelReport, Report, report_path, write_report
from autograder.staff_page import ShowToStaff, summary, with_rubric
from autograder.verdict import Verdict
from tests import make

SCHEME = "Why?\n\n=== BEGIN MARK SCHEME ===\n2 points: a\n1 point: b\n=== END MARK SCHEME ===\n\nWrite."
NB = make.notebook(
    make.graded("test_f", "assert f == 1"),
    make.given("question", SCHEME, markdown=True),
    make.answer("why", SCHEME.replace("2 points", "4 points for this")),
    make.text(SCHEME),
)


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nbformat.NotebookNode:
    """The notebook of ana as staff see it; ben was given a comment before."""
    monkeypatch.chdir(tmp_path)
    with Gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}") as book:
        book.add_assignment("ps1")
        book.add_notebook("ps1", "ps1")
        book.add_solution_cell("why", "ps1", "ps1")
        for student in ("ana", "ben", "cleo"):
            book.add_student(student)
            with book.db.no_autoflush:  # of a half-made submission SQLAlchemy warns
                book.add_submission("ps1", student)
            book.find_comment("why", "ps1", "ps1", student).manual_comment = "<b>of ana</b>" if student == "ana" else "a < b & c"
        book.db.commit()
        submission = book.find_submission_notebook("ps1", "ps1", "ana").id
    cell = CellReport(grade_id="test_f", verdict=Verdict.FAILED, points=0, max_points=1, message="f & <g>", detail="f was 2")
    write_report(Report(cells=(cell,), kernel=KernelReport(source="none")), report_path(tmp_path, "ps1"))
    resources = {
        "metadata": {"path": str(tmp_path)},
        "submission_id": submission,
        "notebook_id": "ps1",
        "assignment_id": "ps1",
    }
    nb, _ = ShowToStaff(config=Config()).preprocess(nbformat.from_dict(NB), resources)
    nbformat.validate(nb)
    found: nbformat.NotebookNode = nb
    return found


def test_verdict_stands_under_its_test_and_the_sum_on_top(shown: nbformat.NotebookNode) -> None:
    assert shown.cells[0].source == "**Verdicts:** 1 failed"
    markup = shown.cells[1].outputs[0]["data"]["text/html"]
    assert "failed</strong>, 0 of 1 points: f &amp; &lt;g&gt;</p><pre>f was 2</pre>" in markup


def test_only_staffs_own_cell_shows_a_rubric(shown: nbformat.NotebookNode) -> None:
    assert "> **Rubric**\n>\n> 2 points: a  \n> 1 point: b  \n\n\nWrite." in shown.cells[2].source
    assert [cell.source.count("Rubric") for cell in shown.cells] == [0, 0, 1, 0, 0, 0]


def test_comments_given_to_others_are_offered_as_text(shown: nbformat.NotebookNode) -> None:
    offered = shown.cells[4].source
    assert "<pre>a &lt; b &amp; c</pre><p>2 times</p>" in offered
    assert "of ana" not in offered


def test_other_pages_are_left_alone_and_configuring_twice_adds_nothing(tmp_path: Path) -> None:
    nb, _ = ShowToStaff(config=Config()).preprocess(nbformat.from_dict(NB), {"metadata": {"path": str(tmp_path)}})
    assert nb == NB
    c = Config()
    configure(c)
    configure(c)
    assert c.HTMLExporter.preprocessors == ["autograder.staff_page.ShowToStaff", "autograder.pages.CleanPage"]
    page, _ = HTMLExporter(config=c).from_notebook_node(nbformat.from_dict(NB))
    assert "Verdicts:" not in page


def test_summary_tells_what_was_put_back_and_what_happened() -> None:
    change, incident = (
        Change(grade_id="x`</code>", what="edited", detail=""),
        Incident(where="cell 3", what="memory", detail="2 GB"),
    )
    text = summary(Report(cells=(), kernel=KernelReport(source="none"), changes=(change,), incidents=(incident,)))
    assert "<code>x`&lt;/code&gt; (edited)</code>" in text
    assert "<code>cell 3: memory, 2 GB</code>" in text
    assert "without a report" in summary(None)
    assert with_rubric("no scheme\nhere", NBGRADERS) == "no scheme\nhere"
