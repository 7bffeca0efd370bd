"""Test cells in a process of their own.

Runs: trusted side.

    candidate kernel  <--- wire: pickle in, plain data out --->  examiner's desk
    student cells                                                 locked set-up cells, test cells

Both are forks behind the wall. Where a cell runs was worked out from the instructor's notebook (`ownership`), and what
the examiner runs comes from there too, never from the submission. While a test cell runs, the candidate serves the wire,
and goes on to the next test if no cell of the student's comes between.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import nbformat

from autograder.cells import Kind
from autograder.disclosure import Failure
from autograder.examiner import CandidateExaminer, Finding, TestCell, judge_reply, standing_in
from autograder.examiners import ExaminerProcess
from autograder.kernel import Ending, Kernel, KernelSource, Launch, Reply, Usage
from autograder.lifeline import Examine, Examined, Prepare, Release
from autograder.outputs import Outputs
from autograder.ownership import Cell, Ownership
from autograder.placement import Where
from autograder.verdict import Score, Verdict

_SERVE = "get_ipython().serve_examiner()"
_ANSWER_SECONDS = 10.0
"""How long the examiner may take to report once its test has ended."""
_ENDED = (Ending.DIED, Ending.MEMORY, Ending.CPU, Ending.LOST)
_WIRE_ERRORS = ("WireError", "Closed", "Deadline")
"""What a test cell raises when the student's process stopped answering as it should."""


class PairSource(KernelSource, Protocol):
    """Starts kernels, also with an examiner beside."""

    def start_pair(self, candidate: Launch, examiner: Launch) -> tuple[Kernel, ExaminerProcess]:
        """A kernel for the student's cells and a process for the test cells, with a wire between them.

        Raises:
            KernelStartError: either did not start.
        """


class Pair:
    """A candidate's kernel and its examiner; to the cell loop it is the candidate's."""

    def __init__(self, candidate: Kernel, examiner: ExaminerProcess) -> None:
        self.candidate = candidate
        self.examiner = examiner
        self.ran: set[int] = set()
        """Indices of the source cells that the examiner has run."""
        self.failed: dict[int, str] = {}
        """Those of them that raised -> what."""
        self.start_seconds = candidate.start_seconds
        self.walls: Mapping[str, str] = candidate.walls
        self._serving = False

    @property
    def usage(self) -> Usage:
        """What the candidate used, and beside it what the examiner did, which is not the student's."""
        return dataclasses.replace(self.candidate.usage, examiner_cpu_seconds=self.examiner.usage.cpu_seconds)

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
        self.begin(source)
        return self.finish(outputs, seconds=seconds)

    def begin(self, source: str) -> None:
        """See `Kernel.begin`."""
        if self._serving:
            self._serving = False
            self.examiner.send(Release())
            self.candidate.finish(Outputs(1, 1_000_000), seconds=_ANSWER_SECONDS)
        self.candidate.begin(source)

    def finish(self, outputs: Outputs, *, seconds: float, served: bool = False) -> Reply:
        """See `Kernel.finish`."""
        return self.candidate.finish(outputs, seconds=seconds, served=served)

    def serve(self) -> None:
        """Have the candidate serve a test, if it does not still do so; `served` says how that ended."""
        if not self._serving:
            self.candidate.begin(_SERVE)

    def served(self, outputs: Outputs, *, seconds: float) -> Reply:
        """Wait until the test is over, for at most `seconds`."""
        reply = self.candidate.finish(outputs, seconds=seconds, served=True)
        self._serving = reply.goes_on
        return reply

    def close(self) -> None:
        """End both."""
        self.candidate.close()
        self.examiner.close()


@dataclass(frozen=True, kw_only=True)
class PairedExaminer:
    """Runs test cells in the examiner's process."""

    source: nbformat.NotebookNode
    """The instructor's notebook."""
    ownership: Ownership
    launch: Launch
    """Of the examiner's process: its folder holds the instructor's files."""
    known: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Test cell -> what it asks of the reference's objects (`questions`). One that is not here may ask everything."""
    asked: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Test cell -> what it asked, as far as it is not in `known`."""
    _ended: set[int] = field(default_factory=set)
    """Indices of test cells that ended by themselves: what they define, a fresh process must be given again."""

    def start(self, kernels: KernelSource, launch: Launch) -> Kernel:
        """See `Examiner.start`."""
        start_pair = getattr(kernels, "start_pair", None)
        if start_pair is None:
            raise TypeError(f"{kernels.name} kernels cannot be examined: nothing connects them")
        return Pair(*start_pair(launch, self.launch))

    def examine(self, cell: TestCell, kernel: Kernel, outputs: Outputs, *, seconds: float) -> Finding:
        """See `Examiner.examine`."""
        assert isinstance(kernel, Pair)
        placed = next((one for one in self.ownership.cells if one.grade_id == cell.grade_id), None)
        if placed is None or placed.problems:
            return _cannot(placed)
        if placed.where is Where.CANDIDATE:
            reason = "; ".join(("not examined", *placed.notes))
            found = CandidateExaminer().examine(cell, kernel, outputs, seconds=seconds)
            return dataclasses.replace(found, reason=reason)
        self._prepare(kernel, placed, seconds)
        with standing_in(cell.references, kernel, seconds=seconds):
            return self._examine(cell, placed, kernel, outputs, seconds)

    def _examine(self, cell: TestCell, placed: Cell, pair: Pair, outputs: Outputs, seconds: float) -> Finding:
        """A student's call that takes too long is interrupted first, then the test, then the candidate is ended."""
        limits = self.launch.limits
        said = Outputs(limits.output_bytes, limits.flood_bytes)
        known = self.known.get(cell.grade_id)
        pair.serve()
        pair.examiner.send(
            Examine(
                source=placed.code,
                seconds=seconds + limits.interrupt_seconds / 2,
                seed=self.launch.seed + placed.index,
                takes=placed.takes,
                refetch=placed.refetch,
                writes_back=placed.writes_back,
                known=None if known is None else tuple(known),
            )
        )
        served = pair.served(said, seconds=seconds)
        # The candidate is let go when the test has ended. If it is not: the test waits for nobody.
        left_alone = pair.examiner.waits(_ANSWER_SECONDS)
        if left_alone:
            pair.examiner.interrupt()
        answer = pair.examiner.receive(outputs, seconds=_ANSWER_SECONDS)
        outputs.items += said.items  # what student code printed meanwhile, for staff
        pair.ran.add(placed.index)
        if answer is not None and left_alone and answer.out_of_time and not answer.broken:
            answer = None  # it was not waiting for the candidate at all: it is we who are slow
        if answer is None or answer.broken:
            pair.close()
        else:
            self._ended.add(placed.index)
            self.asked[cell.grade_id] = tuple(answer.asked)
        return self._judge(cell, placed, pair, served, answer, outputs, seconds)

    def _judge(
        self, cell: TestCell, placed: Cell, pair: Pair, served: Reply, answer: Examined | None, outputs: Outputs, seconds: float
    ) -> Finding:
        """The candidate's end comes first: a test that lost its candidate says nothing of its own."""
        if served.ending in (*_ENDED, Ending.TIMEOUT, Ending.FLOOD):
            return _finding(cell, served, outputs, seconds, pair)
        if answer is None:
            return _finding(cell, Reply(ending=Ending.LOST, seconds=served.seconds), outputs, seconds, pair)
        ending = Ending.TIMEOUT if answer.out_of_time else Ending.ERROR if answer.ename else Ending.OK
        reply = Reply(ending=ending, ename=answer.ename, evalue=answer.evalue, seconds=served.seconds)
        if answer.ename in _WIRE_ERRORS or (answer.out_of_time and answer.broken):  # the candidate left while the test waited
            message = "The test could not go on: the student's code stopped answering properly."
            return Finding(score=Score(verdict=Verdict.ERROR, points=0.0, message=message), reply=reply)
        if answer.ename and self._is_ours(placed, pair, answer):
            return _unprepared(pair)
        if answer.unlike:
            return _unlike(answer.unlike)
        failure = Failure(
            lines=tuple(answer.lines),
            by_student=answer.by_student,
            ename=answer.ename,
            evalue=answer.evalue,
            builtin=answer.builtin,
        )
        return _finding(cell, reply, outputs, seconds, pair, failure if answer.ename else None)

    def _is_ours(self, placed: Cell, pair: Pair, answer: Examined) -> bool:
        """Whether the test failed for want of a name that a locked cell should have given on the examiner's side."""
        missing = {name for cell in self.ownership.cells if cell.index in pair.failed for name in cell.gives}
        return not answer.by_student and bool(missing & set(placed.needs))

    def _prepare(self, pair: Pair, placed: Cell, test_seconds: float) -> None:
        """Run what the examiner needs from the cells before `placed`."""
        seconds = self.launch.limits.cell_seconds
        for one in self.ownership.cells:
            if one.index >= placed.index or one.index in pair.ran or not one.code or not pair.alive:
                continue
            if one.kind is Kind.TEST:
                if one.index in self._ended and set(one.gives) & set(placed.needs):  # it ran in a process that is gone
                    again = TestCell(source=one.code, max_points=0.0, grade_id=one.grade_id or "")
                    self._examine(again, one, pair, Outputs(1, 1_000_000), test_seconds)
                continue
            pair.ran.add(one.index)
            answer = _run(pair, one.code, seconds)
            if answer is None or answer.ename:
                pair.failed[one.index] = f"cell {one.label} raised {answer.ename}: {answer.evalue}" if answer else pair.end
            tags = self.source.cells[one.index].metadata.get("tags", ())
            if "parameters" in tags and self.launch.parameters:
                _run(pair, self.launch.parameter_source, seconds)


def _run(pair: Pair, source: str, seconds: float) -> Examined | None:
    pair.examiner.send(Prepare(source=source, seconds=seconds))
    return pair.examiner.receive(Outputs(1, 1_000_000), seconds=seconds + _ANSWER_SECONDS)


def _finding(
    cell: TestCell, reply: Reply, outputs: Outputs, seconds: float, pair: Pair, failure: Failure | None = None
) -> Finding:
    score = judge_reply(reply, outputs, cell.max_points, seconds=seconds, kernel=pair)
    return Finding(score=score, reply=reply, failure=failure)


def _cannot(placed: Cell | None) -> Finding:
    """A test that cannot be examined from outside waits for a person."""
    why = placed.problems[0] if placed is not None else "it is not in the instructor's notebook"
    return _for_a_person(f"cannot be examined: {why}", examined=False)


def _unprepared(pair: Pair) -> Finding:
    return _for_a_person(f"cannot be examined: on the examiner's side {'; '.join(pair.failed.values())}", examined=False)


def _unlike(how: str) -> Finding:
    """What no test can tell apart: an honest answer of another kind, and an object made to please."""
    return _for_a_person(f"a person has to read the exercise: {how}", examined=True)


def _for_a_person(reason: str, *, examined: bool) -> Finding:
    score = Score(verdict=Verdict.NOT_EXAMINED, points=None, message="A person will look at this test.")
    return Finding(score=score, reply=Reply(ending=Ending.OK), examined=examined, reason=reason)
