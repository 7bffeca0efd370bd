"""Runs a student's own notebook, on the student's own machine, and says in words what is right and what is wrong.

Runs: trusted side; here that is the student's machine, so there is no wall and there are no hidden tests.

The cells run in a fresh kernel by the same loop as in grading, so a loop without end costs one test and a dead kernel is told as
one. What `autograder validate` prints and what JupyterLab's button *Validate* shows is this.
"""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.utils import compute_checksum

from autograder.cells import Kind, grade_id_of, kind_of, metadata_of
from autograder.errors import SourceError
from autograder.examiner import CandidateExaminer
from autograder.feedback import WORDS
from autograder.grade import grade_notebook
from autograder.kernel import ColdKernels, Launch
from autograder.limits import Limits
from autograder.reader import read_submission
from autograder.report import CellReport, Report
from autograder.verdict import Verdict

SECONDS = 50.0
"""How long a notebook may run unless told otherwise: whatever stands before a JupyterHub gives up a request after 60 s."""
_CELLS_SHARE = 1 / 3
"""How much of it one cell may take, so that one loop leaves time for the rest."""
_ADVICE = {
    Verdict.MISSING: "Write your solution in place of `raise NotImplementedError()`.",
    Verdict.TIMEOUT: "Look for a loop that never ends, or for one that does far more work than it needs.",
    Verdict.CRASHED: "Look for exit() or quit(), recursion without end, and arrays larger than this machine's memory.",
    Verdict.MEMORY: "Look for arrays that are larger than they need to be, and for lists that grow in a loop.",
    Verdict.OUTPUT_LIMIT: "Look for a print in a loop that never ends.",
}
_UNKNOWN_NAME = "If you see no such error when you run it: your kernel remembers what you deleted. Restart it and run all cells."
_FILE = re.compile(r"\([^()]*, (line \d+)\)")
"""IPython's made-up name of a cell's file, in a syntax error."""
_LINE = "In the line: "
_DIALOG_COLUMNS = 88
_STUB = "NotImplementedError"
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = re.compile(r"^(?:Cell|Input) In ?\[\d+\]")
_COMPREHENSIONS = ("<genexpr>(.0)", "<listcomp>(.0)", "<setcomp>(.0)", "<dictcomp>(.0)")
"""Frames whose lines IPython numbers wrongly."""
_ARROW = re.compile(r"^-+> *\d+ ?(.*)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that is wrong, or not there yet."""

    where: str
    words: str

    def to_json(self) -> dict[str, str]:
        """The trouble as plain data."""
        return {"where": self.where, "words": self.words}


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What running a notebook found."""

    notebook: str
    troubles: tuple[Trouble, ...]
    """In the order of the notebook."""
    passed: tuple[str, ...]
    tests: int
    points: float
    """Of the tests that passed."""
    max_points: float
    by_hand: float
    """Points that a person gives."""
    seconds: float

    @property
    def summary(self) -> str:
        """What is right, and what this does not say."""
        if not self.tests:
            return "This notebook has no tests: nothing can be said about it before it is graded."
        lines = [f"{len(self.passed)} of {self.tests} tests pass ({self.points:g} of {self.max_points:g} points)."]
        if self.troubles and self.passed:
            lines.append(f"Right: {', '.join(self.passed)}.")
        if self.by_hand:
            lines.append(f"Written answers ({self.by_hand:g} points) are graded by a person.")
        return "\n".join([*lines, "When your work is graded, hidden checks run as well."])

    def __str__(self) -> str:
        found = [f"{trouble.where}\n{_indented(trouble.words)}" for trouble in self.troubles]
        return "\n\n".join([*found, self.summary])

    def to_json(self) -> dict[str, Any]:
        """What was found as plain data."""
        return {
            "notebook": self.notebook,
            "troubles": [trouble.to_json() for trouble in self.troubles],
            "passed": list(self.passed),
            "tests": self.tests,
            "points": self.points,
            "max_points": self.max_points,
            "by_hand": self.by_hand,
            "seconds": self.seconds,
            "summary": self.summary,
        }


def validate(path: Path, *, seconds: float = SECONDS, progress: Callable[[int, int], None] = lambda done, of: None) -> Validation:
    """Run the notebook at `path` for at most `seconds`; nothing is written to it.

    Raises:
        SourceError: there is none.
        UnreadableSubmission: it is no notebook.
        KernelStartError: its kernel cannot be started here.
    """
    if not path.exists():
        raise SourceError(f"{path}: there is no such file. Name the notebook as it lies in this folder.")
    nb = read_submission(path)
    changed = list(_changed(nb))

    @contextmanager
    def counted(_: nbformat.NotebookNode, index: int) -> Iterator[None]:
        yield
        progress(index + 1, len(nb.cells))

    limits = Limits(cell_seconds=seconds * _CELLS_SHARE, notebook_seconds=seconds, memory_bytes=10**15, cpu_seconds=10**9)
    kernel = nb.metadata.get("kernelspec", {}).get("name", "python3")
    launch = Launch(folder=path.resolve().parent, limits=limits, kernel_name=kernel)
    report = grade_notebook(nb, kernels=ColdKernels(), examiner=CandidateExaminer(), launch=launch, around_cell=counted)
    tests = [cell for cell in report.cells if cell.grade_id in _tests_of(nb)]
    passed = [cell for cell in tests if cell.verdict is Verdict.PASSED]
    return Validation(
        notebook=path.name,
        troubles=(*changed, *_broken_cells(nb), *_failed_tests(nb, report)),
        passed=tuple(cell.grade_id for cell in passed),
        tests=len(tests),
        points=sum(cell.points or 0.0 for cell in tests),
        max_points=sum(cell.max_points for cell in tests),
        by_hand=report.max_score - sum(cell.max_points for cell in tests),
        seconds=round(report.seconds["total"], 3),
    )


def dialog(found: Validation) -> dict[str, Any]:
    """What nbgrader's button is answered: it shows `source` as text, `error` as HTML, and congratulates where nothing failed."""
    if not found.troubles and found.tests:
        return {}
    shown = [*found.troubles] or [Trouble(where=found.notebook, words=found.summary)]
    failed = [{"source": _wrapped(one.where), "error": html.escape(_wrapped(one.words)), "raw_error": one.words} for one in shown]
    if found.troubles:
        failed[-1]["error"] += f"\n\n<strong>{html.escape(_wrapped(found.summary))}</strong>"
    return {"failed": failed}


def _tests_of(nb: nbformat.NotebookNode) -> dict[str, nbformat.NotebookNode]:
    return {grade_id_of(cell) or "": cell for cell in nb.cells if kind_of(cell) is Kind.TEST and cell.cell_type == "code"}


def _changed(nb: nbformat.NotebookNode) -> Iterator[Trouble]:
    """The assignment's own cells that are not as they were handed out."""
    for cell in nb.cells:
        metadata, name = metadata_of(cell), grade_id_of(cell)
        kind = metadata.get("cell_type")
        if name is not None and isinstance(kind, str) and kind != cell.cell_type:
            words = f"This was a {kind} cell and is a {cell.cell_type} cell now. Turn it back: press Esc, then "
            yield Trouble(where=name, words=f"{words}{'Y' if kind == 'code' else 'M'}.")
        elif name is not None and metadata.get("locked") and metadata.get("checksum") not in (None, compute_checksum(cell)):
            words = (
                "You changed this cell, which belongs to the assignment. It is put back before grading, and what it shows here "
            )
            yield Trouble(where=name, words=f"{words}may not hold then. The release has it as it was.")


def _broken_cells(nb: nbformat.NotebookNode) -> Iterator[Trouble]:
    """The student's cells that end with an error of their own, such as a slip in the syntax."""
    for index, cell in enumerate(nb.cells):
        if cell.cell_type != "code" or kind_of(cell) is Kind.TEST:
            continue
        for output in cell.outputs:
            stub = output.get("ename") == _STUB and not output.get("evalue")
            if output.output_type == "error" and not stub and output.ename != "KeyboardInterrupt":
                name = grade_id_of(cell) or f"cell {index + 1} of the notebook"
                text = output.evalue if output.ename in ("CellTimeoutError", "KernelEnded", "OutputLimit") else ""
                error = _FILE.sub(r"(\1)", f"{output.ename}: {output.evalue}")
                yield Trouble(where=name, words=_joined(text or error, _line(cell, last=True)))


def _failed_tests(nb: nbformat.NotebookNode, report: Report) -> Iterator[Trouble]:
    """The tests that did not pass; those of which the same is to be said are told together."""
    cells, exercises = _tests_of(nb), _exercises(nb)
    sources = {grade_id_of(cell): cell.source for cell in nb.cells}
    together: dict[tuple[Verdict, str, str], list[CellReport]] = {}
    for found in report.cells:
        if found.grade_id in cells and found.verdict is not Verdict.PASSED:
            line = _line(cells[found.grade_id], last=found.verdict is not Verdict.FAILED)
            by_line = found.verdict in (Verdict.FAILED, Verdict.TIMEOUT)
            together.setdefault((found.verdict, found.message, line if by_line else ""), []).append(found)
    for (verdict, message, _), members in together.items():
        line = "" if verdict is Verdict.MISSING else _line(cells[members[0].grade_id], last=verdict is not Verdict.FAILED)
        points = sum(member.max_points for member in members)
        names = [member.grade_id for member in members]
        if verdict is Verdict.MISSING:
            tests, above = names, [exercises[name] for name in names]
            names = [name for name in dict.fromkeys(above) if _STUB in sources.get(name, "")] or tests
            message = f"Not attempted. Tests that wait for it: {', '.join(tests)}."
        else:
            message = f"{WORDS[verdict]}. {message}"
        advice = _UNKNOWN_NAME if message.partition(". ")[2].startswith("NameError") else _ADVICE.get(verdict, "")
        where = f"{', '.join(names)} ({points:g} point{'' if points == 1 else 's'})"
        yield Trouble(where=where, words=_joined(message, line, advice))


def _exercises(nb: nbformat.NotebookNode) -> dict[str, str]:
    """For each test the exercise above it."""
    found: dict[str, str] = {}
    above = ""
    for cell in nb.cells:
        if kind_of(cell) is Kind.EXERCISE:
            above = grade_id_of(cell) or ""
        elif kind_of(cell) is Kind.TEST:
            found[grade_id_of(cell) or ""] = above
    return found


def _line(cell: nbformat.NotebookNode, *, last: bool) -> str:
    """The line of a cell in which its error arose: that of the cell itself, or the `last` one on the way."""
    lines: list[str] = []
    for output in cell.outputs:
        inside = False
        for line in _ANSI.sub("", "\n".join(output.get("traceback", ()))).splitlines():
            if line.startswith(("Cell ", "Input ", "File ")):
                inside = bool(_FRAME.match(line)) and not line.endswith(_COMPREHENSIONS)
            arrow = _ARROW.match(line)
            if arrow is not None and inside:
                lines.append(arrow[1].strip())
    return f"{_LINE}{lines[-1 if last else 0]}" if lines else ""


def _joined(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _wrapped(text: str) -> str:
    """`text` as wide as the dialog is, which would have it scrolled; lines of code stay as they are."""
    lines = text.splitlines()
    return "\n".join(line if line.startswith(_LINE) else textwrap.fill(line, _DIALOG_COLUMNS) for line in lines)


def _indented(text: str, by: str = "    ") -> str:
    return "\n".join(by + line for line in text.splitlines())
