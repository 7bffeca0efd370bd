"""Due dates on their way to students: from the gradebook or the manifest, by the exchange (by buttons: `test_formgrader`)."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from nbgrader.auth import Authenticator
from nbgrader.coursedir import CourseDirectory

from autograder.due import ReleaseWithDue, read_dues

NAME = "ps1"
MANIFEST = (
    'title = "Means"\ntrack = "ml"\nweek = 1\ndue = "end of week 3"\npoints = 1\ndevice = "cpu"\n'
    "[limits]\nmemory_bytes = 1e9\ncell_seconds = 10\nnotebook_seconds = 60\n"
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course with something to release, and an exchange."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    monkeypatch.setenv("PATH", path)  # nbgrader makes a gradebook with `alembic`, which it looks for there
    for folder in ("exchange", f"course/release/{NAME}", f"course/source/{NAME}"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "exchange").chmod(0o777)
    (tmp_path / "course" / "release" / NAME / f"{NAME}.ipynb").write_text("{}")
    return tmp_path


def release(place: Path, *, course: str = "ml") -> None:
    coursedir = CourseDirectory(root=str(place / "course"), course_id=course, assignment_id=NAME)
    step = ReleaseWithDue(coursedir=coursedir, authenticator=Authenticator(), root=str(place / "exchange"), force=True)
    step.start()


def set_due(place: Path, due: str | None) -> None:
    with Gradebook(f"sqlite:///{place / 'course' / 'gradebook.db'}", "ml") as book:
        book.update_or_create_assignment(NAME, duedate=due)


def dues(place: Path) -> list[tuple[str, str, datetime | None, str]]:
    return [(due.course, due.assignment, due.at, due.words) for due in read_dues(place / "exchange")]


def test_the_gradebooks_date_is_released_and_else_the_manifests_words(place: Path) -> None:
    release(place)
    assert dues(place) == []
    assert not (place / "course" / "gradebook.db").exists()  # looking makes none
    folder = place / "course" / "assignments" / NAME
    folder.mkdir(parents=True)
    (folder / "assignment.toml").write_text(MANIFEST)
    release(place)
    assert dues(place) == [("ml", NAME, None, "end of week 3")]
    set_due(place, "2031-10-12T23:59:00 +0200")
    release(place)
    assert dues(place) == [("ml", NAME, datetime(2031, 10, 12, 21, 59, tzinfo=UTC), "2031-10-12T21:59:00+00:00")]
    said = place / "exchange" / "ml" / "due" / f"{NAME}.txt"
    assert (said.stat().st_mode & 0o777, said.parent.stat().st_mode & 0o777) == (0o644, 0o755)
    set_due(place, None)
    (folder / "assignment.toml").unlink()
    release(place)
    assert dues(place) == []
    assert sorted(path.name for path in (place / "exchange" / "ml" / "outbound" / NAME).iterdir()) == [f"{NAME}.ipynb"]


def test_a_manifest_that_cannot_be_read_hinders_no_release(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = place / "course" / "assignments" / NAME
    folder.mkdir(parents=True)
    (folder / "assignment.toml").write_text("due = 3")
    release(place)
    assert (place / "exchange" / "ml" / "outbound" / NAME / f"{NAME}.ipynb").exists()
    assert dues(place) == []


def test_what_others_put_into_the_exchange_neither_blocks_nor_leads_astray(place: Path) -> None:
    """Anybody may make a folder there, and every student's server reads it."""
    secret = place / "secret.txt"
    secret.write_text("not theirs")
    for name in ("pipe", "link", "long", "naive", "folder", "gone", "odd"):
        if name != "gone":
            (place / "exchange" / "evil" / "outbound" / name).mkdir(parents=True)
    folder = place / "exchange" / "evil" / "due"
    folder.mkdir()
    os.mkfifo(folder / "pipe.txt")
    (folder / "link.txt").symlink_to(secret)
    (folder / "long.txt").write_text("x" * 100_000)
    (folder / "naive.txt").write_text("2031-10-12\n")
    (folder / "gone.txt").write_text("end of week 1")
    (folder / "odd.txt").write_bytes(b"\xff\n\n<b>soon</b>")
    (folder / "folder.txt").mkdir()
    found = {assignment: (at, words) for _, assignment, at, words in dues(place)}
    assert found.pop("long") == (None, "x" * 400)
    assert found == {"naive": (None, "2031-10-12"), "odd": (None, "\ufffd <b>soon</b>")}
