"""Grades the class with nbgrader's own commands, by this package or by nbgrader alone."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from nbgrader.api import Gradebook, MissingEntry

from autograder.cells import Kind, grade_id_of, kind_of, points_of
from autograder.report import read_report
from tests import make
from tests.cheats.leaks import hidden_tokens, tokens_in
from tests.cheats.reading import Cheat, handed_in, reference, source_notebook

ASSIGNMENT = "cheats"
HONEST = ("aaron", "zelda")
"""The same right solutions, graded first and last."""
BLANK = "blank"
OURS = make.TWO_LINES + 'c.Grade.limits = {"interrupt_seconds": 1, "memory_bytes": 1_200_000_000}\n'
NBGRADERS = "c = get_config()\nc.ExecutePreprocessor.timeout = 30\n"
_LONGEST_SECONDS = 3000
_MANIFEST = """
title = "Cheats"
track = "safety"
week = 1
due = "never"
points = 53
device = "cpu"

[limits]
cell_seconds = 10
notebook_seconds = 60

[references]
test_total = ["double"]
"""
_GEARBOX = '''"""Helpers that come with the assignment."""

import numpy as np


def blobs(seed, n):
    """n points around three centres, (n, 2), and which centre each belongs to, (n,)."""
    y = np.arange(n) % 3
    centres = np.array([[0.0, 4.0], [4.0, 0.0], [-4.0, -4.0]])
    return centres[y] + np.random.default_rng(seed).normal(size=(n, 2)), y
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """What one student got."""

    points: Mapping[str, float | None]
    """Of each test cell; None where a person has to look."""
    verdicts: Mapping[str, str]
    """Of each test cell; empty with nbgrader alone."""
    learned: Mapping[str, str]
    """Hidden token -> the file of the student's feedback folder that it was found in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """What everybody got."""

    students: Mapping[str, Graded]
    most: Mapping[str, float]
    """Test cell -> the points that it is worth."""
    tokens: Mapping[str, str]
    """Hidden token -> the cell that it is in."""
    held_up: frozenset[str]
    """Students who were not graded at first, because another one's submission ended the run."""


def grade_class(root: Path, config: str, cheats: Iterable[Cheat]) -> Class:
    """The class of `cheats`, two honest students and one who hands in nothing, graded in the new folder `root`."""
    course = make.Course(root, config)
    cheats = list(cheats)
    source = source_notebook()
    _lay_out(course)
    released = course.release(ASSIGNMENT, source)
    solutions = reference(source)
    for student in HONEST:
        course.submit(student, ASSIGNMENT, make.replaced(released, solutions))
    course.submit(BLANK, ASSIGNMENT, released)
    for cheat in cheats:
        folder = course.root / "submitted" / cheat.name / ASSIGNMENT
        folder.mkdir(parents=True)
        course.submit(cheat.name, ASSIGNMENT, handed_in(cheat, released, solutions, folder))
    held_up = _autograde(course)
    _run(course, "generate_feedback")
    tokens = hidden_tokens(source)
    sends = {cheat.name: cheat.sends for cheat in cheats}
    most = {grade_id_of(cell) or "": points_of(cell) for cell in source.cells if kind_of(cell) is Kind.TEST}
    with Gradebook(f"sqlite:///{course.root / 'gradebook.db'}") as gradebook:
        students = {
            name: Graded(
                points=_points(gradebook, name, most),
                verdicts=_verdicts(course, name),
                learned=tokens_in(course.root / "feedback" / name, list(tokens), sends.get(name, "")),
            )
            for name in (*HONEST, BLANK, *sends)
        }
    return Class(students=students, most=most, tokens=tokens, held_up=held_up)


def _autograde(course: make.Course) -> frozenset[str]:
    """Grade everybody; those who had to be graded one by one, because the run ended before it came to them."""
    everybody = sorted(path.name for path in (course.root / "submitted").iterdir())
    _run(course, "autograde")
    missing = [student for student in everybody if not course.autograded(student, ASSIGNMENT).exists()]
    for student in missing:
        _run(course, "autograde", "--student", student)
    return frozenset(student for student in missing if course.autograded(student, ASSIGNMENT).exists())


def _run(course: make.Course, command: str, *options: str) -> None:
    """Status 1 means that somebody has to look at a submission, or that nbgrader gave up on one."""
    done = make.run([sys.executable, "-m", "nbgrader", command, ASSIGNMENT, *options], course.root, seconds=_LONGEST_SECONDS)
    assert done.returncode in (0, 1), done.stderr


def _lay_out(course: make.Course) -> None:
    """The files beside the source notebook, and the manifest."""
    for name, text in {
        f"source/{ASSIGNMENT}/gearbox.py": _GEARBOX,
        f"assignments/{ASSIGNMENT}/assignment.toml": _MANIFEST,
    }.items():
        path = course.root / name
        path.parent.mkdir(parents=True)
        path.write_text(text)


def _points(gradebook: Gradebook, student: str, most: Mapping[str, float]) -> dict[str, float | None]:
    try:
        grades = gradebook.find_submission_notebook(ASSIGNMENT, ASSIGNMENT, student).grades
    except MissingEntry:
        return dict.fromkeys(most, 0.0)
    found = {grade.name: grade.score if grade.auto_score is not None else None for grade in grades}
    return {name: found.get(name, 0.0) for name in most}


def _verdicts(course: make.Course, student: str) -> dict[str, str]:
    report = read_report(course.autograded(student, ASSIGNMENT, ".report.json"))
    return {} if report is None else {cell.grade_id: str(cell.verdict) for cell in report.cells}
