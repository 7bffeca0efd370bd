"""The command line; `views` says how things look.

Runs: trusted side.

Exit status: 0 fine; 1 some submissions or assignments need attention; 2 wrong usage; 3 the grader itself failed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import autograder.light  # noqa: F401  before the rest
from autograder import __version__
from autograder.class_commands import (
    Command,
    add_commands_for_classes,
    bench_of_class,
    bench_of_driver,
    bench_of_watch,
    plot_of_class,
    positive,
    weeks_of_mooc,
)
from autograder.errors import AutograderError
from autograder.student_commands import add_commands_for_students
from autograder.views import (
    ATTENTION,
    FAILED,
    OK,
    USAGE,
    Screen,
    bench_view,
    cells_view,
    check_view,
    demo_places,
    demo_view,
    findings_view,
    log_to_terminal,
    print_json,
    scaffold_view,
    short,
)

if TYPE_CHECKING:
    from autograder.revision import Revision
__all__ = ["ATTENTION", "FAILED", "OK", "USAGE", "main", "run"]
_ROUNDS = 5
"""How often a benchmark measures each contestant."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `autograder` command."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args(arguments)
    screen = Screen(json=options.json)
    log_to_terminal(screen, verbose=options.verbose)
    try:
        status: int = options.command(options, screen)
    except AutograderError as error:
        return _fail(options, screen, str(error), str(error))
    except OSError as error:
        return _fail(options, screen, f"{error.filename or 'a file'}: {error.strerror or error}", str(error))
    except KeyboardInterrupt:
        screen.say("stopped")
        return FAILED
    return status


def _fail(options: argparse.Namespace, screen: Screen, text: str, error: str) -> int:
    screen.say(f"{options.name}: {text}", style="red")
    return print_json({"error": error}, FAILED) if options.json else FAILED


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

    _add_commands_for_authors(command)
    add_commands_for_classes(command)
    _add_commands_for_graders(command)
    add_commands_for_students(command)
    return parser


def _add_commands_for_authors(command: Command) -> None:
    sub = command("new", _new, "Make a new assignment that already holds, to be replaced piece by piece.")
    sub.add_argument("id", metavar="ID", help="its name, such as w7_my_topic")
    sub.add_argument("--title", help="what students read (default: from the id)")
    sub.add_argument("--track", choices=("ml", "dl", "safety"), default="safety", help="default: %(default)s")
    sub.add_argument("--week", type=positive, metavar="N", help="when it is handed out (default: from the id)")
    sub.add_argument("--due", metavar="TEXT", help="when it is due, in words (default: two weeks later)")

    sub = command(
        "build", _build, "Bring source notebooks and their text into agreement. The side edited since the last build counts."
    )
    sub.add_argument("ids", nargs="*", metavar="ID", help="assignments (default: all)")
    sub.add_argument("--check", action="store_true", help="change nothing; exit with 1 if anything disagrees")
    sub.add_argument("--take", choices=("text", "notebook"), help="the side that counts where both were edited")

    sub = command("check", _check, "Prove assignments: reference full marks, blank none, wrong solutions caught, nothing leaks.")
    sub.add_argument("ids", nargs="*", metavar="ID", help="assignments (default: all)")
    sub.add_argument("--exercise", action="append", metavar="NAME", help="only this exercise's wrong solutions; may be repeated")
    sub.add_argument("--cells", action="store_true", help="also show where each cell runs and whose its names are")
    sub.add_argument("--quick", action="store_true", help="no generated wrong solutions, nothing repeated; not enough to release")
    sub.add_argument("--examined", action="store_true", help="also run test cells apart; all must come out the same (minutes)")
    sub.add_argument(
        "--changed", action="store_true", help="of what assignments/proven.json has as it is now, only what --quick does"
    )
    sub.add_argument("--record", action="store_true", help="write what holds, nothing left out, into assignments/proven.json")

    sub = command("release", _release, "Release an assignment that check has proven, and say what students get.")
    sub.add_argument("id", metavar="ID", help="the assignment")
    sub.add_argument("--force", action="store_true", help="replace an earlier release that differs")
    sub.add_argument("--update", action="store_true", help="bring a gradebook with submissions in line; no grade is lost")
    sub.add_argument(
        "--rename", action="append", type=_renamed, metavar="OLD=NEW", help="a cell's id then and now; may be repeated"
    )


def _add_commands_for_graders(command: Command) -> None:
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
        "Measure kernels, what examining costs, what mutants do, a class, a watched course, or what one driver sustains. "
        "What is compared takes turns. `plot` draws what `class --json` has measured; `mooc` works out a week of submissions.",
    )
    measured = ("kernels", "examiner", "mutants", "class", "watch", "driver")
    sub.add_argument("what", choices=(*measured, "plot", "mooc"), help="what to measure, draw or work out")
    sub.add_argument(
        "ids",
        nargs="*",
        metavar="ID",
        help="assignments, or for a class the notebooks tiny, small, training (default: all); for plot and mooc files that class "
        "and driver have written with --json; for mooc also inputs as NAME=VALUE, such as submissions=20000",
    )
    sub.add_argument("--repeat", type=positive, metavar="N", help="rounds (default: 5; of a class 1)")
    sub.add_argument("--submissions", type=positive, metavar="N", help="of a class or a watch (default: 24), or a driver (5000)")
    sub.add_argument("--workers", type=positive, metavar="N", help="the class with 1 to N workers (default: one for each core)")
    sub.add_argument("--into", type=Path, metavar="FILE", help="for mooc: also put the tables into this page, docs/mooc.md")

    command("doctor", _doctor, "Say what this machine has and lacks for grading, and how to get it.")


def _new(options: argparse.Namespace, screen: Screen) -> int:
    from autograder.scaffold import scaffold

    made = scaffold(options.course, options.id, title=options.title, track=options.track, week=options.week, due=options.due)
    if options.json:
        return print_json(made.to_json(), OK)
    screen.show(scaffold_view(made, options.course))
    return OK


def _build(options: argparse.Namespace, screen: Screen) -> int:
    from autograder.build import Side, as_json, build
    from autograder.manifest import choose, read_manifests

    take = Side(options.take) if options.take else None
    found = [
        build(manifest, options.course / "source", write=not options.check, take=take)
        for manifest in choose(read_manifests(options.course / "assignments"), options.ids)
    ]
    left = [stale for built in found for stale in built.stale if options.check or "no manifest" in stale]
    if options.json:
        return print_json([as_json(built) for built in found], ATTENTION if left else OK)
    for built in found:
        if options.check:
            screen.say(f"{built.id}: {'agrees' if not built.stale else 'DISAGREES'}")
        else:
            screen.say(f"{built.id}: {f'wrote {_count(built.written)}' if built.written else 'up to date'}")
        for stale in built.stale if options.check else [stale for stale in built.stale if "no manifest" in stale]:
            screen.say(f"  {stale}")
        for path in built.written:
            screen.say(f"  {short(path, options.course)}")
    return ATTENTION if left else OK


def _check(options: argparse.Namespace, screen: Screen) -> int:
    from autograder.equivalence import compare
    from autograder.manifest import choose, read_manifests
    from autograder.ownership import HEADER
    from autograder.proofs import assignment_digest, check_and_remember, record, recorded

    exercises = frozenset(options.exercise) if options.exercise else None
    reports, holds = [], True
    folder, source = options.course / "assignments", options.course / "source"
    for manifest in choose(read_manifests(folder), options.ids):
        digest = assignment_digest(manifest, source)
        unchanged = options.changed and recorded(folder).get(manifest.id) == digest
        quick = options.quick or unchanged
        with screen.progress() as begin:
            report = check_and_remember(manifest, source, exercises=exercises, quick=quick, progress=begin(manifest.id))
            examined = options.examined and not unchanged
            found = compare(manifest, report.mutants, progress=begin("  examined")) if examined else None
            revision = _since_release(manifest.id, options.course, screen)
        it_holds = report.holds and (found is None or found.holds)
        holds = holds and it_holds
        entire = it_holds and not quick and exercises is None
        if options.record and entire and assignment_digest(manifest, source) == digest:
            record(folder, manifest.id, digest)
        extra = {"examined": found, "since_release": revision}
        reports.append(report.to_json() | {name: value.to_json() for name, value in extra.items() if value is not None})
        if not options.json:
            screen.show(check_view(report, sizes=not quick and not exercises, full=options.verbose))
            if revision is not None:
                screen.say(f"{revision}")
            if found is not None:
                screen.say(f"{found}")
            if options.cells:
                screen.show(cells_view(report, HEADER))
    status = OK if holds else ATTENTION
    return print_json(reports, status) if options.json else status


def _since_release(assignment: str, course: Path, screen: Screen) -> Revision | None:
    """What changed since the release for those who handed in; None where nobody can have."""
    from autograder.records import changes_since_release

    if not any((course / name).is_file() for name in ("nbgrader_config.py", "gradebook.db")):
        return None
    try:
        return changes_since_release(assignment, course)
    except AutograderError as error:
        screen.say(f"{assignment}: cannot be compared with what the gradebook holds: {error}", style="yellow")
        return None


def _release(options: argparse.Namespace, screen: Screen) -> int:
    from autograder.manifest import choose, read_manifests
    from autograder.release import release

    (manifest,) = choose(read_manifests(options.course / "assignments"), [options.id])
    with screen.progress() as begin:
        done = release(
            manifest,
            options.course,
            force=options.force,
            update=options.update,
            renames=dict(options.rename or ()),
            progress=begin(manifest.id),
        )
    status = OK if done.made else ATTENTION
    if options.json:
        return print_json(done.to_json(), status)
    screen.say(f"{done}")
    return status


def _demo(options: argparse.Namespace, screen: Screen) -> int:
    from autograder.demo import run_demo

    folder = options.folder or options.course / "demo"
    with screen.status() as say:
        demo = run_demo(
            options.course,
            folder,
            assignments=options.ids,
            stock=options.stock,
            sandbox=not options.unsafe_no_sandbox,
            say=say,
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
        return print_json({"rows": rows, "seconds": demo.seconds, "exit_status": demo.exit_status}, OK)
    for assignment in dict.fromkeys(row.assignment for row in demo.rows):
        screen.show(demo_view(demo, assignment, stock=options.stock))
    total = sum(demo.seconds.values())
    screen.say(f"{total:.0f} s: " + ", ".join(f"{name} {seconds:.0f} s" for name, seconds in demo.seconds.items()))
    screen.say(demo_places(demo))
    return OK


def _bench(options: argparse.Namespace, screen: Screen) -> int:
    from autograder.bench import bench_kernels, describe_machine
    from autograder.manifest import choose, read_manifests

    if options.what == "plot":
        return plot_of_class(options, screen)
    if options.what == "mooc":
        return weeks_of_mooc(options, screen)
    machine, rounds = describe_machine(), options.repeat or _ROUNDS
    of_class = {"class": bench_of_class, "watch": bench_of_watch, "driver": bench_of_driver}
    if options.what in of_class:
        return of_class[options.what](options, screen, machine)
    manifests = choose(read_manifests(options.course / "assignments"), options.ids)
    if options.what == "examiner":
        return _bench_examiner(options, screen, manifests, machine, rounds)
    if options.what == "mutants":
        return _bench_mutants(options, screen, manifests, machine, rounds)
    found = []
    for manifest in manifests:
        with screen.progress() as begin:
            progress = begin(manifest.id)
            found.append(bench_kernels(manifest, options.course / "source", rounds=rounds, progress=progress))
        if not options.json:
            screen.show(bench_view(found[-1]))
    status = ATTENTION if any(bench.errors for bench in found) else OK
    if options.json:
        return print_json({"machine": machine.to_json(), "kernels": [bench.to_json() for bench in found]}, status)
    screen.say(f"Measured on {machine}.")
    return status


def _bench_examiner(options: argparse.Namespace, screen: Screen, manifests: Any, machine: Any, rounds: int) -> int:
    from autograder.bench_examiner import Size, bench_examiner

    with screen.progress() as begin:
        size = Size(rounds=rounds)
        found = bench_examiner(manifests, options.course / "source", size=size, progress=begin("examiner"))
    status = ATTENTION if found.errors else OK
    if options.json:
        return print_json({"machine": machine.to_json(), "examiner": found.to_json()}, status)
    screen.say(f"{found}\nMeasured on {machine}.")
    return status


def _bench_mutants(options: argparse.Namespace, screen: Screen, manifests: Any, machine: Any, rounds: int) -> int:
    from autograder.bench_mutants import bench_mutants

    with screen.progress() as begin:
        found = bench_mutants(manifests, rounds=rounds, progress=begin("mutants"))
    if options.json:
        return print_json({"machine": machine.to_json(), "mutants": found.to_json()}, OK)
    screen.say(f"{found}\nMeasured on {machine}.")
    return OK


def _doctor(options: argparse.Namespace, screen: Screen) -> int:
    from autograder.doctor import State, examine_machine

    findings = list(examine_machine(options.course.resolve()))
    status = ATTENTION if any(finding.state is State.PROBLEM for finding in findings) else OK
    if options.json:
        return print_json([finding.to_json() for finding in findings], status)
    screen.show(findings_view(findings))
    return status


def _count(files: Sequence[Path]) -> str:
    return f"{len(files)} file{'s' if len(files) != 1 else ''}"


def _renamed(text: str) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not (old and equals and new):
        raise argparse.ArgumentTypeError(f"{text!r} is not OLD=NEW")
    return old, new
