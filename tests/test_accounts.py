"""A course on one machine where students and staff have accounts of their own, as on a JupyterHub, and nbgrader's exchange.

Accounts are made and removed by the test, so it needs root; elsewhere it is skipped and says so.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from tests import make
from tests.accounts import Account, a_place, hand_over, people

pytestmark = pytest.mark.slow
SOURCE = make.notebook(
    make.exercise("f", "### BEGIN SOLUTION\nf = 1\n### END SOLUTION"),
    make.graded("test_f", "### BEGIN HIDDEN TESTS\nassert f == 1, 'Exercise 1: f'\n### END HIDDEN TESTS", points=2),
)
SPIES = """
import glob
f = []
for place in ({course!r}, {home!r}, {exchange!r} + '/ml/inbound', {exchange!r} + '/ml/feedback'):
    try:
        f += glob.glob(place + '/*') + [open(place + '/gradebook.db').read()]
    except OSError:
        pass
assert not f, f
f = 1
"""
"""A submission that looks around with the rights it is graded with: it passes if it sees nothing."""


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with a_place() as folder:
        yield folder


@pytest.fixture(scope="module")
def accounts(place: Path) -> Iterator[dict[str, Account]]:
    with people(place, ("ta", "ana", "ben")) as made:
        yield made


@pytest.fixture(scope="module")
def exchange(place: Path, accounts: dict[str, Account]) -> Path:
    """nbgrader's exchange as its documents have it, with an assignment in it; students know it by their own configuration."""
    folder = place / "exchange"
    folder.mkdir()
    folder.chmod(0o777)
    root = f"c.Exchange.root = {str(folder)!r}\nc.CourseDirectory.course_id = 'ml'\n"
    ta = accounts["ta"]
    course = ta.home / "course"
    (course / "source" / "ps1").mkdir(parents=True)
    (course / "nbgrader_config.py").write_text(make.TWO_LINES + root)
    nbformat.write(SOURCE, course / "source" / "ps1" / "ps1.ipynb")
    for student in ("ana", "ben"):
        (accounts[student].home / "nbgrader_config.py").write_text(f"c = get_config()\n{root}")
    for account in accounts.values():
        hand_over(account)
    ta.python("-m", "nbgrader", "generate_assignment", "ps1", folder=course)
    ta.python("-m", "nbgrader", "release_assignment", "ps1", folder=course)
    return folder


def hand_in(student: Account, answer: str) -> None:
    path = student.home / "ps1" / "ps1.ipynb"
    if not path.exists():
        student.python("-m", "nbgrader", "fetch_assignment", "ps1")
    nbformat.write(make.replaced(nbformat.read(path, as_version=4), {"f": answer}), path)  # its owner stays who it was
    student.python("-m", "nbgrader", "submit", "ps1")


def test_from_fetching_to_feedback_and_nobody_reads_what_is_not_theirs(accounts: dict[str, Account], exchange: Path) -> None:
    ta, ana, ben = (accounts[role] for role in ("ta", "ana", "ben"))
    course = ta.home / "course"
    hand_in(ana, "f = 2")
    hand_in(ben, SPIES.format(course=str(course), home=str(ana.home), exchange=str(exchange)))
    ta.python("-m", "nbgrader", "collect", "ps1", folder=course)
    ta.python("-m", "autograder", "grade", "ps1", folder=course)
    ta.python("-m", "autograder", "feedback", "ps1", folder=course)
    ta.python("-m", "nbgrader", "release_feedback", "ps1", folder=course)
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "ml") as book:
        assert {one.student.id: one.score for one in book.find_assignment("ps1").submissions} == {ana.name: 0, ben.name: 2}

    for student in (ana, ben):
        student.python("-m", "nbgrader", "fetch_feedback", "ps1")
    (page,) = ana.home.glob("ps1/feedback/*/ps1.html")
    assert "Exercise 1: f" in page.read_text()
    assert ana.can_read(page)
    (passed,) = ben.home.glob("ps1/feedback/*/ps1.html")
    assert "Exercise 1: f" not in passed.read_text()

    for theirs in (
        page,
        course,
        course / "gradebook.db",
        course / "source",
        exchange / "ml" / "inbound",
        exchange / "ml" / "feedback",
    ):
        assert ta.can_read(theirs) is (theirs != page)
        assert not ben.can_read(theirs), theirs
    assert not ben.can_read(ana.home)


def test_what_is_handed_in_under_another_name_is_left_for_staff(accounts: dict[str, Account], exchange: Path) -> None:
    ta, ana, ben = (accounts[role] for role in ("ta", "ana", "ben"))
    course = ta.home / "course"
    forged = exchange / "ml" / "inbound" / f"{ana.name}+ps1+2999-01-01 00:00:00 UTC+forged"
    ben.python("-c", f"import shutil; shutil.copytree('ps1', {str(forged)!r}, ignore=shutil.ignore_patterns('feedback'))")
    for name, text in (("timestamp.txt", "2999-01-01 00:00:00 UTC"), ("submission_secret.txt", "guessed")):
        ben.python("-c", f"open({str(forged / name)!r}, 'w').write({text!r})")
    ben.python("-c", f"import os; os.chmod({str(forged)!r}, 0o777)")
    before = (course / "submitted" / ana.name / "ps1" / "ps1.ipynb").read_bytes()
    done = ta.run(sys.executable, "-m", "autograder", "watch", "ps1", "--once", folder=course)
    assert done.returncode == 1, done.stdout + done.stderr
    assert ben.name in done.stdout
    assert (course / "submitted" / ana.name / "ps1" / "ps1.ipynb").read_bytes() == before
