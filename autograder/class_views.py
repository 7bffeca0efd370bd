"""How a class looks in a terminal: while it is graded, and afterwards.

Runs: trusted side.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autograder.bench_notebooks import BENCH_NOTEBOOKS
from autograder.grading import ClassRun, Graded
from autograder.handback import Page
from autograder.todo import Todo, Urgency
from autograder.verdict import Verdict
from autograder.watch import Event, Returned, Waits

_SLOW_SECONDS = 5.0
"""Whoever takes longer is named while it lasts."""
_NAMED = 3


class ClassView:
    """A live picture of a run: how far, how fast, how long still, which verdicts, who is slow."""

    def __init__(self, run: ClassRun) -> None:
        self._run = run
        self._began = time.monotonic()
        self._verdicts: Counter[Verdict] = Counter()
        self._counted = 0
        """How many of those that were graded are counted: a picture costs as much late in a large class as early."""

    def __rich__(self) -> Group:
        """The picture of this moment."""
        tally, seconds = self._run.tally, time.monotonic() - self._began
        done, todo = len(tally.graded), tally.total - tally.unchanged
        line = f"{self._run.assignment}: {done} of {todo} graded"
        if tally.unchanged:
            line += f", {tally.unchanged} unchanged"
        if done:
            left = max(0.0, (todo - done) * seconds / done)
            line += f"   {60 * done / seconds:.0f} a minute   {_clock(left)} left"
        for graded in tally.graded[self._counted : done]:
            self._verdicts.update(graded.verdicts)
        self._counted = done
        verdicts = _named(self._verdicts)
        slow = [f"{student} {_clock(age)}" for student, age in self._run.under_way().items() if age > _SLOW_SECONDS]
        lines: list[Any] = [Text(line), ProgressBar(total=max(1, todo), completed=done, width=60)]
        if verdicts:
            lines.append(Text(verdicts, style="dim"))
        if slow:
            lines.append(Text(f"slow: {', '.join(slow[:_NAMED])}", style="yellow"))
        return Group(*lines)


def class_table(run: ClassRun, seconds: float) -> Table:
    """Everybody who was graded in this run: points, verdicts, and whether a person must look."""
    tally = run.tally
    unchanged = f"; {tally.unchanged} unchanged, not graded again" if tally.unchanged else ""
    table = Table(title=f"{run.assignment}: {len(tally.graded)} graded in {_clock(seconds)}{unchanged}", title_justify="left")
    table.add_column("student", no_wrap=True)
    table.add_column("points", justify="right", no_wrap=True)
    table.add_column("verdicts", ratio=2)
    table.add_column("for a person", ratio=2)
    for graded in sorted(tally.graded, key=lambda graded: graded.student):
        points = "-" if graded.problem else f"{graded.points:g}"
        person = Text(graded.attention, style="red") if graded.attention else Text(_by_hand(graded), style="dim")
        table.add_row(Text(graded.student), points, _counted([graded]), person)
    return table


def pages_views(pages: Sequence[Page], assignment: str) -> list[Text]:
    """Whose feedback was written, and whose could not be."""
    failed = [page for page in pages if page.problem]
    lines = [Text(f"{assignment}: feedback for {len(pages) - len(failed)} students written")]
    return lines + [Text(f"  {page.student}: {page.problem}", style="red") for page in failed]


def pages_as_json(pages: Sequence[Page]) -> list[dict[str, str]]:
    """What `pages_views` shows, for machines."""
    return [asdict(page) for page in pages]


def penalties_line(run: ClassRun, *, dry_run: bool) -> Text:
    """Whose late penalty changed without a new grading; empty where nobody's did."""
    changed = [f"{one.student} {one.old:g} to {one.new:g}" for one in run.tally.penalties]
    which = "would change" if dry_run else "changed"
    return Text(f"Late penalties {which}: {', '.join(changed)}" if changed else "")


def todo_lines(todos: Sequence[Todo]) -> list[Text]:
    """Everything that waits for a person; under each notebook its cells."""
    if not todos:
        return [Text("Nobody waits for a person.")]
    lines, before = [], None
    for todo in todos:
        where = todo.student, todo.assignment, todo.notebook
        if where != before:
            notebook = f", {todo.notebook}.ipynb" if todo.notebook not in ("", todo.assignment) else ""
            lines.append(
                Text(f"{todo.student}, {todo.assignment}{notebook}: ", "bold").append(todo.page or todo.path, "not bold")
            )
            before = where
        text = f"  {todo.cell}: {todo.why}" if todo.cell else f"  {todo.why}"
        lines.append(Text(text, "" if todo.urgency is Urgency.WRITTEN else "yellow"))
    written = sum(todo.urgency is Urgency.WRITTEN for todo in todos)
    return [*lines, Text(f"{len(todos)} to do; {written} of them written answers.")]


def class_bench_table(bench: Any) -> Group:
    """A class graded by nbgrader alone and by us."""
    title = f"{bench.submissions} submissions of a notebook {BENCH_NOTEBOOKS[bench.notebook].title}"
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for name in ("grade, s", "feedback, s", "a minute", "CPU s\neach", "times\nnbgrader", "efficiency", "driver,\nCPU ms each"):
        table.add_column(name, justify="right")
    for row in bench.rows():
        table.add_row(*row)
    lines: list[Any] = [table]
    for name, figure, target, met in bench.targets():
        lines.append(f"  {name}: {figure:.3g}, target {target:g}: {_met(met)}")
    return Group(*lines)


def driver_bench_table(bench: Any) -> Group:
    """What one driver sustains."""
    table = Table(title=f"one driver, {bench.submissions} tiny submissions, workers that answer at once", title_justify="left")
    for name in ("graded\nby then", "CPU,\nms each", "wall,\nms each", "memory,\nMiB"):
        table.add_column(name, justify="right")
    for row in bench.rows():
        table.add_row(*row)
    sizes = ", ".join(f"{name} {size / 1024:.1f}" for name, size in bench.disk_bytes.items())
    return Group(
        table,
        f"  wall: {1000 * bench.wall_seconds:.1f} ms each, {3600 / bench.wall_seconds:.0f} an hour",
        f"  CPU of the last three tenths over that of the first three: {bench.growth():.2f}",
        f"  going on where nothing changed: {1000 * bench.resume_seconds:.1f} ms each",
        f"  memory at most: {bench.peak_bytes / 2**20:.0f} MiB",
        f"  on the disk, KiB each: {sizes}",
        f"  driver, CPU ms for a submission: {1000 * bench.cpu_seconds:.1f}, target {1000 * bench.target_seconds:g}: "
        f"{_met(bench.met)}",
    )


def watch_bench_table(bench: Any) -> Group:
    """How long students wait for feedback while a course is watched."""
    table = Table(title=f"handing in to feedback, {len(bench.seconds)} submissions of a small notebook", title_justify="left")
    for name in ("median, s", "longest, s", "the first of all, s"):
        table.add_column(name, justify="right")
    table.add_row(*(f"{value:.2f}" for value in (bench.median_seconds, bench.worst_seconds, bench.first_seconds)))
    target = bench.to_json()["target_seconds"]
    return Group(table, f"  longest, seconds: {bench.worst_seconds:.2f}, target {target:g}: {_met(bench.met)}")


def _met(met: bool) -> str:
    return "met" if met else "[red]MISSED[/]"


def as_json(run: ClassRun, seconds: float) -> dict[str, Any]:
    """What `class_table` shows, for machines."""
    rows = [_graded_json(graded) for graded in sorted(run.tally.graded, key=lambda graded: graded.student)]
    return {
        "assignment": run.assignment,
        "graded": rows,
        "unchanged": run.tally.unchanged,
        "late_penalties": [asdict(settled) for settled in run.tally.penalties],
        "seconds": round(seconds, 3),
        "driver_cpu_seconds": round(run.tally.driver_cpu_seconds, 4),
    }


def progress_json(run: ClassRun, graded: Graded) -> dict[str, Any]:
    """Who was graded last, and how far the run is."""
    tally = run.tally
    return _graded_json(graded) | {"graded": len(tally.graded), "unchanged": tally.unchanged, "total": tally.total}


def _graded_json(graded: Graded) -> dict[str, Any]:
    return {
        "student": graded.student,
        "points": None if graded.problem else graded.points,
        "verdicts": {verdict.value: count for verdict, count in graded.verdicts.items()},
        "attention": graded.attention,
        "seconds": round(graded.seconds, 3),
    }


def event_line(event: Event) -> Text:
    """What happened in a watched course, in a line."""
    when = Text(f"{datetime.now():%H:%M:%S}  ", style="dim")
    who = "  ".join(name for name in (event.student, event.assignment) if name)
    if isinstance(event, Returned):
        points = "" if event.graded is None else f"{event.graded.points:g} points  "
        where = "" if event.returned else "  (in feedback/ only)"
        attention = "" if event.graded is None or not event.graded.attention else f"  {event.graded.attention}"
        return when + Text(f"{who}  {points}{event.seconds:.1f} s{where}") + Text(attention, style="red")
    if isinstance(event, Waits):
        return when + Text(f"{who}  waits {_clock(event.seconds)}: graded often enough for now", style="yellow")
    return when + Text(f"{who}  {event.problem} (tried again, first in {_clock(event.seconds)})", style="red")


def event_json(event: Event) -> dict[str, Any]:
    """What `event_line` shows, for machines."""
    said: dict[str, Any] = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": type(event).__name__.lower()}
    said |= {"student": event.student or None, "assignment": event.assignment or None, "seconds": round(event.seconds, 3)}
    if isinstance(event, Returned):
        graded = event.graded
        points, attention = (None, "") if graded is None else (graded.points, graded.attention)
        return said | {"points": points, "attention": attention, "in_exchange": event.returned}
    return said if isinstance(event, Waits) else said | {"problem": event.problem}


def _counted(graded: list[Graded]) -> str:
    counts: Counter[Verdict] = Counter()
    for one in graded:
        counts.update(one.verdicts)
    return _named(counts)


def _named(counts: Counter[Verdict]) -> str:
    automatic = [verdict for verdict in Verdict if counts[verdict] and verdict is not Verdict.NOT_EXAMINED]
    return ", ".join(f"{counts[verdict]} {verdict.value.replace('_', ' ')}" for verdict in automatic)


def _by_hand(graded: Graded) -> str:
    count = graded.verdicts.get(Verdict.NOT_EXAMINED, 0)
    return f"{count} written answer{'s' if count > 1 else ''} or unexamined test{'s' if count > 1 else ''}" if count else ""


def _clock(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"
