"""The main path: run one notebook, one verdict for each graded cell.

Runs: trusted side.

Cells run in order in one kernel. A cell that does not end is interrupted; a kernel that does not obey is killed and a
fresh one takes over, in which the cells that had ended are run again so that later exercises are judged on their own; so
it is when a cell uses more memory than there is.
A kernel that dies takes the rest of the notebook with it: the verdicts before it stand, the rest are `crashed`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from types import MappingProxyType

import nbformat

from autograder.cells import NBGRADERS, Delimiters, Kind, grade_id_of, kind_of, points_of
from autograder.disclosure import hidden_lines, message_for_student
from autograder.errors import KernelStartError, WallError
from autograder.examiner import Examiner, Finding, TestCell
from autograder.kernel import Ending, Kernel, KernelSource, Launch
from autograder.outputs import Outputs
from autograder.report import CellReport, Incident, KernelReport, Report
from autograder.stand_ins import StandIns
from autograder.verdict import BY_HAND, Score, Verdict

log = logging.getLogger(__name__)

NO_REFERENCES: StandIns = MappingProxyType({})
START_TRIES = 2
"""A kernel that does not start is our failure; it is tried once more before a human is asked."""


def grade_notebook(
    nb: nbformat.NotebookNode,
    *,
    kernels: KernelSource,
    examiner: Examiner,
    launch: Launch,
    references: StandIns = NO_REFERENCES,
    delimiters: Delimiters = NBGRADERS,
    around_cell: Callable[[nbformat.NotebookNode, int], AbstractContextManager[None]] | None = None,
) -> Report:
    """Run every code cell of `nb` in a kernel started by `launch` and judge its graded cells; `nb` receives the outputs.

    `references` names, for a test cell, the exercises whose reference version stands in while it runs; `delimiters` are
    what marks the hidden part of a test cell.

    `around_cell(cell, index)` gives a context manager entered around each cell (progress, timing).
    """
    run = _Run(kernels, examiner, launch, references, delimiters)
    try:
        for index, cell in enumerate(nb.cells):
            if around_cell is None:
                run.cell(cell, index)
            else:
                with around_cell(cell, index):
                    run.cell(cell, index)
    finally:
        run.close()
    return run.report()


class _Run:
    """The state of one notebook while it is graded."""

    def __init__(
        self, kernels: KernelSource, examiner: Examiner, launch: Launch, references: StandIns, delimiters: Delimiters
    ) -> None:
        self._kernels = kernels
        self._examiner = examiner
        self._launch = launch
        self._limits = launch.limits
        self._references = references
        self._delimiters = delimiters
        self._exercise = ""  # the one that was last come by
        self._hidden_met = False  # whether a hidden check has run: from then on student code may repeat what it saw
        self._kernel: Kernel | None = None
        self._ended: list[str] = []  # sources of ungraded cells that ended, to be replayed in a fresh kernel
        self._stop: Score | None = None  # why nothing more can run
        self._deadline = 0.0  # set when the first kernel is ready: a slow start is not the student's time
        self._began = time.monotonic()
        self._starts = 0
        self._executed = 0
        self._start_seconds = 0.0
        self._cell_seconds = 0.0
        self._last_end = ""
        self._walls: Mapping[str, str] = {}
        self._cpu_seconds = 0.0
        self._examiner_cpu_seconds = 0.0
        self._peak_bytes = 0
        self._cells: list[CellReport] = []
        self._incidents: list[Incident] = []

    def cell(self, cell: nbformat.NotebookNode, index: int) -> None:
        """Run one cell and record its verdict if it is graded."""
        kind = kind_of(cell)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        if kind is Kind.EXERCISE:
            self._exercise = grade_id_of(cell) or ""
        if kind in (Kind.ANSWER, Kind.TASK):
            self._run_ungraded(cell, index)
            self._record(cell, BY_HAND, 0.0)
        elif kind is Kind.TEST and cell.cell_type == "code":
            self._run_test(cell, index)
        elif kind is Kind.TEST:
            self._record(cell, BY_HAND, 0.0)
        else:
            self._run_ungraded(cell, index)

    def close(self) -> None:
        """End the kernel."""
        if self._kernel is not None:
            self._let_go(self._kernel)

    def report(self) -> Report:
        """What was found."""
        return Report(
            cells=tuple(self._cells),
            incidents=tuple(self._incidents),
            kernel=KernelReport(
                source=self._kernels.name,
                sandbox=self._kernels.sandbox,
                walls=self._walls,
                starts=self._starts,
                end=self._last_end,
                cpu_seconds=round(self._cpu_seconds, 3),
                peak_bytes=self._peak_bytes,
                examiner_cpu_seconds=round(self._examiner_cpu_seconds, 3),
            ),
            seconds={
                "kernel_start": self._start_seconds,
                "cells": self._cell_seconds,
                "total": time.monotonic() - self._began,
            },
        )

    def _run_test(self, cell: nbformat.NotebookNode, index: int) -> None:
        outputs = self._outputs()
        kernel, seconds = self._ready()
        if kernel is None:
            self._record(cell, self._stop or BY_HAND, 0.0)
            return
        finding = self._examined(cell, kernel, outputs, seconds)
        if finding.score.verdict is Verdict.INTERNAL:  # ours: once more, with everything fresh
            self._incident(_name(cell, index), "internal", f"tried once more: {kernel.end or finding.score.message}")
            self._let_go(kernel)
            outputs = self._outputs()
            kernel, seconds = self._ready()
            if kernel is None:
                self._record(cell, self._stop or BY_HAND, 0.0)
                return
            finding = self._examined(cell, kernel, outputs, seconds)
        self._keep(cell, outputs)
        self._record(cell, self._disclosed(cell, finding), finding.reply.seconds, finding)
        if finding.reason:
            self._incident(_name(cell, index), "unexamined", finding.reason)
        self._after(kernel, finding.reply.ending, _name(cell, index))

    def _examined(self, cell: nbformat.NotebookNode, kernel: Kernel, outputs: Outputs, seconds: float) -> Finding:
        with self._counted():
            return self._examiner.examine(self._test_cell(cell), kernel, outputs, seconds=seconds)

    def _test_cell(self, cell: nbformat.NotebookNode) -> TestCell:
        references = self._references.get(grade_id_of(cell) or "", {})
        return TestCell(source=cell.source, max_points=points_of(cell), grade_id=grade_id_of(cell) or "", references=references)

    def _run_ungraded(self, cell: nbformat.NotebookNode, index: int) -> None:
        if cell.cell_type != "code" or not cell.source.strip():
            return
        outputs = self._outputs()
        kernel, seconds = self._ready()
        if kernel is None:
            return
        with self._counted():
            reply = kernel.execute(cell.source, outputs, seconds=seconds)
        where = _name(cell, index)
        if reply.ending in (Ending.OK, Ending.ERROR):
            self._ended.append(cell.source)
            if "parameters" in cell.metadata.get("tags", ()) and self._launch.parameters:
                self._set_parameters(kernel)
        elif reply.ending is Ending.TIMEOUT:
            self._incident(where, "timeout", f"stopped after {seconds:.0f} s")
            outputs.add_error("CellTimeoutError", f"This cell was stopped after {seconds:.0f} s.")
        elif reply.ending is Ending.FLOOD:
            self._incident(where, "output_limit", f"stopped after printing {outputs.seen_bytes:,} bytes")
            outputs.add_error("OutputLimit", "This cell was stopped: it printed without end.")
        elif reply.ending in (Ending.MEMORY, Ending.CPU):
            self._incident(where, "memory" if reply.ending is Ending.MEMORY else "timeout", kernel.end)
            outputs.add_error("KernelEnded", f"Python was ended here: {kernel.end}.")
        self._keep(cell, outputs)
        self._after(kernel, reply.ending, where)

    def _set_parameters(self, kernel: Kernel) -> None:
        source = self._launch.parameter_source
        kernel.execute(source, self._outputs(), seconds=self._limits.cell_seconds)
        self._ended.append(source)

    def _ready(self) -> tuple[Kernel | None, float]:
        """A kernel that can run a cell and the seconds it may take; None when nothing more can run."""
        if self._stop is not None:
            return None, 0.0
        if self._kernel is None:
            self._start()
        remaining = self._deadline - time.monotonic()
        if self._stop is None and remaining <= 0:
            self._stop = Score(
                verdict=Verdict.TIMEOUT,
                points=0.0,
                message=f"Not reached: the notebook's {self._limits.notebook_seconds:.0f} s were used up before this cell.",
            )
        if self._stop is not None:
            return None, 0.0
        return self._kernel, min(self._limits.cell_seconds, remaining)

    def _start(self) -> None:
        """Start a kernel and bring it to where the last one was."""
        for tries_left in reversed(range(START_TRIES)):
            try:
                self._kernel = self._examiner.start(self._kernels, self._launch)
                break
            except WallError:
                raise  # no other submission would fare better: nothing is graded
            except KernelStartError as error:
                log.warning("%s%s", error, " Trying once more." if tries_left else "")
                failure = str(error)
        if self._kernel is None:
            self._incident("kernel", "internal", failure)
            self._stop = Score(verdict=Verdict.INTERNAL, points=None, message="The grader could not run this cell; staff will.")
            return
        self._starts += 1
        self._start_seconds += self._kernel.start_seconds
        self._walls = self._kernel.walls
        if self._starts == 1:
            self._deadline = time.monotonic() + self._limits.notebook_seconds
        self._replay(self._kernel)

    def _replay(self, kernel: Kernel) -> None:
        """Run again what had ended in the kernel before; its outputs were kept then."""
        for source in self._ended:
            seconds = min(self._limits.cell_seconds, self._deadline - time.monotonic())
            if seconds <= 0:
                return
            kernel.execute(source, Outputs(1, self._limits.flood_bytes), seconds=seconds)
            if not kernel.alive:
                self._after(kernel, Ending.DIED, "kernel")
                return

    def _after(self, kernel: Kernel, ending: Ending, where: str) -> None:
        """Notice a kernel that is gone: a dead one ends the run, a killed one is replaced before the next cell."""
        if kernel.alive:
            return
        self._incident(where, "kernel", kernel.end)
        self._let_go(kernel)
        if ending is Ending.CPU:
            message = f"Not reached: the notebook's {self._limits.cpu_seconds:.0f} CPU seconds were used up at {where}."
            self._stop = Score(verdict=Verdict.TIMEOUT, points=0.0, message=message)
        if ending is Ending.LOST:
            self._stop = Score(verdict=Verdict.INTERNAL, points=None, message="The grader could not run this cell; staff will.")
        if ending is Ending.DIED:
            self._stop = Score(
                verdict=Verdict.CRASHED, points=0.0, message=f"Not reached: Python ended at {where} ({kernel.end})."
            )

    def _let_go(self, kernel: Kernel) -> None:
        kernel.close()
        self._last_end = kernel.end
        self._cpu_seconds += kernel.usage.cpu_seconds
        self._examiner_cpu_seconds += kernel.usage.examiner_cpu_seconds
        self._peak_bytes = max(self._peak_bytes, kernel.usage.peak_bytes)
        self._kernel = None

    def _keep(self, cell: nbformat.NotebookNode, outputs: Outputs) -> None:
        self._executed += 1
        cell.outputs, cell.execution_count = outputs.items, self._executed

    def _disclosed(self, cell: nbformat.NotebookNode, finding: Finding) -> Score:
        """The score with what a student may read of it."""
        message = message_for_student(
            cell.source,
            finding.score,
            finding.failure,
            exercise=self._exercise,
            delimiters=self._delimiters,
            examined=finding.examined,
            after_hidden=self._hidden_met,
        )
        self._hidden_met = self._hidden_met or bool(hidden_lines(cell.source, self._delimiters))
        return replace(finding.score, message=message)

    def _record(self, cell: nbformat.NotebookNode, score: Score, seconds: float, finding: Finding | None = None) -> None:
        self._cells.append(
            CellReport(
                grade_id=grade_id_of(cell) or "",
                verdict=score.verdict,
                points=score.points,
                max_points=points_of(cell),
                message=score.message,
                detail=finding.score.message if finding is not None else "",
                seconds=round(seconds, 4),
                examined=finding is not None and finding.examined,
            )
        )

    def _incident(self, where: str, what: str, detail: str) -> None:
        self._incidents.append(Incident(where=where, what=what, detail=detail))

    def _outputs(self) -> Outputs:
        return Outputs(self._limits.output_bytes, self._limits.flood_bytes)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self._cell_seconds += time.monotonic() - began


def _name(cell: nbformat.NotebookNode, index: int) -> str:
    return grade_id_of(cell) or f"cell {index + 1}"
