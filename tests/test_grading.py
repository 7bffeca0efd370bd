"""A class graded by `autograder grade` beside the same class graded by `nbgrader autograde`: nobody can tell which was which."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from autograder import handback
from tests import make
from tests.test_course import SOURCE, hand_in_everybody
from tests.traces import rows, tree

LATE = """
import datetime
c.Execute.timeout = 4
c.LateSubmissionPlugin.penalty_method = "zero"
c.LimitOutput.max_lines = 3
c.IgnorePattern.pattern = "nothing like this"
"""

CHANCE = "surrogate/ps1/ps1"
"""What ipykernel logs of the text that it cannot send, and tornado or asyncio words it, by chance, also from run to run."""


class Both:
    """The class in two copies of the course."""

    def __init__(self, folder: Path) -> None:
        self.plain = make.Course(folder / "plain", make.TWO_LINES + LATE)
        hand_in_everybody(self.plain)
        self._add_odd_folders()
        shutil.copytree(self.plain.root, folder / "ours", symlinks=True)
        self.ours = make.Course(folder / "ours", make.TWO_LINES + LATE)
        self.by_nbgrader = self.plain.nbgrader("autograde", "ps1")
        self.by_us = self.ours.autograder("grade", "ps1", "--workers", "2", "--feedback", "--json")

    def _add_odd_folders(self) -> None:
        """Files beside the notebook, times of handing in, a folder without the notebook, and one with another."""
        root = self.plain.root
        (root / "source" / "ps1" / "helper.txt").write_text("staff's")
        with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as gradebook:
            gradebook.update_or_create_assignment("ps1", duedate="2020-01-02 00:00:00")
        for student, time in (
            ("right", "2020-01-01 00:00:00"),
            ("warns", "2020-01-03 12:00:00"),
            ("exits", "2020-02-01 00:00:00"),
        ):
            (root / "submitted" / student / "ps1" / "timestamp.txt").write_text(f"{time} UTC\n")
        (root / "submitted" / "nan" / "ps1" / "timestamp.txt").write_text("whenever")
        (root / "submitted" / "right" / "ps1" / "helper.txt").write_text("the student's own")
        (root / "submitted" / "right" / "ps1" / "data").mkdir()
        (root / "submitted" / "right" / "ps1" / "data" / "numbers.csv").write_text("1,2\n")
        (root / "submitted" / "words" / "ps1" / "stolen.db").symlink_to(root / "gradebook.db")
        (root / "submitted" / "wrong" / "ps1" / "link.txt").symlink_to("ps1.ipynb")
        good = (root / "submitted" / "right" / "ps1" / "ps1.ipynb").read_bytes()
        other = root / "submitted" / "stranger" / "ps1" / "ps2.ipynb"
        other.parent.mkdir(parents=True)
        other.write_bytes(good)
        lost = make.notebook(make.graded("another_assignments", "1"))
        self.plain.submit("lost", "ps1", lost)
        (root / "submitted" / "nobody" / "ps1").mkdir(parents=True)
        self.plain.submit(
            "writes",
            "ps1",
            make.replaced(SOURCE, {"double": "open('mine.txt', 'w').write('x')\ndef double(x):\n    return 2 * x"}),
        )


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    return Both(tmp_path_factory.mktemp("both"))


def test_gradebook_is_the_same(both: Both) -> None:
    found = rows(both.plain)
    assert (found["right"][0]["late"], found["warns"][0]["late"]) == ([None], [6.5])
    assert rows(both.ours) == found


def test_graded_folders_are_the_same(both: Both) -> None:
    ours, plain = tree(both.ours), tree(both.plain)
    assert list(ours) == list(plain)
    assert "writes/ps1/mine.txt" in plain
    assert "words/ps1/stolen.db" not in plain
    assert {name for name in ours if ours[name] != plain[name]} <= {f"{CHANCE}.ipynb"}


def test_status_is_the_same(both: Both) -> None:
    assert both.by_us.returncode == 1, both.by_us.stderr
    assert both.by_nbgrader.returncode == 1


@pytest.mark.parametrize("pages_worth_a_worker", [None, 1, 1000])
def test_feedback_is_the_same_page_for_page(
    both: Both, monkeypatch: pytest.MonkeyPatch, pages_worth_a_worker: int | None
) -> None:
    """None stands for what `grade --feedback` has written."""
    done = both.plain.nbgrader("generate_feedback", "ps1")
    assert done.returncode == 0, done.stderr
    if pages_worth_a_worker is None:
        pages = json.loads(both.by_us.stdout)["feedback"]
        assert {page["problem"] for page in pages} == {""}
        assert len(pages) == len(tree_of_students(both.ours))
    else:
        monkeypatch.setattr(handback, "_PAGES_WORTH_A_WORKER", pages_worth_a_worker)
        shutil.rmtree(both.ours.root / "feedback", ignore_errors=True)
        assert {page.problem for page in handback.write_feedback(both.ours.root, "ps1", 2)} == {""}
    plain, ours = (
        {str(path.relative_to(course.root)): path.read_bytes() for path in course.root.glob("feedback/**/*") if path.is_file()}
        for course in (both.plain, both.ours)
    )
    assert len(plain) > 30
    assert sorted(ours) == sorted(plain)
    assert {name for name in ours if ours[name] != plain[name]} <= {f"feedback/{CHANCE}.html"}
    assert json.loads(both.ours.autograder("feedback", "ps1", "--json").stdout) == []


def test_running_again_grades_only_what_failed(both: Both) -> None:
    again = json.loads(both.ours.autograder("grade", "ps1", "--workers", "1", "--json").stdout)
    assert {row["student"] for row in again["graded"]} == {"lost", "nan", "stranger"}
    assert again["unchanged"] == len(tree_of_students(both.ours))


def test_changed_submission_is_graded_again_and_a_persons_score_stays(both: Both) -> None:
    with Gradebook(f"sqlite:///{both.ours.root / 'gradebook.db'}") as gradebook:
        gradebook.find_grade("why", "ps1", "ps1", "wrong").manual_score = 4.5
        gradebook.db.commit()
    path = both.ours.root / "submitted" / "wrong" / "ps1" / "ps1.ipynb"
    path.write_bytes(path.read_bytes().replace(b"return x + 2", b"return 2 * x"))
    again = json.loads(both.ours.autograder("grade", "ps1", "--student", "wrong", "--workers", "1", "--json").stdout)
    assert [(row["student"], row["points"]) for row in again["graded"]] == [("wrong", 6.5)]
    with Gradebook(f"sqlite:///{both.ours.root / 'gradebook.db'}") as gradebook:
        why = gradebook.find_grade("why", "ps1", "ps1", "wrong")
        assert (why.manual_score, why.needs_manual_grade) == (4.5, True)


def tree_of_students(course: make.Course) -> list[str]:
    return sorted(path.parent.name for path in course.root.glob("autograded/*/ps1"))


def test_nothing_half_written_lies_about(both: Both) -> None:
    assert [path.name for path in both.ours.root.glob("autograded/*/.*")] == []
