"""What grading leaves behind, in a form that two runs can be compared by."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook
from sqlalchemy import MetaData, create_engine, select

from autograder.packing import MARK
from tests import make

TIMES = ("seconds", "cpu_seconds", "examiner_cpu_seconds", "peak_bytes", "kernel_start", "cells", "total")
_OF_A_RUN = ("id", "run", "when")


def rows(course: make.Course, db_url: str = "") -> dict[str, Any]:
    """What a person would ask the gradebook about the class."""
    found: dict[str, Any] = {}
    with Gradebook(db_url or f"sqlite:///{course.root / 'gradebook.db'}") as gradebook:
        for student in gradebook.students:
            found[student.id] = [
                {
                    "timestamp": submission.timestamp,
                    "needs_manual_grade": submission.needs_manual_grade,
                    "late": [notebook.late_submission_penalty for notebook in submission.notebooks],
                    "score": submission.score,
                    "grades": {
                        grade.name: (grade.auto_score, grade.manual_score, grade.extra_credit, grade.needs_manual_grade)
                        for notebook in submission.notebooks
                        for grade in notebook.grades
                    },
                    "comments": {
                        comment.name: (comment.auto_comment, comment.manual_comment)
                        for notebook in submission.notebooks
                        for comment in notebook.comments
                    },
                }
                for submission in gradebook.student_submissions(student.id)
            ]
    return found


def tables(db_url: str) -> dict[str, list[str]]:
    """Every row of every table of the gradebook at `db_url`; where there is a random id stands what it names."""
    engine = create_engine(db_url)
    with engine.connect() as connection:
        metadata = MetaData()
        metadata.reflect(connection)
        answers = {name: connection.execute(select(table)).mappings() for name, table in metadata.tables.items()}
        rows = {name: [dict(row) for row in answer] for name, answer in answers.items()}
    engine.dispose()
    by_id = {(name, row["id"]): row for name, found in rows.items() for row in found if "id" in row}

    def named(table: str, row: dict[str, Any]) -> dict[str, Any]:
        return {key: value for column in metadata.tables[table].columns for key, value in entry(column, row[column.name])}

    def entry(column: Any, value: Any) -> list[tuple[str, Any]]:
        for key in column.foreign_keys:
            other = key.column.table.name
            return [(column.name, value and named(other, by_id[other, value]))]
        return [] if re.fullmatch("[0-9a-f]{32}", str(value)) else [(column.name, value)]

    return {name: sorted(repr(sorted(named(name, row).items())) for row in found) for name, found in rows.items()}


def marks(course: make.Course) -> dict[str, Any]:
    """Student -> of what the graded submission was made, and what the history says of it but for when and in which run."""
    found = {path.parts[-3]: json.loads(path.read_text()) for path in course.root.glob(f"autograded/*/*/{MARK}")}
    for mark in found.values():
        mark["entry"] = {name: value for name, value in mark["entry"].items() if name not in _OF_A_RUN}
    return found


def tree(course: make.Course, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Every graded file with its permissions, reports without what is time, and `without` these fields."""
    top = course.root / "autograded"
    return {
        str(path.relative_to(top)): (oct(path.stat().st_mode), _content(path, without))
        for path in sorted(top.rglob("*"))
        if path.is_file() and path.name != MARK
    }


def _content(path: Path, without: tuple[str, ...]) -> Any:
    if path.name.endswith(".report.json"):
        return _left(_timeless(json.loads(path.read_text())), without)
    return path.read_bytes()


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(item) for key, item in value.items() if key not in TIMES or isinstance(item, list)}
    return [_timeless(item) for item in value] if isinstance(value, list) else value


def _left(value: Any, without: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {key: _left(item, without) for key, item in value.items() if key not in without}
    return value
