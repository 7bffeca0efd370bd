"""Judges notebooks that this grader did not run itself: unreadable ones, and ones judged by the outputs they hold.

Runs: trusted side.
"""

from __future__ import annotations

import nbformat

from autograder.cells import Kind, grade_id_of, is_graded, kind_of, points_of
from autograder.report import CellReport
from autograder.verdict import BY_HAND, Score, Verdict, judge_error, judge_value

_UNREADABLE = Score(verdict=Verdict.MISSING, points=0.0, message="The notebook could not be read.")
_CRASHED = Score(verdict=Verdict.CRASHED, points=0.0, message="Not run: the kernel died.")
_NOT_RUN = Score(verdict=Verdict.NOT_EXAMINED, points=None, message="This test was never run.")


def judge_unreadable(nb: nbformat.NotebookNode) -> tuple[CellReport, ...]:
    """Every graded cell of the assignment, `missing`."""
    return tuple(_cell_report(cell, _UNREADABLE) for cell in nb.cells if is_graded(cell))


def judge_outputs(nb: nbformat.NotebookNode, *, died: bool = False) -> tuple[CellReport, ...]:
    """Every graded cell, judged by the outputs in the notebook.

    A test that was never run shows nothing: it is `crashed` if the kernel `died`, else left to a human.
    """
    return tuple(_cell_report(cell, _score(cell, died=died)) for cell in nb.cells if is_graded(cell))


def _score(cell: nbformat.NotebookNode, *, died: bool) -> Score:
    if kind_of(cell) is not Kind.TEST or cell.cell_type != "code":
        return BY_HAND
    if cell.get("execution_count") is None:
        return _CRASHED if died else _NOT_RUN
    value = None
    for output in cell.outputs:
        if output.output_type == "error":
            return judge_error(output.get("ename", ""), output.get("evalue", ""))
        if output.output_type == "execute_result":
            text = output.get("data", {}).get("text/plain", "")
            value = text if isinstance(text, str) else "".join(text)
    return judge_value(value, points_of(cell))


def _cell_report(cell: nbformat.NotebookNode, score: Score) -> CellReport:
    return CellReport(
        grade_id=grade_id_of(cell) or "",
        verdict=score.verdict,
        points=score.points,
        max_points=points_of(cell),
        message=score.message,
    )
