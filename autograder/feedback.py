"""What a student sees of a graded notebook: verdicts, points and messages, never hidden tests or what they printed.

Runs: trusted side.
"""

from __future__ import annotations

import html

import nbformat

from autograder.cells import NBGRADERS, Delimiters, Kind, grade_id_of, kind_of, released_source
from autograder.report import CellReport, Report
from autograder.verdict import Verdict

_WORDS = {
    Verdict.PASSED: "Passed",
    Verdict.PARTIAL: "Partly right",
    Verdict.FAILED: "A check did not hold",
    Verdict.ERROR: "Your code raised an error",
    Verdict.MISSING: "Not attempted",
    Verdict.TIMEOUT: "Out of time",
    Verdict.MEMORY: "Out of memory",
    Verdict.OUTPUT_LIMIT: "Too much output",
    Verdict.CRASHED: "Python crashed",
    Verdict.NOT_EXAMINED: "Graded by a person",
    Verdict.INTERNAL: "Not graded yet",
}
_CHANGES = {
    "deleted": "was missing",
    "duplicated": "was there more than once",
    "moved": "was in another place",
    "edited": "differed from the assignment's current text",
    "metadata": "had other nbgrader settings than the assignment's current ones",
    "forged": "is not part of the assignment",
}


def show_verdicts(nb: nbformat.NotebookNode, report: Report | None, delimiters: Delimiters = NBGRADERS) -> None:
    """Turn an autograded notebook into the student's view of it, in place; `delimiters` are the course's.

    Test cells keep their visible part; their outputs become the verdict and its message. Mark schemes are taken out.
    """
    nb.metadata.pop("widgets", None)  # what remains of widgets is in the outputs; a half-written state stops the export
    for cell in nb.cells:
        kind = kind_of(cell)
        if kind in (Kind.TEST, Kind.TASK, Kind.READ_ONLY, Kind.ANSWER):
            cell.source = released_source(cell.source, delimiters)
        if kind is Kind.TEST and cell.cell_type == "code":
            found = report.cell(grade_id_of(cell) or "") if report is not None else None
            cell.outputs = [_verdict_output(found)]
    if report is not None and report.changes:
        nb.cells.insert(0, _changes_cell(report))


def _verdict_output(cell: CellReport | None) -> nbformat.NotebookNode:
    if cell is None:
        text = "Graded without a report."
        return _display({"text/plain": text})
    points = "" if cell.points is None else f" ({cell.points:g} of {cell.max_points:g} points)"
    headline = f"{_WORDS[cell.verdict]}{points}"
    message = "" if cell.verdict is Verdict.PASSED else cell.message
    colour = {Verdict.PASSED: "#1a7f37", Verdict.PARTIAL: "#7a5c00"}.get(cell.verdict, "#a40e26")
    body = f'<p style="margin:0"><strong style="color:{colour}">{html.escape(headline)}</strong>'
    if message:
        body += f"<br>{html.escape(message)}"
    plain = headline + (f": {message}" if message else "")
    data = {"text/html": body + "</p>", "text/plain": plain}
    return _display(data)


def _display(data: dict[str, str]) -> nbformat.NotebookNode:
    output: nbformat.NotebookNode = nbformat.v4.new_output("display_data", data=data)
    return output


def _changes_cell(report: Report) -> nbformat.NotebookNode:
    lines = ["**Put back before grading.** Cells of the assignment that differed from what was released:", ""]
    for change in report.changes:
        name = "".join(c if c.isalnum() or c in "_-." else "?" for c in change.grade_id)[:80]
        lines.append(f"- `{name}` {_CHANGES.get(change.what, change.what)}")
    cell: nbformat.NotebookNode = nbformat.v4.new_markdown_cell("\n".join(lines), id="autograder-changes")
    return cell


def unreadable_notebook(problem: str) -> nbformat.NotebookNode:
    """A notebook that tells a student why the submitted file could not be graded."""
    text = (
        f"## This notebook could not be graded\n\n{problem}\n\n"
        "No points were recorded for it automatically, and course staff have been told."
    )
    cell = nbformat.v4.new_markdown_cell(text, id="autograder-unreadable")
    nb: nbformat.NotebookNode = nbformat.v4.new_notebook(cells=[cell])
    return nb
