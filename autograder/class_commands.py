"""The commands that grade a class and write its feedback, and those that measure that.

Runs: trusted side.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Callable
from contextlib import closing, suppress
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.errors import AutograderError, PoolError
from autograder.manifest import DEVICES
from autograder.views import ATTENTION, OK, Screen, print_json, print_json_line, short

if TYPE_CHECKING:  # most commands need none
    from autograder.workers import Workers

_CLASS, _DRIVEN = 24, 5000
"""Submissions that a class or a watch is measured with, and a driver."""
Command = Callable[[str, Any, str], argparse.ArgumentParser]
"""Adds a command: its name, the function that runs it, and what it does in a sentence or two."""


def add_commands_for_classes(command: Command) -> None:
    """Add `grade`, `history`, `todo`, `feedback`, `export` and `watch`."""
    sub = command("grade", _grade, "Grade what is new or changed, several submissions at a time; the same results as nbgrader's.")
    sub.add_argument("assignment", metavar="ID", help="the assignment")
    sub.add_argument("--student", action="append", default=[], metavar="ID", help="only this student; may be repeated")
    sub.add_argument("--workers", type=positive, metavar="N", help="submissions at a time (default: one for each core, or GPU)")
    sub.add_argument("--scheduler", metavar="URL", help="grade on the Dask cluster of this scheduler (tcp://...), not here")
    sub.add_argument("--device", choices=DEVICES, help="what to grade on (default: what the manifest says)")
    sub.add_argument("--force", action="store_true", help="grade again what is unchanged too; scores given by hand stay")
    sub.add_argument(
        "--cells",
        action="extend",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="only these graded cells may change, such as test_mean or 'test_*'; all others stay as they were",
    )
    sub.add_argument("--dry-run", action="store_true", help="show what would change, and write nothing")
    sub.add_argument("--why", default="", metavar="TEXT", help="the reason, for the history")
    sub.add_argument("--feedback", action="store_true", help="write everybody's feedback too, each as soon as there are grades")
    sub.add_argument("--progress", action="store_true", help="with --json: before the result a line for each that is graded")

    sub = command("history", _history, "Say who graded an assignment when and why, and what it changed for whom.")
    sub.add_argument("assignment", metavar="ID", help="the assignment")
    sub.add_argument("--student", action="append", default=[], metavar="ID", help="only this student; may be repeated")

    sub = command("todo", _todo, "List who waits for a person, which cell and why, most urgent first. Written answers come last.")
    sub.add_argument("ids", nargs="*", metavar="ID", help="assignments (default: all)")
    sub.add_argument("--student", action="append", default=[], metavar="ID", help="only this student; may be repeated")

    sub = command("feedback", _feedback, "Write feedback, several pages at a time; the same pages as nbgrader's.")
    sub.add_argument("assignment", metavar="ID", help="the assignment")
    sub.add_argument("--student", action="append", default=[], metavar="ID", help="only this student; may be repeated")
    sub.add_argument("--workers", type=positive, metavar="N", help="pages at a time, at most (default: one for each core)")
    sub.add_argument("--force", action="store_true", help="also what is not older than the grading: scores by hand are new")

    sub = command(
        "export", _export, "Write the grades into a CSV file that is safe to open in a spreadsheet. The gradebook is only read."
    )
    sub.add_argument("ids", nargs="*", metavar="ID", help="assignments (default: all)")
    sub.add_argument("--student", action="append", default=[], metavar="ID", help="only this student; may be repeated")
    sub.add_argument(
        "--format",
        choices=("csv", "canvas", "moodle"),
        default="csv",
        help="csv: nbgrader's columns; canvas, moodle: what these import (default: %(default)s)",
    )
    sub.add_argument("--to", type=Path, metavar="FILE", help="where to (default: grades.csv or grades.FORMAT.csv in the course)")

    sub = command("watch", _watch, "Grade submissions as they arrive, and return feedback. Goes on until Ctrl-C or SIGTERM.")
    sub.add_argument("ids", nargs="*", metavar="ID", help="assignments (default: all that are released)")
    sub.add_argument(
        "--per-hour", type=_not_negative, default=6, metavar="N", help="for each student; 0 sets no limit (default: %(default)s)"
    )
    sub.add_argument("--workers", type=positive, metavar="N", help="submissions at a time (default: one for each core)")
    sub.add_argument("--once", action="store_true", help="do what there is to do now, and end")


def positive(text: str) -> int:
    """A number above 0, for an option."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not above 0")
    return value


def _not_negative(text: str) -> int:
    return 0 if text.strip() == "0" else positive(text)


def _grade(options: argparse.Namespace, screen: Screen) -> int:
    if options.feedback and options.dry_run:
        raise AutograderError("--dry-run writes nothing, so there is no feedback to write: leave out --feedback or --dry-run")
    if options.scheduler is not None:
        return _grade_with(_cluster(options.scheduler), options, screen)
    from autograder.nursery import planted_ahead
    from autograder.workers import LocalWorkers

    workers = LocalWorkers(options.workers or _cores())
    with planted_ahead(options.course, options.assignment) as nursery:
        workers.nursery = str(nursery.folder)
        if not nursery.planting:
            workers.start()
        return _grade_with(workers, options, screen, start=workers.start)


def _grade_with(workers: Workers, options: argparse.Namespace, screen: Screen, start: Callable[[], None] = lambda: None) -> int:
    """`start` is called when this process has imported what it needs itself: until then a zygote that is planted has a core."""
    began = time.monotonic()
    from autograder.class_views import ClassView, as_json, class_table, pages_as_json, pages_views, penalties_line, progress_json
    from autograder.grading import ClassRun
    from autograder.handback import write_feedback
    from autograder.history_views import changes_as_json, changes_views
    from autograder.pool import Pool

    start()
    with closing(Pool(workers)) as pool:
        run = ClassRun(options.course, options.assignment, pool, device=options.device or "")
        if options.scheduler is None and run.device == "cuda":
            workers.count = _gpu_slots(options)
        with screen.live(ClassView(run)):
            asked = {"force": options.force, "cells": options.cells, "why": options.why, "dry_run": options.dry_run}
            pages: list[Any] = []
            for graded in run.grade(options.student, **asked):
                if options.json and options.progress:
                    print_json_line({"progress": progress_json(run, graded)})
                if options.feedback and not graded.problem:
                    pages += write_feedback(options.course, options.assignment, 1, [escape(graded.student)])
            if options.feedback:  # of those that are as they were too, if it is missing
                pages += write_feedback(options.course, options.assignment, 1, options.student)
    seconds = time.monotonic() - began
    status = ATTENTION if any(page.problem for page in pages) or any(graded.attention for graded in run.tally.graded) else OK
    if options.json:
        found = as_json(run, seconds) | changes_as_json(run.tally.graded, dry_run=options.dry_run)
        return print_json(found | ({"feedback": pages_as_json(pages)} if options.feedback else {}), status)
    if run.tally.graded:
        screen.show(class_table(run, seconds))
        screen.show(*changes_views(run.tally.graded, dry_run=options.dry_run))
    else:
        screen.say(f"{options.assignment}: {run.tally.unchanged} submissions, all graded as they are")
    if run.tally.penalties:
        screen.show(penalties_line(run, dry_run=options.dry_run))
    if options.feedback:
        screen.show(*pages_views(pages, options.assignment))
    return status


def _history(options: argparse.Namespace, screen: Screen) -> int:
    from autograder.grading import past_gradings
    from autograder.history_views import history_as_json, history_views

    history = past_gradings(options.course, options.assignment)
    if options.json:
        return print_json(history_as_json(history, options.student), OK)
    screen.show(*history_views(history, options.assignment, options.student))
    return OK


def _todo(options: argparse.Namespace, screen: Screen) -> int:
    from autograder.class_views import todo_lines
    from autograder.todo import read_todos

    todos = read_todos(options.course, options.ids, options.student)
    status = ATTENTION if todos else OK
    if options.json:
        return print_json([todo.to_json() for todo in todos], status)
    screen.show(*todo_lines(todos))
    return status


def _cluster(scheduler: str) -> Workers:
    try:
        from autograder.cluster import DaskWorkers
    except ModuleNotFoundError as error:
        raise PoolError(f"{error}: --scheduler needs Dask. `pip install autograder[dask]` brings it.") from error
    return DaskWorkers(scheduler)


def _gpu_slots(options: argparse.Namespace) -> int:
    """How many submissions may be under way on this machine's GPUs: each has one to itself, so more would only wait.

    Raises:
        PoolError: it has none.
    """
    from autograder.gpu import find_gpus

    cards = len(find_gpus())
    if not cards:
        asked = "--device cuda" if options.device else f"{options.assignment} is to be graded on cuda"
        raise PoolError(
            f"{asked}, but this machine shows no GPU (no /dev/nvidia0, or CUDA_VISIBLE_DEVICES leaves none). Nothing was graded. "
            "`nvidia-smi` says whether its driver works; --scheduler grades on machines that have one, --device cpu without."
        )
    return options.workers or cards


def _feedback(options: argparse.Namespace, screen: Screen) -> int:
    from autograder.class_views import pages_as_json, pages_views
    from autograder.handback import write_feedback

    most, pages = options.workers or _cores(), []
    with screen.status() as say:
        for page in write_feedback(options.course, options.assignment, most, options.student, force=options.force):
            pages.append(page)
            say(f"{len(pages)} written")
    status = ATTENTION if any(page.problem for page in pages) else OK
    if options.json:
        return print_json(pages_as_json(pages), status)
    screen.show(*pages_views(pages, options.assignment))
    return status


def _export(options: argparse.Namespace, screen: Screen) -> int:
    from autograder.export import export_grades

    done = export_grades(options.course, options.format, options.to, assignments=options.ids, students=options.student)
    status = ATTENTION if done.waiting else OK
    waiting = [{"student": one.student, "assignment": one.assignment} for one in done.waiting]
    if options.json:
        return print_json({"file": str(done.path), "scores": len(done.standings), "waiting": waiting}, status)
    screen.say(f"{short(done.path, options.course)}: {len(done.standings)} scores")
    if waiting:
        screen.say(
            f"{len(waiting)} of them are not the last word: a person has still to look (`autograder todo`)", style="yellow"
        )
    return status


def _watch(options: argparse.Namespace, screen: Screen) -> int:
    from autograder.workers import LocalWorkers

    status = OK
    with suppress(KeyboardInterrupt):
        for number in (signal.SIGINT, signal.SIGTERM):  # also where the shell that started it has them ignored
            signal.signal(number, _stop)
        workers = LocalWorkers(options.workers or _cores())
        workers.start()  # before the imports: both take seconds
        from autograder.class_views import event_json, event_line
        from autograder.watch import Returned, Trouble, Watch

        with closing(Watch(options.course, options.ids, workers, per_hour=options.per_hour)) as watch:
            screen.say(f"watching {', '.join(watch.assignments)}; stop with Ctrl-C")
            if watch.no_exchange:
                screen.say(f"only submitted/, not an exchange: {watch.no_exchange}", style="yellow")
            for event in watch.go(once=options.once):
                if options.json:
                    print_json_line(event_json(event))
                else:
                    screen.show(event_line(event))
                if isinstance(event, Trouble) or (isinstance(event, Returned) and event.graded and event.graded.attention):
                    status = ATTENTION
    return status if options.once else OK


def _stop(_signal: int, _frame: object) -> None:
    """End, once: what the second signal would interrupt is ending."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def bench_of_class(options: argparse.Namespace, screen: Screen, machine: Any) -> int:
    """Measure a class graded by nbgrader alone and by us, as `options` say."""
    from autograder.bench_class import bench_class
    from autograder.bench_notebooks import BENCH_NOTEBOOKS
    from autograder.class_views import class_bench_table

    workers, found = range(1, (options.workers or _cores()) + 1), []
    with screen.progress() as begin:
        for name in options.ids or BENCH_NOTEBOOKS:
            found.append(bench_class(name, options.submissions or _CLASS, workers, options.repeat or 1, progress=begin(name)))
    if options.json:
        return print_json({"machine": machine.to_json(), "classes": [bench.to_json() for bench in found]}, OK)
    for bench in found:
        screen.show(class_bench_table(bench))
    screen.say(f"Measured on {machine}.")
    return OK


def bench_of_watch(options: argparse.Namespace, screen: Screen, machine: Any) -> int:
    """Measure how long students wait for feedback while a course is watched, as `options` say."""
    from autograder.bench_watch import bench_watch
    from autograder.class_views import watch_bench_table

    with screen.progress() as begin:
        found = bench_watch(options.repeat or options.submissions or _CLASS, progress=begin("watch"))
    if options.json:
        return print_json({"machine": machine.to_json(), "watch": found.to_json()}, OK)
    screen.show(watch_bench_table(found))
    screen.say(f"Measured on {machine}.")
    return OK


def bench_of_driver(options: argparse.Namespace, screen: Screen, machine: Any) -> int:
    """Measure what one driver sustains, as `options` say."""
    from autograder.bench_driver import bench_driver
    from autograder.class_views import driver_bench_table

    with screen.progress() as begin:
        found = bench_driver(options.submissions or _DRIVEN, progress=begin("driver"))
    if options.json:
        return print_json({"machine": machine.to_json(), "driver": found.to_json()}, OK)
    screen.show(driver_bench_table(found))
    screen.say(f"Measured on {machine}.")
    return OK


def plot_of_class(options: argparse.Namespace, screen: Screen) -> int:
    """Draw the files that `options` name, each written by `bench class --json`."""
    from autograder.scaling import plot_scaling

    if not options.ids:
        raise AutograderError("`autograder bench plot FILE` draws what `autograder bench class --json > FILE` has measured")
    drawn = [str(plot_scaling(Path(name))) for name in options.ids]
    if options.json:
        return print_json(drawn, OK)
    for name in drawn:
        screen.say(f"drawn: {name}")
    return OK


def weeks_of_mooc(options: argparse.Namespace, screen: Screen) -> int:
    """Work out what a week of many submissions takes, by the files and inputs that `options` name."""
    from autograder.mooc import as_markdown, weeks, write_into

    found = weeks(options.ids)
    if options.into is not None:
        write_into(options.into, options.ids)
    if options.json:
        return print_json({name: week.to_json() for name, week in found.items()}, OK)
    screen.say(as_markdown(found))
    return OK


def _cores() -> int:
    return len(os.sched_getaffinity(0))
