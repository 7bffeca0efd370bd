"""What formgrader's page of a submission shows beyond nbgrader's: verdicts, rubrics as they were written, comments given before.

Runs: trusted side, in the Jupyter server, before `pages.CleanPage`: what is added here is cleaned like everything else.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.preprocessors import Preprocessor
from nbgrader.api import Assignment, BaseCell, Comment, Notebook, SubmittedAssignment, SubmittedNotebook
from nbgrader.coursedir import CourseDirectory
from sqlalchemy import select
from traitlets.config import Config

from autograder.cells import Delimiters, Kind, grade_id_of, kind_of
from autograder.course import delimiters_of
from autograder.errors import GradebookError
from autograder.report import CellReport, Report, read_report, report_path
from autograder.scores import reading
from autograder.verdict import Verdict

_COLOURS = {Verdict.PASSED: "#1a7f37", Verdict.PARTIAL: "#7a5c00", Verdict.NOT_EXAMINED: "#0550ae"}
_NAMES = {Verdict.NOT_EXAMINED: "left to a person", Verdict.INTERNAL: "the grader failed"}
"""Where the verdict's own name says too little."""
_OTHER_COLOUR = "#a40e26"
_COMMENTS = 8
"""So many comments given before are shown for a cell."""


def configure_staff_page(c: Config) -> None:
    """Have formgrader's pages show what `ShowToStaff` adds; after `configure_pages`, and it may be called again."""
    steps = c.HTMLExporter.preprocessors
    ours = f"{__name__}.{ShowToStaff.__name__}"
    if ours not in steps:
        steps.insert(len(steps) - 1, ours)  # what cleans stays last


class ShowToStaff(Preprocessor):
    """Adds to the notebook of one submission what the person who grades it wants to know."""

    def preprocess(self, nb: nbformat.NotebookNode, resources: Any) -> tuple[nbformat.NotebookNode, Any]:
        """Add to `nb` where `resources` are those of formgrader's page; feedback and other pages stay as they are."""
        if "submission_id" not in resources:
            return nb, resources
        delimiters = delimiters_of(self.config)
        report = read_report(report_path(Path(resources["metadata"]["path"]), resources["notebook_id"]))
        comments = self._comments(resources)
        cells = []
        for cell in nb.cells:
            kind, name = kind_of(cell), grade_id_of(cell) or ""
            if kind is Kind.TEST and cell.cell_type == "code":
                cell.outputs = [_verdict(None if report is None else report.cell(name)), *cell.outputs]
            elif kind in (Kind.READ_ONLY, Kind.TASK) and cell.cell_type == "markdown":  # never in what a student wrote
                cell.source = with_rubric(cell.source, delimiters)
            cells.append(cell)
            if comments.get(name):
                cells.append(_text("comments", _comments_text(comments[name])))
        nb.cells = [_text("report", summary(report)), *cells]
        return nb, resources

    def _comments(self, resources: Any) -> dict[str, Counter[str]]:
        """Grade id -> what staff wrote to others there, how often."""
        query = (
            select(BaseCell.name, Comment.manual_comment)
            .select_from(Comment)
            .join(BaseCell, BaseCell.id == Comment.cell_id)
            .join(SubmittedNotebook, SubmittedNotebook.id == Comment.notebook_id)
            .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
            .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
            .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
            .where(Assignment.name == resources["assignment_id"], Notebook.name == resources["notebook_id"])
            .where(SubmittedNotebook.id != resources["submission_id"], Comment.manual_comment.is_not(None))
        )
        found: dict[str, Counter[str]] = {}
        try:
            with reading(CourseDirectory(config=self.config).db_url) as session:
                for name, comment in session.execute(query):
                    if comment.strip():
                        found.setdefault(name, Counter())[comment.strip()] += 1
        except GradebookError as error:  # the page is worth more than what was written before
            self.log.warning("Comments given before are not shown: %s", error)
        return found


def summary(report: Report | None) -> str:
    """What the report says, in Markdown: how many cells ended how, what was put back, what happened."""
    if report is None:
        return "**Graded without a report**: by nbgrader alone, or by an older version."
    counts = Counter(cell.verdict for cell in report.cells)
    verdicts = ", ".join(f"{counts[verdict]} {_name(verdict)}" for verdict in Verdict if counts[verdict])
    lines = [f"**Verdicts:** {verdicts or 'none'}"]
    if report.changes:
        lines.append(f"**Put back before grading:** {_listed(f'{one.grade_id} ({one.what})' for one in report.changes)}")
    if report.incidents:
        lines.append(f"**Incidents:** {_listed(f'{one.where}: {one.what}, {one.detail}' for one in report.incidents)}")
    return "\n\n".join(lines)


def with_rubric(source: str, delimiters: Delimiters) -> str:
    """Markdown `source`, in which each mark scheme stands apart, line by line."""
    lines, inside = [], False
    for line in source.splitlines():
        if delimiters.scheme_begin in line:
            inside = True
            lines += ["", "> **Rubric**", ">"]
        elif inside and delimiters.scheme_end in line:
            inside = False
            lines.append("")
        else:
            lines.append(f"> {line}  " if inside else line)
    return "\n".join(lines)


def _verdict(cell: CellReport | None) -> nbformat.NotebookNode:
    if cell is None:
        return _display("<p><strong>no verdict</strong></p>", "no verdict")
    points = f"{cell.points:g} of {cell.max_points:g} points" if cell.points is not None else "no points yet"
    head = f'<strong style="color:{_COLOURS.get(cell.verdict, _OTHER_COLOUR)}">{_name(cell.verdict)}</strong>, {points}'
    text = f"<p>{head}{': ' * bool(cell.message)}{html.escape(cell.message)}</p>"
    if cell.detail not in ("", cell.message):
        text += f"<pre>{html.escape(cell.detail)}</pre>"
    return _display(text, f"{_name(cell.verdict)}, {points}")


def _comments_text(comments: Counter[str]) -> str:
    shown = [
        f"<pre>{html.escape(text)}</pre>" if count == 1 else f"<pre>{html.escape(text)}</pre><p>{count} times</p>"
        for text, count in comments.most_common(_COMMENTS)
    ]
    return "".join(["<p><strong>Comments given before</strong> (three clicks select one, to copy)</p>", *shown])


def _listed(items: Iterator[str]) -> str:
    return "; ".join(f"<code>{html.escape(' '.join(item.split()))}</code>" for item in items)


def _name(verdict: Verdict) -> str:
    return _NAMES.get(verdict) or verdict.value.replace("_", " ")


def _text(name: str, source: str) -> nbformat.NotebookNode:
    cell: nbformat.NotebookNode = nbformat.v4.new_markdown_cell(source)
    cell.id = f"autograder-{name}-{cell.id}"
    return cell


def _display(markup: str, plain: str) -> nbformat.NotebookNode:
    output: nbformat.NotebookNode = nbformat.from_dict(
        {"output_type": "display_data", "data": {"text/html": markup, "text/plain": plain}, "metadata": {}}
    )
    return output
