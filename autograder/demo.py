"""The whole path on a simulated class: build, release, hand in, `nbgrader autograde`, feedback, export.

Runs: trusted side.

The course lies in a folder of its own and is graded with nbgrader's own commands; with `stock=True` a second course
beside it is graded by nbgrader without us, for comparison.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autograder.build import build
from autograder.errors import AutograderError, WallError
from autograder.manifest import Manifest, choose, read_manifests
from autograder.report import Report, read_report, report_path
from autograder.simulate import Student, read_material, roster

CELL_SECONDS = 8
"""Time limit for a cell in the demonstration, so that the endless loop does not keep people waiting."""
_OURS = "from autograder import configure\n\nc = get_config()\nconfigure(c)\n"
_NO_SANDBOX = "c.Grade.unsafe_no_sandbox = True\n"
_NO_WALL = 3
"""Exit status of an `nbgrader autograde` that graded nothing because it could put up no wall."""
_COMMON = 'c = get_config()\nc.CourseDirectory.course_id = "demo"\nc.Execute.timeout = {seconds}\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoRow:
    """One student's result in one assignment."""

    student: Student
    assignment: str
    report: Report | None
    stock_score: float | None = None
    """What nbgrader alone gives; None when it was not asked or recorded nothing."""


@dataclass(slots=True, kw_only=True)
class Demo:
    """What the demonstration did."""

    course: Path
    rows: list[DemoRow] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall seconds of each step."""
    exit_status: dict[str, int] = field(default_factory=dict)
    """Exit status of each `nbgrader autograde`: 1 where a submission needs attention."""


def run_demo(
    root: Path,
    course: Path,
    *,
    assignments: Sequence[str] = (),
    stock: bool = False,
    sandbox: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> Demo:
    """Make a course in the folder `course` from the assignments in `root` and grade the simulated class.

    A folder left by an earlier demonstration is replaced. `say` is told what happens.

    Raises:
        AutograderError: `course` exists and is not a demonstration, or a step failed.
    """
    demo = Demo(course=course)
    manifests = choose(read_manifests(root / "assignments"), assignments)
    ours = _COMMON.format(seconds=CELL_SECONDS) + _OURS + ("" if sandbox else _NO_SANDBOX)
    _make_course(root, course, ours, manifests)
    steps = [("with this grader", course, True)]
    if stock:
        plain = course / "stock"
        _make_course(root, plain, _COMMON.format(seconds=CELL_SECONDS), manifests, enforce=False)
        steps.append(("by nbgrader alone", plain, False))
    classes = {m.id: [s for s in roster() if s.diligent or m is manifests[0]] for m in manifests}
    for manifest in manifests:
        for what, folder, is_ours in steps:
            _release_and_hand_in(demo, folder, manifest, classes[manifest.id], say)
            say(f"{manifest.id}: grading {len(classes[manifest.id])} submissions {what}")
            key = f"autograde {manifest.id}" + ("" if is_ours else " (stock)")
            status = _timed(demo, key, folder, "autograde", manifest.id, check=False)
            if status == _NO_WALL:
                raise WallError(_last_error(folder / "autograde.log"))
            if is_ours:
                demo.exit_status[manifest.id] = status
                say(f"{manifest.id}: writing feedback")
                _timed(demo, f"generate_feedback {manifest.id}", folder, "generate_feedback", manifest.id)
    for _, folder, _ours in steps:
        _nbgrader(folder, "export")
    demo.rows = _rows(course, classes, _stock_scores(course / "stock") if stock else {})
    return demo


def _make_course(root: Path, course: Path, config: str, manifests: Sequence[Manifest], *, enforce: bool = True) -> None:
    marker = course / ".autograder-demo"
    if course.exists() and any(course.iterdir()):
        if not marker.exists():
            raise AutograderError(f"{course}: exists and was not made by a demonstration; name another folder with --folder")
        _remove(course)
    course.mkdir(parents=True, exist_ok=True)
    marker.touch()
    if not enforce:
        config += "c.ClearMarkScheme.enforce_metadata = False\n"
    (course / "nbgrader_config.py").write_text(config, encoding="utf-8")
    shutil.copytree(root / "assignments", course / "assignments", ignore=shutil.ignore_patterns("__pycache__"))
    for manifest in manifests:
        build(manifest, course / "source")


def _release_and_hand_in(
    demo: Demo, course: Path, manifest: Manifest, students: Sequence[Student], say: Callable[[str], None]
) -> None:
    say(f"{manifest.id}: releasing")
    _timed(demo, f"generate_assignment {manifest.id}", course, "generate_assignment", manifest.id)
    released = course / "release" / manifest.id
    material = read_material(manifest, released / f"{manifest.id}.ipynb")
    for student in students:
        folder = course / "submitted" / student.id / manifest.id
        shutil.copytree(released, folder)
        (folder / f"{manifest.id}.ipynb").write_bytes(student.hand_in(material))


def _rows(course: Path, classes: dict[str, list[Student]], stock: dict[tuple[str, str], float]) -> list[DemoRow]:
    return [
        DemoRow(
            student=student,
            assignment=assignment,
            report=read_report(report_path(course / "autograded" / student.id / assignment, assignment)),
            stock_score=stock.get((student.id, assignment)),
        )
        for assignment, students in classes.items()
        for student in students
    ]


def _stock_scores(course: Path) -> dict[tuple[str, str], float]:
    with (course / "grades.csv").open(newline="", encoding="utf-8") as file:
        return {(row["student_id"], row["assignment"]): float(row["raw_score"] or 0) for row in csv.DictReader(file)}


def _nbgrader(course: Path, *arguments: str, check: bool = True) -> int:
    """Run an nbgrader command in `course`; its log goes to a file there."""
    log = course / f"{arguments[0]}.log"
    with log.open("a", encoding="utf-8") as file:
        status = subprocess.run(
            [sys.executable, "-m", "nbgrader", *arguments], cwd=course, env=_environment(), stdout=file, stderr=file, check=False
        ).returncode
    if check and status != 0:
        raise AutograderError(f"`nbgrader {' '.join(arguments)}` ended with status {status}; its log is {log}")
    return status


def _last_error(log: Path) -> str:
    """The last error in a log of nbgrader's."""
    errors = [line for line in log.read_text(encoding="utf-8").splitlines() if "| ERROR]" in line]
    return errors[-1].partition("| ERROR] ")[2] if errors else f"nothing was graded; see {log}"


def _environment() -> dict[str, str]:
    """This Python's commands first."""
    return {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])}


def _timed(demo: Demo, name: str, course: Path, *arguments: str, check: bool = True) -> int:
    began = time.monotonic()
    status = _nbgrader(course, *arguments, check=check)
    demo.seconds[name] = demo.seconds.get(name, 0.0) + time.monotonic() - began
    return status


def _remove(course: Path) -> None:
    """Delete a demonstration; nbgrader leaves read-only files."""
    for path in course.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(course)
