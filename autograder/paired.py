"""Test cells in a process of their own.

Runs: trusted side.

    candidate kernel  <--- wire: pickle in, plain data out --->  examiner kernel
    student cells                                                 locked set-up cells, test cells

Both kernels are forks behind the wall. Where a cell runs was worked out from the instructor's notebook (`ownership`), and what
the examiner runs comes from there too, never from the submission. While a test cell runs, the candidate serves the wire.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import nbformat

from autograder.examiner import Finding, TestCell, judge_reply, standing_in
from autograder.kernel import Ending, Kernel, KernelSource, Launch, Reply, Usage
from autograder.outputs import Outputs
from autograder.ownership import Cell, Ownership
from autograder.verdict import Score, Verdict
from autograder.weaving import with_calls

_SERVE = "get_ipython().serve_examiner()"
_DESK_SECONDS = 30.0
_KEPT_BYTES, _FLOOD_BYTES = 100_000, 10_000_000
_WIRE_ERRORS = ("WireError", "Closed", "Deadline")
"""What a test cell raises when the student's process stopped answering as it should."""


class Pair:
    """A candidate's kernel and its examiner's; to the cell loop it is the candidate's."""

    def __init__(self, candidate: Kernel, examiner: Kernel) -> None:
        self.candidate = candidate
        self.examiner = examiner
        self.ran: set[int] = set()
        """Indices of the source cells that the examiner has run."""
        self.start_seconds = candidate.start_seconds + examiner.start_seconds
        self.walls: Mapping[str, str] = candidate.walls

    @property
    def usage(self) -> Usage:
        """What the candidate used; the examiner is not the student's."""
        return self.candidate.usage

    @property
    def alive(self) -> bool:
        """Whether both are."""
        return self.candidate.alive and self.examiner.alive

    @property
    def end(self) -> str:
        """How the first of them ended that did."""
        return self.candidate.end or self.examiner.end

    def execute(self, source: str, outputs: Outputs, *, seconds: float) -> Reply:
        """Run a student's cell."""
        return self.candidate.execute(source, outputs, seconds=seconds)

    def begin(self, source: str) -> None:
        """See `Kernel.begin`."""
        self.candidate.begin(source)

    def finish(self, outputs: Outputs, *, seconds: float) -> Reply:
        """See `Kernel.finish`."""
        return self.candidate.finish(outputs, seconds=seconds)

    def close(self) -> None:
        """End both."""
        self.candidate.close()
        self.examiner.close()


@dataclass(frozen=True, kw_only=True)
class PairedExaminer:
    """Runs test cells in the examiner's kernel."""

    source: nbformat.NotebookNode
    """The instructor's notebook."""
    ownership: Ownership
    launch: Launch
    """Of the examiner's kernel: its folder holds the instructor's files."""

    def start(self, kernels: KernelSource, launch: Launch) -> Kernel:
        """See `Examiner.start`."""
        return Pair(*kernels.start_pair(launch, self.launch))

    def examine(self, cell: TestCell, kernel: Kernel, outputs: Outputs, *, seconds: float) -> Finding:
        """See `Examiner.examine`."""
        placed = next((one for one in self.ownership.cells if one.grade_id == cell.grade_id), None)
        if placed is None or placed.problems:
            return _cannot(placed)
        assert isinstance(kernel, Pair)
        failure = self._prepare(kernel, placed)
        if failure is not None:
            return failure
        with standing_in(cell.references, kernel.candidate, seconds=seconds):
            return self._examine(cell, placed, kernel, outputs, seconds)

    def _examine(self, cell: TestCell, placed: Cell, pair: Pair, outputs: Outputs, seconds: float) -> Finding:
        said = Outputs(_KEPT_BYTES, _FLOOD_BYTES)
        pair.candidate.begin(_SERVE)
        begun = _desk(pair.examiner, f"begin({list(placed.takes)!r}, {self.launch.seed + placed.index})")
        if begun.ending is Ending.OK:
            source = with_calls(placed.code, sends=placed.writes_back, refetches=placed.refetch)
            reply = pair.examiner.execute(source, outputs, seconds=seconds)
        else:
            reply = begun
        if pair.examiner.alive:
            _desk(pair.examiner, "end()")
        left = 0.0 if reply.ending is Ending.TIMEOUT else _DESK_SECONDS
        served = pair.candidate.finish(said, seconds=left)
        outputs.items += said.items  # what student code printed meanwhile, for staff
        return self._judge(cell, pair, reply, served, outputs, seconds)

    def _judge(self, cell: TestCell, pair: Pair, reply: Reply, served: Reply, outputs: Outputs, seconds: float) -> Finding:
        """The candidate's end comes first: a test that lost its candidate says nothing of its own."""
        if served.ending in (Ending.DIED, Ending.MEMORY, Ending.CPU, Ending.LOST):
            score = judge_reply(served, outputs, cell.max_points, seconds=seconds, kernel=pair)
            return Finding(score=score, reply=dataclasses.replace(served, seconds=reply.seconds))
        if reply.ending in (Ending.DIED, Ending.MEMORY, Ending.CPU, Ending.LOST):
            lost = dataclasses.replace(reply, ending=Ending.LOST)
            return Finding(score=judge_reply(lost, outputs, cell.max_points, seconds=seconds, kernel=pair), reply=lost)
        if reply.ending is Ending.ERROR and reply.ename in _WIRE_ERRORS:
            message = f"The test could not go on: the student's code stopped answering properly ({reply.evalue})."
            return Finding(score=Score(verdict=Verdict.ERROR, points=0.0, message=message), reply=reply)
        if not pair.alive and reply.ending is not Ending.TIMEOUT:
            reply = dataclasses.replace(reply, ending=Ending.TIMEOUT)  # it passed on nothing when told to stop
        return Finding(score=judge_reply(reply, outputs, cell.max_points, seconds=seconds, kernel=pair), reply=reply)

    def _prepare(self, pair: Pair, placed: Cell) -> Finding | None:
        """Run what the examiner needs from the cells before `placed`; a finding if that fails, which is our side's fault."""
        for one in self.ownership.cells:
            if one.index >= placed.index or one.index in pair.ran or not one.code or one.kind is placed.kind:
                continue
            pair.ran.add(one.index)
            outputs = Outputs(_KEPT_BYTES, _FLOOD_BYTES)
            reply = pair.examiner.execute(one.code, outputs, seconds=self.launch.limits.cell_seconds)
            tags = self.source.cells[one.index].metadata.get("tags", ())
            if reply.ending is Ending.OK and "parameters" in tags and self.launch.parameters:
                pair.examiner.execute(self.launch.parameter_source, outputs, seconds=self.launch.limits.cell_seconds)
            if not pair.examiner.alive:
                message = f"The grader could not run cell {one.label} on its own side; staff will look at it."
                lost = Reply(ending=Ending.LOST)
                return Finding(score=Score(verdict=Verdict.INTERNAL, points=None, message=message), reply=lost)
        return None


def _desk(examiner: Kernel, call: str) -> Reply:
    return examiner.execute(f"get_ipython().desk.{call}", Outputs(_KEPT_BYTES, _FLOOD_BYTES), seconds=_DESK_SECONDS)


def _cannot(placed: Cell | None) -> Finding:
    """A test that cannot be examined from outside waits for a person."""
    why = placed.problems[0] if placed is not None else "it is not in the instructor's notebook"
    score = Score(verdict=Verdict.NOT_EXAMINED, points=None, message="A person will look at this test.")
    return Finding(score=score, reply=Reply(ending=Ending.OK), examined=False, reason=f"cannot be examined: {why}")
