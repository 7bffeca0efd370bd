"""The gradebook's only writer: all of a submission or nothing, and a message when it cannot."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook
from sqlalchemy import event
from sqlalchemy.engine import Engine

from autograder import scores
from autograder.errors import GradebookError, MissingInGradebook
from autograder.late import LatePenalties
from autograder.package import Marks
from autograder.scores import Ledger


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'gradebook.db'}"
    with Gradebook(url) as book:
        book.add_assignment("ps1")
        book.add_notebook("ps1", "ps1")
        book.add_grade_cell("test_f", "ps1", "ps1", max_score=3, cell_type="code")
        book.add_solution_cell("f", "ps1", "ps1")
    return url


def record(ledger: Ledger, student: str, marks: Marks) -> None:
    ledger.record("ps1", student, timestamp=None, marks={"ps1": marks}, late=LatePenalties())


RIGHT = Marks(points={"test_f": 3.0}, comments={"f": None})


def test_submission_is_written_whole(url: str) -> None:
    ledger = Ledger(url, "default_course")
    record(ledger, "ada", RIGHT)
    ledger.close()
    with Gradebook(url) as book:
        grade = book.find_grade("test_f", "ps1", "ps1", "ada")
        assert (grade.auto_score, grade.needs_manual_grade) == (3.0, False)


def test_cell_that_the_gradebook_lacks_leaves_nothing_behind(url: str) -> None:
    ledger = Ledger(url, "default_course")
    with pytest.raises(MissingInGradebook, match="no entry for test_g"):
        record(ledger, "ada", Marks(points={"test_f": 3.0, "test_g": 1.0}))
    ledger.close()
    with Gradebook(url) as book:
        assert book.students == []


def test_gradebook_that_stays_locked_is_told_and_nothing_is_written(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scores, "_BUSY_SECONDS", 0.3)
    ledger = Ledger(url, "default_course")
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(GradebookError, match=r"cannot be used: .*locked.*run the same command again"):
        record(ledger, "ada", RIGHT)
    other.execute("ROLLBACK")
    record(ledger, "ada", RIGHT)
    other.close()
    ledger.close()


def test_gradebook_that_is_locked_for_a_moment_is_waited_for(url: str) -> None:
    ledger = Ledger(url, "default_course")
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.5, lambda: other.execute("ROLLBACK"))
    release.start()
    began = time.monotonic()
    record(ledger, "ada", RIGHT)
    assert time.monotonic() - began > 0.3
    release.join()
    other.close()
    ledger.close()


def test_full_gradebook_is_told_and_goes_on_with_the_next(url: str) -> None:
    def small(connection: Any, _: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    event.listen(Engine, "connect", small)
    ledger = Ledger(url, "default_course")
    written = 0

    def go_on() -> None:
        nonlocal written
        while True:
            record(ledger, f"s{written:03}", RIGHT)
            written += 1

    with pytest.raises(GradebookError, match=r"cannot be used: database or disk is full.*run the same command again"):
        go_on()
    ledger.close()
    event.remove(Engine, "connect", small)
    ledger = Ledger(url, "default_course")
    record(ledger, f"s{written:03}", RIGHT)
    ledger.close()
    with Gradebook(url) as book:
        assert [student.id for student in book.students] == [f"s{number:03}" for number in range(written + 1)]
        assert all(grade.auto_score == 3.0 for one in book.assignment_submissions("ps1") for grade in one.notebooks[0].grades)
        assert len(book.assignment_submissions("ps1")) == written + 1


def test_gradebook_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "gradebook.db").write_text("this is no database, " * 100)
    with pytest.raises(GradebookError, match="cannot be used: file is not a database"):
        Ledger(f"sqlite:///{tmp_path / 'gradebook.db'}", "default_course")
