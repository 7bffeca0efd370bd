"""What the command line shows of a class: while it is graded, and afterwards.

Runs: trusted side.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autograder.grading import ClassRun, Graded
from autograder.ownership import HEADER
from autograder.verdict import Verdict

_SLOW_SECONDS = 5.0
"""Whoever takes longer is named while it lasts."""
_NAMED = 3


class ClassView:
    """A live picture of a run: how far, how fast, how long still, which verdicts, who is slow."""

    def __init__(self, run: ClassRun) -> None:
        self._run = run
        self._began = time.monotonic()

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
        verdicts = _counted(tally.graded)
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


def class_bench_table(bench: Any) -> Group:
    """A class graded by nbgrader alone and by us."""
    table = Table(title=f"{bench.submissions} submissions of a small notebook", title_justify="left")
    table.add_column("", no_wrap=True)
    for name in ("grade, s", "feedback, s", "a minute", "CPU s\neach", "times\nnbgrader", "efficiency", "driver,\nCPU ms each"):
        table.add_column(name, justify="right")
    for row in bench.rows():
        table.add_row(*row)
    lines: list[Any] = [table]
    for name, figure, target, met in bench.targets():
        lines.append(f"  {name}: {figure:.3g}, target {target:g}: {'met' if met else '[red]MISSED[/]'}")
    return Group(*lines)


def as_json(run: ClassRun, seconds: float) -> dict[str, Any]:
    """What `class_table` shows, for machines."""
    rows = [
        {
            "student": graded.student,
            "points": None if graded.problem else graded.points,
            "verdicts": {verdict.value: count for verdict, count in graded.verdicts.items()},
            "attention": graded.attention,
            "seconds": round(graded.seconds, 3),
        }
        for graded in sorted(run.tally.graded, key=lambda graded: graded.student)
    ]
    return {
        "assignment": run.assignment,
        "graded": rows,
        "unchanged": run.tally.unchanged,
        "seconds": round(seconds, 3),
        "driver_cpu_seconds": round(run.tally.driver_cpu_seconds, 4),
    }


def demo_table(demo: Any, assignment: str, *, stock: bool) -> Table:
    """One assignment of a demonstration; with `stock` also the scores of nbgrader alone."""
    table = Table(title=f"{assignment}: automatic points", title_justify="left")
    table.add_column("student", no_wrap=True)
    table.add_column("handed in", ratio=3)
    table.add_column("verdicts", ratio=3)
    table.add_column("score", justify="right", style="bold", no_wrap=True)
    if stock:
        table.add_column("nbgrader\nalone", justify="right", no_wrap=True)
    for row in demo.rows:
        if row.assignment == assignment:
            score = "-" if row.report is None else f"{row.report.score:g}"
            extra = [] if not stock else ["-" if row.stock_score is None else f"{row.stock_score:g}"]
            table.add_row(row.student.id, row.student.idea, _verdicts(row.report), score, *extra)
    return table


def _verdicts(report: Any) -> Text:
    """How many automatic tests ended how, and what staff should know."""
    if report is None:
        return Text("no report", style="red")
    tests = [cell.verdict for cell in report.cells if cell.verdict is not Verdict.NOT_EXAMINED]
    counts = [(verdict, tests.count(verdict)) for verdict in Verdict if verdict in tests]
    text = Text(", ".join(f"{count} {verdict.value.replace('_', ' ')}" for verdict, count in counts))
    notes = [report.unreadable.split(". ")[0]] if report.unreadable else []
    if report.changes:
        notes.append(f"{len(report.changes)} changes to the assignment's cells undone")
    if not report.kernel.sandbox and report.kernel.starts:
        notes.append("run without the wall")
    if report.kernel.end.startswith("died"):
        notes.append(f"kernel {report.kernel.end}")
    for note in notes:
        text.append(f"\n{note}", style="dim")
    return text


def bench_table(bench: Any) -> Group:
    """What kernels cost, for one assignment."""
    contestants = ("cold", "warm", "floor")
    table = Table(title=f"{bench.id}: {bench.cells} code cells, median of {bench.rounds} rounds (lowest to highest), seconds")
    table.title_justify = "left"
    table.add_column("", no_wrap=True)
    for name in (*contestants, "cold / warm", "warm / floor"):
        table.add_column(name, justify="right")
    for row in bench.rows:
        seconds = [_spread(row.seconds.get(name), "{:.2f}") for name in contestants]
        table.add_row(row.name, *seconds, _spread(row.cold_by_warm, "{:.1f}"), _spread(row.warm_by_floor, "{:.2f}"))
    lines: list[Any] = [table]
    for target in bench.targets:
        verdict = "met" if target.met else "[red]MISSED[/]"
        lines.append(f"  {target.name}: {target.cpu_seconds:.3f} CPU s of {target.limit_seconds:.3f}: {verdict}")
    lines.append(
        f"  planting the zygote, once for a class: {bench.plant_seconds:.1f} s; "
        f"{bench.fork_cpu_seconds:.3f} of each warm run's CPU s are the forks themselves"
    )
    for where, error in bench.errors.items():
        lines.append(Text(f"  {where}: {error}", style="red"))
    return Group(*lines)


def _spread(spread: Any, form: str) -> str:
    if spread is None:
        return ""
    return f"{form.format(spread.median)}\n({form.format(spread.low)} to {form.format(spread.high)})"


def cells_table(report: Any) -> Table:
    """Where each cell of an assignment runs."""
    table = Table(title=f"{report.id}: where each cell runs", title_justify="left")
    for name in HEADER:
        table.add_column(name)
    for row in report.cells:
        table.add_row(*map(Text, row))
    return table


def _counted(graded: list[Graded]) -> str:
    counts: Counter[Verdict] = Counter()
    for one in graded:
        counts.update(one.verdicts)
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
