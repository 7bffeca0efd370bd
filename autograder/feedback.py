"""What a student sees of a graded notebook: verdicts, points and messages, never hidden tests or what student code said of them.

Runs: trusted side.

Student code meets the inputs of hidden tests, can keep them, and can display them in any cell that runs later. So from the
first hidden test on, a page shows no output of the grader's run but the outputs that the notebook was handed in with.
"""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Sequence

import nbformat

from autograder.cells import NBGRADERS, Delimiters, Kind, grade_id_of, kind_of, released_source
from autograder.disclosure import builtin_name, hidden_lines, message_for_student
from autograder.outputs import size_of
from autograder.report import CellReport, Report
from autograder.verdict import Score, Verdict

WORDS = {
    Verdict.PASSED: "Passed",
    Verdict.PARTIAL: "Partly right",
    Verdict.FAILED: "A check did not hold",
    Verdict.ERROR: "Ended with an error",
    Verdict.MISSING: "Not attempted",
    Verdict.TIMEOUT: "Out of time",
    Verdict.MEMORY: "Out of memory",
    Verdict.OUTPUT_LIMIT: "Too much output",
    Verdict.CRASHED: "Python crashed",
    Verdict.NOT_EXAMINED: "Graded by a person",
    Verdict.INTERNAL: "Not graded yet",
}
"""How a verdict reads."""
_CHANGES = {
    "deleted": "was missing",
    "duplicated": "was there more than once",
    "moved": "was in another place",
    "edited": "differed from the assignment's current text",
    "metadata": "had other nbgrader settings than the assignment's current ones",
    "forged": "is not part of the assignment",
}


_GRADERS_ERRORS = {
    "CellTimeoutError": "was stopped: it took too long",
    "OutputLimit": "was stopped: it printed without end",
    "KernelEnded": "used up its memory or time, and Python was ended",
}
"""What the grader itself notes as an error."""
_SHOWN_BYTES = 1_000_000
"""More handed-in output of one cell is not shown."""


def show_verdicts(
    nb: nbformat.NotebookNode,
    report: Report | None,
    delimiters: Delimiters = NBGRADERS,
    *,
    policy: str = "message",
    submitted: nbformat.NotebookNode | None = None,
    after_hidden: bool = False,
) -> None:
    """Turn an autograded notebook into the student's view of it, in place; `delimiters` are the course's.

    By `policy`, test cells show `message`: their visible part, the verdict and its message; `none`: no message; `full`: their
    whole source, and the outputs of all cells as they are. Mark schemes are always taken out.

    `submitted` is the notebook as it was handed in, where it can be read; `after_hidden` says that student code may have met
    hidden tests before the first cell.
    """
    nb.metadata.pop("widgets", None)  # what remains of widgets is in the outputs; a half-written state stops the export
    handed_in = _handed_in(nb, submitted)
    for cell, outputs in zip(nb.cells, handed_in, strict=True):
        kind = kind_of(cell)
        is_test = kind is Kind.TEST and cell.cell_type == "code"
        after_hidden = after_hidden or (is_test and bool(hidden_lines(cell.source, delimiters)))
        if is_test:
            found = report.cell(grade_id_of(cell) or "") if report is not None else None
            verdict = _verdict_output(found, _message(cell, found, delimiters, policy, after_hidden=after_hidden))
            cell.outputs = [verdict, *(cell.outputs if policy == "full" else ())]
        elif cell.cell_type == "code" and after_hidden and policy != "full":
            cell.outputs = _instead(cell.outputs, outputs)
        if kind in (Kind.TASK, Kind.READ_ONLY, Kind.ANSWER) or (kind is Kind.TEST and policy != "full"):
            cell.source = released_source(cell.source, delimiters)
    if report is not None and report.changes:
        nb.cells.insert(0, _changes_cell(report))


def _message(
    cell: nbformat.NotebookNode, found: CellReport | None, delimiters: Delimiters, policy: str, *, after_hidden: bool
) -> str:
    if found is None or policy == "none" or found.verdict is Verdict.PASSED:
        return ""
    if policy == "full":
        return found.detail or found.message
    if found.detail:
        return found.message
    # Written by an older version, or judged by the outputs in the notebook: nobody has looked at what it tells.
    score = Score(verdict=found.verdict, points=found.points, message=found.message)
    return message_for_student(
        cell.source, score, None, exercise=found.grade_id, delimiters=delimiters, examined=False, after_hidden=after_hidden
    )


def _handed_in(
    nb: nbformat.NotebookNode, submitted: nbformat.NotebookNode | None
) -> list[Sequence[nbformat.NotebookNode] | None]:
    """For each cell of `nb` the outputs that it was handed in with, by grade id or else by its text; None where unknown."""
    ids = {grade_id_of(cell) for cell in nb.cells} - {None}
    cells = [cell for cell in submitted.cells if cell.cell_type == "code"] if submitted is not None else []
    by_id = {grade_id_of(cell): cell for cell in cells if grade_id_of(cell) in ids}  # of copies the last, as in restoring
    by_source = defaultdict(list)
    for cell in reversed(cells):
        if by_id.get(grade_id_of(cell)) is not cell:
            by_source[cell.source].append(cell)
    found: list[Sequence[nbformat.NotebookNode] | None] = []
    for cell in nb.cells:
        same = by_source.get(cell.source)
        match = by_id.get(grade_id_of(cell)) or (same.pop() if same and cell.cell_type == "code" else None)
        found.append(None if match is None else match.outputs)
    return found


def _instead(
    outputs: Sequence[nbformat.NotebookNode], handed_in: Sequence[nbformat.NotebookNode] | None
) -> list[nbformat.NotebookNode]:
    """What is shown of a cell that ran after hidden tests and gave `outputs`."""
    shown = list(handed_in or ())
    if outputs and handed_in is None:
        shown = [_display({"text/plain": "Output left out: this cell ran after hidden tests."})]
    elif size_of(shown) > _SHOWN_BYTES:
        shown = [_display({"text/plain": f"Output left out: what was handed in is larger than {_SHOWN_BYTES:,} bytes."})]
    errors = [str(output.get("ename", "")) for output in outputs if output.output_type == "error"]
    if errors:
        name = errors[-1]
        how = _GRADERS_ERRORS.get(name) or f"raised {builtin_name(name) or 'an exception of its own'}"
        shown.append(_display({"text/plain": f"When graded, this cell {how}."}))
    return shown


def _verdict_output(cell: CellReport | None, message: str) -> nbformat.NotebookNode:
    if cell is None:
        text = "Graded without a report."
        return _display({"text/plain": text})
    points = "" if cell.points is None else f" ({cell.points:g} of {cell.max_points:g} points)"
    headline = f"{WORDS[cell.verdict]}{points}"
    colour = {Verdict.PASSED: "#1a7f37", Verdict.PARTIAL: "#7a5c00"}.get(cell.verdict, "#a40e26")
    body = f'<p style="margin:0"><strong style="color:{colour}">{html.escape(headline)}</strong>'
    if message:
        body += f"<br>{html.escape(message)}"
    plain = headline + (f": {message}" if message else "")
    data = {"text/html": body + "</p>", "text/plain": plain}
    return _display(data)


def _display(data: dict[str, str]) -> nbformat.NotebookNode:
    # Not `new_output`: it validates, and the page is validated as a whole.
    output: nbformat.NotebookNode = nbformat.from_dict({"output_type": "display_data", "data": data, "metadata": {}})
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
