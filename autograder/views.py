"""How results look in a terminal: the tables and texts that the command line prints.

Runs: trusted side. The only module that prints; it and `class_views` import rich.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:  # each command loads only what it needs
    from autograder.bench import KernelBench
    from autograder.check import CheckReport
    from autograder.demo import Demo
    from autograder.doctor import Finding
    from autograder.ratios import Spread
    from autograder.report import Report
    from autograder.scaffold import Scaffold

OK, ATTENTION, USAGE, FAILED = 0, 1, 2, 3
"""Exit statuses: fine; some submissions or assignments need attention; wrong usage; the grader itself failed."""

Advance = Callable[[int, int], None]
"""Called with how many of how many steps are done."""


class Screen:
    """Where a command shows its results: stdout, or stderr where stdout carries JSON."""

    def __init__(self, *, json: bool) -> None:
        self._console = Console(stderr=json, highlight=False)

    def show(self, *views: RenderableType) -> None:
        """Print tables, as wide as the terminal, and texts, whose lines the terminal breaks: they can be copied whole."""
        for view in views:
            self._console.print(view, soft_wrap=isinstance(view, Text))

    def say(self, text: str, *, style: str = "") -> None:
        """Print `text` as it is."""
        self.show(Text(text, style=style))

    @contextmanager
    def progress(self) -> Iterator[Callable[[str], Advance]]:
        """A bar for each name that the function given is called with; they go when the block ends. Only in a terminal."""
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal) as bars:

            def begin(name: str) -> Advance:
                task = bars.add_task(name, total=None)
                return lambda done, total: bars.update(task, completed=done, total=total)

            yield begin

    @contextmanager
    def live(self, view: RenderableType) -> Iterator[None]:
        """Show `view` as it is at each moment; it goes when the block ends. Only in a terminal."""
        if not self._console.is_terminal:
            yield
            return
        with Live(view, console=self._console, refresh_per_second=4, transient=True):
            yield

    @contextmanager
    def status(self) -> Iterator[Callable[[str], None]]:
        """One line that says what is being done; the function given replaces it."""
        with self._console.status("starting") as status:
            yield status.update


def print_json(data: Any, status: int) -> int:
    """Print `data` for machines, and give `status` on."""
    print(json.dumps(data, indent=1))
    return status


def print_json_line(data: Any) -> None:
    """Print `data` for machines on a line of its own, at once: they read it while the command goes on."""
    print(json.dumps(data), flush=True)


def log_to_terminal(screen: Screen, *, verbose: bool) -> None:
    """Show the log on `screen`: warnings, or with `verbose` also what is done on the way."""
    handler = RichHandler(console=screen._console, show_path=False)
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])


def scaffold_view(made: Scaffold, course: Path) -> Text:
    """What was made, and what to type next."""
    lines = [f"{made.id}: made {len(made.written)} files"]
    lines += [f"  {short(path, course)}" for path in made.written]
    lines += ["It holds and can be released as it is. Next:", *(f"  {command}" for command in made.next_commands)]
    return Text("\n".join(lines))


def check_view(report: CheckReport, *, sizes: bool = False, full: bool = False) -> Text:
    """Whether an assignment holds, and everything that speaks against it.

    sizes: also what was measured and is within its budget. full: also the addresses that the text names.
    """
    wrong = [result for result in report.mutants if not result.mutant.is_alternative]
    right = [result for result in report.mutants if result.mutant.is_alternative]
    summary = Text.from_markup(
        f"[bold]{report.id}[/]: {'holds' if report.holds else '[red]DOES NOT HOLD[/]'}. {report.test_cells} test cells; "
        f"{sum(result.as_declared for result in wrong)} of {len(wrong)} wrong solutions caught by the tests they name, "
        f"{sum(result.as_declared for result in right)} of {len(right)} other correct ones accepted; "
        f"reference {report.cpu_seconds:.1f} CPU s."
    )
    lines = [*report.problems, *(f"{result}" for result in report.mutants if not result.as_declared)]
    lines += [f"note: {note}" for note in report.review.notes]
    if sizes or full:
        lines += [f"{figure}" for figure in report.review.figures if figure.holds]
    if full:
        lines += [f"not looked up: {url}" for url in report.review.urls]
    if report.mutation is not None:
        lines.append(f"{report.mutation}")
    return summary.append("".join("\n" + indent(line, "  ") for line in lines))


def cells_view(report: CheckReport, header: Sequence[str]) -> RenderableType:
    """Where each cell runs and whose its names are; `header` names the columns."""
    table = Table(title=f"{report.id}: where each cell runs", title_justify="left")
    for name in header:
        table.add_column(name)
    for row in report.cells:
        table.add_row(*map(Text, row))
    return table


def demo_view(demo: Demo, assignment: str, *, stock: bool) -> RenderableType:
    """How a simulated class did in one assignment, with `stock` beside what nbgrader alone gives."""
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


def demo_places(demo: Demo) -> str:
    """Where the demonstration left what is worth looking at."""
    first = next(iter(demo.rows))
    course = short(demo.course, Path.cwd())
    return (
        f"\nWhere to look next\n"
        f"  what a student sees  {course}/feedback/{first.student.id}/{first.assignment}/{first.assignment}.html\n"
        f"  what staff see       {course}/autograded/{first.student.id}/{first.assignment}/{first.assignment}.report.json\n"
        f"  grades               {course}/grades.csv\n"
        f"  grade by hand        cd {course} && jupyter lab, then the menu Nbgrader, Formgrader"
    )


def _verdicts(report: Report | None) -> Text:
    """How many automatic tests ended how, and what staff should know."""
    from autograder.verdict import Verdict

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


def bench_view(bench: KernelBench) -> RenderableType:
    """What kernels cost in one assignment, and whether the targets are met."""
    from autograder.ratios import Contestant

    table = Table(title=f"{bench.id}: {bench.cells} code cells, median of {bench.rounds} rounds (lowest to highest), seconds")
    table.title_justify = "left"
    table.add_column("", no_wrap=True)
    for name in (*Contestant, "cold / warm", "warm / floor"):
        table.add_column(name, justify="right")
    for row in bench.rows:
        seconds = [_spread(row.seconds.get(name), "{:.2f}") for name in Contestant]
        table.add_row(row.name, *seconds, _spread(row.cold_by_warm, "{:.1f}"), _spread(row.warm_by_floor, "{:.2f}"))
    targets = [
        Text.from_markup(
            f"  {target.name}: {target.cpu_seconds:.3f} CPU s of {target.limit_seconds:.3f}: "
            f"{'met' if target.met else '[red]MISSED[/]'}"
        )
        for target in bench.targets
    ]
    planting = Text(
        f"  planting the zygote, once for a class: {bench.plant_seconds:.1f} s; "
        f"{bench.fork_cpu_seconds:.3f} of each warm run's CPU s are the forks themselves"
    )
    return Group(table, *targets, planting, *(Text(f"  {where}: {error}", "red") for where, error in bench.errors.items()))


def _spread(spread: Spread | None, form: str) -> str:
    if spread is None:
        return ""
    return f"{form.format(spread.median)}\n({form.format(spread.low)} to {form.format(spread.high)})"


def findings_view(findings: Sequence[Finding]) -> RenderableType:
    """What this machine has and lacks."""
    marks = {"ok": "[green]ok[/]", "warning": "[yellow]note[/]", "problem": "[red]MISSING[/]"}
    table = Table(show_header=False, box=None, pad_edge=False)
    for finding in findings:
        found = Text(finding.found + (f"\n{finding.advice}" if finding.advice else ""))
        table.add_row(marks[finding.state.value], finding.what, found)
    return table


def short(path: Path, base: Path) -> Path:
    """`path` as seen from `base`, where it lies below it."""
    try:
        return path.resolve().relative_to(base.resolve())
    except ValueError:
        return path
