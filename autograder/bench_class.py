"""Measures a class: the same submissions graded and given feedback by nbgrader alone and by us.

Runs: trusted side; all code that is graded here is staff's own.

The contestants take turns in one run, each in a copy of the course, as commands: what it costs to start them is in the figures.
CPU is that of every process, workers, zygotes and forks included.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import nbformat

from autograder.bench_notebooks import BENCH_NOTEBOOKS
from autograder.counted import Counted, count
from autograder.errors import AutograderError

ASSIGNMENT = "homework"
_OURS = "from autograder import configure\n\nc = get_config()\nconfigure(c)\n"
_STOCK = "c = get_config()\n"
_BARE = """
import json, os, resource, sys

def run(path):
    cells = [cell["source"] for cell in json.load(open(path, encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    names = {}
    for cell in cells:
        exec("".join(cell), names)

os.environ["OMP_NUM_THREADS"] = "1"  # as in the forks that are compared
at_once, first, rest = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
run(first)
for number, path in enumerate(rest):
    if number >= at_once:
        assert os.wait()[1] == 0
    if os.fork() == 0:
        run(path)
        os._exit(0)
for _ in rest[:at_once]:
    assert os.wait()[1] == 0
print(sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))
"""
"""Runs the first notebook, with all that it imports, then each of the others in a fork of its own; the CPU seconds."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One contestant's turn."""

    round: int
    workers: int
    """0 for nbgrader alone."""
    grade_seconds: float
    """Wall seconds."""
    feedback_seconds: float
    """0 where the first step wrote it."""
    cpu_seconds: float
    driver_cpu_seconds: float | None
    """Of the driver, once it has started, while it graded; None for nbgrader alone, which has none."""
    bare_cpu_seconds: float
    """CPU of the cells of the whole class by bare `exec`, right after the turn: imports once, then a fork for each submission, as
    many at once as there were workers, because two side by side take more each than one alone on cores that share parts."""

    @property
    def wall_seconds(self) -> float:
        """Both steps."""
        return self.grade_seconds + self.feedback_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassBench:
    """What was measured."""

    notebook: str
    """Its name in `BENCH_NOTEBOOKS`."""
    submissions: int
    turns: tuple[Turn, ...]

    def of(self, workers: int) -> list[Turn]:
        """The turns with that many workers."""
        return [turn for turn in self.turns if turn.workers == workers]

    def ratio(self, workers: int) -> float | None:
        """How many times our wall time nbgrader alone takes, median of the rounds; None where it was not measured."""
        pairs = [(ours, stock) for ours in self.of(workers) for stock in self.of(0) if stock.round == ours.round]
        return statistics.median(stock.wall_seconds / ours.wall_seconds for ours, stock in pairs) if pairs else None

    def efficiency(self, workers: int) -> float:
        """The part of the CPU that the cells themselves need, median of the rounds."""
        return statistics.median(turn.bare_cpu_seconds / turn.cpu_seconds for turn in self.of(workers))

    def driver_seconds(self, workers: int) -> float:
        """CPU seconds of the driver for a submission, median of the rounds."""
        return statistics.median((turn.driver_cpu_seconds or 0.0) / self.submissions for turn in self.of(workers))

    @property
    def contestants(self) -> list[int]:
        """Numbers of workers that were measured; 0 is nbgrader alone."""
        return sorted({turn.workers for turn in self.turns})

    def rows(self) -> list[tuple[str, ...]]:
        """The table: who, wall seconds of both steps, submissions a minute, CPU of one, ratio, efficiency, CPU of the driver."""
        found: list[tuple[str, ...]] = []
        for workers in self.contestants:
            turns, ratio = self.of(workers), self.ratio(workers)
            grade, feedback, cpu = (
                statistics.median(getattr(turn, name) for turn in turns)
                for name in ("grade_seconds", "feedback_seconds", "cpu_seconds")
            )
            found.append(
                (
                    "nbgrader alone" if not workers else f"{workers} worker{'s' if workers > 1 else ''}",
                    f"{grade:.1f}",
                    f"{feedback:.1f}" if feedback else "at once",
                    f"{60 * self.submissions / (grade + feedback):.0f}",
                    f"{cpu / self.submissions:.3f}",
                    "" if not workers or ratio is None else f"{ratio:.1f}",
                    f"{self.efficiency(workers):.2f}",
                    "" if not workers else f"{1000 * self.driver_seconds(workers):.1f}",
                )
            )
        return found

    def targets(self) -> list[tuple[str, float, float, bool]]:
        """Name, figure, target and whether it is met, for the largest number of workers."""
        most, targets = self.contestants[-1], BENCH_NOTEBOOKS[self.notebook].targets
        ratio, efficiency, driver = self.ratio(most), self.efficiency(most), self.driver_seconds(most)
        found = [("driver, CPU seconds for a submission", driver, targets.driver_seconds, driver <= targets.driver_seconds)]
        if targets.efficiency is not None:
            found.append(("efficiency", efficiency, targets.efficiency, efficiency >= targets.efficiency))
        if targets.ratio is not None and ratio is not None:
            found.append(("nbgrader's wall time over ours", ratio, targets.ratio, ratio >= targets.ratio))
        return found

    def to_json(self) -> dict[str, Any]:
        """All of it, every single turn included."""
        targets = [{"name": name, "figure": figure, "target": target, "met": met} for name, figure, target, met in self.targets()]
        return {**asdict(self), "targets": targets}


def bench_class(
    notebook: str,
    submissions: int,
    workers: Sequence[int],
    rounds: int,
    *,
    alone: bool = True,
    progress: Progress = lambda done, total: None,
) -> ClassBench:
    """Grade `submissions` copies of `notebook` with each number of `workers` and, if `alone`, by nbgrader alone.

    Raises:
        AutograderError: there is no such notebook, or a command failed.
    """
    if notebook not in BENCH_NOTEBOOKS:
        raise AutograderError(f"{notebook!r} is no notebook for a class; there are {', '.join(BENCH_NOTEBOOKS)}")
    turns = []
    contestants = [*([0] if alone else []), *workers]
    with tempfile.TemporaryDirectory(prefix="autograder-") as place:
        nb = BENCH_NOTEBOOKS[notebook].build()
        courses = {
            kind: make_course(Path(place) / kind, submissions, nb, text) for kind, text in (("ours", _OURS), ("stock", _STOCK))
        }
        for number in range(rounds):
            turn = number % len(contestants)
            for count_of in contestants[turn:] + contestants[:turn]:
                turns.append(_take_turn(courses["ours" if count_of else "stock"], number, count_of, submissions))
                progress(len(turns), rounds * len(contestants))
        return ClassBench(notebook=notebook, submissions=submissions, turns=tuple(turns))


def make_course(folder: Path, submissions: int, nb: nbformat.NotebookNode, config: str = _OURS) -> Path:
    """A course in `folder` with one assignment, which that many students handed in solved.

    Raises:
        AutograderError: nbgrader could not make it.
    """
    source = folder / "source" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
    source.parent.mkdir(parents=True)
    (folder / "nbgrader_config.py").write_text(config, encoding="utf-8")
    nbformat.write(nb, source)
    _done(count(_nbgrader("generate_assignment", ASSIGNMENT), folder), "generate_assignment")
    for number in range(submissions):
        handed_in = folder / "submitted" / f"student{number:05}" / ASSIGNMENT / f"{ASSIGNMENT}.ipynb"
        handed_in.parent.mkdir(parents=True)
        handed_in.write_bytes(source.read_bytes())
    return folder


def _take_turn(course: Path, number: int, workers: int, submissions: int) -> Turn:
    for step in ("autograded", "feedback"):
        shutil.rmtree(course / step, ignore_errors=True)
    if not workers:
        steps = [
            _done(count(_nbgrader("autograde", ASSIGNMENT, "--force"), course), "nbgrader autograde"),
            _done(count(_nbgrader("generate_feedback", ASSIGNMENT), course), "nbgrader generate_feedback"),
        ]
    else:
        options = ["--workers", str(workers), "--feedback", "--json"]
        steps = [_done(count(_ours("grade", ASSIGNMENT, *options), course), "autograder grade")]
    pages = len(list(course.glob(f"feedback/*/{ASSIGNMENT}/{ASSIGNMENT}.html")))
    if pages != submissions:
        raise AutograderError(
            f"{pages} of {submissions} submissions were graded and given feedback; the figures would mean nothing"
        )
    return Turn(
        round=number,
        workers=workers,
        grade_seconds=steps[0].wall_seconds,
        feedback_seconds=sum(step.wall_seconds for step in steps[1:]),
        cpu_seconds=sum(step.cpu_seconds for step in steps),
        driver_cpu_seconds=json.loads(steps[0].output)["driver_cpu_seconds"] if workers else None,
        bare_cpu_seconds=_bare_seconds(course, max(1, workers)),
    )


def _bare_seconds(course: Path, processes: int) -> float:
    paths = sorted(map(str, course.glob(f"submitted/*/{ASSIGNMENT}/*.ipynb")))
    command = [sys.executable, "-c", _BARE, str(processes), *paths]
    return float(_done(count(command, course), "the bare cells").output.split()[-1])


def _done(counted: Counted, what: str) -> Counted:
    if counted.status != 0:
        raise AutograderError(f"{what} ended with status {counted.status}; nothing was measured")
    return counted


def _nbgrader(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "nbgrader", *arguments]


def _ours(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "autograder", *arguments]
