"""Runs an assignment's cells with bare `exec` in forked children, to prove what its tests catch.

Runs: trusted side, in a process of its own; everything it runs was written by staff.

    python -m autograder.prover <job.json>      writes one JSON line for each run to standard output

The reference notebook runs once, to its end. Each mutant is a fork of that end: its cell is run over the reference's, and
then the test cells that can see the change. A test cell can see it if its names lead, through the cells that define
them, to the exercise; all others have the reference's verdict. Before each test cell, functions that the manifest lists
under [references] are put back to the reference's version, as they are in grading.
"""

from __future__ import annotations

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

from autograder.cells import bound_names, mentioned_names

_DIED = "process"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProverCell:
    """A code cell, reduced to what proving needs."""

    name: str
    """Grade id, or `cell N`."""
    kind: str
    """`test`, `exercise` or `given`."""
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One thing to run: a mutant of one exercise."""

    name: str
    exercise: str
    source: str


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
    workers: int

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
    """What one run gave: for each test cell "" (passed) or the error, and errors elsewhere."""

    name: str
    tests: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)


class OutOfTime(BaseException):
    """A cell ran longer than it may. Not an Exception, so that a wrong solution's `except` does not swallow it."""


def main() -> None:
    """Run the job named on the command line."""
    job = Job.from_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    results = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what cells print is of no interest
    for outcome in prove(job):
        results.write(json.dumps(asdict(outcome)) + "\n")


def prove(job: Job) -> Iterator[Outcome]:
    """The outcomes of `blank`, `released`, `reference`, and each variant, in that order."""
    with_refs = {cell.name: cell.source for cell in job.cells if cell.kind == "exercise"}
    yield from _in_forks(
        [("blank", lambda: _play("blank", job.blank, job)), ("released", lambda: _play("released", job.released, job))], job
    )
    namespace: dict[str, Any] = {"__name__": "__main__"}
    reference = _play("reference", job.cells, job, namespace, with_refs)
    yield reference
    reach = reachable(job.cells)
    runs = [(variant.name, partial(_play_variant, variant, job, namespace, with_refs, reach)) for variant in job.variants]
    for variant, outcome in zip(job.variants, _in_forks(runs, job), strict=True):
        if _DIED in outcome.errors:
            outcome.tests = {cell: outcome.errors[_DIED] for cell, exercises in reach.items() if variant.exercise in exercises}
        yield outcome


def reachable(cells: tuple[ProverCell, ...]) -> dict[str, set[str]]:
    """For each test cell the exercises that its verdict can depend on, by the names it uses, directly or through others."""
    uses: dict[str, set[str]] = {}
    exercise_of: dict[str, set[str]] = {}
    for cell in cells:
        if cell.kind == "test":
            continue
        used = mentioned_names(cell.source)
        for name in bound_names(cell.source):
            uses.setdefault(name, set()).update(used)
            if cell.kind == "exercise":
                exercise_of.setdefault(name, set()).add(cell.name)
    found = {}
    for cell in cells:
        if cell.kind != "test":
            continue
        seen: set[str] = set()
        waiting = list(mentioned_names(cell.source))
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += uses.get(name, ())
        found[cell.name] = {exercise for name in seen for exercise in exercise_of.get(name, ())}
    return found


def _play(
    name: str,
    cells: tuple[ProverCell, ...],
    job: Job,
    namespace: dict[str, Any] | None = None,
    reference: Mapping[str, str] | None = None,
) -> Outcome:
    """Run `cells` in order, going on after errors."""
    space = {"__name__": "__main__"} if namespace is None else namespace
    outcome = Outcome(name=name)
    for cell in cells:
        began = time.process_time()
        error = (
            _run_test(cell, job, space, reference or {})
            if cell.kind == "test"
            else _error_of(cell.source, cell.name, space, None)
        )
        outcome.cpu_seconds[cell.name] = round(time.process_time() - began, 4)
        _close_figures()
        if cell.kind == "test":
            outcome.tests[cell.name] = error
        elif error:
            outcome.errors[cell.name] = error
    return outcome


def _play_variant(
    variant: Variant, job: Job, namespace: dict[str, Any], reference: Mapping[str, str], reach: Mapping[str, set[str]]
) -> Outcome:
    outcome = Outcome(name=variant.name)
    error = _error_of(variant.source, variant.exercise, namespace, job.test_seconds)
    if error:
        outcome.errors[variant.exercise] = error
    for cell in job.cells:
        stands_in = variant.exercise in job.references.get(cell.name, ())
        if cell.kind == "test" and variant.exercise in reach[cell.name] and not stands_in:
            outcome.tests[cell.name] = _run_test(cell, job, namespace, reference)
            _close_figures()
    return outcome


def _run_test(cell: ProverCell, job: Job, namespace: dict[str, Any], reference: Mapping[str, str]) -> str:
    """Run a test cell with the reference versions that it asks for; "" when it passed."""
    stand_ins = [name for name in job.references.get(cell.name, ()) if name in reference]
    names = {bound for name in stand_ins for bound in bound_names(reference[name])}
    kept = {name: namespace[name] for name in names if name in namespace}
    for name in stand_ins:
        _error_of(reference[name], name, namespace, None)
    try:
        return _error_of(cell.source, cell.name, namespace, job.test_seconds)
    finally:
        for name in names:
            namespace.pop(name, None)
        namespace.update(kept)


def _error_of(source: str, name: str, namespace: dict[str, Any], seconds: float | None) -> str:
    """Run `source`; "" or what it raised, as `Type: message`."""
    try:
        with _alarm(seconds):
            exec(compile(source, f"<{name}>", "exec"), namespace)
    except OutOfTime:
        return f"TimeoutError: longer than {seconds:g} s"
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  a wrong solution may raise anything
        return f"{type(error).__name__}: {error}"
    return ""


class _alarm:  # noqa: N801  reads as a statement
    """Raises OutOfTime in the body after `seconds`, again and again until it ends."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        if self._seconds:
            signal.signal(signal.SIGALRM, _out_of_time)
            signal.setitimer(signal.ITIMER_REAL, self._seconds, 1.0)

    def __exit__(self, *_: object) -> None:
        if self._seconds:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _out_of_time(*_: object) -> None:
    raise OutOfTime


def _close_figures() -> None:
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")


def _in_forks(runs: Sequence[tuple[str, Callable[[], Outcome]]], job: Job) -> Iterator[Outcome]:
    """The outcomes of `runs`, in order, several at a time, each in a fork of this process."""
    running: list[tuple[str, int, int]] = []
    for name, run in runs:
        if len(running) == job.workers:
            yield _collect(*running.pop(0))
        running.append((name, *_fork(run)))
    for item in running:
        yield _collect(*item)


def _fork(run: Callable[[], Outcome]) -> tuple[int, int]:
    reader, writer = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    status = 1
    try:
        os.close(reader)
        payload = json.dumps(asdict(run())).encode()
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(payload)
        status = 0
    finally:
        os._exit(status)


def _collect(name: str, pid: int, reader: int) -> Outcome:
    with os.fdopen(reader, "rb") as pipe:
        payload = pipe.read()
    os.waitpid(pid, 0)
    if not payload:
        return Outcome(name=name, errors={_DIED: "Crash: the process died"})
    return Outcome(**json.loads(payload))


if __name__ == "__main__":
    main()
