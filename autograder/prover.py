"""Runs an assignment's cells with bare `exec` in forked children, to prove what its tests catch.

Runs: trusted side, in a process of its own; everything it runs was written by staff.

    python -m autograder.prover <job.json>      writes one JSON line for each run to standard output

The reference notebook runs once. The blank notebook is forked off where the two part, and each mutant just before the cell of its
exercise: there the changed cell runs, then the later cells that the tests need, then the test cells that can see the change, all
in the notebook's order (`consequences` says which). So a locked cell that trains a model with the exercise trains it with the
mutant, and nothing that came before is done again. Test cells that cannot see the change have the reference's verdict. While a
test cell runs, functions that the manifest lists under [references] are the reference's version, as they are in grading.

Nothing waits without end. A cell that runs too long is interrupted; one that ignores that, or is deep in compiled code, ends
its process. Past the limit of a whole notebook the cells that are left are not run. A fork leaves its outcome in memory that it
shares with this process, so that whatever processes it leaves behind hold up nothing.
"""

from __future__ import annotations

import ast
import faulthandler
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import nbformat

from autograder.cells import Kind, bound_names, grade_id_of, kind_of, points_of
from autograder.consequences import Consequences, ProverCell, consequences
from autograder.verdict import Verdict, judge_value

PARTIAL, NO_POINTS = "Partial", "NoPoints"
"""What stands for a type of error where a test cell ended with a number that is not its full points."""
_DIED = "process"
_STOP_SECONDS = 5.0
"""How long an interrupted cell may take to stop. Past it its process ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One thing to run: a mutant of one exercise."""

    name: str
    exercise: str
    source: str
    """The exercise's cell, changed."""
    stops_early: bool = False
    """Whether the first error in its own cell or in a test cell is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What the prover is to run."""

    cells: tuple[ProverCell, ...]
    blank: tuple[ProverCell, ...]
    """The same cells with solutions replaced by stubs."""
    released: tuple[ProverCell, ...]
    """The blank cells without hidden tests."""
    references: Mapping[str, list[str]]
    variants: tuple[Variant, ...]
    test_seconds: float
    """Wall seconds that a changed cell and a test cell may take."""
    cell_seconds: float
    """Wall seconds that any other cell may take."""
    notebook_seconds: float
    """Wall seconds that all cells of one run may take together."""
    workers: int

    @property
    def patience_seconds(self) -> float:
        """The prover says nothing for less than this, or something is wrong: the reference runs, then the slowest fork ends."""
        return 60 + 2 * (self.notebook_seconds + max(self.cell_seconds, self.test_seconds) + _STOP_SECONDS)

    def to_json(self) -> str:
        """The job as text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The inverse of `to_json`."""
        data = json.loads(text)
        for name in ("cells", "blank", "released"):
            data[name] = tuple(ProverCell(**cell) for cell in data[name])
        data["variants"] = tuple(Variant(**variant) for variant in data["variants"])
        return cls(**data)


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What one run gave: for each test cell "" (full points) or why not, and errors elsewhere."""

    name: str
    tests: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)

    def earns(self, test: str) -> bool:
        """Whether the test cell gives any points."""
        return test in self.tests and self.tests[test].partition(":")[0] in ("", PARTIAL)


class OutOfTime(BaseException):
    """A cell ran longer than it may. Not an Exception, so that a wrong solution's `except` does not swallow it."""


def prover_cells(cells: Sequence[nbformat.NotebookNode]) -> list[ProverCell]:
    """The code cells among all `cells` of a notebook, reduced to what proving needs."""
    kinds = {Kind.TEST: "test", Kind.EXERCISE: "exercise"}
    return [
        ProverCell(
            name=grade_id_of(cell) or f"cell {number}",
            kind=kinds.get(kind_of(cell), "given"),
            source=cell.source,
            points=points_of(cell),
        )
        for number, cell in enumerate(cells, 1)
        if cell.cell_type == "code"
    ]


def main() -> None:
    """Run the job named on the command line."""
    job = Job.from_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    results = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what cells print is of no interest
    for outcome in prove(job):
        results.write(json.dumps(asdict(outcome)) + "\n")


def prove(job: Job) -> Iterator[Outcome]:
    """The outcomes of `blank`, `released`, `reference` and each variant, as they come."""
    forks = _Forks(job.workers)
    references = {cell.name: cell.source for cell in job.cells if cell.kind == "exercise"}
    plans = consequences(job.cells, job.references)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    reference, time_left = Outcome(name="reference"), _TimeLeft(job)
    others = {"blank": job.blank, "released": job.released}
    apart = {name: _first_difference(job.cells, cells) for name, cells in others.items()}
    for index in range(len(job.cells) + 1):
        runs = [
            (name, partial(_play_rest, name, others[name][index:], job, namespace, reference))
            for name, first in apart.items()
            if first == index
        ]
        cell = job.cells[index] if index < len(job.cells) else None
        for variant in job.variants:
            if cell is not None and cell.kind == "exercise" and variant.exercise == cell.name:
                play = partial(_play_variant, variant, plans[cell.name], job, index, namespace, references)
                runs.append((variant.name, play))
        began = time.monotonic()
        for name, run in runs:
            for outcome in forks.run(name, run):
                yield _with_crash(outcome, job, plans)
        time_left.add(time.monotonic() - began)  # the reference waited meanwhile
        if cell is not None:
            _play_cell(cell, job, namespace, references, reference, time_left)
    yield reference
    for outcome in forks.rest():
        yield _with_crash(outcome, job, plans)


def _first_difference(cells: Sequence[ProverCell], others: Sequence[ProverCell]) -> int:
    """Where two notebooks part."""
    same = (cell == other for cell, other in zip(cells, others, strict=False))
    return next((index for index, is_same in enumerate(same) if not is_same), min(len(cells), len(others)))


def _with_crash(outcome: Outcome, job: Job, plans: Mapping[str, Consequences]) -> Outcome:
    """`outcome`; where the process died, every test cell that can see the change has caught it."""
    exercises = [variant.exercise for variant in job.variants if variant.name == outcome.name]
    if _DIED in outcome.errors and exercises:
        outcome.tests = dict.fromkeys(sorted(plans[exercises[0]].tests), outcome.errors[_DIED])
    return outcome


def _play_rest(name: str, cells: Sequence[ProverCell], job: Job, namespace: dict[str, Any], before: Outcome) -> Outcome:
    """Run `cells` in order, going on after errors. What led up to them was the reference's, and so is its outcome `before`."""
    outcome = Outcome(name=name, tests=dict(before.tests), errors=dict(before.errors))
    time_left = _TimeLeft(job)
    for cell in cells:
        _play_cell(cell, job, namespace, {}, outcome, time_left)
    return outcome


def _play_cell(
    cell: ProverCell,
    job: Job,
    namespace: dict[str, Any],
    references: Mapping[str, str],
    outcome: Outcome,
    time_left: _TimeLeft,
) -> None:
    """Run one cell of a whole notebook."""
    began = time.process_time()
    if cell.kind == "test":
        outcome.tests[cell.name] = _run_test(cell, job, namespace, references, time_left)
    elif error := _error_of(cell.source, cell.name, namespace, time_left.for_cell()):
        outcome.errors[cell.name] = error
    outcome.cpu_seconds[cell.name] = round(time.process_time() - began, 4)
    _close_figures()


def _play_variant(
    variant: Variant, plan: Consequences, job: Job, index: int, namespace: dict[str, Any], references: Mapping[str, str]
) -> Outcome:
    """Run the variant in place of the cell at `index`, then what follows from it."""
    outcome, time_left = Outcome(name=variant.name), _TimeLeft(job)
    if error := _error_of(variant.source, variant.exercise, namespace, time_left.for_test()):
        outcome.errors[variant.exercise] = error
        if variant.stops_early:
            return outcome
    for cell in job.cells[index + 1 :]:
        if cell.name not in plan.cells:
            continue
        if cell.kind == "test":
            error = _run_test(cell, job, namespace, references, time_left)
        else:
            error = _error_of(cell.source, cell.name, namespace, time_left.for_cell())
        _close_figures()
        if cell.name in plan.tests:
            outcome.tests[cell.name] = error
            if error and variant.stops_early:
                break
        elif error and cell.kind != "test":
            outcome.errors[cell.name] = error
    return outcome


class _TimeLeft:
    """How many wall seconds the next cell of one run may take."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._end = time.monotonic() + job.notebook_seconds

    def add(self, seconds: float) -> None:
        """Allow `seconds` more, in which nothing of this run ran."""
        self._end += seconds

    def for_cell(self) -> float:
        """What a cell may take that is neither a test nor changed."""
        return min(self._job.cell_seconds, self._end - time.monotonic())

    def for_test(self) -> float:
        """What a test cell or a changed cell may take."""
        return min(self._job.test_seconds, self._end - time.monotonic())


def _run_test(cell: ProverCell, job: Job, namespace: dict[str, Any], reference: Mapping[str, str], time_left: _TimeLeft) -> str:
    """Run a test cell with the reference versions that it asks for; "" when it gave full points."""
    stand_ins = [name for name in job.references.get(cell.name, ()) if name in reference]
    names = {bound for name in stand_ins for bound in bound_names(reference[name])}
    kept = {name: namespace[name] for name in names if name in namespace}
    for name in stand_ins:
        _error_of(reference[name], name, namespace, time_left.for_cell())
    try:
        return _error_of(cell.source, cell.name, namespace, time_left.for_test(), points=cell.points)
    finally:
        for name in names:
            namespace.pop(name, None)
        namespace.update(kept)


def _error_of(source: str, name: str, namespace: dict[str, Any], seconds: float, *, points: float | None = None) -> str:
    """Run `source`; "" or what it raised, as `Type: message`. With `points` its value counts, as in grading."""
    if seconds <= 0:
        return "TimeoutError: all cells together took longer than the notebook may"
    try:
        with _alarm(seconds):
            value = _execute(source, f"<{name}>", namespace)
            return _shortfall(value, points) if points is not None and value is not None else ""
    except OutOfTime:
        return f"TimeoutError: longer than {seconds:.3g} s"
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  a wrong solution may raise anything
        return f"{type(error).__name__}: {error}"


def _execute(source: str, file: str, namespace: dict[str, Any]) -> object:
    """Run `source`; the value of its last expression, as a notebook shows it, None where it shows none."""
    tree = ast.parse(source, file)
    last = tree.body[-1] if tree.body and not source.rstrip().endswith(";") else None
    if not isinstance(last, ast.Expr):
        exec(compile(tree, file, "exec"), namespace)
        return None
    tree.body.pop()
    exec(compile(tree, file, "exec"), namespace)
    value: object = eval(compile(ast.Expression(last.value), file, "eval"), namespace)
    return value


def _shortfall(value: object, points: float) -> str:
    """Why a test cell that ended with `value` does not give full points; "" when it does."""
    score = judge_value(repr(value), points)
    if score.verdict is Verdict.PASSED:
        return ""
    return f"{PARTIAL if score.verdict is Verdict.PARTIAL else NO_POINTS}: {score.message}"


class _alarm:  # noqa: N801  reads as a statement
    """Raises OutOfTime in the body after `seconds`, again and again until it ends; if it does not, its process does."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        signal.signal(signal.SIGALRM, _out_of_time)
        signal.setitimer(signal.ITIMER_REAL, self._seconds, 1.0)
        faulthandler.dump_traceback_later(self._seconds + _STOP_SECONDS, exit=True)

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()


def _out_of_time(*_: object) -> None:
    raise OutOfTime


def _close_figures() -> None:
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")


class _Forks:
    """Runs things in forks of this process, as it is when they are started, several at a time."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._running: list[tuple[str, int, int]] = []

    def run(self, name: str, run: Callable[[], Outcome]) -> Iterator[Outcome]:
        """Start `run`; before, where all are at work, the outcome of the oldest."""
        if len(self._running) == self._workers:
            yield _collect(*self._running.pop(0))
        self._running.append((name, *_fork(run)))

    def rest(self) -> Iterator[Outcome]:
        """The outcomes of all that are still at work."""
        while self._running:
            yield _collect(*self._running.pop(0))


def _fork(run: Callable[[], Outcome]) -> tuple[int, int]:
    """The process in which `run` runs, and the memory in which it leaves its outcome."""
    memory = os.memfd_create("outcome")
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid, memory
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what it says there is of no interest
        with os.fdopen(memory, "wb") as file:
            file.write(json.dumps(asdict(run())).encode())
        status = 0
    finally:
        os._exit(status)


def _collect(name: str, pid: int, memory: int) -> Outcome:
    _, status = os.waitpid(pid, 0)
    with os.fdopen(memory, "rb") as file:
        file.seek(0)
        payload = file.read()
    if status != 0 or not payload:
        return Outcome(name=name, errors={_DIED: "Crash: the process died, or did not stop when its time was up"})
    return Outcome(**json.loads(payload))


if __name__ == "__main__":
    main()
