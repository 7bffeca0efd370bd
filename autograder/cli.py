"""The command line. The only module that prints.

Runs: trusted side.

Exit status: 0 fine; 1 some submissions or assignments need attention; 2 wrong usage; 3 the grader itself failed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from autograder import __version__
from autograder.errors import AutograderError, PoolError

OK, ATTENTION, USAGE, FAILED = 0, 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `autograder` command."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, handlers=[RichHandler(show_path=False)])
    console = Console(stderr=options.json, highlight=False)
    try:
        status: int = options.command(options, console)
    except AutograderError as error:
        console.print(Text(f"{options.name}: {error}", style="red"))
        return FAILED if not options.json else _print_json({"error": str(error)}, FAILED)
    except OSError as error:
        console.print(Text(f"{options.name}: {error.filename or 'a file'}: {error.strerror or error}", style="red"))
        return FAILED if not options.json else _print_json({"error": str(error)}, FAILED)
    except KeyboardInterrupt:
        console.print("stopped")
        return FAILED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="autograder", description="Builds, proves and grades the homework of a course.")
    parser.add_argument("--version", action="version", version=f"autograder {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--course", type=Path, default=Path.cwd(), metavar="DIR", help="the course's folder (default: this one)")
    common.add_argument("--json", action="store_true", help="print the result as JSON")
    common.add_argument("--verbose", action="store_true", help="say more on the way")
    commands = parser.add_subparsers(title="commands", dest="name", required=True)

    def command(name: str, function: Any, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, parents=[common], help=text.split(".")[0], description=text)
        sub.set_defaults(command=function)
        return sub

    sub = command(
        "build", _build, "Bring source notebooks and their text into agreement. The side edited since the last build counts."
    )
    sub.add_argument("ids", nargs="*", metavar="ID", help="assignments (default: all)")
    sub.add_argument("--check", action="store_true", help="change nothing; exit with 1 if anything disagrees")
    sub.add_argument("--take", choices=("text", "notebook"), help="the side that counts where both were edited")

    sub = command("check", _check, "Prove assignments: reference full marks, blank none, every known wrong solution caught.")
    sub.add_argument("ids", nargs="*", metavar="ID", help="assignments (default: all)")
    sub.add_argument("--exercise", action="append", metavar="NAME", help="only the mutants of this exercise; may be repeated")
    sub.add_argument("--cells", action="store_true", help="also show where each cell runs and whose its names are")
    sub.add_argument("--examined", action="store_true", help="also run test cells apart; all must come out the same (minutes)")

    sub = command("demo", _demo, "Release the assignments to a simulated class, grade it with nbgrader and show the scores.")
    sub.add_argument("ids", nargs="*", metavar="ID", help="assignments (default: all)")
    sub.add_argument(
        "--folder", type=Path, metavar="DIR", help="where to make the course (default: demo/ in the course's folder)"
    )
    sub.add_argument("--stock", action="store_true", help="grade the same class by nbgrader alone too, and show both scores")
    sub.add_argument("--unsafe-no-sandbox", action="store_true", help="run student code without the wall; every report says so")

    sub = command(
        "bench",
        _bench,
        "Measure kernels, what examining costs, or a class. Whatever is compared takes turns in one run.",
    )
    sub.add_argument("what", choices=("kernels", "examiner", "class"), help="what to measure")
    sub.add_argument("ids", nargs="*", metavar="ID", help="assignments (default: all)")
    sub.add_argument("--repeat", type=_positive, metavar="N", help="rounds (default: 5; of a class 1)")
    sub.add_argument("--submissions", type=_positive, default=24, metavar="N", help="size of the class (default: %(default)s)")
    sub.add_argument("--workers", type=_positive, metavar="N", help="the class with 1 to N workers (default: one for each core)")

    _add_class_commands(command)
    command("doctor", _doctor, "Say what this machine has and lacks for grading, and how to get it.")
    return parser


def _add_class_commands(command: Any) -> None:
    sub = command("grade", _grade, "Grade what is new or changed, several submissions at a time; the same results as nbgrader's.")
    sub.add_argument("assignment", metavar="ID", help="the assignment")
    sub.add_argument("--student", action="append", default=[], metavar="ID", help="only this student; may be repeated")
    sub.add_argument("--workers", type=_positive, metavar="N", help="submissions at a time (default: one for each core)")
    sub.add_argument("--scheduler", metavar="URL", help="grade on the Dask cluster of this scheduler (tcp://...), not here")
    sub.add_argument("--force", action="store_true", help="grade again what is unchanged too; scores given by hand stay")

    sub = command("feedback", _feedback, "Write feedback, several pages at a time; the same pages as nbgrader's.")
    sub.add_argument("assignment", metavar="ID", help="the assignment")
    sub.add_argument("--student", action="append", default=[], metavar="ID", help="only this student; may be repeated")
    sub.add_argument("--workers", type=_positive, metavar="N", help="pages at a time, at most (default: one for each core)")
    sub.add_argument("--force", action="store_true", help="also what is not older than the grading: scores by hand are new")


def _build(options: argparse.Namespace, console: Console) -> int:
    from autograder.build import Side, as_json, build
    from autograder.manifest import choose, read_manifests

    take = Side(options.take) if options.take else None
    found = [
        build(manifest, options.course / "source", write=not options.check, take=take)
        for manifest in choose(read_manifests(options.course / "assignments"), options.ids)
    ]
    left = [stale for built in found for stale in built.stale if options.check or "no manifest" in stale]
    if options.json:
        return _print_json([as_json(built) for built in found], ATTENTION if left else OK)
    for built in found:
        if options.check:
            console.print(f"{built.id}: {'agrees' if not built.stale else 'DISAGREES'}")
        else:
            console.print(f"{built.id}: {f'wrote {len(built.written)} files' if built.written else 'up to date'}")
        for stale in built.stale if options.check else [stale for stale in built.stale if "no manifest" in stale]:
            console.print(f"  {stale}")
        for path in built.written:
            console.print(f"  {_short(path, options.course)}")
    return ATTENTION if left else OK


def _check(options: argparse.Namespace, console: Console) -> int:
    from autograder.check import check
    from autograder.equivalence import compare
    from autograder.manifest import choose, read_manifests
    from autograder.views import cells_table

    reports, holds = [], True
    for manifest in choose(read_manifests(options.course / "assignments"), options.ids):
        with _progress(console) as progress:
            task = progress.add_task(manifest.id, total=None)
            exercises = frozenset(options.exercise) if options.exercise else None
            report = check(manifest, options.course / "source", exercises=exercises, progress=partial(_advance, progress, task))
            found = None
            if options.examined:
                advance = partial(_advance, progress, progress.add_task("  examined", total=None))
                found = compare(manifest, report.mutants, progress=advance)
        holds = holds and report.holds and (found is None or found.holds)
        reports.append(report.to_json() | ({} if found is None else {"examined": found.to_json()}))
        if not options.json:
            _print_check(report, console)
            if found is not None:
                console.print(Text(f"{found}"), soft_wrap=True)
            if options.cells:
                console.print(cells_table(report))
    status = OK if holds else ATTENTION
    return _print_json(reports, status) if options.json else status


def _advance(progress: Progress, task: TaskID, done: int, total: int) -> None:
    progress.update(task, completed=done, total=total)


def _print_check(report: Any, console: Console) -> None:
    wrong = [result for result in report.mutants if not result.mutant.is_alternative]
    right = [result for result in report.mutants if result.mutant.is_alternative]
    caught = sum(result.as_declared for result in wrong)
    accepted = sum(result.as_declared for result in right)
    console.print(
        f"[bold]{report.id}[/]: {'holds' if report.holds else '[red]DOES NOT HOLD[/]'}. {report.test_cells} test cells; "
        f"{caught} of {len(wrong)} wrong solutions caught by the tests they name, {accepted} of {len(right)} other correct ones "
        f"accepted; reference {report.cpu_seconds:.1f} CPU s."
    )
    for problem in report.problems:
        console.print(Text(f"  {problem}"))
    for result in report.mutants:
        if not result.as_declared:
            mutant = result.mutant
            declared = ", ".join(mutant.fails) or "nothing"
            if result.broken:
                console.print(Text(f"  {mutant.exercise}/{mutant.name}: its cell does not run: {result.broken}"))
                continue
            console.print(
                Text(f"  {mutant.exercise}/{mutant.name}: should fail {declared}; fails {', '.join(result.failed) or 'nothing'}")
            )
            for test, error in result.errors.items():
                if test not in mutant.fails:
                    console.print(Text(f"      {test}: {error}"))


def _demo(options: argparse.Namespace, console: Console) -> int:
    from autograder.demo import run_demo
    from autograder.views import demo_table

    folder = options.folder or options.course / "demo"
    with console.status("starting") as status:
        demo = run_demo(
            options.course,
            folder,
            assignments=options.ids,
            stock=options.stock,
            sandbox=not options.unsafe_no_sandbox,
            say=lambda text: status.update(text),
        )
    if options.json:
        rows = [
            {
                "student": row.student.id,
                "assignment": row.assignment,
                "idea": row.student.idea,
                "report": None if row.report is None else row.report.to_json(),
                "stock_score": row.stock_score,
            }
            for row in demo.rows
        ]
        return _print_json({"rows": rows, "seconds": demo.seconds, "exit_status": demo.exit_status}, OK)
    for assignment in dict.fromkeys(row.assignment for row in demo.rows):
        console.print(demo_table(demo, assignment, stock=options.stock))
    total = sum(demo.seconds.values())
    console.print(f"{total:.0f} s: " + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in demo.seconds.items()))
    first = next(iter(demo.rows))
    course = _short(demo.course, Path.cwd())
    console.print(
        f"\nWhere to look next\n"
        f"  what a student sees  {course}/feedback/{first.student.id}/{first.assignment}/{first.assignment}.html\n"
        f"  what staff see       {course}/autograded/{first.student.id}/{first.assignment}/{first.assignment}.report.json\n"
        f"  grades               {course}/grades.csv\n"
        f"  grade by hand        cd {course} && jupyter lab, then the menu Nbgrader, Formgrader",
        soft_wrap=True,
    )
    return OK


def _bench(options: argparse.Namespace, console: Console) -> int:
    from autograder.bench import bench_kernels, describe_machine
    from autograder.manifest import choose, read_manifests
    from autograder.views import bench_table

    machine = describe_machine()
    if options.what == "class":
        return _bench_class(options, console, machine)
    manifests = choose(read_manifests(options.course / "assignments"), options.ids)
    if options.what == "examiner":
        return _bench_examiner(options, console, manifests, machine)
    found = []
    for manifest in manifests:
        with _progress(console) as progress:
            task = progress.add_task(manifest.id, total=None)
            advance = partial(_advance, progress, task)
            found.append(bench_kernels(manifest, options.course / "source", rounds=options.repeat or 5, progress=advance))
        if not options.json:
            console.print(bench_table(found[-1]))
    status = ATTENTION if any(bench.errors for bench in found) else OK
    if options.json:
        return _print_json({"machine": machine.to_json(), "kernels": [bench.to_json() for bench in found]}, status)
    console.print(f"Measured on {machine}.", soft_wrap=True)
    return status


def _bench_examiner(options: argparse.Namespace, console: Console, manifests: Any, machine: Any) -> int:
    from autograder.bench_examiner import Size, bench_examiner

    with _progress(console) as progress:
        advance = partial(_advance, progress, progress.add_task("examiner", total=None))
        found = bench_examiner(manifests, options.course / "source", size=Size(rounds=options.repeat or 5), progress=advance)
    status = ATTENTION if found.errors else OK
    if options.json:
        return _print_json({"machine": machine.to_json(), "examiner": found.to_json()}, status)
    console.print(Text(f"{found}\nMeasured on {machine}."), soft_wrap=True)
    return status


def _bench_class(options: argparse.Namespace, console: Console, machine: Any) -> int:
    from autograder.bench_class import bench_class
    from autograder.views import class_bench_table

    workers = range(1, (options.workers or _cores()) + 1)
    with _progress(console) as progress:
        advance = partial(_advance, progress, progress.add_task("class", total=None))
        found = bench_class(options.submissions, workers, options.repeat or 1, progress=advance)
    if options.json:
        return _print_json({"machine": machine.to_json(), "class": found.to_json()}, OK)
    console.print(class_bench_table(found))
    console.print(f"Measured on {machine}.", soft_wrap=True)
    return OK


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not above 0")
    return value


def _grade(options: argparse.Namespace, console: Console) -> int:
    began = time.monotonic()
    workers = _workers(options)  # before the imports: both take seconds
    from autograder.grading import ClassRun
    from autograder.views import ClassView, as_json, class_table

    run = ClassRun(options.course, options.assignment, workers)
    with Live(ClassView(run), console=console, refresh_per_second=4, transient=True):
        for _ in run.grade(options.student, force=options.force):
            pass
    seconds = time.monotonic() - began
    status = ATTENTION if any(graded.attention for graded in run.tally.graded) else OK
    if options.json:
        return _print_json(as_json(run, seconds), status)
    if run.tally.graded:
        console.print(class_table(run, seconds))
    else:
        console.print(f"{options.assignment}: {run.tally.unchanged} submissions, all graded as they are")
    return status


def _workers(options: argparse.Namespace) -> Any:
    if options.scheduler is None:
        from autograder.workers import LocalWorkers

        return LocalWorkers(options.workers or _cores())
    try:
        from autograder.cluster import DaskWorkers
    except ModuleNotFoundError as error:
        raise PoolError(f"{error}: --scheduler needs Dask. `pip install autograder[dask]` brings it.") from error
    return DaskWorkers(options.scheduler)


def _feedback(options: argparse.Namespace, console: Console) -> int:
    from autograder.handback import write_feedback

    pages = []
    most = options.workers or _cores()
    with console.status("writing feedback") as status:
        for page in write_feedback(options.course, options.assignment, most, options.student, force=options.force):
            pages.append(page)
            status.update(f"{len(pages)} written")
    failed = [page for page in pages if page.problem]
    if options.json:
        rows = [{"student": page.student, "problem": page.problem} for page in pages]
        return _print_json(rows, ATTENTION if failed else OK)
    console.print(f"{options.assignment}: feedback for {len(pages) - len(failed)} students written")
    for page in failed:
        console.print(Text(f"  {page.student}: {page.problem}", style="red"))
    return ATTENTION if failed else OK


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _doctor(options: argparse.Namespace, console: Console) -> int:
    from autograder.doctor import State, examine_machine

    findings = list(examine_machine(options.course.resolve()))
    status = ATTENTION if any(finding.state is State.PROBLEM for finding in findings) else OK
    if options.json:
        return _print_json([finding.to_json() for finding in findings], status)
    marks = {State.OK: "[green]ok[/]", State.WARNING: "[yellow]note[/]", State.PROBLEM: "[red]MISSING[/]"}
    table = Table(show_header=False, box=None, pad_edge=False)
    for finding in findings:
        table.add_row(marks[finding.state], finding.what, Text(finding.found + (f"\n{finding.advice}" if finding.advice else "")))
    console.print(table)
    return status


def _progress(console: Console) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


def _print_json(data: Any, status: int) -> int:
    print(json.dumps(data, indent=1))
    return status


def _short(path: Path, base: Path) -> Path:
    try:
        return path.resolve().relative_to(base.resolve())
    except ValueError:
        return path
